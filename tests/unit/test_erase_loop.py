"""The phases of one clip and of data sets: kept, resumed, redone, refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from clip_makers import make_clip
from erase_clips import ball_clip, five_clips, write_ball
from maskwright.assemble.erasing import erase, read_run
from maskwright.assemble.erasing_runs import run_clips, status
from maskwright.cli.main import main
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import resolve
from maskwright.erasing.dataset import scan
from maskwright.erasing.loop import erase_steps
from maskwright.erasing.preparing import alpha, best_frame, composed, described_frames, mended, within
from maskwright.erasing.prompt_file import PromptFile, read_prompt, write_prompt
from maskwright.errors import (
    BadMask,
    BadPhrase,
    BadSettings,
    BadVideo,
    Cancelled,
    MaskwrightError,
    RunError,
    StorageError,
)
from maskwright.media.images import save_mask
from maskwright.media.videos import open_clip, write_clip
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json
from maskwright.values import Mask

FAST: dict[str, Any] = {"coarse": "fake", "filler": "fake", "inpainter": "fake", "comparison": False}


def run(folder: Path, suffix: str = "", **options: Any) -> Any:
    clip = folder / f"ball{suffix}"
    if not clip.exists():
        write_ball(folder, 6, suffix=suffix)
    return erase(clip, folder / "ball_masks", **{"out": folder / "out", **FAST, **options})


def test_a_clip_goes_through_all_phases_and_is_then_kept(tmp_path: Path) -> None:
    first = run(tmp_path, comparison=True)
    assert set(first.steps.values()) == {"done"}
    assert set(first.files) == {"comparison.mp4", "erased.mp4", "report.json", "sheet.png"}
    assert first.report["fidelity"] == {"frames": 6, "values_changed_outside_mask": 0}
    assert (tmp_path / "out" / "erased.mp4").stat().st_size > 0
    assert set(run(tmp_path, comparison=True).steps.values()) == {"kept"}


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    """Also the containers: FFV1 in Matroska and H.264 in MP4."""
    first, second = (run(tmp_path, ".mkv", out=tmp_path / name, lossless=True) for name in ("a", "b"))
    files = [
        "coarse/coarse.mkv",
        "refine/final.mkv",
        "output/erased.mp4",
        "output/erased.mkv",
        "anchor/anchor_frame.png",
    ]
    for name in files:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name


def test_pixels_beyond_the_feather_are_bit_equal_in_the_lossless_result(tmp_path: Path) -> None:
    result = run(tmp_path, ".mkv", lossless=True, dilate=2, feather=2, union=0)
    frames, masks, _ = ball_clip(6)
    far = mended(masks, union=0, dilate=6)
    with open_clip(result.files["erased.mkv"]) as made:
        assert made.rate == Fraction(24000, 1001)
        for i in range(6):
            assert np.array_equal(made.frames[i][~far[i]], frames[i][~far[i]])
            assert not np.array_equal(made.frames[i][masks[i]], frames[i][masks[i]])


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"seed": 1}, {"coarse", "anchor", "refine", "output"}),
        ({"use_text": True}, {"refine", "output"}),
        ({"use_anchor": False}, {"refine", "output"}),
        ({"dilate": 6}, {"coarse", "caption", "anchor", "refine", "output"}),
        ({"text_guidance_scale": 3.0}, set()),
        ({"downscale": (48, 32)}, {"coarse", "refine", "output"}),
        ({"force": ["1"]}, {"coarse"}),  # the same again, so that nothing after it is touched
        ({"force": ["caption"]}, {"caption"}),
        ({"force": ["3"]}, {"anchor", "refine"}),
    ],
)
def test_only_what_a_change_touches_is_done_again(tmp_path: Path, change: dict, again: set) -> None:
    run(tmp_path)
    steps = run(tmp_path, **change).steps
    assert {name for name, state in steps.items() if state == "done"} == again


def test_a_touched_output_is_noticed(tmp_path: Path) -> None:
    result = run(tmp_path)
    (result.folder / "refine" / "final.mkv").write_bytes(b"rotten")
    steps = run(tmp_path).steps
    assert (steps["coarse"], steps["refine"]) == ("kept", "done")


def test_a_caption_written_by_hand_is_never_overwritten(tmp_path: Path) -> None:
    path = run(tmp_path, use_text=True).folder / "prompt.yaml"
    made = read_prompt(path)
    assert (made.prompt_source, made.prompt_model) == ("auto_masked", "lite")
    write_prompt(path, PromptFile(("my own words",), prompt_source="auto_masked"))
    result = run(tmp_path, use_text=True, force=["caption"])
    assert read_prompt(path).words == "my own words"
    assert result.report["guidance"]["words"] == "my own words"


def test_a_stale_caption_is_made_again(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, frames="multi").steps["caption"] == "done"
    assert run(tmp_path, frames="multi").steps["caption"] == "kept"


@pytest.mark.parametrize(
    ("options", "kind", "match"),
    [
        ({"text_guidance_scale": 0.9}, BadSettings, "has no effect"),
        ({"anchor_frame": 60}, BadSettings, "no frame 60"),
        ({"colour": 1}, BadSettings, "no setting 'colour'"),
        ({"dilate": -1}, BadSettings, r"erase\.dilate"),
        ({"filler": "nobody"}, MaskwrightError, "no filler named"),
    ],
)
def test_bad_settings(tmp_path: Path, options: dict, kind: type, match: str) -> None:
    with pytest.raises(kind, match=match):
        run(tmp_path, **options)


def _masks(folder: Path, count: int, size: tuple[int, int] = (64, 48), fill: bool | None = None) -> Path:
    for i in range(count):
        mask = np.zeros(size[::-1], np.bool_)
        mask[10:20, 10:20] = True
        save_mask(folder / f"{i:03d}.png", Mask(mask if fill is None else np.full_like(mask, fill)))
    return folder


@pytest.mark.parametrize(
    ("masks", "match"),
    [
        ((9,), "9 masks for 10 frames"),
        ((11,), "11 masks for 10 frames"),
        ((10, (64, 46)), "64x46"),
        ((10, (64, 48), False), "every mask is empty"),
        ((10, (64, 48), True), "cover every frame whole"),
    ],
)
def test_bad_masks(tmp_path: Path, masks: tuple, match: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", 10)
    with pytest.raises(BadMask, match=match):
        erase(clip, _masks(tmp_path / "m", *masks), out=tmp_path / "out", **FAST)


@pytest.mark.parametrize(("count", "align"), [(9, "repeat-last"), (11, "crop")])
def test_masks_of_another_number_on_insistence(tmp_path: Path, count: int, align: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", 10)
    result = erase(clip, _masks(tmp_path / "m", count), out=tmp_path / "out", align=align, **FAST)
    assert result.report["frames"] == 10


@pytest.mark.parametrize(
    "oddity",
    [
        {"count": 1}, {"count": 21}, {"size": (66, 50)}, {"rotation": 90}, {"audio": True},
        {"pix_fmt": "yuv420p10le", "codec": "libx264"}, {"times": [0, 40, 100, 130, 260, 300, 310, 400, 450, 500]},
    ],
    ids=lambda o: next(iter(o)),
)  # fmt: skip
def test_odd_clips_come_out_as_they_went_in(tmp_path: Path, oddity: dict) -> None:
    count = oddity.get("count", 10)
    path = make_clip(tmp_path / "視頻 été.mp4", **{"count": 10, **oddity})
    with open_clip(path) as clip:
        size, times, sound = clip.size, clip.times, clip.has_audio
    mask = np.zeros(size[::-1], np.bool_)
    mask[10:20, 10:20] = True
    save_mask(tmp_path / "one.png", Mask(mask))
    result = erase(path, tmp_path / "one.png", out=tmp_path / "out", **FAST)
    with open_clip(result.video) as made:
        assert (made.size, len(made), made.has_audio) == (size, count, sound)
        assert max(abs(float(a - b)) for a, b in zip(made.times, times, strict=True)) < 0.002


def test_a_corrupt_tail_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", 60)
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.6)])
    save_mask(tmp_path / "m.png", Mask(np.eye(48, 64, dtype=np.bool_)))
    with pytest.raises(BadVideo):
        erase(clip, tmp_path / "m.png", out=tmp_path / "out", **FAST)
    assert erase(clip, tmp_path / "m.png", out=tmp_path / "out2", damaged=True, **FAST).status == "done"


def test_cancel_stops_and_keeps_what_is_done(tmp_path: Path) -> None:
    write_ball(tmp_path, 6)
    cancel = Cancel()

    def tell(news: Any) -> None:
        if news.step == "refine" and news.state == "frame" and news.done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        run(tmp_path, cancel=cancel, tell=tell)
    assert status(tmp_path / "out")[0]["steps"]["refine"] == "failed"
    steps = run(tmp_path).steps
    assert (steps["coarse"], steps["anchor"], steps["refine"]) == ("kept", "kept", "done")
    assert not list((tmp_path / "out").rglob(".refine-*"))


def test_a_full_disk_in_phase_3_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.erasing import loop

    def full(folder: Path, needed: int) -> None:
        if ".refine" in str(folder):
            raise StorageError("the disk is full.", "Make room.")

    monkeypatch.setattr(loop, "check_space", full)
    with pytest.raises(StorageError):
        run(tmp_path)
    monkeypatch.undo()
    steps = run(tmp_path).steps
    assert (steps["coarse"], steps["caption"], steps["refine"]) == ("kept", "kept", "done")


class _Eye:
    """Finds the red ball, from its third frame on; tracks by colour."""

    name = "eye"

    def find(self, image: Any, phrase: str) -> tuple[Mask | None, float]:
        red = (image.pixels[..., 0] > 180) & (image.pixels[..., 1] < 90)
        return (Mask(red), 0.9) if phrase == "the red ball" else (None, 0.0)

    def track(self, frames: Any, prompts: Any) -> Any:
        for i in range(len(frames)):
            red = (frames[i][..., 0] > 180) & (frames[i][..., 1] < 90)
            yield i, {1: Mask(red)}


def test_a_phrase_is_found_and_followed(tmp_path: Path) -> None:
    from dataclasses import replace

    from maskwright.assemble.erasing import as_job, make_engines

    settings = EraseSettings(**FAST)
    eye = _Eye()
    engines = replace(make_engines(settings, resolve()), find=eye.find, tracker=lambda: eye)
    spec = {"name": "a", "video": write_ball(tmp_path, 6), "phrase": "the red ball"}
    news = list(erase_steps(as_job(tmp_path / "out", spec), engines, settings))
    assert news[-1].detail["files"]
    spec["phrase"] = "the blue cube"
    with pytest.raises(BadPhrase, match="was not found"):
        list(erase_steps(as_job(tmp_path / "out2", spec), engines, settings))


@pytest.mark.parametrize("given", [{}, {"mask": "m", "phrase": "x"}])
def test_one_way_to_say_what(tmp_path: Path, given: dict) -> None:
    clip = write_ball(tmp_path, 3)
    with pytest.raises(BadSettings, match="in one way"):
        erase(clip, given.get("mask"), phrase=given.get("phrase"), out=tmp_path / "out", **FAST)


def test_one_broken_clip_of_five_is_reported_and_then_mended(tmp_path: Path) -> None:
    specs, settings = five_clips(tmp_path), EraseSettings(**FAST)
    rows = run_clips(tmp_path / "out", specs, settings)
    assert [row["status"] for row in rows] == ["done", "done", "failed", "done", "done"]
    assert "3 masks for 4 frames" in rows[2]["error"]
    save_mask(tmp_path / "c2_masks" / "00003.png", Mask(np.eye(64, 96, dtype=np.bool_)))
    rows = run_clips(tmp_path / "out", specs, settings)
    assert [row["status"] for row in rows] == ["done"] * 5
    assert [set(row["steps"].values()) for row in rows].count({"kept"}) == 4
    assert read_run(tmp_path / "out")[1] == settings


@pytest.mark.parametrize(
    ("kind", "videos", "masks"),
    [("davis", "JPEGImages/480p", "Annotations/480p"), ("ytvos", "JPEGImages", "Annotations"), ("custom", ".", ".")],
)
def test_scans_of_data_sets(tmp_path: Path, kind: str, videos: str, masks: str) -> None:
    for name in ("bear", "cow"):
        (tmp_path / "v" / videos / name).mkdir(parents=True)
        (tmp_path / "m" / masks / name).mkdir(parents=True)
    found = scan(kind, tmp_path / "v", tmp_path / "m")
    assert [(f.name, f.mask.name) for f in found] == [("bear", "bear"), ("cow", "cow")]
    with pytest.raises(MaskwrightError):
        scan(kind, tmp_path / "none", tmp_path / "m")


def test_which_frames_are_described() -> None:
    shares = [0.3, 0.0, 0.1, 0.1, 0.1, 0.2]
    assert best_frame(shares) == 3
    assert described_frames(shares, "middle", 3) == [3]
    assert described_frames(shares, "multi", 3) == [1, 2, 4]
    assert described_frames([0.1], "multi", 3) == [0]


def test_feathering() -> None:
    mask = np.zeros((30, 30), np.bool_)
    mask[10:20, 10:20] = True
    share = alpha(mask, 4)
    assert (share[mask] == 1).all()
    assert share[14, 5] == 0
    assert 0 < share[14, 8] < 1
    frame, fill = np.zeros((30, 30, 3), np.uint8), np.full((30, 30, 3), 200, np.uint8)
    made = composed(frame, fill, mask, 4)
    assert (made[share == 0] == 0).all() and (made[mask] == 200).all()


def test_a_mask_lost_for_a_moment_is_mended() -> None:
    masks = [np.eye(9, dtype=np.bool_), np.zeros((9, 9), np.bool_), np.eye(9, dtype=np.bool_)]
    assert mended(masks, union=1, dilate=0)[1].any()
    assert not mended(masks, union=0, dilate=0)[1].any()


def test_the_command_line(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4, suffix=".mkv")
    fast = ["--coarse", "fake", "--filler", "fake", "--inpainter", "fake", "--no-comparison"]
    out = tmp_path / "out"
    given = ["erase", str(clip), "--mask", str(tmp_path / "ball_masks"), "-o", str(out), *fast]
    done = CliRunner().invoke(main, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert "erased.mp4" in done.output
    assert "refine done" in CliRunner().invoke(main, ["erase", "status", str(out)]).output
    assert '"kept"' in CliRunner().invoke(main, ["erase", "resume", str(out), "--json"]).output


def test_the_older_pipelines_flags_and_folders(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4)
    flags = ["--input_video", clip, "--input_mask", tmp_path / "ball_masks", "--output_dir", tmp_path / "old"]
    flags += ["--use_text", "--use_anchor", "--anchor_frame_idx", 1, "--anchor_method", "lite", "--video_length", 3]
    flags += ["--phase1_downscale", "--phase1_W", 48, "--phase1_H", 32, "--mask_dilation_iter", 3, "--filler", "fake"]
    flags += ["--save_comparison", "--comparison_fps", 12, "--text_guidance_scale", 2.5, "--n_prompt", "people"]
    done = CliRunner().invoke(main, ["erase", "auto", *map(str, flags)], catch_exceptions=False)
    assert done.exit_code == 0
    for name in ("phase1/ball/diffueraser.mp4", "prompt_cache/ball.yaml"):
        assert (tmp_path / "old" / name).stat().st_size > 0
    final = {p.name for p in (tmp_path / "old" / "final" / "ball").iterdir()}
    assert final == {"diffueraser.mp4", "propainter.mp4", "anchor_frame.png", "comparison_4in1.mp4"}
    with open_clip(tmp_path / "old" / "final" / "ball" / "comparison_4in1.mp4") as made:
        assert (made.rate, len(made)) == (12, 3)


def test_the_older_caption_script(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4)
    flags = ["--video_path", clip, "--mask_path", tmp_path / "ball_masks", "--output_yaml", tmp_path / "c.yaml"]
    flags += ["--frame_strategy", "multi_sample", "--num_sample_frames", 2]
    assert CliRunner().invoke(main, ["erase", "caption", *map(str, flags)], catch_exceptions=False).exit_code == 0
    found = read_prompt(tmp_path / "c.yaml")
    assert found.prompt_source == "auto_masked"
    assert len(found.prompt_frame_idx) == 2


def test_words_without_text_are_refused(tmp_path: Path) -> None:
    clip = write_ball(tmp_path, 4)
    flags = [
        "--input_video",
        clip,
        "--input_mask",
        tmp_path / "ball_masks",
        "--output_dir",
        tmp_path / "o",
        "--use_text",
    ]
    with pytest.raises(BadSettings, match="no words"):
        CliRunner().invoke(main, ["erase", "run", *map(str, flags)], catch_exceptions=False)


def test_the_summary_of_a_failed_data_set_is_an_error() -> None:
    from maskwright.cli.erase import report_rows

    rows = [{"clip": "a", "status": "done", "files": {}}, {"clip": "b", "status": "failed", "error": "x", "files": {}}]
    with pytest.raises(RunError, match="1 of 2 clips done, 1 failed: x"):
        report_rows(rows, as_json=False)


def test_the_older_flags_name_models(tmp_path: Path) -> None:
    from maskwright.assemble.erasing_classic import _model_settings, classic_settings

    flags = {
        "vae_path": tmp_path / "w" / "vae",
        "anchor_method": "sd-inpaint",
        "anchor_model_path": "/sd",
        "use_text": 1,
    }
    models = _model_settings({**flags, "anchor_steps": 20})["models"]
    assert models["filler"]["folders"] == {"vae": str(tmp_path / "w" / "vae")}
    assert models["inpainter"] == {"name": "sd15", "weights": "/sd", "steps": 20}
    settings = classic_settings({**flags, "caption_model_path": "/qwen"}, EraseSettings(), captions=True)
    assert (settings.filler, settings.inpainter, settings.captioner) == ("diffueraser", "sd15", "vlm")


def test_the_refine_works_within_a_size(tmp_path: Path) -> None:
    sizes: list[tuple[int, ...]] = []

    class Seeing:
        name = "seeing"

        def fill(self, frames: Any, masks: Any, options: Any) -> Any:
            sizes.append((*frames[0].shape[1::-1], *masks[0].shape[::-1], *options.anchor[1].shape[1::-1],
                          *options.prior[0].shape[1::-1]))  # fmt: skip
            yield from (np.full_like(frames[i], 9) for i in range(len(frames)))

    from dataclasses import replace

    from maskwright.assemble.erasing import as_job, make_engines

    settings = EraseSettings(**FAST, refine_size=(48, 999))
    engines = make_engines(settings, resolve())
    fake = engines.filler
    seen = replace(engines, filler=lambda role: Seeing() if role == "filler" else fake(role))
    spec = {"name": "a", "video": write_ball(tmp_path, 4, suffix=".mkv"), "mask": tmp_path / "ball_masks"}
    news = list(erase_steps(as_job(tmp_path / "out", spec), seen, settings))
    assert sizes == [(48, 32) * 4]
    assert news[-1].state == "done"
    with open_clip(tmp_path / "out" / "refine" / "final.mkv", trusted=True) as made:
        assert made.size == (96, 64)
    assert (within((96, 64), (200, 200)), within((96, 64), (1, 1))) == ((96, 64), (1, 1))


@pytest.mark.parametrize(
    ("mode", "again"), [("show", {"output"}), ("erase", {"coarse", "caption", "anchor", "refine", "output"})]
)
def test_shadow_candidates_are_shown_or_erased(tmp_path: Path, mode: str, again: set) -> None:
    from test_erase_shadows import lit_ball

    frames, masks, shadows = lit_ball(4)
    write_clip(tmp_path / "ball.mkv", frames, rate=24, lossless=True)
    for i, mask in enumerate(masks):
        save_mask(tmp_path / "ball_masks" / f"{i:03d}.png", Mask(mask))
    plain = run(tmp_path, ".mkv", lossless=True)
    assert "shadows" not in plain.report
    made = run(tmp_path, ".mkv", lossless=True, shadows=mode)
    assert {name for name, state in made.steps.items() if state == "done"} == again
    told = made.report["shadows"]
    assert (told["mode"], told["shadow"]["frames"], told["shadow"]["erased"]) == (mode, 4, mode == "erase")
    assert (told["reflection"]["frames"], told["reflection"]["erased"]) == (0, False)
    with open_clip(made.files["erased.mkv"], trusted=True) as clip:
        core = shadows[1] & ~mended(masks, union=1, dilate=8)[1]
        left = clip.frames[1][core].mean() - frames[1][core].mean()
    assert (left > 20) == (mode == "erase")


@pytest.mark.parametrize(
    ("gone", "runs", "said"),
    [
        ((), [], []),
        ((4, 5), [], []),
        ((0,), [[0, 0]], ["no mask in frame 0,"]),
        ((0, 2, 3, 5), [[0, 0], [2, 3]], ["no mask in frames 0, 2-3,"]),
    ],
    ids=["whole", "gone at the end", "late", "gaps"],
)
def test_frames_without_a_mask_are_named(tmp_path: Path, gone: tuple[int, ...], runs: list, said: list) -> None:
    write_ball(tmp_path, 6)
    files = sorted((tmp_path / "ball_masks").iterdir())
    for index in gone:
        save_mask(files[index], Mask(np.zeros_like(ball_clip(6)[1][0])))
    [clip] = [p for p in tmp_path.iterdir() if p.name.split(".")[0] == "ball"]
    flags = ["--coarse", "fake", "--filler", "fake", "--inpainter", "fake", "--no-comparison"]
    given = ["erase", str(clip), "--mask", str(tmp_path / "ball_masks"), "-o", str(tmp_path / "out"), *flags]
    done = CliRunner().invoke(main, given, catch_exceptions=False)
    report = read_json(tmp_path / "out" / "report.json")
    assert report["frames_without_mask"] == runs
    assert done.exit_code == 0
    assert len(report["warnings"]) == len(said)
    for words in said:
        assert words in report["warnings"][0]
        assert words in done.stderr
    assert ("warning" in done.stderr) == bool(said)


@pytest.mark.parametrize("command", ["auto", "run", "library"])
@pytest.mark.parametrize("gone", [(), (0, 2)], ids=["whole", "gaps"])
def test_frames_without_a_mask_are_named_whoever_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str, gone: tuple[int, ...]
) -> None:
    clip = write_ball(tmp_path, 4)
    for index in gone:
        save_mask(tmp_path / "ball_masks" / f"{index:05d}.png", Mask(np.zeros_like(ball_clip(4)[1][0])))
    words = "no mask in frames 0, 2,"
    if command == "library":
        made = erase(clip, tmp_path / "ball_masks", out=tmp_path / "run", **FAST)
        assert [words in line for line in made.warnings] == [True] * bool(gone)
        said = caplog.text
    else:
        flags = [
            "--input_video",
            str(clip),
            "--input_mask",
            str(tmp_path / "ball_masks"),
            "--output_dir",
            str(tmp_path),
        ]
        done = CliRunner().invoke(main, ["erase", command, *flags, "--filler", "fake"], catch_exceptions=False)
        assert done.exit_code == 0
        said = done.stderr
    assert (words in said) == bool(gone)
    report = read_json(tmp_path / "run" / "report.json")
    assert [words in line for line in report["warnings"]] == [True] * bool(gone)


@pytest.mark.parametrize(("strategy", "warned"), [("middle", True), ("best", False)])
def test_a_caption_of_a_frame_without_a_mask_is_warned_of(tmp_path: Path, strategy: str, warned: bool) -> None:
    clip = write_ball(tmp_path, 5)
    save_mask(tmp_path / "ball_masks" / "00002.png", Mask(np.zeros_like(ball_clip(5)[1][0])))
    flags = ["--video_path", str(clip), "--mask_path", str(tmp_path / "ball_masks"), "--frame_strategy", strategy]
    command = ["erase", "caption", *flags, "--output_yaml", str(tmp_path / "prompt.yaml")]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert ("warning: frame 2 is described and has no mask" in done.stderr) == warned
