"""A step is done only when its manifest and its outputs say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.errors import InputError, RunLocked, RunMismatch, StorageError
from maskwright.plumbing import files
from maskwright.plumbing.files import atomic_path, write_json
from maskwright.runs.folder import RunFolder, safe_id
from maskwright.runs.ledger import Ledger
from maskwright.runs.steps import MANIFEST, Step, remove_scratch


def _made(folder: Path, **settings: int) -> Step:
    step = Step(folder, "coarse", {"clip": "abc"}, settings)
    with step.work() as out:
        (out / "sub").mkdir()
        (out / "sub" / "a.txt").write_text("a")
    return step


def test_a_finished_step_is_done_and_stays_done(tmp_path: Path) -> None:
    assert _made(tmp_path, size=3).is_done()
    assert Step(tmp_path, "coarse", {"clip": "abc"}, {"size": 3}).is_done()
    assert list(Step(tmp_path, "coarse", {"clip": "abc"}, {"size": 3}).outputs) == ["sub/a.txt"]


@pytest.mark.parametrize(("inputs", "settings"), [({"clip": "xyz"}, {"size": 3}), ({"clip": "abc"}, {"size": 4})])
def test_other_inputs_or_settings_are_not_done(
    tmp_path: Path, inputs: dict[str, str], settings: dict[str, int]
) -> None:
    _made(tmp_path, size=3)
    assert not Step(tmp_path, "coarse", inputs, settings).is_done()


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_damage_is_seen(tmp_path: Path, damage: str) -> None:
    step = _made(tmp_path)
    path = step.path / (MANIFEST if damage == "manifest" else "sub/a.txt")
    path.unlink() if damage == "remove" else path.write_text("b")
    assert not step.is_done()


def test_a_failed_redo_keeps_what_was_there(tmp_path: Path) -> None:
    step = _made(tmp_path)
    with pytest.raises(RuntimeError), step.work() as out:
        (out / "half").write_text("half")
        raise RuntimeError
    assert step.is_done()
    (tmp_path / ".coarse-12345678").mkdir()
    assert remove_scratch(tmp_path) == 1


def test_the_ledger_counts_attempts_and_survives_reopening(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    assert [ledger.begin("a", "find"), ledger.begin("a", "find"), ledger.begin("b", "find")] == [1, 2, 1]
    ledger.end("a", "find", "done", counters={"calls": 3})
    ledger.close()
    again = Ledger(tmp_path / "l.sqlite")
    assert again.counts() == {"done": 1, "running": 1}
    entry = again.get("a", "find")
    assert entry is not None
    assert (entry.attempt, entry.counters) == (2, {"calls": 3})
    again.close()


def test_a_run_folder_is_used_by_one_process_and_one_kind(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r", "find", {"n": 1}), pytest.raises(RunLocked), RunFolder(tmp_path / "r", "find", {}):
        pass
    with pytest.raises(RunMismatch), RunFolder(tmp_path / "r", "erase", {}):
        pass
    with RunFolder(tmp_path / "r", "find", {"api_key": "sk-secretsecret"}) as run:
        run.event("began", api_key="sk-secretsecret")
        assert run.item("a/../b").parent == run.path / "items"
    assert (
        "secretsecret" not in (tmp_path / "r" / "run.json").read_text() + (tmp_path / "r" / "events.jsonl").read_text()
    )


@pytest.mark.parametrize(
    ("text", "name"), [("a/b c", "a_b_c"), ("../../etc", "etc"), ("猫 1", "猫_1"), ("x" * 300, "x" * 120)]
)
def test_ids_are_safe_names(text: str, name: str) -> None:
    assert safe_id(text) == name


@pytest.mark.parametrize("text", ["", "..", "///"])
def test_unusable_ids_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        safe_id(text)


def test_a_folder_made_whole_flushes_what_it_holds_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a step are written straight, and all are flushed before the step takes its place."""
    flushed: list[str] = []
    monkeypatch.setattr(files, "_flush", lambda path: flushed.append(Path(path).name))
    with Step(tmp_path, "a", {}).work() as out:
        write_json(out / "deep/result.json", 1)
        assert not flushed and [p.name for p in (out / "deep").iterdir()] == ["result.json"]
    assert sorted(flushed) == sorted(["result.json", "deep", "manifest.json", out.name])
    write_json(tmp_path / "other.json", 1)
    assert len(flushed) == 6  # itself and its folder: it has no folder that is made whole


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Step(tmp_path, "a", {}).work() as out, atomic_path(out / "half.png") as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with files.made_whole(tmp_path):
        with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "half.png") as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(StorageError, match="cannot be written"):
            (tmp_path / "file").touch()
            write_json(tmp_path / "file/below.json", 1)
