"""What would make a table of the bench say something else than what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.assemble.benching import open_data, run_bench
from maskwright.bench.datasets import open_dataset
from maskwright.bench.experiment import make_experiment, read_experiment, write_toml
from maskwright.bench.report import write_report
from maskwright.bench.rows import read_results, write_tables
from maskwright.bench.running import item_name, run_experiment
from maskwright.bench.samples import Dataset, Sample
from maskwright.bench.shortcuts import ablation, compare_runs, shortcut
from maskwright.bench.summary import summarise_run
from maskwright.config.bench import Experiment
from maskwright.errors import BadSettings, EngineDown, InputError, RunMismatch
from maskwright.finding.result import FindResult
from maskwright.media.images import save_image, save_mask
from maskwright.runs.reading import show_run
from maskwright.values import Image, Mask

FAKES = {"segmenter": "fake", "ranker": "fake", "proposers": ["fake"]}
ONE = {"name": "a", **FAKES}


def made(**more: Any) -> Experiment:
    return make_experiment({"variants": [ONE], "resamples": 100, **more})


def sample(id_: str, truth: Mask | None, **more: Any) -> Sample:
    image = Image(np.full((40, 50, 3), 90, np.uint8))
    return Sample(id_, "the box", id_, lambda: image, lambda: truth, none_such=truth is None, **more)


def patch(x: int = 5) -> Mask:
    array = np.zeros((40, 50), np.bool_)
    array[10:15, x : x + 4] = True
    return Mask(array)


class Failing:
    """Fails for the samples named, and leaves the others to the variant's own engines."""

    def __init__(self, inner: Any, names: tuple[str, ...]) -> None:
        self.inner, self.names, self.asked = inner, names, []

    def solve(self, image: Image, phrase: str, name: str) -> FindResult:
        self.asked.append(name)
        if name in self.names:
            raise EngineDown("the endpoint is down.", "Try again later.")
        return self.inner.solve(image, phrase, name)


def solved(folder: Path, dataset: Dataset, failing: tuple[str, ...], experiment: Experiment) -> Failing:
    from maskwright.assemble.benching import Solvers

    inner = Solvers()
    made: list[Failing] = []

    def make(variant: Any, truths: Any) -> Failing:
        made.append(Failing(inner.make(variant, truths), failing))
        return made[-1]

    list(run_experiment(experiment, dataset, folder, make))
    return made[0] if made else Failing(None, ())


def test_folders_of_answers_never_collide() -> None:
    cases = [
        ("кот", "a", "clean"), ("пёс", "a", "clean"), ("s 1", "a", "clean"), ("s_1", "a", "clean"),
        ("x" * 119, "a", "clean"), ("x" * 119, "b", "clean"), ("s", "k=1", "clean"), ("s", "k 1", "clean"),
        ("s--a", "b", "clean"), ("s", "a--b", "clean"), ("s", "a", "blur-5"),
    ]  # fmt: skip
    names = [item_name(*case) for case in cases]
    assert len(set(names)) == len(cases)
    assert item_name("scene-001-0-colour", "one-shot", "clean") == "scene-001-0-colour--one-shot"
    assert item_name("猫", "loop", "blur-5") == "猫--loop--blur-5"


def test_a_failure_is_a_wrong_answer_of_its_own_size_and_is_tried_again(tmp_path: Path) -> None:
    data = Dataset("three", [sample("one", patch()), sample("two", patch(20)), sample("none", None)])
    experiment = made(size_edges=[0.02, 0.1])
    solved(tmp_path / "run", data, ("one", "two", "none"), experiment)
    report = summarise_run(read_results(tmp_path / "run"))
    table = report["table"]["a"]
    assert report["failed"] == 3 and "endpoint is down" in report["first_failure"]
    assert [table[k]["value"] for k in ("gIoU", "mIoU", "cIoU", "N-acc", "false abstention")] == [0, 0, 0, 0, 0]
    assert report["sizes"]["groups"]["small"]["a"]["n"] == 2
    assert report["sizes"]["groups"]["large"]["a"] is None
    text = (write_report(read_results(tmp_path / "run"), timings=False).markdown).read_text(encoding="utf-8")
    assert "3 answers failed" in text
    again = solved(tmp_path / "run", data, (), experiment)
    assert again.asked == ["one", "two", "none"]
    assert summarise_run(read_results(tmp_path / "run"))["failed"] == 0
    assert solved(tmp_path / "run", data, (), experiment).asked == []


def test_the_mask_says_whether_there_is_a_target(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", Image(np.full((40, 50, 3), 90, np.uint8)))
    save_mask(tmp_path / "black.png", Mask.empty(50, 40))
    rows = [
        {"id": "black", "image": "a.png", "phrase": "the box", "mask": "black.png"},
        {"id": "there", "image": "a.png", "phrase": "the box", "mask": patch().to_rle(), "none_such": True},
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    experiment = made(data={"name": "listed", "root": str(tmp_path / "p.jsonl")})
    list(run_bench(experiment, tmp_path / "run"))
    assert {r.sample: r.none_such for r in read_results(tmp_path / "run").rows} == {"black": True, "there": False}


@pytest.mark.parametrize("settings", [{"nope": 1}, {"max_iter": 1}])
def test_settings_that_do_not_exist_end_the_run(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        list(run_bench(made(data={"split": "1"}, variants=[{**ONE, "settings": settings}]), tmp_path / "run"))


def test_a_mode_without_its_judge_ends_the_run(tmp_path: Path) -> None:
    variants = [{**ONE, "name": "oracle", "mode": "loop+vlm", "oracle_error": 0.0}, {**ONE, "mode": "loop+vlm"}]
    for share in (False, True):
        spec = made(data={"split": "1"}, variants=variants, share_sessions=share)
        with pytest.raises(BadSettings, match="vlm"):
            list(run_bench(spec, tmp_path / f"run-{share}"))


def test_what_is_varied_is_what_runs() -> None:
    base = shortcut(title="t", data_name="sample", engines="fake", max_iter="5", oracle="0")
    assert [v.max_iter for v in base.variants] == [1, 5, 5]
    found = ablation(base, ["max_iter=1,3", "mode=one-shot", "proposers=fake+lite", "tau_conf=0.4"]).variants
    assert [(v.max_iter, v.mode, v.proposers, v.settings) for v in found] == [
        (5, "loop+vlm", ("fake",), {}),
        (1, "loop+vlm", ("fake",), {}),
        (3, "loop+vlm", ("fake",), {}),
        (5, "one-shot", ("fake",), {}),
        (5, "loop+vlm", ("fake", "lite"), {}),
        (5, "loop+vlm", ("fake",), {"tau_conf": 0.4}),
    ]


def test_settings_from_elsewhere_make_another_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = made(data={"split": "1"})
    list(run_bench(spec, tmp_path / "run"))
    monkeypatch.setenv("MASKWRIGHT_FIND__TAU_NONE", "1.0")
    with pytest.raises(RunMismatch, match="other settings"):
        list(run_bench(spec, tmp_path / "run"))


@pytest.mark.parametrize(
    "bad",
    [
        {"conditions": ["clean", "clean"]},
        {"size_edges": [0.1, 0.02]},
        {"size_edges": [1.0]},
        {"size_edges": [float("nan")]},
        {"seed": -1},
    ],
)
def test_experiments_that_would_count_twice_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        made(**bad)


def test_what_was_not_measured_has_no_column(tmp_path: Path) -> None:
    list(run_bench(made(data={"split": "1"}, boundary=False), tmp_path / "run"))
    assert "boundary F" not in summarise_run(read_results(tmp_path / "run"))["table"]["a"]


def test_runs_over_other_phrases_are_not_compared(tmp_path: Path) -> None:
    for name, phrase in (("one", "a dog"), ("two", "a zebra")):
        (tmp_path / name).mkdir()
        save_image(tmp_path / name / "a.png", Image(np.full((40, 50, 3), 90, np.uint8)))
        row = {"image": "a.png", "phrase": phrase, "mask": patch().to_rle()}
        (tmp_path / name / "p.jsonl").write_text(json.dumps(row), encoding="utf-8")
        data = {"name": "listed", "root": str(tmp_path / name / "p.jsonl")}
        list(run_bench(made(data=data), tmp_path / f"run-{name}"))
    with pytest.raises(InputError, match="share no samples"):
        compare_runs(tmp_path / "run-one", tmp_path / "run-two")


def test_odd_data_sets_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        save_image(tmp_path / "images" / name, Image(np.full((40, 50, 3), 90, np.uint8)))
    save_mask(tmp_path / "masks" / "a.png", patch())
    with pytest.raises(InputError, match="used twice"):
        open_dataset("listed", str(tmp_path))
    for split in ("abc", "0", "-3"):
        with pytest.raises(InputError, match="split"):
            open_dataset("sample", None, split)
    (tmp_path / "p.jsonl").write_bytes('{"image": "é", "phrase": "x", "mask": null}'.encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        open_dataset("listed", str(tmp_path / "p.jsonl"))
    (tmp_path / "q.jsonl").write_text('{"image": "a", "phrase": "x", "mask": null, "tags": "colour"}')
    with pytest.raises(InputError, match="tags"):
        open_dataset("listed", str(tmp_path / "q.jsonl"))


def test_camo_as_it_is_downloaded(tmp_path: Path) -> None:
    save_image(tmp_path / "Images" / "Test" / "x.jpg", Image(np.full((40, 50, 3), 90, np.uint8)))
    save_mask(tmp_path / "GT" / "x.png", patch())
    assert [s.id for s in open_dataset("camouflage", str(tmp_path), "Test").samples] == ["x"]
    with pytest.raises(InputError, match="no samples"):
        open_dataset("camouflage", str(tmp_path))


def test_a_report_without_its_data_set_goes_without_pictures(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from maskwright.cli.bench import bench

    save_image(tmp_path / "a.png", Image(np.full((40, 50, 3), 90, np.uint8)))
    (tmp_path / "p.jsonl").write_text(json.dumps({"image": "a.png", "phrase": "x", "mask": None}), encoding="utf-8")
    list(run_bench(made(data={"name": "listed", "root": str(tmp_path / "p.jsonl")}), tmp_path / "run"))
    (tmp_path / "p.jsonl").unlink()
    done = CliRunner().invoke(bench, ["report", str(tmp_path / "run")], catch_exceptions=False)
    assert done.exit_code == 0 and "no pictures of cases" in done.output
    assert (tmp_path / "run" / "report.html").exists()


def test_a_damaged_result_is_no_result(tmp_path: Path) -> None:
    list(run_bench(made(data={"split": "1"}), tmp_path / "run"))
    first = sorted((tmp_path / "run" / "items").glob("*/result.json"))[0]
    first.write_text("{}", encoding="utf-8")
    found = read_results(tmp_path / "run")
    assert found.missing == 1
    assert summarise_run(found)["missing"] == 1


def test_a_run_is_read_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save_image("a.png", Image(np.full((40, 50, 3), 90, np.uint8)))
    row = {"id": "one", "image": "a.png", "phrase": "the box", "mask": patch().to_rle()}
    Path("p.jsonl").write_text(json.dumps(row), encoding="utf-8")
    list(run_bench(made(data={"name": "listed", "root": "p.jsonl"}), tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    assert open_data(read_results(tmp_path / "run").experiment.data).samples[0].open_image().size == (50, 40)
    assert show_run(tmp_path / "run")["about"]["items"] == 1


def test_missing_answers_are_holes_in_the_vectors(tmp_path: Path) -> None:
    list(run_bench(made(data={"split": "1"}), tmp_path / "run"))
    names = [s["id"] for s in read_results(tmp_path / "run").about["samples"]]
    [gone] = (tmp_path / "run" / "items").glob(f"{names[1]}--*")
    (gone / "result.json").unlink()
    write_tables(read_results(tmp_path / "run"))
    [path] = (tmp_path / "run" / "ious").glob("*.npy")
    assert np.isnan(np.load(path)).tolist() == [name == names[1] for name in names]


def test_any_experiment_reads_back(tmp_path: Path) -> None:
    spec = made(title="a\x7fb", variants=[{**ONE, "settings": {"tau_none": 0.25}}])
    (tmp_path / "e.toml").write_text(write_toml(spec), encoding="utf-8")
    assert read_experiment(tmp_path / "e.toml") == spec
    for value in (float("nan"), float("inf")):
        with pytest.raises(BadSettings, match="tau_none is no number"):
            made(variants=[{**ONE, "settings": {"tau_none": value}}])


@pytest.mark.parametrize(
    ("name", "root", "split", "said"),
    [("sample", "somewhere", None, "lies nowhere"), ("listed", ".", "val", "no splits")],
)
def test_what_would_be_ignored_is_refused(name: str, root: str | None, split: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_dataset(name, root, split)


def test_a_model_that_nobody_asks_is_refused() -> None:
    with pytest.raises(BadSettings, match="no mode of one-shot,loop asks openai"):
        shortcut(title="t", data_name="sample", vlm="openai")


def test_a_phrase_that_is_no_text_is_refused() -> None:
    broken = Sample("a", "the \ud800 cup", "a", lambda: Image(np.zeros((4, 4, 3), np.uint8)), lambda: None)
    with pytest.raises(InputError, match="no text"):
        Dataset("d", [broken])
