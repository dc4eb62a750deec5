"""From the class names of human-parsing models to the house's part labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maskwright.ports import PART_LABELS

_RULES = (
    ("background", r"background|^bg$"),
    ("hat", r"\bhat\b|helmet|headgear"),
    ("shoes", r"shoe|boot|footwear|sock"),
    ("bag", r"bag|purse"),
    ("hair", r"hair"),
    ("face", r"face|lip|teeth|tongue|nose|eye|ear\b|sunglass|glasses"),
    ("dress", r"dress|jumpsuit"),
    ("outerwear", r"coat|jacket|outer"),
    ("lower garment", r"skirt|pant|trouser|shorts|jeans|lower.?cloth"),
    ("upper garment", r"upper.?cloth|shirt|sweater|blouse|apparel|\btop\b"),
    ("skin", r"arm|leg|hand|foot|feet|skin|torso|neck|body"),
)


def part_of(name: str) -> int:
    """The index in PART_LABELS of a model's class name; "other" for what none of the rules knows."""
    plain = name.lower().replace("_", " ").replace("-", " ")
    label = next((part for part, rule in _RULES if re.search(rule, plain)), "other")
    return PART_LABELS.index(label)


def part_table(names: Mapping[int, str]) -> NDArray[np.uint8]:
    """(classes,) the part of every class of a model."""
    return np.array([part_of(names[i]) for i in range(len(names))], dtype=np.uint8)
