"""From words to a Phrase, in English or Chinese."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from maskwright.finding.phrases.chinese import parse_chinese
from maskwright.finding.phrases.english import parse_english
from maskwright.finding.phrases.lexicon import is_chinese
from maskwright.finding.phrases.phrase import Phrase


@lru_cache(maxsize=256)
def parse(phrase: str) -> Phrase:
    """The phrase taken apart. Never raises on text: what cannot be read is listed in `unsupported`; a language
    other than English and Chinese is named there."""
    text = " ".join(phrase.split())
    if is_chinese(text):
        return parse_chinese(text)
    read = parse_english(text)
    strange = [c for c in text if c.isalpha() and ord(c) > 0x24F]
    if len(strange) * 2 > sum(c.isalpha() for c in text):
        note = "a language other than English and Chinese"
        return replace(read, language="other", in_lexicon=False, unsupported=(note, *read.unsupported))
    return read
