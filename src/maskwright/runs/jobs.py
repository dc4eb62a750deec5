"""What a batch is asked: one Job an item, from JSONL, CSV, Parquet, a folder, a glob or the classic layout.

A row that cannot be used becomes a BadRow with its place and reason; the others go on.
"""

from __future__ import annotations

import csv
import difflib
import glob
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maskwright.errors import BadSettings, InputError, MaskwrightError, MissingPackage
from maskwright.media.images import SUFFIXES
from maskwright.runs.folder import safe_id
from maskwright.runs.mirror import ABOUT
from maskwright.values import Box, Prompt


@dataclass(frozen=True)
class Job:
    """One item: `id` names its folder; `image` and `mask` are paths; boxes and points are full-image pixels."""

    id: str
    image: str
    phrase: str | None = None
    box: tuple[float, ...] | None = None
    points: tuple[tuple[float, ...], ...] = ()
    labels: tuple[int, ...] | None = None
    mask: str | None = None
    target: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self) -> Prompt:
        """Its box and points as a Prompt; raises BadPrompt."""
        return Prompt(points=self.points, labels=self.labels, box=self.box)

    def to_json(self) -> dict[str, Any]:
        """Without what is not set."""
        return {name: value for name, value in vars(self).items() if value not in (None, (), {})}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Job:
        """A Job from to_json's value."""
        points = tuple(tuple(float(v) for v in point) for point in value.get("points", ()))
        box, labels = value.get("box"), value.get("labels")
        return cls(
            id=value["id"],
            image=value["image"],
            phrase=value.get("phrase"),
            box=None if box is None else tuple(float(v) for v in box),
            points=points,
            labels=None if labels is None else tuple(int(v) for v in labels),
            mask=value.get("mask"),
            target=value.get("target"),
            options=dict(value.get("options", {})),
        )


@dataclass(frozen=True)
class BadRow:
    """A row that is no job: its id (made up from its place where it has none) and what is wrong."""

    id: str
    error: str


Rows = list[Job | BadRow]
_FIELDS = ("id", "image", "phrase", "box", "points", "labels", "mask", "target", "options")
NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "find": (("phrase",),),
    "segment": (("box", "points"),),
    "sculpt": (("box", "mask"),),
    "cut": (),
    "parts": (),
    "lift": (),
}
"""Kind of batch -> fields of which each group needs one (cut and lift take the picture's alpha without a mask)."""


def read_jobs(source: str | Path, kind: str, *, defaults: Mapping[str, Any] | None = None) -> Rows:
    """The rows of a file (.jsonl, .csv, .parquet), the pictures of a folder (with all below it) or of a glob.

    `defaults` fill what a row does not say (a phrase for all, options). Raises InputError when there is nothing.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if path.is_file() and suffix in _READERS:
        raw = list(_READERS[suffix](path))
    elif path.is_file():
        raw = [(1, {"image": path.name})]
    else:
        raw = [(number, {"image": str(name)}) for number, name in enumerate(_pictures(source), 1)]
    if not raw:
        raise InputError(f"{source} holds no items.", "Give a folder or glob of pictures, or a .jsonl of rows.")
    folder = path if path.is_dir() else path.parent
    return checked(raw, kind, folder, defaults or {})


def checked(
    raw: Iterable[tuple[int, Mapping[str, Any] | str]], kind: str, folder: Path, defaults: Mapping[str, Any]
) -> Rows:
    """Jobs of (line number, row or why it cannot be read); ids made unique where they were made up."""
    if kind not in NEEDS:
        raise BadSettings(f"batch does not do {kind!r}.", f"Choose one of: {', '.join(NEEDS)}.")
    rows: Rows = []
    for number, row in raw:
        try:
            if isinstance(row, str):
                raise InputError(row)
            rows.append(_job({**defaults, **{k: v for k, v in row.items() if v is not None}}, kind, folder, number))
        except (MaskwrightError, OSError, OverflowError, TypeError, ValueError) as error:
            name = row.get("id") if isinstance(row, Mapping) else None
            said = error.message if isinstance(error, MaskwrightError) else str(error)
            rows.append(BadRow(_made_up(name, f"line-{number}"), f"line {number}: {said}"))
    return _with_unique_ids(rows)


def _job(row: Mapping[str, Any], kind: str, folder: Path, number: int) -> Job:
    for name in row:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            raise InputError(f"there is no field {name!r}." + (f" Did you mean {near[0]}?" if near else ""))
    image = row.get("image")
    if not isinstance(image, str) or not image:
        raise InputError("it names no image.")
    for group in NEEDS[kind]:
        if not any(row.get(name) for name in group):
            raise InputError(f"{kind} needs {' or '.join(group)}.")
    given = {**row, "id": str(row["id"]) if row.get("id") is not None else "", "image": _resolved(image, folder)}
    if row.get("mask"):
        given["mask"] = _resolved(str(row["mask"]), folder)
    if given.get("box") is not None:
        given["box"] = tuple(Box.of(given["box"]))
    job = Job.from_json(given)
    for name in ("phrase", "target"):
        if not isinstance(getattr(job, name), (str, type(None))):
            raise InputError(f"its {name} is not text.")
    job.prompt()
    return job if job.id else replace(job, id=f"?{Path(image).with_suffix('').as_posix()}\n{number}")


def _resolved(name: str, folder: Path) -> str:
    """A path as it is, or beside the file (or in the folder) that names it."""
    path = Path(name)
    beside = folder / path
    return str((beside if not path.is_absolute() and beside.exists() else path).absolute())


def _made_up(name: Any, otherwise: str) -> str:
    try:
        return safe_id(str(name)) if name is not None else otherwise
    except InputError:
        return otherwise


def _with_unique_ids(rows: Rows) -> Rows:
    """Ids as safe folder names. Made-up ones are told apart by their line; of given ones, the second is a BadRow."""
    made_up = Counter(_plain(row.id) for row in rows if row.id.startswith("?"))
    given = {_made_up(row.id, "") for row in rows if not row.id.startswith("?")}
    alone = {name for name, times in made_up.items() if times == 1}
    taken: set[str] = set()
    out: Rows = []
    for place, row in enumerate(rows, 1):
        if row.id.startswith("?"):
            plain, number = _plain(row.id), row.id.partition("\n")[2]
            name = plain if plain in alone and plain not in given else f"{plain}-{number}"
            while name in taken or name in given or (name in alone and name != plain):
                name += "x"
        else:
            name = _made_up(row.id, f"row-{place}")
        if name in taken:
            out.append(
                BadRow(_free(f"{name}-again-{place}", taken), f"row {place}: the id {row.id!r} is taken already.")
            )
        else:
            taken.add(name)
            out.append(replace(row, id=name))
    return out


def _plain(made_up: str) -> str:
    path = made_up[1:].partition("\n")[0]
    return _made_up(Path(path).name if Path(path).is_absolute() else path, "item")


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "x"
    taken.add(name)
    return name


def _pictures(source: str | Path) -> list[Path]:
    """Pictures of a folder, relative to it, or of a glob."""
    path = Path(source)
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
        return [p.relative_to(path) for p in _no_results(found, path) if not p.name.startswith(".")]
    found_by_glob = [Path(p) for p in sorted(glob.glob(str(source), recursive=True))]  # noqa: PTH207 - any pattern
    found = [p for p in found_by_glob if p.suffix.lower() in SUFFIXES]
    return _no_results(found, None) if "**" in str(source) else found


def _no_results(paths: list[Path], root: Path | None) -> list[Path]:
    """Without what lies in run folders on the way (below `root`): those are results of ours."""
    is_run: dict[Path, bool] = {}

    def lies_in_run(folder: Path) -> bool:
        if folder in (root, folder.parent):
            return False
        if folder not in is_run:
            is_run[folder] = (folder / ABOUT).is_file() or lies_in_run(folder.parent)
        return is_run[folder]

    return [path for path in paths if not lies_in_run(path.parent)]


def _read_jsonl(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, f"it is not JSON ({error})."
                continue
            yield number, row if isinstance(row, dict) else "it is not a JSON object."


def _read_csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Boxes, points, labels and options are JSON in their cells; a box may also be x0,y0,x1,y1."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        for row in _sound(reader, path):
            if None in row or None in row.values():
                yield reader.line_num, f"it has {'more' if None in row else 'fewer'} cells than the header."
                continue
            try:
                yield reader.line_num, {name: _cell(name, text) for name, text in row.items() if text != ""}
            except ValueError as error:
                yield reader.line_num, f"a cell cannot be read ({error})."


def _sound(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    """The rows; raises InputError where one has no end, since then nobody knows what the rest is."""
    before = 0
    try:
        for row in reader:
            yield row
            before = reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{path}: the row that begins in line {before + 1} cannot be read ({error}).",
            "A quote in a cell is written twice, in a cell between quotes.",
        ) from error


def _cell(name: str, text: str) -> Any:
    if name == "box" and not text.lstrip().startswith("["):
        return [float(v) for v in text.split(",")]
    return json.loads(text) if name in ("box", "points", "labels", "options") else text


def _read_parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingPackage("Parquet needs the package pyarrow.", "Type: pip install 'maskwright[bench]'") from error
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}).", "Write it again.") from error
    yield from enumerate(rows, 1)


_READERS = {".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
