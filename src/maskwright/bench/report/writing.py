"""Writes the three forms of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.bench.cases import draw_cases
from maskwright.bench.report import tables
from maskwright.bench.report.page import html_page
from maskwright.bench.rows import Results, write_tables
from maskwright.bench.samples import Dataset
from maskwright.bench.summary import summarise_run
from maskwright.plumbing.files import write_json, write_text


@dataclass(frozen=True)
class Written:
    """Where the report lies, and its numbers."""

    html: Path
    markdown: Path
    json: Path
    report: dict[str, Any]


def write_report(results: Results, dataset: Dataset | None = None, *, timings: bool = True) -> Written:
    """report.html, report.md, report.json, samples.parquet and ious/*.npy. Without `dataset` there are no pictures;
    without `timings` the files are the same bytes whenever the results are the same."""
    report = summarise_run(results)
    if not timings:
        del report["timings"]
    drawn = [] if dataset is None else list(draw_cases(results, dataset, report))
    place = results.folder
    written = Written(place / "report.html", place / "report.md", place / "report.json", report)
    write_tables(results)
    write_text(written.html, html_page(results, report, drawn, timings=timings))
    write_text(written.markdown, markdown(report))
    write_json(written.json, report)
    return written


def markdown(report: dict[str, Any]) -> str:
    """The tables for a paper or a page of docs."""
    names = list(report["variants"])
    parts = [
        ("Quality (%, 95 % interval)", tables.quality(report)),
        (f"Compared with {names[0]} (points)", tables.comparisons(report)),
        ("By size", tables.by_group(report["sizes"]["groups"], names, "size")),
        ("By kind of phrase", tables.by_group(report["kinds"], names, "kind")),
        ("Reliability", tables.reliability(report)),
        ("Effort", tables.effort(report)),
        ("Time", tables.timings(report) if "timings" in report else []),
    ]
    data = report["data"]
    counts = f"{report['samples']} phrases, {report['pictures']} pictures of {data['name']}."
    head = f"# {report['title']}\n\n{counts} {data['about']}\n"
    head += "".join(f"\n**{line}**\n" for line in tables.warnings(report))
    return head + "".join(f"\n## {title}\n\n{tables.markdown(t)}" for title, t in parts if len(t) > 1)
