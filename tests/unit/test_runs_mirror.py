"""Run folders at a URL: the same bytes as here, finished or not there at all, taken up by any machine."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("fsspec", reason="fsspec is not installed (pip install 'maskwright[remote]')")

from maskwright.cli.main import main
from maskwright.errors import InputError, MissingPackage, RunLocked, RunMismatch, StorageError
from maskwright.media.exports import export
from maskwright.plumbing.store import Store, is_url, read_url, shown
from maskwright.runs import mirror, reading
from maskwright.runs.batch import Batch, open_batch
from maskwright.runs.folder import RunFolder
from maskwright.runs.ledger import Ledger
from maskwright.runs.pool import Conduct
from maskwright.runs.task import TaskSpec
from run_tasks import TARGET, jobs_of, make_pictures

HERE = Conduct(0, 2)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working copies in the test's own folder, and the task where worker processes find it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def memory() -> Iterator[str]:
    import fsspec

    yield "memory://runs/out"
    fsspec.filesystem("memory").rm("/runs", recursive=True)


def make(tmp_path: Path, url: str, count: int = 5, phrases: dict[int, str] | None = None, **settings: Any) -> Batch:
    files = make_pictures(tmp_path / "in", count)
    spec = TaskSpec("find", settings, {}, target=TARGET)
    return Batch(mirror.working_copy(url), spec, list(jobs_of(files, phrases)), HERE, url=url)


def there(url: str) -> dict[str, bytes]:
    store = Store(url)
    return store.read(store.names())


def items_of(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.startswith("items/")}


def here(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def another_machine() -> None:
    """Forgets what this machine knows of run folders at URLs."""
    shutil.rmtree(mirror.cache_folder("runs"), ignore_errors=True)


URLS = ["memory", "file"]


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return str(request.getfixturevalue("memory"))
    return (tmp_path / "far away/out").as_uri()


@pytest.mark.parametrize("conduct", [HERE, Conduct(2, 2)], ids=["threads", "processes"])
def test_what_lies_there_is_what_would_lie_here(tmp_path: Path, url: str, conduct: Conduct) -> None:
    batch = replace(make(tmp_path, url, 6, {2: "fail", 4: "abstain"}), conduct=conduct)
    summary = batch.run()
    assert (summary["done"], summary["abstained"], summary["failed"]) == (4, 1, 1)
    local = replace(batch, out=tmp_path / "local", url=None)
    local.run()
    found = there(url)
    assert items_of(found) == items_of(here(local.out))
    own = {"run.json", "jobs.jsonl", "ledger.sqlite", "events.jsonl", "summary.json"}
    assert {name for name in found if "/" not in name} == own
    assert found["jobs.jsonl"] == (local.out / "jobs.jsonl").read_bytes()


def test_another_machine_takes_it_up_and_does_only_what_is_left(tmp_path: Path, url: str) -> None:
    batch = replace(make(tmp_path, url, 6, {3: "spend"}), conduct=Conduct(0, 1))
    assert batch.run()["done"] == 3
    another_machine()
    again = open_batch(url)
    assert (again.spec, again.url, again.out) == (batch.spec, url, batch.out)
    summary = replace(again, rows=list(jobs_of(sorted((tmp_path / "in").glob("*.png"))))).run()
    assert (summary["done"], summary["finished_before"]) == (6, 3)
    ledger = Ledger(batch.out / "ledger.sqlite")
    assert {entry.item: entry.attempt for entry in ledger}["p0000"] == 1
    ledger.close()
    assert sum(b'"begun"' in line for line in there(url)["events.jsonl"].splitlines()) == 2


def test_a_run_with_nothing_left_loads_nothing_on_another_machine(tmp_path: Path, url: str) -> None:
    batch = make(tmp_path, url)
    batch.run()
    before = items_of(there(url))
    another_machine()
    broken = replace(batch, spec=replace(batch.spec, target="no.such:thing"))
    assert broken.run()["finished_before"] == 5
    assert items_of(there(url)) == before


def test_what_is_damaged_or_half_there_is_done_again(tmp_path: Path, url: str) -> None:
    batch = make(tmp_path, url)
    batch.run()
    before, store = items_of(there(url)), Store(url)
    store.write("items/p0001/mask.png", b"torn")
    store.write("items/p0002/manifest.json", b'{"key"')
    store.remove(["items/p0003/manifest.json"])
    store.write("items/../../escaped", b"x")
    another_machine()
    assert batch.run()["finished_before"] == 2
    assert items_of(there(url)) == before
    assert not list(tmp_path.glob("cache/maskwright/escaped"))


def test_changed_settings_replace_what_lies_there(tmp_path: Path, url: str) -> None:
    make(tmp_path, url, 3).run()
    Store(url).write("items/p0001/left-over.png", b"x")
    other = make(tmp_path, url, 3, {1: "fail"}, threshold=200)
    other.run()
    local = replace(other, out=tmp_path / "local", url=None)
    local.run()
    assert items_of(there(url)) == items_of(here(local.out))


def test_reading_needs_no_working_copy(tmp_path: Path, url: str) -> None:
    batch = make(tmp_path, url, 4, {2: "fail"})
    batch.run()
    plain = replace(batch, out=tmp_path / "local", url=None)
    plain.run()
    another_machine()
    shown_there, shown_here = reading.show_run(url), reading.show_run(plain.out)
    assert shown_there["path"] == url
    for name in ("counts", "failures"):
        assert shown_there[name] == shown_here[name]
    [row] = reading.list_runs(url.rpartition("/")[0])
    assert (row["path"], row["done"], row["items"]) == (url, 3, 4)
    exports = [export(reading.labelled(f), "coco", tmp_path / f"{i}.json") for i, f in enumerate((url, plain.out))]
    assert exports[0].read_bytes() == exports[1].read_bytes()
    found = reading.compare(url, plain.out)
    assert (found["changed"], found["same"], found["settings"]) == ([], 4, {})
    assert not mirror.cache_folder("runs").exists()


def test_one_at_a_time(tmp_path: Path, url: str) -> None:
    batch = make(tmp_path, url)
    other = RunFolder(tmp_path / "elsewhere", "batch-find", {}, url=url)
    with RunFolder(batch.out, "batch-find", {}, url=url):
        with pytest.raises(RunLocked, match="in use") as caught, other:
            pass
        assert ".lock" in caught.value.hint
        with pytest.raises(RunLocked):
            batch.run()
    with other:
        pass
    with pytest.raises(RunMismatch), RunFolder(tmp_path / "elsewhere", "batch-cut", {}, url=url):
        pass
    assert ".lock" not in there(url)


def test_a_lock_of_this_machines_killed_run_is_its_own(tmp_path: Path, url: str) -> None:
    """What a killed process had finished and not yet sent is sent, not done again."""
    batch = make(tmp_path, url)
    batch.run()
    lock = json.dumps({"host": mirror.platform.node(), "folder": str(batch.out), "pid": 1}).encode()
    Store(url).write(".lock", lock)
    Store(url).remove(["items/p0002/manifest.json", "items/p0002/mask.png", "summary.json"])
    summary = batch.run()
    assert (summary["done"], summary["finished_before"]) == (5, 5)
    assert {"items/p0002/mask.png", "summary.json"} <= there(url).keys()


def test_what_cannot_be_sent_waits_and_is_told(tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_LOT_ITEMS", 1)
    put, calls = Store.put, []

    def fails(store: Store, files: dict[str, Path]) -> None:
        calls.append(len(files))
        raise StorageError("the network is gone.", "Wait.")

    batch = make(tmp_path, memory)
    with monkeypatch.context() as broken:
        broken.setattr(Store, "put", fails)
        with pytest.raises(StorageError, match=r"network is gone. 5 items wait in"):
            batch.run()
    assert len(calls) > 1 and put is Store.put
    assert batch.run()["finished_before"] == 5
    assert len([n for n in there(memory) if n.endswith("mask.png")]) == 5


def test_the_command_line_from_start_to_export(tmp_path: Path) -> None:
    url = (tmp_path / "far/out").as_uri()
    rows = [{"id": p.stem, "image": str(p), "box": [2, 2, 20, 20]} for p in make_pictures(tmp_path / "in", 3)]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def call(*args: Any) -> Any:
        result = CliRunner().invoke(main, [str(a) for a in args])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    fake = ["--set", "models.segmenter.name=fake", "--workers", "0"]
    assert url in call("batch", tmp_path / "jobs.jsonl", "-o", url, *fake)
    another_machine()
    assert json.loads(call("runs", "resume", url, "--json"))["finished_before"] == 3
    assert "3 done" in call("runs", "show", url) and "3 done" in call("runs", "list", url)
    call("runs", "export", url, "--as", "png", "-o", tmp_path / "png")
    assert len(list((tmp_path / "png").rglob("*.png"))) == 3
    assert "same      3" in call("runs", "diff", url, tmp_path / "far/out")


REFUSED = {
    "no such protocol": ("nope://a/b", InputError, "nope"),
    "a package is missing": ("sftp://user:secret@host/run", MissingPackage, "paramiko"),
    "no run there": ("memory://nothing/here", InputError, "no run folder"),
}


@pytest.mark.parametrize(("url", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_told(url: str, kind: type[Exception], words: str) -> None:
    if words == "paramiko":
        pytest.importorskip("fsspec")
        try:
            import paramiko  # type: ignore[import-untyped]  # noqa: F401
        except ModuleNotFoundError:
            pass
        else:
            pytest.skip("paramiko is installed")
    with pytest.raises(kind, match=words) as caught:
        reading.show_run(url)
    assert caught.value.hint and "secret" not in str(caught.value)  # type: ignore[attr-defined]


def test_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fsspec.core

    def missing(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    with monkeypatch.context() as patched:
        patched.setattr(fsspec.core, "url_to_fs", missing)
        with pytest.raises(MissingPackage, match="s3fs") as caught:
            RunFolder(tmp_path / "r", "find", {}, url="s3://bucket/run")
        assert caught.value.hint == "Type: pip install s3fs"
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("fsspec"):
            raise ModuleNotFoundError("No module named 'fsspec'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage, match="fsspec") as caught:
        read_url("s3://bucket/a.png")
    assert "maskwright[remote]" in caught.value.hint


def test_foreign_errors_become_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        read_url((tmp_path / "none.png").as_uri())
    (tmp_path / "file").write_text("x")
    store = Store((tmp_path / "file").as_uri())
    with pytest.raises(StorageError, match="cannot be written"):
        store.write("below/it", b"x")


def test_urls_and_paths() -> None:
    assert is_url("s3://bucket/run") and is_url("gs+x://a") and not is_url("out/run") and not is_url(Path("s3://b"))
    assert shown("ftp://me:secret@host/run") == "ftp://host/run"
    assert mirror.working_copy("s3://b/run/") == mirror.working_copy("s3://b/run")
    assert mirror.working_copy("s3://b/run") != mirror.working_copy("s3://c/run")


def test_runs_that_are_not_batches_are_kept_here() -> None:
    with pytest.raises(InputError, match="a path here"):
        RunFolder(Path("s3://bucket/run"), "erase", {})


def test_removing_what_is_gone_removes_the_rest() -> None:
    pytest.importorskip("fsspec")
    store = Store("memory://removing")
    store.write("b", b"1")
    store.remove(["a", "b", "c"])
    assert store.names() == set()
