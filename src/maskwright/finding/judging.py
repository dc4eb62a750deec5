"""The judge that is a vision-language model: it sees numbered outlines and answers by schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.asking import Answer as Said
from maskwright.asking import Asker, load_prompt
from maskwright.finding.drawing import crop_around, numbered
from maskwright.finding.engines import Action, Answer, View
from maskwright.ports import Question
from maskwright.values import Abstain, Box, Cost, Image, Mask

REGIONS = (
    "top-left", "top", "top-right", "left", "centre", "right", "bottom-left", "bottom", "bottom-right",
)  # fmt: skip
"""The parts of a picture a judge may name; each is half as wide and high as the picture."""


def region_box(name: str, width: int, height: int) -> Box:
    """The part of a width x height picture that a name of REGIONS means."""
    row, column = divmod(REGIONS.index(name), 3)
    x, y = column * width / 4, row * height / 4
    return Box(x, y, x + width / 2, y + height / 2)


class VlmJudge:
    """Asks through an Asker. `sees` False sends scores and places as text instead of pictures."""

    def __init__(self, asker: Asker, *, sees: bool = True, prompts: str | Path | None = None) -> None:
        self.asker, self.sees = asker, sees
        self.name = "+".join(engine.name for engine in asker.engines) + ("" if sees else " (text only)")
        self._choose = load_prompt("finding", "choose" if sees else "describe", prompts)
        self._confirm = load_prompt("finding", "confirm", prompts)
        self._max_side = min((engine.max_side for engine in asker.engines), default=1024)

    def choose(self, view: View) -> Answer | Abstain:
        """One question about the numbered candidates."""
        text = self._choose.fill(
            phrase=view.phrase,
            count=len(view.masks),
            regions=", ".join(REGIONS),
            candidates=describe(view),
            how_many="every one that fits" if view.many else "the one that fits",
        )
        images = self._pictures(view) if self.sees else ()
        question = Question(text, images, choose_schema(len(view.masks)), self._choose.system, seed=view.turn)
        return self._ask(question, view, self._choose.version)

    def confirm(self, view: View) -> Answer | Abstain:
        """Is it anywhere in the picture, candidates or not?"""
        text = self._confirm.fill(phrase=view.phrase, regions=", ".join(REGIONS), candidates=describe(view))
        images = (self._plain(view.image),) if self.sees else ()
        question = Question(text, images, CONFIRM_SCHEMA, self._confirm.system, seed=view.turn)
        return self._ask(question, view, self._confirm.version)

    def _pictures(self, view: View) -> tuple[Image, ...]:
        crops = tuple(crop_around(view.image, mask) for mask in view.masks)
        return (numbered(view.image, view.masks, max_side=self._max_side), *crops)

    def _plain(self, image: Image) -> Image:
        return numbered(image, image.pixels[:0, :, :0].astype(bool), max_side=self._max_side)

    def _ask(self, question: Question, view: View, version: str) -> Answer | Abstain:
        before = self.asker.spent
        said = self.asker.ask(question)
        cost = _spent_since(before, self.asker.spent)
        if isinstance(said, Abstain):
            return said
        exchange = {"prompt": version, "engine": said.engine, "cached": said.cached, "steps": list(said.steps)}
        return _understood(said, view, exchange, cost)


def _understood(said: Said, view: View, exchange: Mapping[str, Any], cost: Cost) -> Answer | Abstain:
    """The schema-checked value as an Answer; a pick without a number we issued is an abstention."""
    value = said.value
    if "present" in value:
        action: Action = "finer" if value["present"] else "none"
    else:
        action = value["action"]
    numbers = tuple(dict.fromkeys(n for n in value.get("numbers", []) if 1 <= n <= len(view.masks)))
    if action == "pick" and not numbers:
        return Abstain("picked no candidate", said.engine)
    region = region_box(value.get("region", "centre"), *view.image.size)
    return Answer(
        action,
        numbers if view.many else numbers[:1],
        value.get("phrase", ""),
        region if action == "finer" else None,
        float(value.get("confidence", 0.9)),
        exchange,
        cost,
    )


def choose_schema(count: int) -> dict[str, Any]:
    """What an answer about `count` candidates may be."""
    return {
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["pick", "rewrite", "none", "finer"]},
            "numbers": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": max(1, count)},
                "maxItems": max(1, count),
            },
            "phrase": {"type": "string", "maxLength": 120},
            "region": {"type": "string", "enum": list(REGIONS)},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["action"],
    }


CONFIRM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"present": {"type": "boolean"}, "region": {"type": "string", "enum": list(REGIONS)}},
    "required": ["present"],
}


def describe(view: View) -> str:
    """The candidates in words: number, score, place and size in hundredths of the picture."""
    width, height = view.image.size
    lines = []
    for i, (mask, score) in enumerate(zip(view.masks, view.scores)):
        box = Mask(mask).box
        if box is None:
            continue
        left, top, right, bottom = (round(100 * v / s) for v, s in zip(box, (width, height, width, height)))
        share = 100 * float(mask.mean())
        lines.append(f"{i + 1}: score {score:.2f}, x {left}-{right}, y {top}-{bottom}, covers {share:.1f} %")
    return "\n".join(lines) or "none"


def _spent_since(before: Cost, after: Cost) -> Cost:
    calls = {role: n - before.calls.get(role, 0) for role, n in after.calls.items()}
    return Cost(
        calls={role: n for role, n in calls.items() if n},
        tokens_in=after.tokens_in - before.tokens_in,
        tokens_out=after.tokens_out - before.tokens_out,
        usd=after.usd - before.usd,
    )
