"""The tables of a report, as rows of text, and as Markdown for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Table = list[list[str]]
"""The first row is the heading."""


def warnings(report: dict[str, Any]) -> list[str]:
    """What a reader must know before the numbers."""
    found = []
    if report["missing"]:
        found.append(f"{report['missing']} answers are still missing: the run is not finished.")
    if report["failed"]:
        found.append(f"{report['failed']} answers failed and count as wrong; the first: {report['first_failure']}")
    if report["degraded"]:
        found.append(f"{report['degraded']} answers were given without the judge, which did not answer.")
    return found


def quality(report: dict[str, Any]) -> Table:
    """One row a variant, every measure in per cent with its interval."""
    tables = {name: found for name, found in report["table"].items() if found}
    measures = list(dict.fromkeys(m for found in tables.values() for m in found))
    rows = [["", "n", *measures]]
    for name, found in tables.items():
        rows.append([name, str(found["gIoU"]["n"]), *(percent(found.get(m)) for m in measures)])
    return rows


def comparisons(report: dict[str, Any]) -> Table:
    """Paired differences to the first variant."""
    rows = [["", "n", "IoU gained [95 % CI]", "hits gained [95 % CI]", "better / worse / same", "sign p", "Wilcoxon p"]]
    for c in report["comparisons"]:
        if c["n"]:
            counts = f"{c['better']} / {c['worse']} / {c['same']}"
            rows.append(
                [
                    f"{c['b']} over {c['a']}",
                    str(c["n"]),
                    signed(c["iou"]),
                    signed(c["hits"]),
                    counts,
                    small(c["sign_p"]),
                    small(c["wilcoxon_p"]),
                ]
            )
    return rows


def by_group(groups: dict[str, dict[str, Any]], names: Sequence[str], title: str) -> Table:
    """One row a group (size, kind), one column a variant, with n."""
    rows = [[title, "n", *names]]
    for label, found in groups.items():
        n = max((v["n"] for v in found.values() if v), default=0)
        rows.append([label, str(n), *(percent(found.get(name)) for name in names)])
    return rows


def reliability(report: dict[str, Any]) -> Table:
    """IoU and relative drop under each condition."""
    found = report["reliability"]
    rows = [["condition", *(f"{name}: IoU" for name in found), *(f"{name}: drop" for name in found)]]
    for condition in report["conditions"] if found else []:
        cells = [percent(found[name].get(condition)) for name in found]
        drops = [found[name].get(condition) for name in found]
        rows.append([condition, *cells, *("" if d is None else f"{d['relative drop']:.1%}" for d in drops)])
    return rows if found else []


def effort(report: dict[str, Any]) -> Table:
    """Rounds, questions, tokens and money a phrase."""
    rows = [["a phrase", "rounds", "questions", "tokens in", "tokens out", "USD"]]
    for name, e in report["effort"].items():
        if e:
            tail = [f"{e['tokens_in']:.0f}", f"{e['tokens_out']:.0f}", f"{e['usd']:.5f}"]
            rows.append([name, f"{e['rounds']:.2f}", f"{e['questions']:.2f}", *tail])
    return rows


def timings(report: dict[str, Any]) -> Table:
    """Seconds, memory and model calls, on the machine it ran on."""
    found = {name: t for name, t in report["timings"].items() if t}
    stages = sorted({s for t in found.values() for s in t["stages_s"]})
    roles = sorted({role for t in found.values() for role in t["calls"]})
    heads = [*(f"{s} s" for s in stages), *(f"{r.replace('_', ' ')} calls" for r in roles)]
    rows = [["", "total s", "s a picture", "s a phrase", *heads, "peak MiB so far", "peak device MiB"]]
    for name, t in found.items():
        parts = [f"{t['stages_s'].get(s, 0):.3f}" for s in stages] + [f"{t['calls'].get(r, 0):.2f}" for r in roles]
        device = "" if t["peak_device_mib"] is None else f"{t['peak_device_mib']:.0f}"
        head = [f"{t['total_s']:.1f}", f"{t['per_picture_s']:.2f}", f"{t['per_phrase_s']:.3f}"]
        rows.append([name, *head, *parts, f"{t['peak_mib']:.0f}", device])
    return rows


def percent(value: dict[str, float] | None) -> str:
    """58.3 [52.1, 64.0]; nothing where there was nothing to measure."""
    if value is None:
        return ""
    return f"{100 * value['value']:.1f} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def signed(value: dict[str, float]) -> str:
    """+6.1 [+2.0, +10.3], in points."""
    return f"{100 * value['value']:+.1f} [{100 * value['low']:+.1f}, {100 * value['high']:+.1f}]"


def small(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def markdown(table: Table) -> str:
    """A GitHub table; "" for an empty one."""
    if len(table) < 2:
        return ""
    head, *rows = [["" if c is None else c.replace("|", "\\|") for c in row] for row in table]
    rule = ["---" if i == 0 else "--:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows)) + "\n"
