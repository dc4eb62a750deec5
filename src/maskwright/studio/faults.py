"""What a visitor reads when something is refused or fails: in English as it was raised, in Chinese by tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from maskwright import errors
from maskwright.errors import MaskwrightError
from maskwright.studio.faults_zh import BY_CLASS, MESSAGES

OOPS = "something went wrong here; it was noted in the log."


def told(error: MaskwrightError, language: str) -> str:
    """What happened and, on a second line, what to do."""
    return told_text(str(error), type(error).__name__, language)


def told_text(text: str, fault: str, language: str) -> str:
    """The same for an error that was kept as text with the name of its class."""
    if language != "zh" or not text:
        return text
    message, _, hint = text.partition("\n")
    happened, advice = BY_CLASS[_known(fault)]
    return f"{_chinese(message) or happened}\n{_chinese(hint) or advice}"


def told_line(text: str, language: str) -> str:
    """Why a loop ended or what a job is at; in Chinese a dash for what no table knows."""
    return text if language != "zh" else _chinese(text) or "-"


def _known(fault: str) -> str:
    """The nearest class of the error tree that has words of its own: a subclass of elsewhere may have come here."""
    kind = getattr(errors, fault, MaskwrightError)
    return next(base.__name__ for base in kind.__mro__ if base.__name__ in BY_CLASS)


def _chinese(line: str) -> str:
    """A line in Chinese, empty when no table knows it."""
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(line)
        if found:
            return chinese.format(*found.groups())
    return ""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every known line as a pattern, those with the most fixed letters first."""
    return tuple((pattern_of(english), MESSAGES[english]) for english in sorted(MESSAGES, key=_fixed, reverse=True))


def _fixed(english: str) -> int:
    return len(english.replace("{}", ""))


def pattern_of(english: str) -> re.Pattern[str]:
    """A line with places `{}` as a pattern that catches what stands in them."""
    return re.compile("(.*?)".join(re.escape(part) for part in english.split("{}")), re.DOTALL)


def class_names() -> Mapping[str, type[MaskwrightError]]:
    """Every error class by name."""
    found = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    return {name: kind for name, kind in found.items() if issubclass(kind, MaskwrightError)}
