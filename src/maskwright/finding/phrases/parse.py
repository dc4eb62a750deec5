"""From words to a Phrase, in English or Chinese."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from maskwright.finding.phrases.chinese import parse_chinese
from maskwright.finding.phrases.english import parse_english
from maskwright.finding.phrases.heads import WORN
from maskwright.finding.phrases.lexicon import is_chinese, section_of
from maskwright.finding.phrases.phrase import Phrase

LISTED = r"\s*(?:[,;/|、，；]|\bor\b|\band\b|以及|或者|和|与|跟|或)\s*"
"""What stands between the things of a list: "dog, cat", "a cup and two plates"."""


@lru_cache(maxsize=256)
def parse(phrase: str) -> Phrase:
    """The phrase taken apart. Never raises on text: what cannot be read is listed in `unsupported`; a language
    other than English and Chinese is named there."""
    text = " ".join(phrase.split())
    pieces = [piece for piece in re.split(LISTED, text) if piece]
    if len(pieces) > 1 and all(_is_thing(_parse(piece)) for piece in pieces):
        return replace(_parse(pieces[0]), text=text, also=tuple(pieces[1:]))
    return _parse(text)


def _is_thing(read: Phrase) -> bool:
    """Whether nothing is said but a thing that is not worn, and perhaps its number and colours."""
    plain = replace(read, colours=(), count=None, many=False)
    bare = Phrase(read.text, read.language, read.noun, read.said, in_lexicon=True)
    return bool(read.noun) and plain == bare and section_of(read.noun) not in WORN


def _parse(text: str) -> Phrase:
    if is_chinese(text):
        return parse_chinese(text)
    read = parse_english(text)
    strange = [c for c in text if c.isalpha() and ord(c) > 0x24F]
    if len(strange) * 2 > sum(c.isalpha() for c in text):
        note = "a language other than English and Chinese"
        return replace(read, language="other", in_lexicon=False, unsupported=(note, *read.unsupported))
    return read
