"""Files that a visitor takes home: masks, cut-outs, label formats, the trace. All lie in the session's own folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from maskwright.errors import InputError
from maskwright.media.exports import FORMS, LabelledMask, export
from maskwright.media.images import save_image, save_mask
from maskwright.media.pictures import cutout
from maskwright.plumbing.files import write_json
from maskwright.studio.marking import kind_of, masks_by_name
from maskwright.studio.sessions import Session

KINDS = ("mask", "cutout", *FORMS, "trace")


def hand_out(session: Session, kind: str) -> Path:
    """Writes what is asked and gives its path; raises InputError when there is nothing to give."""
    if kind not in KINDS:
        raise InputError(f"there is no export named {kind!r}.", f"Choose one of: {', '.join(KINDS)}.")
    folder = session.path("downloads")
    folder.mkdir(exist_ok=True)
    if kind == "mask":
        return save_mask(folder / "mask.png", session.need_mask())
    if kind == "cutout":
        return save_image(folder / "cutout.png", cutout(session.need_picture(), session.need_mask()))
    if kind == "trace":
        return _trace(session, folder / "trace.json")
    return _labels(session, kind, folder)


def _trace(session: Session, path: Path) -> Path:
    trace = session.extras.get("trace")
    if trace is None:
        raise InputError("there is no trace yet.", "Name the thing or sculpt it first: clicks leave none.")
    write_json(path, trace.to_json())
    return path


def _labels(session: Session, kind: str, folder: Path) -> Path:
    """Every named object in a label format; several files come as one zip."""
    found = masks_by_name(session.board)
    if not found:
        raise InputError("nothing is marked yet.", "Click the thing, draw a box or name it.")
    kinds = [kind_of(thing.name) for thing in session.board.things if thing.mask]
    objects = [
        LabelledMask(name, "picture.png", mask, kind) for (name, mask), kind in zip(found.items(), kinds, strict=True)
    ]
    out = export(objects, kind, folder / _file_name(kind), overwrite=True)
    if not out.is_dir():
        return out
    return Path(shutil.make_archive(str(folder / kind), "zip", out))


def _file_name(kind: str) -> str:
    endings = {
        "coco": ".json",
        "coco-polygons": ".json",
        "label-studio": ".json",
        "cvat": ".xml",
        "parquet": ".parquet",
    }
    return kind + endings.get(kind, "")
