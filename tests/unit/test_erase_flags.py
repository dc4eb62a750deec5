"""The older pipeline's flags: each does what its name says, or a line says that it does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from erase_clips import write_ball
from maskwright.assemble.erasing_classic import _model_settings, classic_settings
from maskwright.cli.main import main
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import resolve
from maskwright.erasing import caption_worker
from maskwright.erasing.caption_worker import WorkerCaptioner
from maskwright.erasing.old_flags import propainter_tuning, refine_size, without_effect
from maskwright.erasing.prompt_file import read_prompt
from maskwright.errors import BadReply, BadSettings, MissingPackage, WorkerError
from maskwright.media.videos import open_clip
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.worker_places import script
from maskwright.plumbing.worker_process import Worker
from maskwright.values import Image, Mask

PICTURE, HOLE = Image(np.full((8, 8, 3), 200, np.uint8)), Mask(np.eye(8, dtype=np.bool_))


def caption_script(folder: Path, answer: str) -> Path:
    """A worker that keeps to the contract and answers by the Python expression `answer` of a question `q` (`grey`: is
    the mask of its first picture grey?). It notes its interpreter, its model and how many questions it got."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(script("caption")).parents[1])!r})
import contract

def work(request, tell):
    from PIL import Image
    with open({str(folder / "calls.txt")!r}, "a") as log:
        print(sys.executable, request["model"], len(request["questions"]), file=log)
    answers = []
    for q in request["questions"]:
        grey = bool(q["images"]) and Image.open(q["images"][0]).getpixel((3, 3)) == (128, 128, 128)
        answers += {answer}
    return {{"answers": answers}}

contract.main(work)
"""
    path = folder / "worker.py"
    path.write_text(code)
    return path


@pytest.fixture
def caption_worker_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(answer: str) -> Path:
        made = caption_script(tmp_path, answer)

        def opened(name: str, environment: str | None = None) -> Worker:
            return Worker(name, made, Path(environment or sys.executable))

        monkeypatch.setattr(caption_worker, "open_worker", opened)
        return tmp_path / "calls.txt"

    return use


def test_the_caption_worker_answers_all_pictures_in_one_process(caption_worker_with: Any) -> None:
    calls = caption_worker_with("['A lawn.' if grey else 'A lawn by a wall.']")
    captioner = WorkerCaptioner(weights="/models/qwen")
    assert captioner.caption([PICTURE], [HOLE]) == "A lawn."
    assert captioner.caption([PICTURE, PICTURE], [HOLE, HOLE]) == "A lawn by a wall."
    counts = [line.rsplit(" ", 1)[1] for line in calls.read_text().splitlines()]
    assert counts == ["1", "2", "1"]
    assert captioner.name == "worker:qwen"


def test_a_broken_answer_of_the_worker_is_asked_again_once(caption_worker_with: Any) -> None:
    caption_worker_with("['A lawn.' if 'mentions' in q['text'] else 'A man on a lawn.']")
    assert WorkerCaptioner(weights="/m").caption([PICTURE], [HOLE]) == "A lawn."
    caption_worker_with("['A man.']")
    with pytest.raises(BadReply):
        WorkerCaptioner(weights="/m").caption([PICTURE], [HOLE])


def test_what_the_caption_worker_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no model"):
        WorkerCaptioner()
    monkeypatch.setenv("MASKWRIGHT_WORKERS", str(tmp_path / "none"))
    with pytest.raises(MissingPackage, match="no environment"):
        WorkerCaptioner(weights="/m")
    with pytest.raises(BadSettings, match="no interpreter"):
        WorkerCaptioner(weights="/m", environment="nobody")


def test_a_caption_worker_that_answers_too_often(caption_worker_with: Any) -> None:
    caption_worker_with("['A lawn.', 'A wall.']")
    with pytest.raises(WorkerError, match="did not answer every question"):
        WorkerCaptioner(weights="/m").caption([PICTURE], [HOLE])


def run_auto(folder: Path, *flags: Any) -> Any:
    clip = write_ball(folder, 4)
    given = ["--input_video", clip, "--input_mask", folder / "ball_masks", "--output_dir", folder / "old"]
    command = ["erase", "auto", *map(str, [*given, "--filler", "fake", *flags])]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0
    return done


def test_captions_run_in_the_environment_that_is_named(tmp_path: Path, caption_worker_with: Any) -> None:
    calls = caption_worker_with("['A wide lawn.']")
    done = run_auto(tmp_path, "--use_text", "--caption_env", sys.executable, "--caption_model_path", "/models/qwen")
    assert calls.read_text() == f"{sys.executable} /models/qwen 1\n"
    found = read_prompt(tmp_path / "old" / "prompt_cache" / "ball.yaml")
    assert (found.words, found.prompt_model) == ("A wide lawn.", "worker:qwen")
    assert "no effect" not in done.stderr


def test_flags_without_effect_are_named(tmp_path: Path) -> None:
    done = run_auto(tmp_path, "--caption_env", "brush", "--ref_stride", 5, "--skip_vfid", "--comparison_fps", 5)
    said = [line for line in done.stderr.splitlines() if "has no effect" in line]
    assert [line.split()[0] for line in said] == ["--ref_stride", "--caption_env", "--comparison_fps", "--skip_vfid"]


def test_width_limits_the_refine_and_not_the_result(tmp_path: Path) -> None:
    done = run_auto(tmp_path, "--width", 48, "--height", -1)
    assert "no effect" not in done.stderr
    with open_clip(tmp_path / "old" / "final" / "ball" / "diffueraser.mp4") as made:
        assert made.size == (96, 64)
    manifest: Any = read_json(tmp_path / "old" / "run" / "items" / "ball" / "refine" / "manifest.json")
    assert manifest["settings"]["size"] == [48, 32]


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({}, None), ({"width": -1, "height": 0}, None), ({"width": 640, "height": 360}, (640, 360)),
        ({"height": 360}, (1_000_000, 360)),
    ],
)  # fmt: skip
def test_sizes(flags: dict, wanted: tuple | None) -> None:
    assert refine_size(flags) == wanted


def test_a_size_that_is_none() -> None:
    with pytest.raises(BadSettings, match="too small"):
        refine_size({"width": 8})


def test_propainters_flags_reach_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.assemble.erasing import make_engines

    flags = {"filler": "propainter-worker", "ref_stride": 5, "neighbor_length": 6, "subvideo_length": 40}
    monkeypatch.setenv("MASKWRIGHT_WORKERS", str(tmp_path))
    write_json(tmp_path / "propainter.licence.json", {"accepted": True})
    lines = [
        "[models.filler]",
        'name = "propainter-worker"',
        f'checkout = "{tmp_path}"',
        f'environment = "{sys.executable}"',
    ]
    (tmp_path / "s.toml").write_text("\n".join(lines))
    resolved = resolve(_model_settings(flags), file=tmp_path / "s.toml")
    settings = classic_settings(flags, EraseSettings(), captions=True)
    filler: Any = make_engines(settings, resolved).filler("filler")
    assert filler.request | propainter_tuning(flags) == filler.request
    assert filler.request["checkout"] == str(tmp_path)
    assert without_effect(flags, filler="propainter-worker", captioner=None, inpainter="lite") == []


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"anchor_method": "sd-inpaint"}, {"name": "sd15"}),
        ({"anchor_model_path": "/sd"}, {"name": "sd15", "weights": "/sd"}),
        ({"anchor_method": "sd-inpaint", "anchor_steps": 9}, {"name": "sd15", "steps": 9}),
        ({"anchor_method": "lite", "anchor_steps": 9}, None),
    ],
)
def test_what_paints_the_anchor(flags: dict, named: dict | None) -> None:
    assert _model_settings(flags).get("models", {}).get("inpainter") == named


def test_every_flag_of_the_older_commands_is_used_or_named() -> None:
    """No flag is taken and forgotten: its name stands where flags are read."""
    from maskwright.assemble import erasing_classic
    from maskwright.cli import erase_classic
    from maskwright.erasing import old_flags

    text = "".join(Path(str(m.__file__)).read_text() for m in (erasing_classic, old_flags))
    commands = (erase_classic.auto_command, erase_classic.run_command, erase_classic.caption_command)
    names = {str(p.name) for command in commands for p in command.params}
    assert sorted(name for name in names if f'"{name}"' not in text) == []
