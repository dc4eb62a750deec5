"""A vision-language model as judge: every question goes through `asking`, every answer refers to ids we issued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.asking import Answer, Asker, PromptFile, draw_sheet, load_prompt
from maskwright.asking.sheets import fit_square
from maskwright.ports import Question
from maskwright.sculpting.judges import schemas, views
from maskwright.sculpting.judging import Better, Patches
from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Diagnosis, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.values import Abstain, Cost, Image, Verdict

PROMPTS = ("diagnose", "cells", "patch", "anchors", "squares", "compare")
LETTERS = "abcd"
CROP_PX, LEAST_CROP_PX = 112, 48
SQUARE_PX = 300
TOKENS_A_VERDICT = 28


@dataclass(frozen=True)
class Looking:
    """How crops are shown and asked about; sides are shares of the ROI's short side."""

    scales: tuple[float, ...] = (0.08, 0.12, 0.18)
    min_patch_px: int = 32
    sheet_cells: int = 16
    sheets_per_call: int = 2
    reasks: int = 4
    one_patch_per_call: bool = False
    flips: bool = False
    jitter: bool = False
    max_side: int = views.USUAL_SIDE
    seed: int = 0


@dataclass(frozen=True)
class _Crop:
    """One patch of a place: `label` is what the model answers with."""

    label: str
    place: Place
    pixels: views.Pixels
    key: str


class VlmJudge:
    """Asks an Asker. Verdicts are remembered by (picture, place, scale, prompt version, engine, target)."""

    least_error = 0.0

    def __init__(self, asker: Asker, looking: Looking | None = None, prompts: str | Path | None = None) -> None:
        self.asker, self.looking = asker, looking or Looking()
        self.name = "vlm:" + "+".join(engine.name for engine in asker.engines)
        self.prompts: dict[str, PromptFile] = {n: load_prompt("sculpting", n, prompts) for n in PROMPTS}
        self._known: dict[str, Verdict] = {}
        self._degraded: list[str] = []

    @property
    def spent(self) -> Cost:
        return self.asker.spent

    @property
    def degraded(self) -> tuple[str, ...]:
        return tuple(self._degraded)

    def diagnose(self, scene: Scene, mask: Bools, cues: str) -> Diagnosis | Abstain:
        """One call: the ROI under a 30 % red overlay, and the depth where there is one."""
        window = views.roi_window(scene, mask, self._side)
        depth = views.depth_view(scene, window)
        pictures = (views.overlaid(scene, mask, window), *(() if depth is None else (depth,)))
        note = "" if depth is None else "The second picture shows depth: bright is near.\n"
        answer = self._ask("diagnose", pictures, schemas.DIAGNOSIS, scene, cues, depth_note=note)
        return answer if isinstance(answer, Abstain) else Diagnosis.from_json(answer.value)

    def look(self, scene: Scene, mask: Bools, places: Sequence[Place], cues: str) -> list[Patches]:
        crops = [crop for n, place in enumerate(places) for crop in self._crops(scene, place, n + 1)]
        unknown = [crop for crop in crops if crop.key not in self._known]
        if self.looking.one_patch_per_call:
            found = self._look_one_by_one(scene, unknown, cues)
        else:
            found = self._look_at_sheets(scene, mask, unknown, cues)
        for crop in unknown:
            verdict = found.get(crop.label)
            if isinstance(verdict, Verdict):
                self._known[crop.key] = verdict
        said: dict[str, list[Verdict | Abstain]] = {place.id: [] for place in places}
        for crop in crops:
            said[crop.place.id].append(self._recall(crop, found))
        return [tuple(said[place.id]) for place in places]

    def pick_anchors(
        self, scene: Scene, mask: Bools, anchors: Sequence[Anchor], most: int
    ) -> list[AnchorAsk] | Abstain:
        window = views.roi_window(scene, mask, self._side)
        numbers = [anchor.number for anchor in anchors]
        answer = self._ask(
            "anchors",
            (views.numbered_anchors(scene, mask, window, anchors),),
            schemas.anchors_schema(numbers, most),
            scene,
            most=most,
            numbers=", ".join(map(str, numbers)),
        )
        if isinstance(answer, Abstain):
            return answer
        return [AnchorAsk(item["number"], item["reason"]) for item in answer.value["anchors"]]

    def look_at_cells(self, scene: Scene, mask: Bools, cells: Sequence[Cell], cues: str) -> list[Verdict | Abstain]:
        """One call: an overview and one sheet with a close-up an anchor, the cells' dots numbered through."""
        if not cells:
            return []
        labels = [str(n + 1) for n in range(len(cells))]
        pictures = (self._overview(scene, mask), self._squares(scene, cells, labels))
        answer = self._ask("squares", pictures, schemas.cells_schema(labels), scene, cues, labels=", ".join(labels))
        if isinstance(answer, Abstain):
            return [answer] * len(cells)
        found = _verdicts(answer)
        return [found.get(label, Abstain("not answered", answer.engine)) for label in labels]

    def compare(self, scene: Scene, earlier: Bools, later: Bools) -> Better | Abstain:
        """Two calls, one an order; "tie" when they do not agree."""
        window = views.roi_window(scene, earlier | later, self._side)
        first, second = (views.overlaid(scene, mask, window) for mask in (earlier, later))
        pairs = (views.side_by_side(first, second), views.side_by_side(second, first))
        asked = [self._question("compare", (p,), schemas.BETTER, scene) for p in pairs]
        answers = [self._note(answer) for answer in self.asker.ask_many(asked)]
        words = []
        for answer, (a, b) in zip(answers, (("earlier", "later"), ("later", "earlier"))):
            if isinstance(answer, Abstain):
                return answer
            words.append({"A": a, "B": b, "same": "tie"}[answer.value["better"]])
        return words[0] if words[0] == words[1] else "tie"  # type: ignore[return-value]

    @property
    def _side(self) -> int:
        return min(self.looking.max_side, self._engine_side)

    @property
    def _engine_side(self) -> int:
        return min((engine.max_side for engine in self.asker.engines), default=views.SMALL_SIDE)

    def _ask(
        self,
        prompt: str,
        pictures: tuple[Image, ...],
        schema: Mapping[str, Any],
        scene: Scene,
        cues: str = "",
        **more: object,
    ) -> Answer | Abstain:
        return self._note(self.asker.ask(self._question(prompt, pictures, schema, scene, cues, **more)))

    def _question(
        self,
        prompt: str,
        pictures: tuple[Image, ...],
        schema: Mapping[str, Any],
        scene: Scene,
        cues: str = "",
        **more: object,
    ) -> Question:
        file = self.prompts[prompt]
        hints = f"Hints about the target: {cues}.\n" if cues else ""
        text = file.fill(target=scene.target or "the main object", hints=hints, **more)
        verdicts = int(schema["properties"].get("cells", {}).get("maxItems", 0))
        return Question(text, pictures, schema, file.system, max_tokens=400 + TOKENS_A_VERDICT * verdicts)

    def _note(self, answer: Answer | Abstain) -> Answer | Abstain:
        """Remembers, for the record, engines that failed on the way to an answer; not that the one which gave it had to
        be asked twice."""
        steps = answer.detail.get("steps", ()) if isinstance(answer, Abstain) else answer.steps
        if isinstance(answer, Answer):
            steps = [step for step in steps if not step.startswith(f"{answer.engine}: ")]
        self._degraded += [step for step in steps if step not in self._degraded]
        return answer

    def _crops(self, scene: Scene, place: Place, number: int) -> list[_Crop]:
        """The patches of one place; controls get one, of the middle scale."""
        s = self.looking
        sides = views.patch_sides(scene, s.scales, s.min_patch_px)
        sides = [sides[len(sides) // 2]] if place.sampler == "control" else sides
        rng = np.random.default_rng((s.seed, round(place.x), round(place.y)))
        return [
            _Crop(
                f"{number}{letter}",
                place,
                views.varied(pixels, rng, flips=s.flips, jitter=s.jitter),
                self._key(scene, place, side),
            )
            for letter, side, pixels in zip(LETTERS, sides, views.patches_of(scene, place, sides))
        ]

    def _key(self, scene: Scene, place: Place, side: int) -> str:
        version = self.prompts["patch" if self.looking.one_patch_per_call else "cells"].version
        parts = (scene.image.sha256, round(place.x, 1), round(place.y, 1), side, version, self.name, scene.target)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _recall(self, crop: _Crop, found: Mapping[str, Verdict | Abstain]) -> Verdict | Abstain:
        known = self._known.get(crop.key)
        if known is None:
            return found.get(crop.label, Abstain("not answered", self.name))
        return Verdict(crop.place.id, known.is_target, known.confidence, known.engine)

    def _look_one_by_one(self, scene: Scene, crops: Sequence[_Crop], cues: str) -> dict[str, Verdict | Abstain]:
        questions = [self._question("patch", (_enlarged(c),), schemas.PATCH, scene, cues) for c in crops]
        answers = [self._note(a) for a in self.asker.ask_many(questions)]
        return {c.label: a if isinstance(a, Abstain) else _verdict(c.label, a) for c, a in zip(crops, answers)}

    def _look_at_sheets(
        self, scene: Scene, mask: Bools, crops: Sequence[_Crop], cues: str
    ) -> dict[str, Verdict | Abstain]:
        """All crops on a few sheets, asked at once; labels left out are asked again alone, within bounds."""
        if not crops:
            return {}
        overview = self._overview(scene, mask)
        groups = self._grouped(crops)
        answers = self.asker.ask_many([self._sheet_question(scene, overview, g, cues) for g in groups])
        found: dict[str, Verdict | Abstain] = {}
        missing: list[_Crop] = []
        for group, answer in zip(groups, map(self._note, answers)):
            if isinstance(answer, Abstain):
                found |= {crop.label: answer for crop in group}
                continue
            found |= _verdicts(answer)
            missing += [crop for crop in group if crop.label not in found]
        again = missing[: self.looking.reasks]
        return found | self._look_one_by_one(scene, again, cues) if again else found

    def _grouped(self, crops: Sequence[_Crop]) -> list[list[_Crop]]:
        """The crops of one call each: whole places, evenly shared over as few calls as the sheets allow."""
        places = list(dict.fromkeys(crop.place.id for crop in crops))
        a_call = self.looking.sheet_cells * self.looking.sheets_per_call
        calls = -(-len(places) // a_call)
        share = -(-len(places) // calls)
        groups = [set(places[i : i + share]) for i in range(0, len(places), share)]
        return [[crop for crop in crops if crop.place.id in group] for group in groups]

    def _sheet_question(self, scene: Scene, overview: Image, crops: Sequence[_Crop], cues: str) -> Question:
        cells: dict[str, list[_Crop]] = {}
        for crop in crops:
            cells.setdefault(crop.place.id, []).append(crop)
        rows = list(cells.values())
        size = self.looking.sheet_cells
        sheets = tuple(self._sheet(rows[i : i + size]) for i in range(0, len(rows), size))
        labels = [crop.label for crop in crops]
        return self._question(
            "cells",
            (overview, *sheets),
            schemas.cells_schema(labels),
            scene,
            cues,
            sheets="picture" if len(sheets) == 1 else f"{len(sheets)} pictures",
            labels=", ".join(labels),
        )

    def _sheet(self, rows: Sequence[Sequence[_Crop]]) -> Image:
        widest = max(len(row) for row in rows)
        side = min(CROP_PX, self._engine_side // max(1, 3 * widest) - 8)
        pixels = [[crop.pixels for crop in row] for row in rows]
        return draw_sheet(pixels, [[crop.label for crop in row] for row in rows], max(LEAST_CROP_PX, side))

    def _overview(self, scene: Scene, mask: Bools) -> Image:
        return Image(views.show(scene.image.pixels, views.roi_window(scene, mask, self._side)))

    def _squares(self, scene: Scene, cells: Sequence[Cell], labels: Sequence[str]) -> Image:
        named = [Cell(c.place, c.anchor, c.corners, c.inside, label) for c, label in zip(cells, labels)]
        anchors = list(dict.fromkeys(cell.anchor for cell in cells))
        drawn = []
        for number in anchors:
            own = [cell for cell in named if cell.anchor == number]
            drawn.append([views.anchor_squares(scene, own, SQUARE_PX)])
        return draw_sheet(drawn, [[f"frame {n}"] for n in range(1, len(anchors) + 1)], SQUARE_PX)


def _enlarged(crop: _Crop) -> Image:
    return Image(fit_square(crop.pixels, max(2 * CROP_PX, crop.pixels.shape[0])))


def _verdict(label: str, answer: Answer) -> Verdict:
    """One verdict; where the engine gave token probabilities, they are the confidence."""
    value, sure = answer.value["is_target"], answer.value["conf"]
    if len(answer.booleans) == 1:
        yes = answer.booleans[0]
        value, sure = yes >= 0.5, max(yes, 1 - yes)
    return Verdict(label, value, sure, answer.engine)


def _verdicts(answer: Answer) -> dict[str, Verdict | Abstain]:
    """The verdicts of a sheet by label; token probabilities are used when there is one for each item."""
    items = answer.value["cells"]
    odds = answer.booleans if not answer.dropped and len(answer.booleans) == len(items) else ()
    out: dict[str, Verdict | Abstain] = {}
    for n, item in enumerate(items):
        value, sure = item["is_target"], item["conf"]
        if odds:
            value, sure = odds[n] >= 0.5, max(odds[n], 1 - odds[n])
        out[item["cell"]] = Verdict(item["cell"], value, sure, answer.engine)
    return out
