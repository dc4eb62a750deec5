"""The typed operations that an edit is made of, and their JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadPhrase

Where = Literal["object", "background", "picture"]
Rgb = tuple[
    Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]
]


class _Typed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    where: Where = "object"


class Recolour(_Typed):
    """Another colour, the shading kept."""

    op: Literal["recolour"] = "recolour"
    colour: Rgb


class Remove(_Typed):
    """Gone; what is behind is invented by the inpainter."""

    op: Literal["remove"] = "remove"


class Blur(_Typed):
    op: Literal["blur"] = "blur"
    amount: float = Field(0.5, gt=0, le=1)
    pixelate: bool = False


class Replace(_Typed):
    """A plain colour instead (of the background, usually)."""

    op: Literal["replace"] = "replace"
    colour: Rgb
    where: Where = "background"


class Brighten(_Typed):
    """Lighter (amount > 0) or darker (< 0); 1 is one stop."""

    op: Literal["brighten"] = "brighten"
    amount: float = Field(0.4, ge=-3, le=3)


class Saturate(_Typed):
    """Colourfulness times `factor`; 0 is grey."""

    op: Literal["saturate"] = "saturate"
    factor: float = Field(0.0, ge=0, le=4)


class Contrast(_Typed):
    op: Literal["contrast"] = "contrast"
    factor: float = Field(1.3, ge=0.1, le=4)


class Warm(_Typed):
    """Warmer (amount > 0) or cooler (< 0) light."""

    op: Literal["warm"] = "warm"
    amount: float = Field(0.5, ge=-1, le=1)


class Pattern(_Typed):
    """Stripes, dots or checks under the object's own shading."""

    op: Literal["pattern"] = "pattern"
    kind: Literal["stripes", "bands", "dots", "checks"] = "stripes"
    colour: Rgb = (255, 255, 255)
    size: float = Field(0.08, gt=0.005, le=0.5, description="period as a share of the object's longer side")


class Outline(_Typed):
    op: Literal["outline"] = "outline"
    colour: Rgb = (0, 0, 0)
    width_px: int = Field(0, ge=0, le=200, description="0: by the object's size")


class Flip(_Typed):
    op: Literal["flip"] = "flip"
    across: Literal["horizontal", "vertical"] = "horizontal"


class Scale(_Typed):
    op: Literal["scale"] = "scale"
    factor: float = Field(0.8, ge=0.05, le=8)


Operation = Annotated[
    Recolour | Remove | Blur | Replace | Brighten | Saturate | Contrast | Warm | Pattern | Outline | Flip | Scale,
    Field(discriminator="op"),
]


class Plan(BaseModel):
    """What will be done, in order; `words` is what was asked, `target` the thing named (may be empty)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    words: str = Field("", max_length=500)
    target: str = Field("", max_length=120)
    operations: tuple[Operation, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _agrees(self) -> Plan:
        for where in ("object", "background", "picture"):
            clash = contradiction([o for o in self.operations if o.where == where])
            if clash:
                raise ValueError(clash)
        return self

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON; `read_plan` reads it back."""
        return self.model_dump(mode="json")

    def lines(self) -> list[str]:
        """One line an operation, for people."""
        return [
            f"{o.op} {o.where}" + "".join(f" {k}={v}" for k, v in o.model_dump(exclude={"op", "where"}).items())
            for o in self.operations
        ]


def contradiction(operations: list[Any]) -> str:
    """Why these operations on one region cannot all be meant; empty when they can."""
    kinds = [o.op for o in operations]
    if "remove" in kinds and len(kinds) > 1:
        other = next((k for k in kinds if k != "remove"), "remove")
        return f"remove and {other} contradict each other: what is removed cannot be changed too"
    for kind, field in (("recolour", "colour"), ("replace", "colour"), ("scale", "factor"), ("outline", "colour")):
        values = {getattr(o, field) for o in operations if o.op == kind}
        if len(values) > 1:
            return f"two edits contradict each other: {kind} to {' and to '.join(str(v) for v in sorted(values))}"
    for kind, field, middle in (
        ("brighten", "amount", 0),
        ("saturate", "factor", 1),
        ("contrast", "factor", 1),
        ("warm", "amount", 0),
    ):
        sides = {getattr(o, field) > middle for o in operations if o.op == kind}
        if len(sides) > 1:
            return f"two edits contradict each other: {kind} up and down at once"
    if "recolour" in kinds and any(o.op == "saturate" and o.factor == 0 for o in operations):
        return "recolour and desaturate to grey contradict each other"
    return ""


def read_plan(value: Mapping[str, Any] | str) -> Plan:
    """A Plan from its JSON (text or parsed); raises BadPhrase, and RefusedError for words over the body rule."""
    try:
        data = json.loads(value) if isinstance(value, str) else value
        if isinstance(data, Mapping):
            for text in _texts(data):
                check_words(text, where="the plan")
        return Plan.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"]) or "the plan"
        raise BadPhrase(
            f"the plan is not usable: {place}: {first['msg']}.", "See the plans in docs/edit.md."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadPhrase(f"the plan is not readable JSON ({error}).", "Give a plan that --dry-run wrote.") from error


def _texts(value: Any) -> list[str]:
    """Every string anywhere in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return [text for part in value for text in _texts(part)] if isinstance(value, list | tuple) else []
