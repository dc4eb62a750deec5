"""Prompts are files: Markdown with a `# System` and a `# Question` section, and {names} to fill in."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from maskwright.errors import BadSettings
from maskwright.plumbing.files import storage_errors

_NAME = re.compile(r"\{([a-z_]+)\}")
_SECTION = re.compile(r"^# *(System|Question) *$", re.MULTILINE)


@dataclass(frozen=True)
class PromptFile:
    """One prompt: `system` and `question` with {names} still in them; `version` names its text in caches and traces."""

    name: str
    system: str
    question: str
    version: str

    def fill(self, **values: object) -> str:
        """The question with its {names} filled in once: braces inside the values stay as they are.

        Raises BadSettings when the file asks for a name that is not given.
        """
        unknown = sorted(set(_NAME.findall(self.question)) - set(values))
        if unknown:
            raise BadSettings(
                f"the prompt {self.name} asks for {{{unknown[0]}}}, which is not known.",
                f"Use only: {', '.join(sorted(values))}.",
            )
        return _NAME.sub(lambda match: str(values[match.group(1)]), self.question)


def load_prompt(room: str, name: str, folder: str | Path | None = None) -> PromptFile:
    """The prompt `name` of a room ("sculpting", "finding"): from `folder` when it holds name.md, else the built-in.

    Raises BadSettings when there is no such prompt or it has no question.
    """
    text = _own_text(name, folder)
    if text is None:
        place = resources.files(f"maskwright.{room}") / "prompts" / f"{name}.md"
        if not place.is_file():
            raise BadSettings(f"there is no prompt {name!r} in {room}.", "Check the name.")
        text = place.read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    sections = {title: body.strip() for title, body in zip(parts[1::2], parts[2::2])}
    if not sections.get("Question"):
        raise BadSettings(f"the prompt {name} has no '# Question' section.", "Add one, or remove the file.")
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return PromptFile(name, sections.get("System", ""), sections["Question"], version)


def _own_text(name: str, folder: str | Path | None) -> str | None:
    if folder is None:
        return None
    path = Path(folder) / f"{name}.md"
    if not Path(folder).is_dir():
        raise BadSettings(f"the prompts folder {folder} does not exist.", "Check --prompts.")
    if not path.is_file():
        return None
    with storage_errors(path):
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BadSettings(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
