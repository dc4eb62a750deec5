"""What batch makes of settings, models and limits: the same answers as one by one, and nothing dropped silently."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import maskwright as mw
from loopback import Scripted, completion, serve
from maskwright.assemble.batching import make_spec, open_task
from maskwright.assemble.estimating import estimate
from maskwright.cli.batch import _name_of
from maskwright.cli.main import main
from maskwright.config.settings import resolve
from maskwright.errors import BadSettings
from maskwright.media.images import open_mask, save_image
from maskwright.plumbing import retry as retrying
from maskwright.runs.batch import Batch
from maskwright.runs.jobs import Job
from maskwright.runs.pool import Conduct

SHIPPED = resources.files("maskwright") / "samples" / "coffee.jpg"
CONDUCT: dict[str, Any] = {"overlays": False, "cache_mib": 8}


def coffee() -> mw.Image:
    return mw.open_image(str(SHIPPED))


def cutout(path: Path) -> Path:
    """The picture with an alpha."""
    pixels = coffee().pixels
    return save_image(path, mw.Image(pixels, np.where(pixels[..., 0] > 100, 255, 0).astype(np.uint8)))


def settings(**values: Any) -> Any:
    return resolve(values, environment={})


def batch(tmp_path: Path, kind: str, rows: list[Job], conduct: dict[str, Any] | None = None, **values: Any) -> Batch:
    spec = make_spec(kind, settings(**values), {**CONDUCT, **(conduct or {})})
    return Batch(tmp_path / "out", spec, list(rows), Conduct(0, 1))


def result(run: Batch, name: str) -> dict[str, Any]:
    return dict(json.loads((run.out / "items" / name / "result.json").read_text()))


@pytest.fixture
def cup(tmp_path: Path) -> Path:
    return save_image(tmp_path / "cup.png", coffee())


def test_every_row_about_a_picture_gets_the_mask_that_find_gives(cup: Path, tmp_path: Path) -> None:
    rows = [Job(name, str(cup), phrase="the cup") for name in ("one", "two")]
    run = batch(tmp_path, "find", rows)
    run.run()
    alone = mw.find(str(cup), "the cup").mask
    assert alone is not None
    assert all(open_mask(run.out / "items" / row.id / "mask.png") == alone for row in rows)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"cap": 1}, "cap is the same for all rows"), ({"mode": "loop+vlm"}, "cannot ask for mode loop+vlm")],
)
def test_a_row_cannot_ask_for_what_all_share(cup: Path, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    run = batch(tmp_path, "find", [Job("a", str(cup), phrase="the cup", options=options)])
    assert run.run()["failed"] == 1
    assert said in result(run, "a")["error"]


def test_what_shapes_results_is_in_the_spec(tmp_path: Path) -> None:
    with_sculpt = make_spec("find", settings(find={"sculpt": True}, sculpt={"rounds": 1}), CONDUCT)
    assert with_sculpt.settings["sculpt"]["rounds"] == 1
    judge = {"judge": {"name": "vllm", "model": "m", "base_url": "http://127.0.0.1:9/v1"}}
    with pytest.raises(BadSettings, match="asks no judge of sculpt"):
        make_spec("find", settings(find={"sculpt": True}, models=judge), CONDUCT)
    assert (
        "inpainter" in make_spec("parts", settings(models={"inpainter": {"name": "lite"}}), CONDUCT).settings["models"]
    )
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "cells.md").write_text("# Question\none")
    before = make_spec("sculpt", settings(sculpt={"prompts": str(folder)}), CONDUCT).settings
    (folder / "cells.md").write_text("# Question\ntwo")
    assert make_spec("sculpt", settings(sculpt={"prompts": str(folder)}), CONDUCT).settings != before


def test_a_name_that_is_no_unicode_is_an_item_like_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    cutout(folder / "a.png")
    try:
        os.link(folder / "a.png", os.path.join(os.fsencode(folder), b"caf\xe9.png"))  # noqa: PTH118
    except OSError:
        pytest.skip("this file system has no such names")
    told = CliRunner().invoke(
        main, ["batch", str(folder), "--do", "cut", "-o", str(tmp_path / "out"), "--json"], catch_exceptions=False
    )
    assert json.loads(told.stdout)["done"] == 2, told.output


def test_what_is_finished_stays_while_its_picture_is_away(cup: Path, tmp_path: Path) -> None:
    run = batch(tmp_path, "segment", [Job("a", str(cup), box=(10, 10, 90, 90))])
    run.run()
    cup.rename(tmp_path / "away.png")
    assert run.run()["failed"] == 1
    (tmp_path / "away.png").rename(cup)
    assert run.run()["finished_before"] == 1


ANY = json.dumps({"missing_parts": [], "over_segments": [], "boundary_quality": "sharp", "key_cues": []})


def sculpting(url: str, **limits: Any) -> dict[str, Any]:
    model = {"name": "endpoint", "model": "m", "base_url": url, "key": "", "price_in": 1.0, "price_out": 1.0}
    return {"models": {"segmenter": {"name": "fake"}, "judge": model}, "sculpt": {"rounds": 2, **limits}}


def test_items_that_a_spent_run_left_half_done_are_not_done(
    cup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "waiting", False)
    with serve([Scripted(body=completion(ANY))]) as server:
        rows = [Job(name, str(cup), box=(100, 100, 300, 300)) for name in "abc"]
        run = batch(tmp_path, "sculpt", rows, {"max_calls": 1}, **sculpting(server.url))
        first = run.run()
        assert (first["done"], first["left"], first["exit_code"]) == (0, 3, 6)
        more = replace(run, spec=replace(run.spec, conduct={**run.spec.conduct, "max_calls": None}))
        assert more.run()["done"] == 3


def test_limits_of_sculpt_hold_for_each_item(cup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "waiting", False)
    with serve([Scripted(body=completion(ANY))]) as server:
        rows = [Job(name, str(cup), box=(100, 100, 300, 300)) for name in "ab"]
        run = batch(tmp_path, "sculpt", rows, **sculpting(server.url, max_calls=1))
        assert run.run()["cost"]["calls"]["vlm"] == 2


def test_money_is_not_limited_where_none_can_be_counted(cup: Path, tmp_path: Path) -> None:
    values = sculpting("http://127.0.0.1:9/v1")
    del values["models"]["judge"]["price_in"], values["models"]["judge"]["price_out"]
    run = batch(tmp_path, "sculpt", [Job("a", str(cup), box=(1, 1, 50, 50))], {"max_usd": 1.0}, **values)
    with pytest.raises(BadSettings, match="price_in"):
        open_task(run.spec)
    with pytest.raises(BadSettings, match="price_in"):
        mw.sculpt(coffee(), box=(1, 1, 50, 50), max_usd=1.0, resolved=settings(**values))


def test_the_estimate_is_no_less_than_what_single_patches_cost(tmp_path: Path) -> None:
    values = sculpting("http://127.0.0.1:9/v1", one_patch_per_call=True)
    spec = make_spec("sculpt", settings(**values), CONDUCT)
    assert estimate(spec, 1)["most_calls"] == 2 * (1 + 30 * 3) + 20 + 2


def test_runs_that_ask_are_worked_by_one_process(cup: Path, tmp_path: Path) -> None:
    values = sculpting("http://127.0.0.1:9/v1")
    batch(tmp_path, "sculpt", [], **values).run()
    told = CliRunner().invoke(main, ["runs", "resume", str(tmp_path / "out"), "--workers", "4"])
    assert isinstance(told.exception, BadSettings) and "one process" in str(told.exception)


@pytest.mark.parametrize(
    ("source", "name"),
    [("photos", "photos"), ("jobs.jsonl", "jobs"), ("photos/*.jpg", "photos"), ("a/b/**/*.png", "b")],
)
def test_a_run_is_named_by_what_it_is_made_of(source: str, name: str) -> None:
    assert _name_of(source) == name


def test_a_run_among_the_pictures_is_not_taken_for_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cutout(tmp_path / "a.png")
    for source in (".", ".", "**/*.png"):
        told = CliRunner().invoke(main, ["batch", source, "--do", "cut", "-o", "out", "--json"], catch_exceptions=False)
        assert json.loads(told.stdout)["items"] == 1


def test_names_of_models_keep_what_the_settings_say_of_them(tmp_path: Path) -> None:
    with serve([Scripted(body=completion(ANY))]) as server:
        own = settings(**sculpting(server.url))
        found = mw.sculpt(coffee(), box=(100, 100, 300, 300), judge="endpoint", resolved=own)
    assert found.cost.calls["vlm"] > 0


def test_what_a_failed_item_cost_is_told(cup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "waiting", False)
    with serve([Scripted(body=completion("I cannot say."))]) as server:
        rows = [Job("a", str(cup), box=(100, 100, 300, 300))]
        run = batch(tmp_path, "sculpt", rows, {"strict": True}, **sculpting(server.url))
        summary = run.run()
    assert summary["failed"] == 1
    assert summary["cost"]["calls"]["vlm"] == len(server.requests) > 0
