"""What could lose a clip, mix two up, or keep a step that should be done again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from erase_clips import five_clips, write_ball
from maskwright.assemble import erasing_runs
from maskwright.assemble.erasing import erase, open_run, read_run
from maskwright.assemble.erasing_runs import _alone, run_clips, status
from maskwright.bench.erase_removal import bench_removals
from maskwright.cli.main import main
from maskwright.config.erase import EraseSettings
from maskwright.erasing.dataset import scan
from maskwright.erasing.prompt_file import PromptFile, write_prompt
from maskwright.errors import BadMask, BadSettings, InputError, RunLocked
from maskwright.media.images import save_mask
from maskwright.media.videos import open_clip, write_clip
from maskwright.runs.folder import safe_id
from maskwright.values import Mask

FAST: dict[str, Any] = {"coarse": "fake", "filler": "fake", "inpainter": "fake", "comparison": False}


def test_a_clip_that_lies_where_the_result_goes_is_left_alone(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4, suffix=".mkv")
    (tmp_path / "out").mkdir()
    mine = shutil.copy(clip, tmp_path / "out" / "erased.mkv")
    before = Path(mine).read_bytes()
    with pytest.raises(InputError, match="lies where a result goes"):
        erase(mine, tmp_path / "ball_masks", out=tmp_path / "out", **FAST)
    assert Path(mine).read_bytes() == before


def test_clips_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    specs = [{**spec, "name": name} for spec, name in zip(five_clips(tmp_path), ("clip 1", "clip_1"), strict=False)]
    with pytest.raises(InputError, match="clip 1 and clip_1 would share"):
        run_clips(tmp_path / "out", specs, EraseSettings(**FAST))


def test_files_of_one_stem_are_refused(tmp_path: Path) -> None:
    for name in ("v/a.mp4", "v/a.mkv", "m/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.mkv and .*a\.mp4 would be one clip"):
        scan("custom", tmp_path / "v", tmp_path / "m")


@pytest.mark.parametrize("name", ["клип", "été 2", "剪辑(1)", "my clip (1)"])
def test_any_name_is_a_folder(tmp_path: Path, name: str) -> None:
    clip = write_ball(tmp_path, 3, suffix=".mkv").rename(tmp_path / f"{name}.mkv")
    result = erase(clip, tmp_path / "ball_masks", out=tmp_path / "out", **FAST)
    assert result.folder == tmp_path / "out" / "items" / safe_id(name)
    assert status(tmp_path / "out")[0]["steps"]["output"] == "done"


def test_the_older_layout_takes_odd_names(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 3, suffix=".mkv").rename(tmp_path / "my clip (1).mkv")
    given = ["erase", "auto", "--input_video", str(clip), "--input_mask", str(tmp_path / "ball_masks")]
    done = CliRunner().invoke(main, [*given, "--output_dir", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "final" / "my clip (1)" / "diffueraser.mp4").exists()


def test_another_rate_writes_the_result_again(tmp_path: Path) -> None:
    frames = write_ball(tmp_path, 4)
    given: dict[str, Any] = {"out": tmp_path / "out", **FAST}
    erase(frames, tmp_path / "ball_masks", rate="10", **given)
    again = erase(frames, tmp_path / "ball_masks", rate="30", **given)
    assert (again.steps["refine"], again.steps["output"]) == ("kept", "done")
    with open_clip(again.video) as clip:
        assert clip.rate == 30
    with open_clip(erase(open_clip(frames, rate=12), tmp_path / "ball_masks", **given).video) as clip:
        assert clip.rate == 12


@pytest.mark.parametrize("rate", ["abc", "1/0", "nan", "0", "-3"])
def test_a_rate_that_is_none(tmp_path: Path, rate: str) -> None:
    with pytest.raises(BadSettings, match="is not a rate"):
        erase(write_ball(tmp_path, 3), tmp_path / "ball_masks", out=tmp_path / "out", rate=rate, **FAST)


def test_a_phase_that_does_not_exist_is_not_forced(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no phase 'refnie'"):
        erase(write_ball(tmp_path, 3), tmp_path / "ball_masks", out=tmp_path / "out", force=["refnie"], **FAST)


def test_what_paints_for_the_filler_counts(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 3)
    given: dict[str, Any] = {"out": tmp_path / "out", "comparison": False, "use_anchor": False}
    erase(clip, tmp_path / "ball_masks", **given)
    again = erase(clip, tmp_path / "ball_masks", inpainter="fake", **given)
    assert (again.steps["masks"], again.steps["coarse"]) == ("kept", "done")


def test_a_result_that_is_no_longer_made_goes(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 3, suffix=".mkv")
    given: dict[str, Any] = {"out": tmp_path / "out", **FAST}
    erase(clip, tmp_path / "ball_masks", lossless=True, **given)
    assert (tmp_path / "out" / "erased.mkv").exists()
    erase(clip, tmp_path / "ball_masks", **given)
    assert not (tmp_path / "out" / "erased.mkv").exists()


def test_a_run_goes_on_with_what_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, out = write_ball(tmp_path, 3, suffix=".mkv"), tmp_path / "out"
    given = ["erase", str(clip), "--mask", str(tmp_path / "ball_masks"), "-o", str(out), "--no-anchor"]
    chosen = [
        "--set",
        "models.filler.name=fake",
        "--set",
        "models.vlm.name=openai",
        "--set",
        "models.vlm.api_key=s3cret",
    ]
    assert CliRunner().invoke(main, [*given, *chosen], catch_exceptions=False).exit_code == 0
    assert "s3cret" not in (out / "run.json").read_text()
    resolved = read_run(out)[2]
    assert resolved is not None and resolved.models["filler"] == {"name": "fake"}
    assert resolved.models["vlm"] == {"name": "openai"}
    done = CliRunner().invoke(main, ["erase", "resume", str(out), "--json"], catch_exceptions=False)
    assert '"refine": "kept"' in done.output and '"done"' not in done.output.split('"steps"')[1].split("}")[0]


def test_a_length_says_nothing_of_the_masks(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4)
    given: dict[str, Any] = {"out": tmp_path / "out", **FAST}
    save_mask(tmp_path / "ball_masks" / "99999.png", Mask.empty(96, 64))
    with pytest.raises(BadMask, match="5 masks for 4 frames"):
        erase(clip, tmp_path / "ball_masks", length=9, **given)
    with pytest.raises(BadSettings, match="no clip"):
        erase(clip, tmp_path / "ball_masks", length=-1, **given)
    assert erase(clip, tmp_path / "ball_masks", length=2, **given).report["frames"] == 2


def _dies(sender: Any, out: str, spec: dict[str, Any], about: dict[str, Any]) -> None:
    if spec["name"] == "c1":
        os._exit(7)
    _alone(sender, out, spec, about)


def test_a_process_that_dies_is_one_failed_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [spec for spec in five_clips(tmp_path) if spec["name"] in ("c0", "c1")]
    monkeypatch.setattr(erasing_runs, "_alone", _dies)
    rows = run_clips(tmp_path / "out", specs, EraseSettings(**FAST), workers=2)
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "exit code 7" in rows[1]["error"]


def test_an_unforeseen_error_is_one_failed_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [spec for spec in five_clips(tmp_path) if spec["name"] in ("c0", "c1")]
    finish = erasing_runs._finish

    def odd(run: Any, spec: Any, *rest: Any, **more: Any) -> Any:
        if spec["name"] == "c0":
            raise ValueError("odd")
        return finish(run, spec, *rest, **more)

    monkeypatch.setattr(erasing_runs, "_finish", odd)
    rows = run_clips(tmp_path / "out", specs, EraseSettings(**FAST))
    assert [(row["status"], row["error"]) for row in rows] == [("failed", "ValueError: odd"), ("done", None)]


def test_a_caption_of_another_clip_is_not_taken_over(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_ball(tmp_path / name, 3, suffix=".mkv")
    shared = tmp_path / "captions.yaml"
    given: dict[str, Any] = {**FAST, "use_text": True, "prompt_file": shared}

    def done(name: str, out: str, **more: Any) -> str:
        clip, masks = tmp_path / name / "ball.mkv", tmp_path / name / "ball_masks"
        return erase(clip, masks, out=tmp_path / out, **given, **more).steps["caption"]

    assert [done("one", "a"), done("one", "a"), done("one", "b"), done("two", "c")] == ["done", "kept", "kept", "done"]
    assert done("two", "d", force=["caption"]) == "done"
    write_prompt(shared, PromptFile(prompt=("a wall",)))
    assert done("one", "e", force=["caption"]) == "kept"


def test_a_mask_that_grows_over_all_is_told(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 2)
    most = np.ones((64, 96), np.bool_)
    most[:3] = False
    result = erase(clip, [most, most], out=tmp_path / "out", **{**FAST, "dilate": 8})
    assert any("covers all of 2 frames" in warning for warning in result.warnings)


def test_masks_of_a_run_under_way_are_left_alone(tmp_path: Path) -> None:
    clip, mask = write_ball(tmp_path, 2), np.eye(64, 96, dtype=np.bool_)
    erase(clip, [mask, mask], out=tmp_path / "out", **FAST)
    before = sorted((tmp_path / "out" / "given_masks").iterdir())
    with open_run(tmp_path / "out", [{"name": "ball", "video": str(clip)}], EraseSettings()), pytest.raises(RunLocked):
        erase(clip, [mask], out=tmp_path / "out", **FAST)
    assert sorted((tmp_path / "out" / "given_masks").iterdir()) == before


def test_a_data_set_and_a_clip_are_one_too_many(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 2)
    given = ["erase", str(clip), "--phrase", "ball", "--dataset", "custom", "-o", str(tmp_path / "out")]
    with pytest.raises(BadSettings, match="a clip and a data set"):
        main.main(given, standalone_mode=False)


def test_the_bench_knows_that_shadows_were_erased_too(tmp_path: Path) -> None:
    from test_erase_shadows import lit_ball

    frames, masks, _ = lit_ball(4)
    write_clip(tmp_path / "ball.mkv", frames, rate=24, lossless=True)
    erase(tmp_path / "ball.mkv", masks, out=tmp_path / "out", shadows="erase", **FAST)
    [row] = bench_removals(tmp_path / "out")["rows"]
    assert row["outside"]["values_changed"] == 0
