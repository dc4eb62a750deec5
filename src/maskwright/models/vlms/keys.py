"""Keys of endpoints: read from the environment, never shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from maskwright.errors import BadSettings, MissingKey, ModelError
from maskwright.plumbing.log import HIDDEN, redact


class Key:
    """A secret that does not appear in repr, str, logs or errors."""

    def __init__(self, value: str) -> None:
        self._value = value

    def header(self) -> dict[str, str]:
        """The Authorization header, empty without a key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, text: str) -> str:
        """A text without the key in it."""
        return str(redact(text.replace(self._value, HIDDEN) if self._value else text))

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Errors of models come out of the block without the key."""
        try:
            yield
        except ModelError as error:
            error.message = self.hide(error.message)
            error.args = (error.message,)
            raise

    def __repr__(self) -> str:
        return "Key([hidden])" if self._value else "Key()"


def read_key(variable: str, engine: str) -> Key:
    """The key that an environment variable holds; raises MissingKey. An empty name means no key."""
    if not variable:
        return Key("")
    value = os.environ.get(variable, "").strip()
    if not value:
        raise MissingKey(f"{engine} needs a key in the variable {variable}.", f"Type: export {variable}=...")
    if not value.isprintable() or not value.isascii():
        raise BadSettings(f"the key in {variable} holds a line break or other odd signs.", "Set it again.")
    return Key(value)
