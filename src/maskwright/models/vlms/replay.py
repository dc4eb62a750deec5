"""Answers from a record, and the recorder that makes one: a run can be had again without a network."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from maskwright.errors import BadSettings, EngineRefused
from maskwright.plumbing.files import storage_errors
from maskwright.ports import Question, Reply, Vlm


def question_key(question: Question) -> str:
    """sha256 of what is asked: words, pictures, schema and choices."""
    parts: list[Any] = [
        question.system,
        question.text,
        [image.sha256 for image in question.images],
        question.schema,
        question.choices,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class ReplayVlm:
    """Gives the recorded answer of each question; a question that is not in the record is refused."""

    def __init__(self, record: str | Path, name: str = "replay") -> None:
        """`record`: a JSON-lines file written by RecordingVlm. Raises BadSettings."""
        self.name, self.coordinates = name, "none"
        self.max_side, self.concurrency = 1024, 8
        self._answers: dict[str, Reply] = {}
        for number, line in enumerate(_lines(Path(record)), 1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadSettings(f"{record}, line {number}, is no recorded answer.", "Record it again.") from error

    def reply(self, question: Question) -> Reply:
        found = self._answers.get(question_key(question))
        if found is None:
            refused = EngineRefused("the record holds no answer to this question.", "Record the run again.")
            refused.__dict__["of_the_question"] = True
            raise refused
        return found

    def _take(self, entry: dict[str, Any]) -> None:
        first = not self._answers
        if first and "engine" in entry:
            about = entry["engine"]
            self.coordinates, self.max_side = str(about["coordinates"]), int(about["max_side"])
            self.concurrency = int(about["concurrency"])
        self._answers[entry["key"]] = Reply(
            entry["text"],
            entry.get("probabilities"),
            int(entry.get("tokens_in", 0)),
            int(entry.get("tokens_out", 0)),
            float(entry.get("usd", 0.0)),
            detail={"booleans": tuple(entry.get("booleans", ()))},
        )


class RecordingVlm:
    """Another vlm, its answers written to a JSON-lines file as they come."""

    def __init__(self, inner: Vlm, record: str | Path) -> None:
        self.name, self.coordinates = inner.name, inner.coordinates
        self.max_side, self.concurrency = inner.max_side, inner.concurrency
        self._inner, self._path, self._lock = inner, Path(record), threading.Lock()

    def reply(self, question: Question) -> Reply:
        answer = self._inner.reply(question)
        entry = {
            "key": question_key(question),
            "text": answer.text,
            "probabilities": None if answer.probabilities is None else dict(answer.probabilities),
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            "usd": answer.usd,
            "booleans": list(answer.detail.get("booleans", ())),
            "engine": {
                "coordinates": self.coordinates,
                "max_side": self.max_side,
                "concurrency": self.concurrency,
            },
        }
        with self._lock, storage_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        return answer


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"the record {path} cannot be read.", "Check the path.") from error
