"""Folders of data sets: which clips there are, and their masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maskwright.errors import InputError, MissingData

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".ts", ".mts")


@dataclass(frozen=True)
class Found:
    """One clip: its name, its frames or file, its masks, and the truth without the object where it is known."""

    name: str
    video: Path
    mask: Path
    truth: Path | None = None


def scan(kind: str, video_root: Path, mask_root: Path, gt_root: Path | None = None) -> list[Found]:
    """The clips of a data set: davis, ytvos or custom. Clips without masks are errors of their own when they are
    worked on. Raises MissingData, InputError."""
    if kind not in KINDS:
        raise InputError(f"there is no data set named {kind!r}.", f"Choose one of: {', '.join(KINDS)}.")
    for root in (video_root, mask_root):
        if not root.is_dir():
            raise MissingData(f"{root} is not a folder.", "Give the data set's folders: --video-root, --mask-root.")
    videos, masks = (KINDS[kind](root) for root in (video_root, mask_root))
    if not videos:
        raise MissingData(f"{video_root} holds no clips.", f"Expected the layout of {kind}.")
    truths = KINDS[kind](gt_root) if gt_root is not None else {}
    named = sorted(videos.items())
    return [Found(name, video, masks.get(name, mask_root / name), truths.get(name)) for name, video in named]


def _davis(root: Path) -> dict[str, Path]:
    """A folder a clip, below JPEGImages/480p or Annotations/480p where the whole set is given."""
    for below in ("JPEGImages/480p", "JPEGImages/Full-Resolution", "Annotations/480p", "Annotations/Full-Resolution"):
        if (root / below).is_dir():
            root = root / below
            break
    return _folders(root)


def _ytvos(root: Path) -> dict[str, Path]:
    """A folder a clip, below JPEGImages or Annotations where the whole set is given."""
    for below in ("JPEGImages", "Annotations"):
        if (root / below).is_dir():
            root = root / below
            break
    return _folders(root)


def _custom(root: Path) -> dict[str, Path]:
    """Folders of frames and video files, by their name without suffix."""
    found: dict[str, Path] = _folders(root)
    for path in sorted(p for p in root.iterdir() if p.is_file() and p.suffix.lower() in (*VIDEO_SUFFIXES, ".png")):
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} would be one clip.", "Rename or remove one of them.")
        found[path.stem] = path
    return found


def _folders(root: Path) -> dict[str, Path]:
    return {p.name: p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")}


KINDS: Mapping[str, Callable[[Path], dict[str, Path]]] = {
    "davis": _davis,
    "ytvos": _ytvos,
    "youtube-vos": _ytvos,
    "custom": _custom,
}
