"""The worker contract: progress, results, exit codes, silence, cancel; nothing is left behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskwright.cli.main import main
from maskwright.errors import (
    BadSettings,
    Cancelled,
    MaskwrightError,
    MissingPackage,
    OutOfMemory,
    RefusedError,
    WorkerError,
)
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.worker_places import open_worker, requirements, script, setup_commands
from maskwright.plumbing.worker_process import Worker, find_interpreter, run_worker, worker_folder

CONTRACT = Path(script("caption")).parents[1]

BODIES = {
    "works": "tell(done=1, total=2); print('chatter'); return {'answer': request['n'] + 1}",
    "bad data": "raise ValueError('not a clip')",
    "missing file": "raise contract.Failed(contract.UNAVAILABLE, 'no weights')",
    "model": "raise contract.Failed(contract.SOFTWARE, 'the model broke')",
    "no package": "import a_package_that_is_not_there",
    "no memory": "raise RuntimeError('CUDA out of memory: tried')",
    "no key": "contract.need(request, 'clip')",
    "crash": "import os; os.kill(os.getpid(), 11)",
    "exits": "import os; os._exit(0)",
    "empty output": "open(request['out'], 'w').close(); return {'video': request['out']}",
    "silent": "import time; time.sleep(60)",
    "with child": "import subprocess, time; p = subprocess.Popen(['sleep', '60']); tell(pid=p.pid); time.sleep(60)",
    "hangs up": "import os, time; os.close(int(__import__('sys').argv[-1])); time.sleep(60)",
    "gives up": "print('odd thing'); raise contract.Failed(contract.SOFTWARE, 'no')",
    "noise": "import os; os.write(int(__import__('sys').argv[-1]), b'not json\\n[1]\\n'); return {'answer': 1}",
}


def worker(tmp_path: Path, body: str, **limits: float) -> Worker:
    code = f"import sys\nsys.path.insert(0, {str(CONTRACT)!r})\nimport contract\n\n"
    code += f"def work(request, tell):\n    {BODIES[body]}\n\ncontract.main(work)\n"
    (tmp_path / "worker.py").write_text(code)
    return Worker("test", tmp_path / "worker.py", Path(sys.executable), **limits)


def test_progress_and_result(tmp_path: Path) -> None:
    heard: list = []
    result = run_worker(worker(tmp_path, "works"), {"n": 41}, tmp_path / "run", tell=heard.append)
    assert result == {"answer": 42}
    assert heard == [{"done": 1, "total": 2}]
    assert "chatter" in (tmp_path / "run" / "output.log").read_text()


def test_noise_on_the_progress_pipe_is_dropped(tmp_path: Path) -> None:
    heard: list = []
    assert run_worker(worker(tmp_path, "noise"), {}, tmp_path / "run", tell=heard.append) == {"answer": 1}
    assert heard == []


@pytest.mark.parametrize(
    ("body", "kind", "match"),
    [
        ("bad data", WorkerError, "could not read its data: ValueError: not a clip"),
        ("missing file", WorkerError, "missing: no weights"),
        ("model", WorkerError, "its model failed: the model broke"),
        ("no package", MissingPackage, "a_package_that_is_not_there"),
        ("no memory", OutOfMemory, "ran out of memory"),
        ("no key", WorkerError, "did not understand the request: the request lacks clip"),
        ("crash", WorkerError, "killed by signal 11"),
        ("exits", WorkerError, "without a result"),
        ("empty output", WorkerError, "gave no video"),
    ],
)
def test_failures_have_names(tmp_path: Path, body: str, kind: type, match: str) -> None:
    request = {"out": str(tmp_path / "v.mp4")}
    outputs = ("video",) if body == "empty output" else ()
    with pytest.raises(kind, match=match):
        run_worker(worker(tmp_path, body), request, tmp_path / "run", outputs=outputs)


@pytest.mark.parametrize("limits", [{"idle_s": 0.3}, {"total_s": 0.3}])
def test_silence_and_length_are_limited(tmp_path: Path, limits: dict) -> None:
    with pytest.raises(WorkerError, match="was stopped"):
        run_worker(worker(tmp_path, "silent", **limits), {}, tmp_path / "run")


def test_a_worker_that_hangs_up_and_goes_on_is_ended(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no news"):
        run_worker(worker(tmp_path, "hangs up", idle_s=0.5), {}, tmp_path)


def test_what_a_failing_worker_said_is_kept(tmp_path: Path) -> None:
    with pytest.raises(WorkerError) as caught, worker_folder() as folder:
        run_worker(worker(tmp_path, "gives up"), {}, folder)
    kept = Path(caught.value.hint.removeprefix("See ").removesuffix("."))
    assert "odd thing" in kept.read_text()
    kept.unlink()


def test_an_old_result_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    run_worker(worker(tmp_path, "works"), {"n": 1}, tmp_path / "run")
    with pytest.raises(WorkerError, match="without a result"):
        run_worker(worker(tmp_path, "exits"), {}, tmp_path / "run")


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_fifty_cancels_take_the_workers_children_too(tmp_path: Path) -> None:
    pids: list[int] = []
    for turn in range(50):
        cancel = Cancel()

        def tell(news: dict, cancel: Cancel = cancel) -> None:
            pids.append(news["pid"])
            cancel.set()

        with pytest.raises(Cancelled):
            run_worker(worker(tmp_path, "with child"), {}, tmp_path / f"run{turn}", cancel=cancel, tell=tell)
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        os.sched_yield()
    print(f"\n{len(pids)} cancels of workers with a child, {sum(map(alive, pids))} processes left")
    assert len(pids) == 50
    assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("name", ["caption", "diffueraser", "propainter"])
def test_every_worker_says_what_its_request_lacks(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkerError, match="the request lacks"):
        run_worker(Worker(name, script(name), Path(sys.executable)), {}, tmp_path)
    assert requirements(name).read_text().strip()


@pytest.mark.parametrize(
    ("name", "request_", "match"),
    [
        ("caption", {"model": "/nowhere", "questions": []}, "no model folder"),
        (
            "diffueraser",
            dict.fromkeys(("checkout", "weights", "video", "mask", "prior", "out"), "/x"),
            "not a checkout",
        ),
        ("propainter", dict.fromkeys(("checkout", "video", "mask", "out"), "/x"), "not accepted"),
        ("propainter", {**dict.fromkeys(("checkout", "video", "mask", "out"), "/x"), "accepted": True}, "checkout"),
    ],
)
def test_workers_without_their_files(tmp_path: Path, name: str, request_: dict, match: str) -> None:
    with pytest.raises(MaskwrightError, match=match):
        run_worker(Worker(name, script(name), Path(sys.executable)), request_, tmp_path)


def test_propainter_runs_the_checkout_given(tmp_path: Path) -> None:
    checkout, out = tmp_path / "checkout", tmp_path / "out"
    checkout.mkdir()
    out.mkdir()
    body = "import sys, pathlib; a = sys.argv; o = pathlib.Path(a[a.index('--output') + 1]); "
    body += "print(' 50%|'); (o / 'inpaint_out.mp4').write_text(' '.join(a))"
    (checkout / "inference_propainter.py").write_text(body)
    request = {"checkout": str(checkout), "video": "v", "mask": "m", "out": str(out), "accepted": True, "dilate": 4}
    heard: list = []
    ready = Worker("propainter", script("propainter"), Path(sys.executable))
    result = run_worker(ready, request, tmp_path / "run", outputs=("video",), tell=heard.append)
    assert "--mask_dilation 4" in Path(result["video"]).read_text()
    assert {"done": 50, "total": 100} in heard


def test_a_missing_environment_prints_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWRIGHT_WORKERS", str(tmp_path))
    with pytest.raises(MissingPackage) as caught:
        open_worker("caption")
    assert "venv" in caught.value.hint
    assert "requirements.txt" in caught.value.hint
    assert len(setup_commands("caption")) == 2


def test_a_licence_must_be_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWRIGHT_WORKERS", str(tmp_path))
    with pytest.raises(RefusedError, match="commercial"):
        open_worker("propainter", sys.executable)
    with pytest.raises(RefusedError):
        CliRunner().invoke(main, ["workers", "setup", "propainter"], catch_exceptions=False)
    assert "propainter" in CliRunner().invoke(main, ["workers", "list"]).output


def test_interpreters_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_interpreter(sys.executable) == Path(sys.executable)
    place = tmp_path / "envs" / "brush" / "bin"
    place.mkdir(parents=True)
    (place / "python").symlink_to(sys.executable)
    monkeypatch.setenv("CONDA_ROOT", str(tmp_path))
    assert find_interpreter("brush") == place / "python"
    assert find_interpreter(str(place.parent)) == place / "python"
    with pytest.raises(BadSettings, match="no interpreter"):
        find_interpreter("nobody")


def test_the_filler_of_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from erase_clips import ball_clip
    from maskwright.assemble.loading import load
    from maskwright.ports import FillOptions

    monkeypatch.setenv("MASKWRIGHT_WORKERS", str(tmp_path / "places"))
    from maskwright.plumbing.files import write_json

    write_json(tmp_path / "places" / "propainter.licence.json", {"accepted": True})
    body = "import sys, pathlib, shutil; a = sys.argv; o = pathlib.Path(a[a.index('--output') + 1]); "
    body += "shutil.copyfile(a[a.index('--video') + 1], o / 'inpaint_out.mp4')"
    (tmp_path / "inference_propainter.py").write_text(body)
    filler = load("filler", "propainter-worker", checkout=str(tmp_path), environment=sys.executable)
    frames, masks, _ = ball_clip(5)
    made = list(filler.fill(frames, masks, FillOptions()))
    assert len(made) == 5
    assert all((a[~m] == b[~m]).all() for a, b, m in zip(made, frames, masks, strict=True))
