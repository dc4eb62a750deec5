"""The report as one self-contained HTML file: no scripts, no fonts, nothing fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import PIL.Image

from maskwright.bench.cases import KINDS, Case
from maskwright.bench.report import figures, tables
from maskwright.bench.report.tables import Table
from maskwright.bench.rows import Results
from maskwright.values import Image

STYLE = """
:root{--ink:#1c2128;--soft:#5a6270;--line:#d9dde3;--ground:#fff;--panel:#f6f7f9}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#a2a9b4;--line:#3a404a;--ground:#15181d;--panel:#1e2229}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1.2rem 1rem 4rem;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif}
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0 .6rem}
h2{font-size:1.15rem;margin:2.2rem 0 .7rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
p{max-width:75ch;margin:.4rem 0}.soft{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;margin:.4rem 0}
th,td{padding:.3rem .65rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--ground)}
thead th{border-bottom:2px solid var(--soft);vertical-align:bottom}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1rem}
figure{margin:0;background:var(--panel);border-radius:8px;padding:.7rem;break-inside:avoid}
figcaption{font-weight:600;margin-bottom:.3rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font-size:12px}svg .note{fill:var(--soft)}
.grid{stroke:var(--line);fill:none}.zero,.axis{stroke:var(--soft);fill:none}.whisker{stroke:var(--ink);fill:none;opacity:.75}
.legend{display:flex;flex-wrap:wrap;gap:.2rem .9rem;font-size:.82rem;color:var(--soft)}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}
.cases{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:1rem}
.cases img{width:100%;height:auto;border-radius:4px;display:block}.cases figcaption{overflow-wrap:anywhere}
.warn{border-left:4px solid #d97706;padding:.3rem .8rem;background:var(--panel)}
@media (max-width:600px){svg text{font-size:15px}}
@media print{body{max-width:none;padding:0;font-size:10pt}.figures{grid-template-columns:1fr 1fr}
h2{break-after:avoid}.cases{grid-template-columns:1fr 1fr}.wide{overflow:visible}table{font-size:7.5pt}
th,td{padding:.15rem .3rem;white-space:normal}}
"""


def html_page(results: Results, report: dict[str, Any], cases: Sequence[Case], *, timings: bool = True) -> str:
    """The whole page."""
    names = list(report["variants"])
    body = [
        f"<h1>{escape(report['title'])}</h1>",
        *_opening(report),
        _section("Quality", _table(tables.quality(report)), _NOTE_QUALITY),
        _section(f"Compared with {names[0]}", _table(tables.comparisons(report)), _NOTE_PAIRED),
        _figures(results, report, names),
        _section(
            "By size of the target", _table(tables.by_group(report["sizes"]["groups"], names, "size")), _edges(report)
        ),
        _section("By kind of phrase", _table(tables.by_group(report["kinds"], names, "kind")), ""),
        _section("Reliability", _table(tables.reliability(report)), "Drop is relative to the first condition."),
        _section("Effort", _table(tables.effort(report)), ""),
    ]
    if timings:
        body.append(_section("Time and memory", _table(tables.timings(report)), "Of the machine it ran on."))
    body += [*_cases(cases), _section("Settings", _settings(report), "")]
    return _document(report["title"], "".join(body))


_NOTE_QUALITY = (
    "Per cent with 95 % intervals (bootstrap by picture). gIoU counts a right “no such thing” as 1 and a wrong one "
    "as 0; mIoU, P@ and boundary F are over samples that have a target; cIoU is the sum of intersections over the sum "
    "of unions."
)
_NOTE_PAIRED = (
    "Points gained over the same samples: paired bootstrap by picture, two-sided sign and Wilcoxon tests, "
    "which take the samples as independent (the interval does not)."
)


def _opening(report: dict[str, Any]) -> list[str]:
    data = report["data"]
    counts = f"{report['samples']} phrases on {report['pictures']} pictures of “{data['name']}”"
    found = [f"<p>{escape(counts)}; {report['resamples']} resamples, seed {report['seed']}.</p>"]
    if data["about"]:
        found.append(f'<p class="soft">{escape(data["about"])}</p>')
    found += [f'<p class="warn">{escape(line)}</p>' for line in tables.warnings(report)]
    return found


def _edges(report: dict[str, Any]) -> str:
    edges = ", ".join(f"{100 * e:g} %" for e in report["sizes"]["edges"])
    return f"Borders: {edges} of the picture's area."


def _figures(results: Results, report: dict[str, Any], names: list[str]) -> str:
    drawn = [
        figures.iou_distribution(results, names, report["conditions"][0]),
        figures.gain_by_size(report),
        figures.sizes(report),
        figures.kinds(report),
        figures.reliability(report),
        figures.cost_against_quality(report),
        figures.calibration(report),
        figures.oracle_curve(report),
    ]
    return f'<h2>Figures</h2><div class="figures">{"".join(drawn)}</div>'


def _section(title: str, content: str, note: str) -> str:
    if not content:
        return ""
    after = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{content}{after}"


def _table(table: Table) -> str:
    if len(table) < 2:
        return ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table[0])
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _settings(report: dict[str, Any]) -> str:
    rows = [["variant", "settings"]]
    for name, settings in report["variants"].items():
        told = ", ".join(f"{k} = {v}" for k, v in settings.items() if k != "name" and v not in ({}, None))
        rows.append([name, told])
    return _table(rows)


def _cases(cases: Sequence[Case]) -> Iterable[str]:
    for kind in KINDS:
        some = [case for case in cases if case.kind == kind]
        if some:
            yield f'<h2>Cases: {kind}</h2><div class="cases">{"".join(_case(case) for case in some)}</div>'


def _case(case: Case) -> str:
    return (
        f'<figure><figcaption dir="auto">{escape(case.phrase)}</figcaption>'
        f'<img src="{_inline(case.image)}" alt="{escape(case.phrase)}">'
        f'<span class="soft">{escape(case.caption)}</span></figure>'
    )


def _inline(image: Image) -> str:
    stream = io.BytesIO()
    PIL.Image.fromarray(image.pixels).save(stream, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
