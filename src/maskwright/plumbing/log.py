"""Structured log lines with secrets kept out."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from typing import Any

_SECRET_NAMES = re.compile(r"(api[_-]?key|token|secret|password|authorization)$", re.IGNORECASE)
_SECRET_SHAPES = re.compile(r"(?<![A-Za-z0-9])(sk-[A-Za-z0-9_\-]{8,}|Bearer\s+[A-Za-z0-9._\-]{8,}|hf_[A-Za-z0-9]{8,})")
HIDDEN = "[hidden]"


def redact(value: Any) -> Any:
    """The same value with keys, tokens and the values of secret environment variables replaced."""
    return _redacted(value, _environment_secrets())


def _redacted(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {k: HIDDEN if _SECRET_NAMES.search(str(k)) else _redacted(v, secrets) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(v, secrets) for v in value]
    return _redact_text(value, secrets) if isinstance(value, str) else value


def _redact_text(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _SECRET_SHAPES.sub(HIDDEN, text)


def _environment_secrets() -> list[str]:
    named = [os.environ.get(name, "") for name in os.environ if _SECRET_NAMES.search(name)]
    return [value for value in named if len(value) >= 8]


class Log:
    """`log.info("fetched", file=..., bytes=...)` writes one line: event, then fields as JSON."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"maskwright.{name}")

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            rest = json.dumps(redact(fields), ensure_ascii=False, default=str) if fields else ""
            self._logger.log(level, "%s %s", event, rest)


def get_log(name: str) -> Log:
    return Log(name)


def show_log(level: str = "WARNING") -> None:
    """Sends log lines of at least `level` to stderr; the command line calls it once."""
    logger = logging.getLogger("maskwright")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    logger.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.setLevel(level.upper())
    logger.propagate = False
