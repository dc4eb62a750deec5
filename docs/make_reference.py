"""Writes docs/reference/*.md from the code: commands, settings, models, ports. A test fails when they are stale.

python docs/make_reference.py          # write
python docs/make_reference.py --check  # only compare
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).resolve().parent / "reference"
MARK = "<!-- written by docs/make_reference.py: change the code, not this page -->\n\n"


def commands() -> str:
    """Every command with its options, from click itself."""
    from maskwright.cli.main import COMMANDS, main

    parts = ["# Commands\n"]
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        parts.append(_command(f"maskwright {name}", command))
    return "\n".join(parts)


def _command(title: str, command: click.Command, level: int = 2) -> str:
    lines = [f"{'#' * level} {title}\n", inspect.cleandoc(command.help or ""), ""]
    context = click.Context(command, info_name=title)
    if isinstance(command, click.Group):
        inner = [(f"{title} {n}", command.get_command(context, n)) for n in command.list_commands(context)]
        return "\n".join(lines + [_command(t, c, level + 1) for t, c in inner if c is not None and not c.hidden])
    usage = " ".join([title, *command.collect_usage_pieces(context)])
    rows = [f"| `{', '.join(p.opts)}` | {_default(p)} | {_cell(p.help or '')} |"
            for p in command.params if isinstance(p, click.Option) and not p.hidden]  # fmt: skip
    lines += [f"    {usage}", ""]
    if rows:
        lines += ["| option | default | what it does |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _default(option: click.Option) -> str:
    value: Any = option.default
    is_plain = isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""
    return f"`{value}`" if is_plain else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def settings() -> str:
    """Every setting with its default."""
    from maskwright.config.settings import SECTIONS

    parts = ["# Settings\n", "Command line > environment > file > preset > default. In a file: `[section]` and"
             " `key = value`; on the command line: `--set section.key=value`; in the environment:"
             " `MASKWRIGHT_SECTION__KEY=value`.\n"]  # fmt: skip
    for section, place in SECTIONS.items():
        module, _, name = place.partition(":")
        if importlib.util.find_spec(module) is None:
            continue
        kind = getattr(importlib.import_module(module), name)
        parts += [
            f"## [{section}]\n",
            inspect.getdoc(kind) or "",
            "",
            "| key | default | what it is |",
            "|---|---|---|",
        ]
        for key, field in kind.model_fields.items():
            default = field.get_default(call_default_factory=True)
            parts.append(f"| `{key}` | `{_cell(repr(default))}` | {_cell(field.description or '')} |")
        parts.append("")
    return "\n".join(parts)


def models() -> str:
    """The catalogue."""
    from maskwright.models.catalogue import ROWS
    from maskwright.models.weights import cards

    head = "| kind | name | what it is | extra | weights | licence |\n|---|---|---|---|---|---|"
    rows = [f"| {r.kind} | `{r.name}` | {_cell(r.note)} | {r.extra} | {r.weights} | {_cell(r.licence)} |" for r in ROWS]
    found = [
        "# Models\n",
        head,
        *rows,
        "",
        "## Weights\n",
        "| name | from | revision | licence | note |",
        "|---|---|---|---|---|",
    ]
    for card in cards().values():
        notes = "; ".join(n for n in ("trusted on first use" if card.unverified else "", card.gated, card.note) if n)
        found.append(
            f"| `{card.name}` | {card.repo or card.source} | {card.revision} | {_cell(card.licence)} | {_cell(notes)} |"
        )
    return "\n".join(found)


def ports() -> str:
    """What a model must offer."""
    from maskwright import ports as module

    parts = ["# Ports\n", inspect.getdoc(module) or "", ""]
    for kind, port in module.PORTS.items():
        parts += [f"## {kind}: `{port.__name__}`\n", inspect.getdoc(port) or "", ""]
        methods = [(n, m) for n, m in vars(port).items() if inspect.isfunction(m) and not n.startswith("_")]
        for name, method in methods:
            parts += [f"- `{name}{inspect.signature(method)}`  ", f"  {inspect.getdoc(method) or ''}".rstrip(), ""]
    return "\n".join(parts)


PAGES = {"commands.md": commands, "settings.md": settings, "models.md": models, "ports.md": ports}


def stale() -> list[str]:
    """Pages that differ from what the code says now."""
    return [name for name, make in PAGES.items() if _read(HERE / name) != MARK + make().rstrip() + "\n"]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> int:
    if "--check" in sys.argv:
        print("\n".join(f"stale: {name}" for name in stale()) or "up to date")
        return 1 if stale() else 0
    HERE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (HERE / name).write_text(MARK + make().rstrip() + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
