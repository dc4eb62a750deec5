"""Links that leave docs/ (../README.md, ../src/...) hold on the site as well: the files they name become part of it.

The pages keep plain relative links, which a reader of the repository can follow. mkdocs calls these functions by name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
INTRODUCED = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Part of the site whether or not a page links to them."""


def _target(place: str, link: str) -> str:
    """The repository path a link leads to; `place`: the linking file's own repository path."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))


def _on_site(path: str) -> str:
    """Where a file of the repository lies on the site."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}"


def _linked() -> set[str]:
    """Repository paths outside docs/ that a page leads to, directly or by way of another."""
    found: set[str] = set()
    waiting = [p.relative_to(ROOT).as_posix() for p in HERE.rglob("*.md")] + list(INTRODUCED)
    while waiting:
        place = waiting.pop()
        if not place.startswith("docs/"):
            if place in found or not (ROOT / place).is_file():
                continue
            found.add(place)
        if place.endswith(".md"):
            text = (ROOT / place).read_text(encoding="utf-8")
            targets = (_target(place, m[2]) for m in LINK.finditer(text))
            waiting += [t for t in targets if not t.startswith(("docs/", ".."))]
    return found


def on_files(files: Any, config: Any) -> Any:
    """Adds the files outside docs/ that pages lead to."""
    for path in sorted(_linked()):
        content = (ROOT / path).read_bytes()
        name = _on_site(path)
        is_page = path.endswith(".md")
        files.append(File.generated(config, name, content=content.decode() if is_page else content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links out of docs/, and those between the files outside, into links of the site."""
    uri = page.file.src_uri
    place = uri.removeprefix("repository/") if uri.startswith("repository/") else f"docs/{uri}"

    def turned(found: re.Match[str]) -> str:
        target = _target(place, found[2])
        if place.startswith("docs/") and target.startswith("docs/"):
            return found[0]
        link = posixpath.relpath(_on_site(target), posixpath.dirname(uri) or ".")
        return f"{found[1]}{link}{found[3] or ''}{found[4]}"

    return LINK.sub(turned, markdown)
