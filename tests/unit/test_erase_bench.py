"""`maskwright bench erase`: ablation, learned measures, finished removals, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from erase_clips import ball_clip, write_ball
from maskwright.assemble.erasing import erase
from maskwright.assemble.loading import load
from maskwright.bench.erase import Weights, bench_erase
from maskwright.bench.erase_ablation import Parts, ablate, modes
from maskwright.bench.erase_cases import Case
from maskwright.bench.erase_perceptual import ALEXNET, LINEAR, frechet, open_i3d, open_lpips
from maskwright.bench.erase_removal import bench_removals, outside, residue
from maskwright.cli.main import main
from maskwright.errors import BadSettings, InputError, MissingWeights
from maskwright.media.images import save_image, save_mask
from maskwright.ports import FillOptions
from maskwright.values import Image, Mask

FAST: dict[str, Any] = {"coarse": "fake", "filler": "fake", "inpainter": "fake", "comparison": False}


def case() -> Case:
    frames, masks, truth = ball_clip(5)
    return Case("a under b", frames, masks, truth)


def write_clips(folder: Path) -> Path:
    for name, pan in (("slow", 1), ("quick", 2)):
        _, masks, truth = ball_clip(5, (96, 64), pan=pan)
        for i in range(5):
            save_image(folder / name / "frames" / f"{i:03d}.png", Image(truth[i]))
            save_mask(folder / name / "masks" / f"{i:03d}.png", Mask(masks[i]))
    return folder


class _Listening:
    """A filler whose grey level says what it was told: 100 for an anchor, 10 a word, 40 times the scale."""

    name = "listening"

    def fill(self, frames: Any, masks: Any, options: FillOptions) -> Iterator[Any]:
        level = 100 * (options.anchor is not None) + 10 * len(options.words.split()) + 40 * (options.guidance or 0)
        for frame, mask in zip(frames, masks, strict=True):
            out = frame.copy()
            out[mask] = min(level, 255)
            yield out


class _Says:
    name = "says"

    def caption(self, images: Any, masks: Any) -> str:
        return "a wall"


def parts(filler: Any, **more: Any) -> Parts:
    return Parts(filler, load("inpainter", "fake"), _Says(), **more)


def test_the_modes_are_anchor_by_text_by_scale() -> None:
    found = [(mode.anchor, mode.text, mode.scale) for mode in modes((1.5, 3.0))]
    assert found[:3] == [(False, False, None), (False, True, 1.5), (False, True, 3.0)]
    assert len(found) == 6 and all(anchor for anchor, _, _ in found[3:])


def test_an_ablation_shows_what_a_setting_does_and_what_does_nothing() -> None:
    heard = ablate([case()], parts(_Listening(), words={"a": "a long brick wall"}), scales=(1.5, 2.0))
    assert [row["unlike"] for row in heard["modes"]] == [0, 80, 100, 100, 180, 200]
    by_source = {row["source"]: row["unlike"] for row in heard["captions"]}
    assert by_source == {"empty": 0, "auto": 20, "manual": 40}
    deaf = ablate([case()], parts(load("filler", "fake"), prior=load("filler", "fake")), scales=(2.0,))
    assert [row["unlike"] for row in deaf["modes"]][:2] == [0, 0]
    assert deaf["captions"][2]["skipped"] == "there are no manual words"


def test_learned_measures_without_weights_say_why_they_are_missing(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips")
    found = bench_erase(clips, load("filler", "fake"), size=(96, 64))
    assert found["skipped"] == {"lpips": "no weights were named", "vfid": "no weights were named"}
    weights = Weights(tmp_path / "nowhere", tmp_path / "no.pt")
    found = bench_erase(clips, load("filler", "fake"), size=(96, 64), weights=weights)
    assert set(found["skipped"]) == {"lpips", "vfid"}
    assert "lpips" not in found["mean"]


def test_the_frechet_distance_is_what_its_definition_says() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(30, 6)) * 2 + 1
    a, b = np.cov(x.T), np.cov(y.T)
    plain = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * linalg.sqrtm(a @ b)).real
    assert frechet(x, y) == pytest.approx(plain)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)


def alex_weights(folder: Path, torch: Any) -> Path:
    """AlexNet and its linear layers with random values. (With the published linear layers the distance was equal to
    that of lpips 0.1.4 on the same random AlexNet: checked by hand on 2026-11-21, 0.00555840879.)"""
    torch.manual_seed(0)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    values = {f"features.{n}.weight": torch.randn(s) * (2 / np.prod(s[1:])) ** 0.5 for n, s in shapes.items()}
    folder.mkdir()
    torch.save({**values, **{f"features.{n}.bias": torch.zeros(s[0]) for n, s in shapes.items()}}, folder / ALEXNET)
    torch.save(
        {f"lin{i}.model.1.weight": torch.rand(1, s[0], 1, 1) for i, s in enumerate(shapes.values())}, folder / LINEAR
    )
    return folder


@pytest.mark.torch
def test_lpips_grows_with_what_is_wrong(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    distance = open_lpips(alex_weights(tmp_path / "w", torch))
    first = ball_clip(1)[2][0]
    noise = np.random.default_rng(0).integers(-40, 40, first.shape)
    little, much = (np.clip(first + noise * share, 0, 255).astype(np.uint8) for share in (0.2, 1.0))
    assert distance(first, first) == 0
    assert 0 < distance(first, little) < distance(first, much)
    found = bench_erase(
        write_clips(tmp_path / "c"), load("filler", "fake"), size=(96, 64), weights=Weights(tmp_path / "w")
    )
    assert found["mean"]["lpips"] > 0


def i3d_weights(path: Path, torch: Any) -> Path:
    """An I3D with few channels. (With all of them and random values the features were equal, to the last bit, to those
    of github.com/piergiaj/pytorch-i3d: checked by hand on 2026-11-21.)"""
    torch.manual_seed(0)
    values: dict[str, Any] = {}

    def unit(name: str, wide: int, into: int, kernel: int) -> None:
        values[f"{name}.conv3d.weight"] = (
            torch.randn(into, wide, kernel, kernel, kernel) * (9 / (wide * kernel**3)) ** 0.5
        )
        for part, value in (("running_mean", 0.0), ("running_var", 1.0), ("weight", 1.0), ("bias", 0.0)):
            values[f"{name}.bn.{part}"] = torch.full((into,), value)

    unit("Conv3d_1a_7x7", 3, 8, 7)
    unit("Conv3d_2b_1x1", 8, 8, 1)
    unit("Conv3d_2c_3x3", 8, 8, 3)
    for name in ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"):
        for branch, kernel in (("b0", 1), ("b1a", 1), ("b2a", 1), ("b3b", 1), ("b1b", 3), ("b2b", 3)):
            unit(f"Mixed_{name}.{branch}", 2 if kernel == 3 else 8, 2, kernel)
    torch.save(values, path)
    return path


@pytest.mark.torch
def test_vfid_tells_a_good_fill_from_a_bad_one(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    weights = Weights(i3d=i3d_weights(tmp_path / "i3d.pt", torch))
    assert open_i3d(weights.i3d)(ball_clip(5)[2]).shape == (8,)  # type: ignore[arg-type]
    clips = write_clips(tmp_path / "c")
    good, bad = (bench_erase(clips, f, size=(96, 64), weights=weights) for f in (load("filler", "lite"), _Listening()))
    assert 0 <= good["mean"]["vfid"] < bad["mean"]["vfid"]


@pytest.mark.torch
def test_weights_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "i3d.pt").write_bytes(b"not weights")
    for path in (tmp_path / "i3d.pt", tmp_path / "nowhere.pt"):
        with pytest.raises(MissingWeights):
            open_i3d(path)


def _red(image: Image, phrase: str) -> tuple[Mask | None, float]:
    red = (image.pixels[..., 0] > 180) & (image.pixels[..., 1] < 90)
    return (Mask(red), 0.9) if red.any() and phrase == "the red ball" else (None, 0.0)


def test_residue_and_fidelity_of_made_removals() -> None:
    frames, masks, truth = ball_clip(6)
    assert residue(frames, truth, masks, "the red ball", _red) == {
        "looked": 4, "seen_before": 4, "seen_after": 0, "share": 0.0
    }  # fmt: skip
    assert residue(frames, frames, masks, "the red ball", _red)["share"] == 1.0
    assert residue(frames, truth, masks, "a horse", _red)["share"] is None
    assert residue(frames, truth, [np.zeros_like(m) for m in masks], "x", _red)["looked"] == 0
    assert outside(frames, truth, masks) == {"values_changed": 0, "psnr": 99.0}
    touched = [np.where(~m[..., None], 255 - f, f) for f, m in zip(frames, masks, strict=True)]
    assert outside(frames, touched, masks)["psnr"] < 20


def test_a_finished_run_is_measured(tmp_path: Path) -> None:
    erase(write_ball(tmp_path, 5), tmp_path / "ball_masks", out=tmp_path / "out", **FAST)
    [row] = bench_removals(tmp_path / "out", phrase="the red ball", find=_red)["rows"]
    assert row["outside"] == {"values_changed": 0, "psnr": 99.0}
    assert row["residue"]["share"] == 0.0
    assert row["flicker"] >= 0
    [row] = bench_removals(tmp_path / "out")["rows"]
    assert "--phrase" in row["residue_skipped"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text("{}")
    with pytest.raises(InputError):
        bench_removals(tmp_path / "other")


def test_the_command(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips")
    (tmp_path / "words.json").write_text(json.dumps({"slow": "a wall"}))
    given = ["bench", "erase", "--data", str(clips), "--filler", "fake", "--size", "96x64"]
    plain = CliRunner().invoke(main, given, catch_exceptions=False)
    assert "slow under quick" in plain.output and "lpips: no weights were named" in plain.output
    more = [
        "--ablate",
        "--scales",
        "2",
        "--words",
        str(tmp_path / "words.json"),
        "--set",
        "erase.coarse=fake",
        "--json",
    ]
    done = CliRunner().invoke(main, [*given, *more], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert (len(found["modes"]), len(found["captions"])) == (4, 3)
    assert found["captions"][2]["cases"] == 1
    erase(write_ball(tmp_path, 4), tmp_path / "ball_masks", out=tmp_path / "out", **FAST)
    done = CliRunner().invoke(main, ["bench", "erase", "--run", str(tmp_path / "out")], catch_exceptions=False)
    assert "outside.psnr" in done.output


@pytest.mark.parametrize(
    "given", [[], ["--data", "x", "--run", "y"], ["--data", "x", "--ablate", "--scales", "0.5"],
              ["--data", "x", "--ablate", "--scales", "two"]],
)  # fmt: skip
def test_what_the_command_refuses(given: list[str], tmp_path: Path) -> None:
    given = [str(write_clips(tmp_path / "c")) if part == "x" and "--run" not in given else part for part in given]
    with pytest.raises(BadSettings):
        CliRunner().invoke(main, ["bench", "erase", *given], catch_exceptions=False)
