"""Bench: data sets, conditions, experiments, runs and reports, with engines that need no weights."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from maskwright.assemble.benching import open_data, run_bench
from maskwright.bench.conditions import DEFAULT, apply_condition, check_condition
from maskwright.bench.datasets import open_dataset
from maskwright.bench.datasets.camouflage import phrase_of
from maskwright.bench.datasets.refcoco_m import samples_of
from maskwright.bench.experiment import make_experiment, read_experiment, write_toml
from maskwright.bench.report import write_report
from maskwright.bench.rows import read_results
from maskwright.bench.scenes import draw_scene
from maskwright.bench.scenes.phrases import KINDS, phrases_of
from maskwright.bench.shortcuts import ablation, compare_runs, shortcut
from maskwright.cli.bench import bench
from maskwright.config.bench import DataSettings, Experiment
from maskwright.errors import BadSettings, InputError, MissingData, RunMismatch
from maskwright.media.images import save_image, save_mask
from maskwright.values import Image, Mask

FAKES = {"segmenter": "fake", "ranker": "fake", "proposers": ["fake"]}
VARIANTS = [
    {"name": "one-shot", "mode": "one-shot", **FAKES},
    {"name": "oracle", "mode": "loop+vlm", "max_iter": 2, "oracle_error": 0.0, **FAKES},
]


def experiment(**more: Any) -> Experiment:
    data = {"name": "sample", "split": "2"}
    return make_experiment({"data": data, "variants": VARIANTS, "resamples": 200, **more})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("bench") / "run"
    list(run_bench(experiment(), folder))
    return folder


# -- data sets


def test_scenes_are_the_same_every_time_and_phrases_name_one_thing() -> None:
    assert draw_scene(3).image.sha256 == draw_scene(3).image.sha256 != draw_scene(4).image.sha256
    kinds = set()
    for seed in range(12):
        scene = draw_scene(seed)
        for said in phrases_of(scene):
            kinds.add(said.kind)
            alike = [t for t in scene.things if t.kind in said.text]
            if said.kind == "none_such":
                assert said.thing is None and not [
                    t for t in alike if t.colour in said.text or said.text == f"the {t.kind}"
                ]
            elif said.kind == "colour":
                assert [t for t in alike if t.colour in said.text] == [said.thing]
            assert said.thing is None or said.thing.mask.area > 200
    assert kinds == set(KINDS)


def test_the_frozen_scenes_are_what_the_generator_draws() -> None:
    frozen = open_dataset("sample", None, "frozen").samples
    drawn = {s.id: s for s in open_dataset("sample", None, "4").samples}
    assert len(frozen) >= 20
    for sample in frozen:
        twin = drawn[sample.id]
        assert (sample.phrase, sample.none_such) == (twin.phrase, twin.none_such)
        assert sample.open_image() == twin.open_image()
        assert (sample.open_truth() is None) == sample.none_such
        if not sample.none_such:
            assert sample.open_truth() == twin.open_truth()


def _picture(path: Path, size: tuple[int, int] = (20, 12)) -> Path:
    return save_image(path, Image(np.full((size[1], size[0], 3), 90, dtype=np.uint8)))


def _mask(size: tuple[int, int] = (20, 12)) -> Mask:
    array = np.zeros((size[1], size[0]), dtype=bool)
    array[2:8, 3:9] = True
    return Mask(array)


def test_a_list_of_lines(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    save_mask(tmp_path / "m.png", _mask())
    rows = [
        {"id": "one", "image": "a.png", "phrase": "x", "mask": "m.png", "tags": ["size"]},
        {"id": "two", "image": "a.png", "phrases": ["y", "红色"], "mask": _mask().to_rle()},
        {"image": "a.png", "phrase": "z", "mask": None},
    ]
    (tmp_path / "phrases.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    found = open_dataset("listed", str(tmp_path)).samples
    assert [s.id for s in found] == ["one", "two-0", "two-1", "line-00003"]
    assert [s.none_such for s in found] == [False, False, False, True]
    assert [s.open_truth() for s in found] == [_mask()] * 3 + [None]
    assert found[0].cluster == found[3].cluster == "a.png"
    assert found[0].open_image().size == (20, 12)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", InputError),
        ("[]", InputError),
        ('{"image": "a.png", "mask": null}', InputError),
        ('{"image": "a.png", "phrase": 3, "mask": null}', InputError),
        ('{"phrase": "x", "mask": null}', InputError),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, error: type[Exception]) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(error, match="line 1"):
        open_dataset("listed", str(path))


def test_a_mask_of_another_size_fails_that_sample_alone(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    rows = [
        {"id": "wrong", "image": "a.png", "phrase": "the box", "mask": _mask((12, 20)).to_rle()},
        {"id": "gone", "image": "b.png", "phrase": "the box", "mask": None},
        {"id": "right", "image": "a.png", "phrase": "the box", "mask": _mask().to_rle()},
    ]
    (tmp_path / "phrases.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    spec = experiment(data={"name": "listed", "root": str(tmp_path)}, variants=VARIANTS[:1])
    status = {p.job.sample.id: p.row["status"] for p in run_bench(spec, tmp_path / "run")}
    assert status["wrong"] == status["gone"] == "failed"
    assert status["right"] in ("done", "abstained")
    report = write_report(read_results(tmp_path / "run")).report
    assert report["failed"] == 2
    assert "failed" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    for name in ("red_cup", "blue_cup"):
        _picture(tmp_path / "images" / f"{name}.png")
        save_mask(tmp_path / "masks" / f"{name}.png", _mask())
    (tmp_path / "phrases").mkdir()
    (tmp_path / "phrases" / "red_cup.txt").write_text("the cup that is red\n", encoding="utf-8")
    assert [s.phrase for s in open_dataset("listed", str(tmp_path)).samples] == ["blue cup", "the cup that is red"]
    (tmp_path / "masks" / "red_cup.png").unlink()
    with pytest.raises(MissingData, match="red_cup"):
        open_dataset("listed", str(tmp_path))


def test_camouflage_folders(tmp_path: Path) -> None:
    _picture(tmp_path / "Imgs" / "COD10K-CAM-1-Aquatic-1-BatFish-3.jpg")
    save_mask(tmp_path / "GT" / "COD10K-CAM-1-Aquatic-1-BatFish-3.png", _mask())
    found = open_dataset("camouflage", str(tmp_path))
    assert (found.samples[0].phrase, found.measures) == ("the bat fish", ("camouflage",))
    assert phrase_of("camourflage_00012") == "the camouflaged animal"
    with pytest.raises(MissingData, match="pair of folders"):
        open_dataset("camouflage", str(tmp_path / "Imgs"))


def _refer(root: Path, name: str, refs: str, ann_id: Any, dump: Any) -> None:
    _picture(root / "train2014" / "COCO_1.jpg")
    polygon = [[3, 2, 9, 2, 9, 8, 3, 8]]
    instances = {
        "images": [{"id": 1, "file_name": "COCO_1.jpg", "width": 20, "height": 12}],
        "annotations": [{"id": 5, "segmentation": polygon}],
    }
    (root / name).mkdir(parents=True)
    (root / name / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
    sentences = [{"sent": "left box", "sent_id": 8}, {"sent": "the box", "sent_id": 9}]
    rows = [{"ref_id": 7, "ann_id": ann_id, "image_id": 1, "split": "val", "sentences": sentences}]
    (root / name / refs).write_bytes(dump(rows))


def test_refcoco_files(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    _refer(tmp_path, "refcoco", "refs(unc).p", 5, lambda rows: pickle.dumps(rows, protocol=2))
    found = open_dataset("refcoco", str(tmp_path)).samples
    assert [(s.id, s.phrase) for s in found] == [("refcoco-7-8", "left box"), ("refcoco-7-9", "the box")]
    truth = found[0].open_truth()
    assert truth is not None and truth.area == 36 and truth.size == (20, 12)
    with pytest.raises(InputError, match="testA"):
        open_dataset("refcoco", str(tmp_path), "testA")


@pytest.mark.parametrize(("ann_id", "none"), [([5], False), ([-1], True), ([], True)])
def test_grefcoco_files_may_have_no_target(tmp_path: Path, ann_id: list[int], none: bool) -> None:
    pytest.importorskip("pycocotools")
    _refer(tmp_path, "grefcoco", "grefs(unc).json", ann_id, lambda rows: json.dumps(rows).encode())
    found = open_dataset("grefcoco", str(tmp_path)).samples[0]
    assert found.none_such is none
    assert (found.open_truth() is None) is none


def test_a_pickle_that_wants_more_than_data_is_refused(tmp_path: Path) -> None:
    _refer(tmp_path, "refcoco", "refs(unc).p", 5, lambda rows: pickle.dumps([Path("x")]))
    with pytest.raises(InputError, match=r"pickle asks for pathlib"):
        open_dataset("refcoco", str(tmp_path))


@pytest.mark.parametrize("name", ["refcoco", "grefcoco", "camouflage", "listed"])
def test_missing_data_say_what_to_type(name: str, tmp_path: Path) -> None:
    for root in (None, str(tmp_path / "nowhere")):
        with pytest.raises(MissingData) as caught:
            open_dataset(name, root)
        assert caught.value.hint


def test_refcoco_m_rows() -> None:
    rows = [
        {"image": np.zeros((12, 20, 3), np.uint8), "samples": [{"mask": _mask().to_rle(), "sentences": ["a", "b"]}]}
    ]
    found = samples_of(rows)
    assert [s.phrase for s in found] == ["a", "b"]
    assert found[0].open_truth() == _mask() and found[0].open_image().size == (20, 12)


# -- conditions


@pytest.mark.parametrize("name", DEFAULT)
def test_conditions_change_what_they_say_and_nothing_else(name: str) -> None:
    image = draw_scene(0).image
    shown, phrase = apply_condition(name, image, "the second cup from the left", seed=1, sample="s")
    again, phrase2 = apply_condition(name, image, "the second cup from the left", seed=1, sample="s")
    assert (shown, phrase) == (again, phrase2)
    assert shown.size == image.size
    assert (shown == image) == (name in ("clean", "typos", "paraphrase"))
    assert (phrase != "the second cup from the left") == (name in ("typos", "paraphrase"))


def test_noise_is_as_strong_as_named() -> None:
    grey = Image(np.full((200, 200, 3), 128, dtype=np.uint8))
    for sigma in (10, 20):
        shown, _ = apply_condition(f"noise-{sigma}", grey, "x", seed=0, sample="s")
        assert shown.pixels.std() == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("name", ["", "noise", "noise-x", "sparkle-3", "clean-2", "blur-99999"])
def test_unknown_conditions_are_refused(name: str) -> None:
    with pytest.raises(BadSettings):
        check_condition(name)


# -- experiments


def test_experiments_survive_toml(tmp_path: Path) -> None:
    full = experiment(conditions=["clean", "noise-10"], prices={"gpt": {"tokens_in": 2.5}}, size_edges=[0.01, 0.2])
    (tmp_path / "e.toml").write_text(write_toml(full), encoding="utf-8")
    assert read_experiment(tmp_path / "e.toml") == full


@pytest.mark.parametrize(
    "wrong",
    [
        {"variants": []},
        {"variants": [VARIANTS[0], VARIANTS[0]]},
        {"variants": [{"name": "x", "modus": "loop"}]},
        {"conditions": ["fog-3"]},
        {"resamples": 1},
        {"colour": "red"},
    ],
)
def test_wrong_experiments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        experiment(**wrong)


def test_shortcuts_make_experiments() -> None:
    made = shortcut(
        title="t", data_name="sample", engines="fake/fake/fake", modes="one-shot,loop", max_iter="1,2", oracle="0,0.3"
    )
    assert [v.name for v in made.variants] == ["one-shot", "loop x1", "loop x2", "oracle 0", "oracle 0.3"]
    varied = ablation(made, ["tau_conf=0.4,0.8", "finer_regions=0"])
    assert [v.name for v in varied.variants] == ["as it is", "tau_conf=0.4", "tau_conf=0.8", "finer_regions=0"]
    assert varied.variants[1].settings == {"tau_conf": 0.4}
    with pytest.raises(BadSettings, match="--vlm"):
        shortcut(title="t", data_name="sample", modes="loop+vlm")


def test_more_samples_than_there_are() -> None:
    with pytest.raises(InputError, match="has"):
        open_data(DataSettings(name="sample", split="1", n=99))


# -- runs and reports


def test_nothing_is_done_twice(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a finished sample was done again")

    monkeypatch.setattr("maskwright.bench.running._do", never)
    assert all(p.row["iou"] >= 0 for p in run_bench(experiment(), run))


def test_a_folder_of_another_experiment_is_refused(run: Path) -> None:
    with pytest.raises(RunMismatch, match="another experiment"):
        list(run_bench(experiment(seed=1), run))


def test_the_report_says_what_was_measured(run: Path) -> None:
    results = read_results(run)
    written = write_report(results, open_data(results.experiment.data))
    report = json.loads(written.json.read_text(encoding="utf-8"))
    table = report["table"]["oracle"]
    rows = results.of("oracle")
    assert table["gIoU"]["value"] == pytest.approx(np.mean([r.iou for r in rows]))
    assert table["gIoU"]["low"] <= table["gIoU"]["value"] <= table["gIoU"]["high"]
    assert report["comparisons"][0]["n"] == len(rows) == report["samples"]
    assert report["missing"] == report["failed"] == 0
    np.testing.assert_allclose(np.load(run / "ious" / "oracle.npy"), [r.iou for r in rows])
    page = written.html.read_text(encoding="utf-8")
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") >= 4 and "data:image/jpeg;base64," in page
    assert "no claim about real photographs" in page
    assert written.markdown.read_text(encoding="utf-8").count("| oracle") >= 2


def test_parquet_holds_every_sample(run: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_report(read_results(run))
    table = parquet.read_table(run / "samples.parquet").to_pylist()
    assert len(table) == len(read_results(run).rows)
    assert {"sample", "variant", "iou", "inter", "union", "score", "tags"} <= set(table[0])


def test_reports_without_timings_are_the_same_bytes(run: Path) -> None:
    written = [write_report(read_results(run), timings=False) for _ in range(2)]
    texts = [w.html.read_bytes() + w.json.read_bytes() + w.markdown.read_bytes() for w in written]
    assert texts[0] == texts[1]
    assert b"wall" not in texts[0] and b"peak" not in texts[0]


def test_phrases_cannot_inject_into_the_page(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    phrase = "<img src=x onerror=alert(1)> | </title><script>"
    row = {"id": "x", "image": "a.png", "phrase": phrase, "mask": None, "tags": ["<b>"]}
    (tmp_path / "phrases.jsonl").write_text(json.dumps(row), encoding="utf-8")
    list(run_bench(experiment(data={"name": "listed", "root": str(tmp_path)}, title="<i>t"), tmp_path / "run"))
    results = read_results(tmp_path / "run")
    page = write_report(results, open_data(results.experiment.data)).html.read_text(encoding="utf-8")
    assert "<img src=x" not in page and "<script" not in page and "<b>" not in page and "<i>t" not in page


def test_two_runs_are_compared_over_shared_samples(run: Path, tmp_path: Path) -> None:
    other = make_experiment({"data": {"name": "sample", "split": "1"}, "variants": VARIANTS[:1], "resamples": 200})
    list(run_bench(other, tmp_path / "other"))
    found = compare_runs(tmp_path / "other", run, ("one-shot", "one-shot"))
    assert found["n"] == len(read_results(tmp_path / "other").rows)
    assert found["iou"]["value"] == 0 and found["sign_p"] == 1.0
    with pytest.raises(InputError, match="no variant"):
        compare_runs(run, run, ("nobody",))


def test_the_command_line_runs_reports_and_compares(tmp_path: Path) -> None:
    out = str(tmp_path / "r")
    options = [
        "modes",
        "--split",
        "1",
        "--engines",
        "fake/fake/fake",
        "--modes",
        "one-shot",
        "--oracle",
        "0",
        "-o",
        out,
    ]
    for arguments in (options, ["report", out], ["bootstrap", out, "-B", "200"], ["compare", out, out], ["cases", out]):
        result = CliRunner().invoke(bench, arguments)
        if arguments[0] != "cases":
            assert result.exit_code == 0, result.output
            assert "one-shot" in result.output or "oracle" in result.output
    with pytest.raises(InputError, match="not the folder"):
        CliRunner().invoke(bench, ["report", str(tmp_path)], catch_exceptions=False)


def test_sharing_sessions_changes_no_answer(run: Path, tmp_path: Path) -> None:
    list(run_bench(experiment(share_sessions=True), tmp_path / "shared"))
    apart, shared = read_results(run), read_results(tmp_path / "shared")
    assert [(r.sample, r.variant, r.iou, r.score) for r in apart.rows] == [
        (r.sample, r.variant, r.iou, r.score) for r in shared.rows
    ]
