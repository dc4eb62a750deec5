"""The embedded editor: a phrase becomes a short plan of typed operations, and the plan is carried out.

Planned by grammar, or by a vision-language model that answers the same schema (its answer is checked like a file's).
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadMask, BadPhrase, BadReply
from maskwright.models.editors.planner_grammar import CAN, plan_words
from maskwright.models.editors.planner_operations import carry_out
from maskwright.models.editors.planner_plan import Plan, read_plan
from maskwright.ports import Inpainter, Question, Vlm
from maskwright.values import Image, Mask


class PlannerEditor:
    """`inpainter` fills what `remove`, `flip` and `scale` uncover; `vlm` plans phrases the grammar does not know."""

    name = "lite"
    generative = False

    def __init__(self, inpainter: Inpainter, *, vlm: Vlm | None = None) -> None:
        self.inpainter, self.vlm = inpainter, vlm

    def plan(self, words: str, image: Image | None = None) -> Plan:
        """The plan of a phrase; raises BadPhrase (with what it can do) and RefusedError."""
        try:
            return plan_words(words)
        except BadPhrase:
            if self.vlm is None or not words.strip() or len(words) > 500:
                raise
        return self._asked(words, image)

    def run(self, image: Image, plan: Plan, mask: Mask | None = None, *, seed: int = 0) -> Image:
        """The picture after every operation, each inside its own region; raises BadMask."""
        read_plan(plan.to_json())
        pixels = image.pixels
        for operation in plan.operations:
            pixels = carry_out(pixels, region_of(image, mask, operation.where), operation, self.inpainter, seed)
        return Image(pixels, image.alpha, image.source)

    def edit(self, image: Image, words: str, mask: Mask | None = None, *, seed: int = 0) -> Image:
        """The picture changed as the words say."""
        return self.run(image, self.plan(words, image), mask, seed=seed)

    def _asked(self, words: str, image: Image | None) -> Plan:
        """The plan that the vision-language model makes of the words."""
        assert self.vlm is not None
        schema = Plan.model_json_schema()
        text = (
            "Turn this wish for a picture edit into a plan of operations. Answer only with JSON of the schema. "
            f"If no operation fits, answer {{}}. Operations: {CAN}.\nWish: {json.dumps(words, ensure_ascii=False)}"
        )
        reply = self.vlm.reply(Question(text, images=() if image is None else (image,), schema=schema))
        answer = reply.text.strip().removeprefix("```json").removesuffix("```").strip()
        try:
            plan = read_plan(answer)
        except BadPhrase as error:
            raise BadReply(f"{self.vlm.name} gave no usable plan for {words[:60]!r}.", f"It can: {CAN}.") from error
        check_words(words)
        return plan.model_copy(update={"words": words})


def region_of(image: Image, mask: Mask | None, where: str) -> NDArray[np.bool_]:
    """The pixels an operation may change; raises BadMask where the mask is missing, empty or of another size."""
    whole = np.ones((image.height, image.width), np.bool_)
    if where == "picture":
        return whole
    if mask is None:
        if where == "background":
            raise BadMask("the edit speaks of the background, but no mask says what is in front.", "Give a mask.")
        return whole
    mask.check_size(image.size)
    if not mask:
        raise BadMask("the mask is empty: there is nothing to edit.", "Give a mask with at least one pixel inside.")
    return mask.array if where == "object" else ~mask.array
