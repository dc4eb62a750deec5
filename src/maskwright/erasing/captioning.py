"""One sentence about the background, asked of a vision-language model and held to the rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources

from maskwright.erasing.preparing import greyed
from maskwright.errors import BadReply
from maskwright.ports import Question, Vlm
from maskwright.runs.steps import hash_value
from maskwright.values import Image, Mask

MOST_WORDS = 30
MOST_TOKENS = 96
_FOREGROUND = re.compile(
    r"\b(person|people|man|men|woman|women|boy|girl|child|children|player|pedestrian|cyclist|rider|dancer|athlete|"
    r"dog|cat|bird|horse|animal|car being|grey (?:area|region|box|shape|silhouette)|gray (?:area|region|box|shape|"
    r"silhouette)|mask(?:ed)?|missing|blurred|silhouette|foreground)\b",
    re.IGNORECASE,
)


def prompt_version() -> str:
    """Changes whenever the questions change."""
    return hash_value([question(name) for name in ("describe", "again", "merge")])[:12]


def question(name: str) -> str:
    return resources.files("maskwright.erasing").joinpath(f"prompts/{name}.md").read_text(encoding="utf-8").strip()


def fault(text: str) -> str | None:
    """Which rule a sentence breaks, or None."""
    if not text:
        return "it is empty"
    if len(text.split()) > MOST_WORDS:
        return f"it has more than {MOST_WORDS} words"
    if re.search(r"[.!?]\s+\S", text):
        return "it is more than one sentence"
    if not text.isascii() and sum(ord(c) > 0x24F for c in text) > 3:
        return "it is not English"
    found = _FOREGROUND.search(text)
    return f"it mentions {found[0]!r}" if found else None


def tidy(text: str) -> str:
    """The answer on one line without quotes, fences or a lead-in."""
    text = re.sub(r"```\w*|```", " ", text)
    text = " ".join(text.split()).strip(" \"'`*")
    return re.sub(r"^(?:answer|sentence|background|description)\s*:\s*", "", text, flags=re.IGNORECASE).strip(" \"'")


Answers = Callable[[Sequence[Question]], Sequence[str]]


class AskingCaptioner:
    """One sentence from what answers questions, several at once; answers that break the rules are asked again once."""

    def __init__(self, name: str, answers: Answers) -> None:
        self.name = name
        self._answers = answers

    def caption(self, images: Sequence[Image], masks: Sequence[Mask]) -> str:
        """One sentence for all; raises BadReply when the model keeps breaking the rules."""
        shown = [Image(greyed(i.pixels, m.array)) for i, m in zip(images, masks, strict=True)]
        said = self._ask([Question(question("describe"), (image,), max_tokens=MOST_TOKENS) for image in shown])
        if len(said) == 1:
            return said[0]
        text = question("merge").replace("{sentences}", "\n".join(f"- {s}" for s in said))
        return self._ask([Question(text, (), max_tokens=MOST_TOKENS)])[0]

    def _ask(self, asked: Sequence[Question]) -> list[str]:
        said = [tidy(text) for text in self._answers(asked)]
        broken = {i: why for i, text in enumerate(said) if (why := fault(text)) is not None}
        if not broken:
            return said
        more = [replace(asked[i], text=f"{asked[i].text}\n\n{_again(why)}") for i, why in broken.items()]
        for i, text in zip(broken, self._answers(more), strict=True):
            said[i] = tidy(text)
            why = fault(said[i])
            if why is not None:
                message = f"{self.name} describes the background against the rules: {why}."
                raise BadReply(message, "Write prompt= yourself.")
        return said


def _again(why: str) -> str:
    return question("again").replace("{fault}", why)


class VlmCaptioner(AskingCaptioner):
    """Asks a vision-language model."""

    def __init__(self, vlm: Vlm) -> None:
        super().__init__(vlm.name, lambda asked: [vlm.reply(each).text for each in asked])
