"""Small charts as inline SVG. Written by hand: a report must be one file without scripts, and five kinds are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 68, 16, 14, 66

COLOURS = ("#2563a8", "#d97706", "#3f8f4f", "#a4387e", "#6b6f76", "#8a5a2b", "#1f8a8a", "#b3261e")
"""One a series, in order; they keep apart for colour-blind readers and in grey print."""


@dataclass
class Axis:
    """A range of values and where they lie on the page."""

    low: float
    high: float
    title: str = ""
    labels: Sequence[str] = ()
    percent: bool = False

    def __post_init__(self) -> None:
        if not self.high > self.low:
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """About five round numbers within the range."""
        raw = (self.high - self.low) / 5
        step = 10 ** math.floor(math.log10(raw))
        step *= next(m for m in (1, 2, 5, 10) if m * step >= raw - 1e-12)
        first = math.ceil(self.low / step - 1e-9)
        return [round(i * step, 10) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def text(self, value: float) -> str:
        return f"{value:.0%}" if self.percent else f"{value:g}"


@dataclass
class Chart:
    """A frame with two axes; marks are added, then `svg()` gives the text."""

    x: Axis
    y: Axis
    title: str
    parts: list[str] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    first: int = 0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Page coordinates of a value pair."""
        return (
            LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM),
        )

    def line(self, points: Sequence[tuple[float, float]], series: int, *, dashed: bool = False) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*p) for p in points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(series)}" stroke-width="2.2"{dash}/>')

    def dot(self, x: float, y: float, series: int, *, radius: float = 4, note: str = "") -> None:
        cx, cy = self.at(x, y)
        self.parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{radius:g}" fill="{colour(series)}">'
            f"<title>{escape(note)}</title></circle>"
        )

    def label(self, x: float, y: float, text: str) -> None:
        cx, cy = self.at(x, y)
        end = ' text-anchor="end"' if cx > WIDTH * 0.65 else ""
        shift = -8 if end else 8
        self.parts.append(f'<text x="{cx + shift:.1f}" y="{cy - 6:.1f}"{end} class="note">{escape(text)}</text>')

    def bar(self, left: float, right: float, value: float, series: int, note: str = "") -> None:
        base = min(max(0.0, self.y.low), self.y.high)
        x0, y0 = self.at(left, max(value, base))
        x1, y1 = self.at(right, min(value, base))
        self.parts.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 1):.1f}" height="{max(y1 - y0, 0.5):.1f}" '
            f'fill="{colour(series)}"><title>{escape(note)}</title></rect>'
        )

    def whisker(self, x: float, low: float, high: float) -> None:
        cx, y0 = self.at(x, max(low, self.y.low))
        _, y1 = self.at(x, min(high, self.y.high))
        self.parts.append(
            f'<path d="M{cx:.1f} {y0:.1f}V{y1:.1f}M{cx - 4:.1f} {y0:.1f}h8M{cx - 4:.1f} {y1:.1f}h8" class="whisker"/>'
        )

    def svg(self) -> str:
        """The chart as one <figure>."""
        frame = "".join([*self._y_axis(), *self._x_axis(), *self.parts])
        names = "".join(
            f'<span><i style="background:{colour(i)}"></i>{escape(name)}</span>'
            for i, name in enumerate(self.legend, self.first)
        )
        key = f'<div class="legend">{names}</div>' if names else ""
        return (
            f"<figure><figcaption>{escape(self.title)}</figcaption>{key}"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">{frame}</svg></figure>'
        )

    def _y_axis(self) -> list[str]:
        found = []
        for value in self.y.ticks():
            _, y = self.at(self.x.low, value)
            found.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="{"zero" if value == 0 else "grid"}"/>')
            found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{self.y.text(value)}</text>')
        middle = (HEIGHT - BOTTOM + TOP) / 2
        turn = f'transform="rotate(-90 14 {middle:.0f})"'
        return [*found, f'<text x="14" y="{middle:.0f}" text-anchor="middle" {turn}>{escape(self.y.title)}</text>']

    def _x_axis(self) -> list[str]:
        floor = HEIGHT - BOTTOM
        found = [f'<path d="M{LEFT} {floor}H{WIDTH - RIGHT}" class="axis"/>']
        marks = (
            [(i + 0.5, text) for i, text in enumerate(self.x.labels)]
            if self.x.labels
            else [(value, self.x.text(value)) for value in self.x.ticks()]
        )
        crowded = bool(self.x.labels) and sum(len(text) + 2 for _, text in marks) > 72
        for value, text in marks:
            x, _ = self.at(value, self.y.low)
            turn = f' transform="rotate(-28 {x:.1f} {floor + 14})" text-anchor="end"' if crowded else ""
            middle = "" if crowded else ' text-anchor="middle"'
            found.append(f'<text x="{x:.1f}" y="{floor + 15}"{middle}{turn}>{escape(text)}</text>')
        centre = (LEFT + WIDTH - RIGHT) / 2
        title = "" if crowded else escape(self.x.title)
        return [*found, f'<text x="{centre:.0f}" y="{HEIGHT - 24}" text-anchor="middle">{title}</text>']


def colour(series: int) -> str:
    return COLOURS[series % len(COLOURS)]


def grouped_bars(
    chart_title: str,
    groups: Sequence[str],
    series: dict[str, list[dict[str, float] | None]],
    y_title: str,
    first: int = 0,
) -> str:
    """Bars of several series beside each other in each group; values are intervals ({"value", "low", "high"}).
    `first` is the number of the first series, so that a series keeps its colour from chart to chart."""
    values = [v for found in series.values() for v in found if v is not None]
    if not values:
        return ""
    low, high = min(0.0, *(v["low"] for v in values)), max(0.0, *(v["high"] for v in values))
    room = 0.04 * (high - low)
    y = Axis(low - (room if low else 0), high + room, y_title)
    chart = Chart(Axis(0, len(groups), labels=groups), y, chart_title, first=first)
    chart.legend = list(series)
    width = 0.8 / max(1, len(series))
    for s, (name, found) in enumerate(series.items()):
        for g, value in enumerate(found):
            if value is None:
                continue
            left = g + 0.1 + s * width
            note = f"{name}, {groups[g]}: {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            chart.bar(left, left + width * 0.9, value["value"], s + first, note)
            chart.whisker(left + width * 0.45, value["low"], value["high"])
    return chart.svg()
