"""Batches that are killed, interrupted, or run out of disk: nothing bad is accepted, nothing finished is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from maskwright.errors import RunLocked, StorageError
from maskwright.media.exports import export
from maskwright.plumbing.cancel import Cancel
from maskwright.runs.batch import Batch, interrupts
from maskwright.runs.ledger import Ledger
from maskwright.runs.pool import Conduct
from maskwright.runs.reading import labelled, results
from maskwright.runs.task import TaskSpec
from run_tasks import TARGET, jobs_of, make_pictures

TESTS = Path(__file__).resolve().parents[1]
SCRIPT = """
import os, sys
from pathlib import Path
from run_tasks import TARGET, jobs_of
from maskwright.runs import mirror
from maskwright.runs.batch import Batch
from maskwright.runs.pool import Conduct
from maskwright.runs.task import TaskSpec
mirror._LOT_ITEMS = 2
folder, workers, url = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None
rows = list(jobs_of(sorted((folder / "in").glob("*.png"))))
batch = Batch(folder / "out", TaskSpec("find", {}, {}, target=TARGET), rows, Conduct(workers, 2), url=url)
summary = batch.run(lambda row, tally: print(row["id"], flush=True))
os._exit(summary["exit_code"])
"""
COUNT, MANY = 12, 80


def start(folder: Path, workers: int = 0, url: str = "") -> subprocess.Popen[str]:
    """A batch in a process of its own that prints the id of each item as it is done."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(workers), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def wait_for(process: subprocess.Popen[str], items: int) -> list[str]:
    """The ids of the first items, as they are done."""
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(items)]


def orphans(folder: Path) -> list[str]:
    """Workers that still run in the folder (where `start` starts them)."""
    found = []
    for about in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text, place = about.read_text().replace("\0", " "), (about.parent / "cwd").readlink()
        except OSError:
            continue
        if "maskwright.runs.worker" in text:
            found += [text] if place == folder else []
    return found


def batch(folder: Path, out: str = "out", **settings: int) -> Batch:
    rows = list(jobs_of(sorted((folder / "in").glob("*.png"))))
    return Batch(folder / out, TaskSpec("find", settings, {}, target=TARGET), rows, Conduct(0, 2))


def exported(run: Path, file: Path) -> bytes:
    return export(labelled(run), "coco", file).read_bytes()


@pytest.mark.parametrize(("workers", "after"), [(0, 0), (0, 3), (0, 9), (2, 1), (2, 6)])
def test_a_killed_batch_resumes_to_the_same_results(tmp_path: Path, workers: int, after: int) -> None:
    make_pictures(tmp_path / "in", COUNT)
    process = start(tmp_path, workers)
    done = wait_for(process, after)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (tmp_path / "out/items").mkdir(parents=True, exist_ok=True)
    stamps = {id_: (tmp_path / f"out/items/{id_}/manifest.json").stat().st_mtime_ns for id_ in done}
    summary = batch(tmp_path).run()
    assert (summary["done"], summary["left"]) == (COUNT, 0) and summary["finished_before"] >= after
    assert stamps == {id_: (tmp_path / f"out/items/{id_}/manifest.json").stat().st_mtime_ns for id_ in done}
    batch(tmp_path, "calm").run()
    assert exported(tmp_path / "out", tmp_path / "1.json") == exported(tmp_path / "calm", tmp_path / "2.json")
    assert [p.name for p in (tmp_path / "out").rglob(".*")] == [".lock"]
    ledger = Ledger(tmp_path / "out/ledger.sqlite")
    assert max(entry.attempt for entry in ledger) <= 2
    ledger.close()


@pytest.mark.parametrize(("workers", "after", "same_machine"), [(0, 3, True), (0, 9, False), (2, 6, True)])
def test_a_killed_batch_at_a_url_resumes_to_the_same_results(
    tmp_path: Path, workers: int, after: int, same_machine: bool
) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed (pip install 'maskwright[remote]')")
    make_pictures(tmp_path / "in", MANY)
    url = (tmp_path / "far").as_uri()
    process = start(tmp_path, workers, url)
    wait_for(process, after)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    sent = len(list((tmp_path / "far/items").glob("*/manifest.json")))
    assert (tmp_path / "far/.lock").exists() and after - 2 <= sent < MANY
    if not same_machine:  # the lock of a machine that is gone has to be removed by hand; so the error says
        shutil.rmtree(tmp_path / "out")
        other = replace(batch(tmp_path, "elsewhere"), url=url)
        with pytest.raises(RunLocked, match="in use"):
            other.run()
        (tmp_path / "far/.lock").unlink()
    summary = replace(batch(tmp_path, "out" if same_machine else "elsewhere"), url=url).run()
    assert (summary["done"], summary["left"]) == (MANY, 0)
    assert summary["finished_before"] >= (after if same_machine else sent)
    batch(tmp_path, "calm").run()
    items = [{p.relative_to(f).as_posix(): p.read_bytes() for p in f.rglob("*") if p.is_file()}
             for f in (tmp_path / "far/items", tmp_path / "calm/items")]  # fmt: skip
    assert items[0] == items[1] and not (tmp_path / "far/.lock").exists()


def test_a_second_interrupt_that_comes_late_cuts_nothing_off() -> None:
    pool = SimpleNamespace(stop=Cancel(), abort=Cancel())
    with interrupts() as pools:
        pools.append(pool)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
        assert pool.stop.is_set and not pool.abort.is_set
        signal.raise_signal(signal.SIGINT)  # the work has ended, its summary is being written
        assert pool.abort.is_set
    with pytest.raises(KeyboardInterrupt), interrupts():
        signal.raise_signal(signal.SIGTERM)  # nothing is worked on yet


@pytest.mark.parametrize(("workers", "times", "code"), [(0, 1, 7), (2, 1, 7), (0, 2, 7), (2, 2, 7)])
def test_interrupted_once_finishes_what_is_in_hand_twice_stops(
    tmp_path: Path, workers: int, times: int, code: int
) -> None:
    make_pictures(tmp_path / "in", 60)
    process = start(tmp_path, workers)
    wait_for(process, 1)
    assert len(orphans(tmp_path)) == workers
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        if times == 2 and process.stderr is not None and _ == 0:
            assert "in hand" in process.stderr.readline()
    process.communicate(timeout=600)
    assert process.returncode == code
    rows = list(results(tmp_path / "out"))
    assert 1 <= len(rows) < 60 and all(row["status"] == "done" for row in rows)
    assert orphans(tmp_path) == []
    assert batch(tmp_path).run()["done"] == 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 KiB; skips where one may not be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_and_what_was_done_stays(tmp_path: Path, small_disk: Path) -> None:
    files = make_pictures(tmp_path / "in", 40, 96)
    made = Batch(small_disk / "out", TaskSpec("find", {}, {}, target=TARGET), list(jobs_of(files)), Conduct(0, 1))
    said = ""
    try:
        said = "\n".join(f["error"] for f in made.run()["failures"])
    except StorageError as error:
        said = error.message
    assert "cannot be written" in said or "cannot be used" in said
    whole = [p.parent.name for p in small_disk.glob("out/items/[!.]*/manifest.json")]
    assert 0 < len(whole) < 40
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    summary = made.run()
    assert summary["done"] == 40 and summary["finished_before"] >= len(whole)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place(tmp_path: Path) -> None:
    make_pictures(tmp_path / "in", 1)
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(StorageError, match=r"read-only|cannot be"):
        batch(tmp_path).run()
