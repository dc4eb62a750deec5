"""The house rules that a program can check: arrows between rooms, sizes, names."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src" / "maskwright"
FILES = sorted(p for p in ROOT.rglob("*.py") if "workers" not in p.relative_to(ROOT).parts[:1])

LEAVES = {"errors", "values"}
LOWER = LEAVES | {"ports", "plumbing", "media", "config"}
ARROWS: dict[str, set[str]] = {
    "__main__": {"cli"},
    "errors": set(),
    "values": {"errors"},
    "ports": LEAVES,
    "plumbing": LEAVES,
    "media": LEAVES | {"plumbing"},
    "config": LEAVES | {"ports", "presets"},
    "presets": set(),
    "weights": set(),
    "asking": LOWER,
    "models": LOWER | {"asking", "weights"},
    "finding": LOWER | {"asking"},
    "sculpting": LOWER | {"asking"},
    "erasing": LOWER | {"asking", "runs"},
    "shaping": LOWER | {"asking"},
    "runs": LOWER | {"asking"},
    "bench": LOWER | {"asking", "runs", "finding", "sculpting", "erasing", "shaping"},
    "assemble": LOWER
    | {"asking", "models", "finding", "sculpting", "erasing", "shaping", "runs", "bench", "workers", "weights"},
    "cli": LOWER | {"asking", "assemble", "runs", "bench", "finding", "sculpting", "erasing", "shaping", "studio"},
    "studio": LOWER | {"asking", "assemble", "runs", "finding", "sculpting", "erasing", "shaping"},
}
"""Room -> rooms it may import. A loop never imports another loop; only assemble imports models."""

BANNED = ("utils", "helpers", "common", "base", "core", "manager", "handler", "service", "factory")
EXCEPTIONS: dict[str, str] = {}
"""file or function -> why it may break a size rule"""


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module if node.module != "maskwright" else f"maskwright.{node.names[0].name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_arrows_between_rooms(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    rooms = {name.split(".")[1] for name in _imports(path) if name.startswith("maskwright.")}
    wrong = {other for other in rooms - {room, "__version__"} if other not in ARROWS[room]}
    assert not wrong, f"{room} must not import {sorted(wrong)}"


def _functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{path.relative_to(ROOT).as_posix()}:{node.name}", node


def test_sizes() -> None:
    """Functions: median at most 12 lines, nine in ten at most 35, none over 80. Files at most 400 lines."""
    lengths = {
        name: (node.end_lineno or node.lineno) - node.lineno + 1 for path in FILES for name, node in _functions(path)
    }
    ordered = sorted(lengths.values())
    files = {p.relative_to(ROOT).as_posix(): len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    print(f"functions {len(ordered)}, median {statistics.median(ordered)}, 90 % {ordered[int(0.9 * len(ordered))]}")
    assert statistics.median(ordered) <= 12
    assert ordered[int(0.9 * len(ordered))] <= 35
    assert not {name: n for name, n in lengths.items() if n > 80 and name not in EXCEPTIONS}
    assert not {name: n for name, n in files.items() if n > 400 and name not in EXCEPTIONS}


def test_few_positional_parameters() -> None:
    wide = {}
    for path in FILES:
        for name, node in _functions(path):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in ("self", "cls")]
            is_command = any("click" in ast.dump(d) or "option" in ast.dump(d) for d in node.decorator_list)
            if len(names) > 5 and not is_command and node.name != "__init__" and name not in EXCEPTIONS:
                wide[name] = names
    assert not wide


def test_names() -> None:
    bad = [p.name for p in FILES if any(part in BANNED for part in p.stem.lower().split("_"))]
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(word in node.name.lower() for word in ("manager", "handler",
                                                      "service", "factory", "helper", "utils")):  # fmt: skip
                bad.append(f"{path.name}:{node.name}")
    assert not bad


def test_every_error_is_in_the_tree_drawn_in_the_docstring() -> None:
    from maskwright import errors

    drawn = errors.__doc__ or ""
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.MaskwrightError)]
    assert len(kinds) > 20
    assert not [kind.__name__ for kind in kinds if kind.__name__ not in drawn]
