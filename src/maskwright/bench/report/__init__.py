"""Reports: report.html, report.md and report.json in the run folder."""

from maskwright.bench.report.writing import Written, write_report

__all__ = ["Written", "write_report"]
