"""Phrases taken apart, and scored against regions by geometry and pixels.

phrase = parse("the second woman from the left in the red coat")
scene = look(image, masks)                                    # once a picture
posterior = fit(scene, phrase, lambda nouns: ranker.rank(regions, nouns))
"""

from maskwright.finding.phrases.attributes import AttributeScores, score_attributes
from maskwright.finding.phrases.combining import Posterior, combine, fit
from maskwright.finding.phrases.lexicon import section_of
from maskwright.finding.phrases.parse import parse
from maskwright.finding.phrases.phrase import Ordinal, Part, Phrase, Relation
from maskwright.finding.phrases.scene import Scene, look

__all__ = [
    "AttributeScores",
    "Ordinal",
    "Part",
    "Phrase",
    "Posterior",
    "Relation",
    "Scene",
    "combine",
    "fit",
    "look",
    "parse",
    "score_attributes",
    "section_of",
]
