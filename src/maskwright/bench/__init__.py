"""Data sets, metrics, experiments, reports."""
