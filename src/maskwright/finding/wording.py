"""Phrases: checked, and said in other words."""

from __future__ import annotations

import re
import unicodedata

from maskwright.errors import BadPhrase
from maskwright.finding.phrases import parse
from maskwright.finding.phrases.lexicon import lexicon

MAX_CHARS = 400

_OTHER_WORDS = {
    "man": "person", "woman": "person", "guy": "man", "lady": "woman", "boy": "child", "girl": "child",
    "kid": "child", "player": "person", "bike": "bicycle", "motorbike": "motorcycle", "couch": "sofa",
    "tv": "television", "phone": "cell phone", "cup": "mug", "mug": "cup", "puppy": "dog", "kitten": "cat",
    "auto": "car", "lorry": "truck", "plane": "airplane", "ship": "boat", "bag": "handbag",
    "table": "dining table", "plant": "potted plant",
}  # fmt: skip
"""Nouns that many models know better by another name."""


def checked_phrase(phrase: str) -> str:
    """The phrase on one line; raises BadPhrase when it is empty, too long, not text or names nothing."""
    if not isinstance(phrase, str):
        raise BadPhrase(f"a {type(phrase).__name__} is not a phrase.", "Give a few words.")
    text = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in phrase).split())
    if not any(unicodedata.category(c)[0] in "LN" for c in text):
        raise BadPhrase("the phrase is empty.", 'Say what to find, e.g. "the man in the red cap".')
    if len(text) > MAX_CHARS:
        raise BadPhrase(
            f"the phrase has {len(text)} characters.", f"Say it in at most {MAX_CHARS}; a few words work best."
        )
    if parse(text).says_nothing:
        raise BadPhrase(f'"{text}" names nothing.', 'Say what to find, e.g. "the man in the red cap".')
    return text


def paraphrases(phrase: str) -> list[str]:
    """The phrase in other words, none of them equal to it; [] where nothing is known."""
    said = [_swap_nouns(phrase), _without_lead(phrase)]
    return [p for i, p in enumerate(said) if p and p.lower() != phrase.lower() and p not in said[:i]]


def _swap_nouns(phrase: str) -> str:
    """Every noun of one word by its other name; "cell phone" and "tennis player" stay as they are."""
    found = list(re.finditer(r"[A-Za-z]+", phrase))
    said, at, out, done = [word[0].lower() for word in found], 0, "", 0
    while at < len(found):
        size = lexicon("en").noun(said, at)[1]
        if size < 2:
            out += phrase[done : found[at].start()] + _OTHER_WORDS.get(said[at], found[at][0])
            done = found[at].end()
        at += max(size, 1)
    return out + phrase[done:]


def _without_lead(phrase: str) -> str:
    return re.sub(r"^(please |find |segment |show me |select |locate )+", "", phrase, flags=re.IGNORECASE).strip()
