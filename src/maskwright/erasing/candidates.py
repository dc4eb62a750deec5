"""What may belong to the object without being it: its soft shadow, its reflection. Whether it does is the rule's word
(what was found belongs), or that of a judge who sees one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.asking import Answer, Asker, load_prompt
from maskwright.erasing.preparing import Bools, Frame, Mapped, few_held, joined
from maskwright.erasing.reflections import reflection_masks
from maskwright.erasing.shadows import shadow_masks
from maskwright.erasing.showing import numbered
from maskwright.media.images import save_image
from maskwright.plumbing.files import write_json
from maskwright.ports import Question
from maskwright.values import Abstain, Image

LOOKS = 9
"""Frames of which the judge is shown one."""
MAX_SIDE = 1024
RECORD, PICTURE = "judged.json", "candidates.png"
RULE = "rule"
_ASKED = {"shadow": "may be its shadow", "reflection": "may be its reflection"}


@dataclass(frozen=True)
class Candidate:
    """`kind` shadow | reflection, and one mask a frame, empty where there is none."""

    kind: str
    masks: Mapped[Bools]


def find_candidates(frames: Sequence[Frame], masks: Sequence[Bools]) -> list[Candidate]:
    """One of each kind. What looks like the object turned over is no shadow."""
    shadows, reflections = shadow_masks(frames, masks), reflection_masks(frames, masks)
    alone = Mapped(len(masks), lambda i: shadows[i] & ~reflections[i])
    return [Candidate("shadow", alone), Candidate("reflection", reflections)]


def with_candidates(masks: Mapped[Bools], found: Sequence[Candidate], kinds: Sequence[str]) -> Mapped[Bools]:
    """The masks with the candidates of these kinds."""
    for one in found:
        if one.kind in kinds:
            masks = joined(masks, one.masks)
    return masks


@dataclass(frozen=True)
class Case:
    """What the judge decides on: a clip, the object's masks, the candidates, the phrase that named the object."""

    frames: Sequence[Frame]
    masks: Sequence[Bools]
    found: Sequence[Candidate]
    phrase: str | None = None


def prompt_version() -> str:
    """Changes whenever the question does."""
    return load_prompt("erasing", "candidates").version


def write_judgement(out: Path, case: Case, asker: Callable[[], Asker | None] | None) -> None:
    """judged.json: each candidate, whether it belongs to the object and by whose word, what was asked, answered and
    spent; candidates.png: the frame that was shown. `asker` is made when there is something to ask."""
    key, there = _key_frame(case)
    if key is None:
        write_json(out / RECORD, {"key_frame": None, "candidates": [], "degraded": []})
        return
    shown = [c for c in there if c.masks[key].any()]
    judge = asker() if asker is not None else None
    side = min((engine.max_side for engine in judge.engines), default=MAX_SIDE) if judge is not None else MAX_SIDE
    picture = Image(numbered(case.frames[key], case.masks[key], [c.masks[key] for c in shown], side=side))
    save_image(out / PICTURE, picture)
    said, record = ({}, _unasked()) if judge is None else _ask(judge, picture, shown, case.phrase)
    rows = []
    for c in there:
        number = shown.index(c) + 1 if c in shown else None
        by = record["engine"] if number in said else RULE
        rows.append({"number": number, "kind": c.kind, "belongs": said.get(number or 0, True), "by": by})
    hidden = [_kept(f"the {c.kind} is not in the frame that was shown") for c in there if c not in shown]
    degraded = [*record["degraded"], *hidden]
    write_json(out / RECORD, {**record, "key_frame": key, "candidates": rows, "degraded": degraded})


def erased_kinds(judged: Mapping[str, Any]) -> list[str]:
    """What is erased with the object, of a judgement that was written."""
    return [row["kind"] for row in judged["candidates"] if row["belongs"]]


def _key_frame(case: Case) -> tuple[int | None, list[Candidate]]:
    """The frame, of a few, that shows most candidates, and most of them; the candidates that any of the few shows."""
    looks = few_held(case.masks, LOOKS)
    sizes = {i: [int(c.masks[i].sum()) for c in case.found] for i in looks}
    best = max(looks, key=lambda i: (sum(map(bool, sizes[i])), sum(sizes[i])), default=None)
    there = [c for n, c in enumerate(case.found) if any(sizes[i][n] for i in looks)]
    return best if there else None, there


def _ask(
    asker: Asker, picture: Image, shown: Sequence[Candidate], phrase: str | None
) -> tuple[dict[int, bool], dict[str, Any]]:
    """Number -> whether it belongs, as far as the answer says; and the record of question and answer."""
    prompt = load_prompt("erasing", "candidates")
    lines = "\n".join(f"{n}: {_ASKED[c.kind]}" for n, c in enumerate(shown, 1))
    text = prompt.fill(what=f' ("{phrase}")' if phrase else "", candidates=lines)
    answer = asker.ask(Question(text, (picture,), _schema(len(shown)), prompt.system))
    record: dict[str, Any] = {
        "prompt": prompt.version,
        "question": text,
        "engine": answer.engine or "+".join(engine.name for engine in asker.engines),
        "cost": asker.spent.to_json(),
    }
    if isinstance(answer, Abstain):
        steps = list(answer.detail.get("steps", ()))
        why = f"{record['engine']} did not judge shadows and reflections ({answer.reason})"
        return {}, {**record, "answer": None, "abstained": answer.reason, "steps": steps, "degraded": [_kept(why)]}
    said = {int(row["number"]): bool(row["belongs"]) for row in answer.value["candidates"]}
    silent = [str(n) for n in range(1, len(shown) + 1) if n not in said]
    degraded = [_kept(f"{answer.engine} did not judge number {', '.join(silent)}")] if silent else []
    return said, {**record, **_of_answer(answer), "degraded": [*answer.steps, *degraded]}


def _of_answer(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.value,
        "abstained": None,
        "cached": answer.cached,
        "dropped": answer.dropped,
        "steps": list(answer.steps),
    }


def _unasked() -> dict[str, Any]:
    why = "no vision-language model is named (--vlm): nobody judged shadows and reflections"
    return {"engine": RULE, "answer": None, "abstained": "not asked", "steps": [], "degraded": [_kept(why)]}


def _kept(why: str) -> str:
    return f"{why}; the rule's word stands: erased with the object"


def _schema(count: int) -> dict[str, Any]:
    number = {"type": "integer", "enum": list(range(1, count + 1))}
    item = {
        "type": "object",
        "properties": {"number": number, "belongs": {"type": "boolean"}},
        "required": ["number", "belongs"],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": item, "maxItems": count, "x-unique": "number"}
    return {
        "type": "object",
        "properties": {"candidates": rows},
        "required": ["candidates"],
        "additionalProperties": False,
    }
