"""cut, parts, edit and lift: settings and names become models and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from maskwright.asking.body_rule import check_words
from maskwright.assemble.engines import Engines
from maskwright.assemble.shaping_guard import refuse_unclothing
from maskwright.config.settings import Settings, resolve, with_overrides
from maskwright.config.shape import ShapeSettings
from maskwright.errors import BadMask, BadPhrase, BadSettings, MissingModel
from maskwright.media.images import open_image, open_mask, save_image
from maskwright.models.editors.planner import PlannerEditor, region_of
from maskwright.models.editors.planner_plan import Plan, read_plan
from maskwright.plumbing.files import read_json
from maskwright.ports import Mesh
from maskwright.shaping.cutting import Cutout, cut_out
from maskwright.shaping.garments import Dissection, dissect
from maskwright.shaping.mesh_care import care_for, check_memory, report_of
from maskwright.shaping.mesh_files import save_mesh
from maskwright.shaping.registering import Drift, register
from maskwright.shaping.turntable import save_turntable
from maskwright.values import Image, Mask

CHARACTER_PRESETS: Mapping[str, str] = {
    "full-figure": "Extend this half figure to the whole figure, fully clothed, in the same outfit and style, standing.",  # noqa: E501
    "front-t-pose": "Show the same character, fully clothed in the same outfit, from the front in a T-pose on a plain ground.",  # noqa: E501
    "complete-hidden": "Complete the parts of this object that are hidden by others, in the same style; keep everything seen.",  # noqa: E501
}
"""Wishes that only a generative editor can fulfil."""


@dataclass(frozen=True)
class Edited:
    """`image`: the picture after the edit; `plan`: what was done (None for editors that take words as they are);
    `drift`: how far the editor strayed before it was brought back; `region`: where pixels may have changed."""

    image: Image
    plan: Plan | None
    drift: Drift
    region: Mask
    report: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Writes the picture; returns the path."""
        return save_image(path, self.image, quality=100 if Path(path).suffix.lower() == ".webp" else 95)


@dataclass(frozen=True)
class Lifted:
    """A finished mesh and its report."""

    mesh: Mesh
    report: dict[str, Any]

    def save(self, path: str | Path) -> Path:
        """Writes GLB, OBJ, PLY or STL by the suffix; returns the path."""
        return save_mesh(path, self.mesh)

    def save_preview(self, path: str | Path, *, frames: int = 48, side: int = 480) -> Path:
        """Writes a turntable (MP4, GIF, WebP) or one PNG; returns the path."""
        return save_turntable(path, self.mesh, frames=frames, side=side)


def cut(
    image: Any,
    mask: Any = None,
    *,
    matte: bool | None = None,
    matter: Any = None,
    background: Any = None,
    complete: bool = False,
    editor: Any = None,
    settings: Settings | None = None,
    **options: Any,
) -> Cutout:
    """The object with a soft edge and its own colours. `options`: band_px, frame, pad_px (see ShapeSettings);
    `background`: a colour (r, g, b), a name or a picture; `complete`: parts hidden by others are drawn by a generative
    editor. Without a mask the picture's own alpha is used. Raises BadMask, BadSettings, MissingModel."""
    picture, region = _picture(image), _mask_or_alpha(image, mask)
    engines, shape = _engines(settings, matter=matter, editor=editor), _shape(settings, options)
    if complete:
        picture = _completed(picture, region, engines)
    soft = shape.matte if matte is None else matte
    return cut_out(
        picture, region, matter=engines.need("matter") if soft else None, band_px=shape.band_px, frame=shape.frame,
        pad_px=shape.pad_px, background=_background(background),
    )  # fmt: skip


def parts(
    image: Any,
    mask: Any = None,
    *,
    parser: Any = None,
    inpainter: Any = None,
    settings: Settings | None = None,
    **options: Any,
) -> Dissection:
    """The figure taken apart: labels, pose, and one picture a garment. Raises BadImage, BadMask."""
    picture, engines, shape = (
        _picture(image),
        _engines(settings, parser=parser, inpainter=inpainter),
        _shape(settings, options),
    )
    region = None if mask is None else _mask(mask)
    if region is not None:
        region.check_size(picture.size)
    found = engines.need("parser").parse(picture, region)
    return dissect(picture, found, engines.need("inpainter") if shape.complete_garments else None)


def edit(
    image: Any,
    words: str = "",
    mask: Any = None,
    *,
    plan: Plan | Mapping[str, Any] | str | None = None,
    editor: Any = None,
    inpainter: Any = None,
    find: Callable[[Image, str], Mask | None] | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    **options: Any,
) -> Edited:
    """The picture changed as the words (or a saved plan) say, inside the mask only.

    Without a mask the thing named is looked for (by `find`, by default with maskwright.find). Raises BadPhrase (not an
    edit, too long, contradictory), RefusedError (asks for a person unclothed), BadMask, and what the editor raises.
    """
    check_words(words)
    picture, engines = _picture(image), _engines(settings, editor=editor, inpainter=inpainter)
    region, drawer = None if mask is None else _checked(_mask(mask), picture), engines.need("editor")
    if isinstance(drawer, PlannerEditor):
        steps = drawer.plan(words, picture) if plan is None else plan if isinstance(plan, Plan) else read_plan(plan)
        return _by_plan(picture, steps, region, drawer, find or _finder(settings), seed=seed)
    if plan is not None:
        raise BadSettings(f"the editor {drawer.name} takes words, not plans.", "Use --editor lite to replay a plan.")
    shape = _shape(settings, options)
    drawn = drawer.edit(picture, words, region, seed=seed)
    return _registered(picture, drawn, region, None, feather_px=shape.edit_feather_px, align=shape.edit_align)


def plan_edit(words: str, *, editor: Any = None, settings: Settings | None = None) -> Plan:
    """What `edit` would do, without doing it; raises BadPhrase, RefusedError."""
    check_words(words)
    drawer = _engines(settings, editor=editor).need("editor")
    if not isinstance(drawer, PlannerEditor):
        raise BadSettings(f"the editor {drawer.name} makes no plans.", "Leave out --dry-run, or use --editor lite.")
    return drawer.plan(words)


def read_plan_file(path: str | Path) -> Plan:
    """A plan that was saved; raises InputError, BadPhrase, RefusedError."""
    return read_plan(read_json(path))


def lift(
    image: Any,
    mask: Any = None,
    *,
    lifter: Any = None,
    depth: Any = None,
    seed: int = 0,
    settings: Settings | None = None,
    **options: Any,
) -> Lifted:
    """A textured, closed mesh of a cut-out (or of a picture and its mask). `options`: faces, height_m, largest_only,
    mesh_mib (see ShapeSettings); `depth`: (H, W) nearness 0..1, or the name of a depth model. Raises BadMask,
    BadSettings, ModelError, WorkerError."""
    shape = _shape(settings, options)
    check_memory(shape.faces, shape.mesh_mib)
    picture = image.image if isinstance(image, Cutout) else _picture(image)
    if mask is not None:
        picture = cut_out(picture, _checked(_mask(mask), picture)).image
    if picture.alpha is None:
        raise BadMask(
            "the picture has no alpha and no mask was given.", "Give --mask, or a cut-out from `maskwright cut`."
        )
    engines = _engines(
        settings,
        lifter=lifter if lifter is not None else _lite_lifter(settings, shape.faces),
        depth=depth if isinstance(depth, str) else None,
    )
    nearness = _depth(depth, engines, picture)
    model = engines.need("lifter")
    mesh = care_for(
        model.lift(picture, depth=nearness, seed=seed), faces=shape.faces, largest_only=shape.largest_only,
        height_m=shape.height_m, max_mib=shape.mesh_mib,
    )  # fmt: skip
    return Lifted(mesh, {**report_of(mesh), "lifter": str(model.name)})


# -- what edits go through


def _by_plan(
    picture: Image,
    plan: Plan,
    region: Mask | None,
    drawer: PlannerEditor,
    find: Callable[[Image, str], Mask | None],
    *,
    seed: int,
) -> Edited:
    wheres = {o.where for o in plan.operations}
    if region is None and plan.target and wheres - {"picture"}:
        check_words(plan.target)
        region = find(picture, plan.target)
        if region is None or not region:
            raise BadMask(f"there is no {plan.target!r} to be found in the picture.", "Give --mask.")
    if region is not None and any(o.op == "remove" for o in plan.operations):
        refuse_unclothing(picture, region)
    drawn = drawer.run(picture, plan, region, seed=seed)
    touched = np.zeros((picture.height, picture.width), np.bool_)
    for where in wheres:
        touched |= region_of(picture, region, where)
    final, drift = register(picture, drawn, touched, align=False)
    return Edited(final, plan, drift, Mask(touched), {"editor": drawer.name, "operations": plan.lines()})


def _registered(
    picture: Image, drawn: Image, region: Mask | None, plan: Plan | None, *, feather_px: float, align: bool
) -> Edited:
    where = np.ones((picture.height, picture.width), np.bool_) if region is None else region.array
    final, drift = register(picture, drawn, where, feather_px=feather_px, align=align)
    return Edited(final, plan, drift, Mask(where))


def character_preset(name: str) -> str:
    """The words of a preset for characters; raises BadPhrase."""
    if name not in CHARACTER_PRESETS:
        raise BadPhrase(f"there is no preset {name!r}.", f"Presets: {', '.join(CHARACTER_PRESETS)}.")
    return CHARACTER_PRESETS[name]


def need_generative(engines: Engines, wish: str) -> Any:
    """The chosen editor when it can draw what is not there; raises MissingModel saying what to choose."""
    drawer = engines.need("editor")
    if getattr(drawer, "generative", not isinstance(drawer, PlannerEditor)):
        return drawer
    raise MissingModel(
        f"{wish} needs a generative editor; {drawer.name} only changes what is there.",
        "Choose one with --editor (see: maskwright models list --kind editor).",
    )


def _completed(picture: Image, region: Mask, engines: Engines) -> Image:
    drawer = need_generative(engines, "completing hidden parts")
    drawn = drawer.edit(picture, CHARACTER_PRESETS["complete-hidden"], region)
    return Image(drawn.pixels, picture.alpha, picture.source)


def edit_preset(
    image: Any, name: str, *, editor: Any = None, seed: int = 0, settings: Settings | None = None
) -> Edited:
    """The whole picture drawn anew by a generative editor as a character preset says."""
    words, picture = character_preset(name), _picture(image)
    drawer = need_generative(_engines(settings, editor=editor), f"the preset {name}")
    return _registered(picture, drawer.edit(picture, words, None, seed=seed), None, None, feather_px=0, align=False)


# -- what comes in


@cache
def _usual() -> Engines:
    return Engines(resolve())


def _engines(settings: Settings | None, **chosen: Any) -> Engines:
    named = {kind: value for kind, value in chosen.items() if value is not None}
    return _usual() if settings is None and not named else Engines(settings, named)


def _shape(settings: Settings | None, options: Mapping[str, Any]) -> ShapeSettings:
    """The section of the settings with these options over it; raises BadSettings."""
    return with_overrides((settings or resolve()).section(ShapeSettings), options)


def _lite_lifter(settings: Settings | None, faces: int) -> Any:
    """The embedded lifter made for so many faces, unless the settings name another."""
    from maskwright.assemble.loading import load

    chosen = dict((settings or resolve()).models.get("lifter", {"name": "lite"}))
    return load("lifter", **{"faces": max(200, faces), **chosen}) if chosen["name"] == "lite" else None


def _picture(value: Any) -> Image:
    if isinstance(value, Cutout):
        return value.image
    return open_image(value) if isinstance(value, str | Path | bytes) else Image.of(value)


def _mask(value: Any) -> Mask:
    return open_mask(value) if isinstance(value, str | Path | bytes) else Mask.of(value)


def _checked(mask: Mask, picture: Image) -> Mask:
    mask.check_size(picture.size)
    if not mask:
        raise BadMask("the mask is empty.", "Give a mask with at least one pixel inside.")
    return mask


def _mask_or_alpha(image: Any, mask: Any) -> Mask:
    if mask is not None:
        return _mask(mask)
    alpha = _picture(image).alpha
    if alpha is None:
        raise BadMask("no mask was given and the picture has no alpha.", "Give --mask.")
    return Mask(alpha >= 128)


def _background(value: Any) -> Any:
    """None, RGB numbers or a picture, from a colour name, numbers, a path or a picture."""
    from maskwright.models.editors.planner_colours import find_colour

    if value is None or isinstance(value, Image):
        return value
    if isinstance(value, str):
        found = find_colour(value)
        return found[0] if found and found[1] == (0, len(value)) else open_image(value)
    if isinstance(value, tuple | list) and len(value) == 3 and all(0 <= int(v) <= 255 for v in value):
        return tuple(int(v) for v in value)
    return _picture(value)


def _depth(value: Any, engines: Engines, picture: Image) -> NDArray[np.float32] | None:
    if value is None:
        return None
    nearness = engines.get("depth").depth(picture) if isinstance(value, str) else np.asarray(value, np.float32)
    if nearness.shape != (picture.height, picture.width) or not np.isfinite(nearness).all():
        raise BadSettings(
            f"the depth map is {nearness.shape}, the picture {(picture.height, picture.width)}.",
            "Give one value a pixel, 0..1.",
        )
    return np.asarray(np.clip(nearness, 0, 1), np.float32)


def _finder(settings: Settings | None) -> Callable[[Image, str], Mask | None]:
    def find(image: Image, phrase: str) -> Mask | None:
        from maskwright.assemble import finding

        if settings is None:
            return finding.find(image, phrase).mask
        made.append(made[0] if made else finding.Finder(resolved=settings))
        return cast("Mask | None", made[0].find(image, phrase).mask)

    made: list[Any] = []

    return find
