"""Phrases taken apart, and scored against regions by geometry and pixels."""

from maskwright.finding.phrases.parse import parse
from maskwright.finding.phrases.phrase import Ordinal, Part, Phrase, Relation

__all__ = ["Ordinal", "Part", "Phrase", "Relation", "parse"]
