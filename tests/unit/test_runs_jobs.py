"""What a batch is asked: every kind of input, every kind of bad row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskwright.errors import BadSettings, InputError
from maskwright.runs.classic import is_classic, read_classic
from maskwright.runs.jobs import BadRow, Job, read_jobs
from run_tasks import make_pictures


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_jsonl(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2)
    path = jsonl(
        tmp_path / "jobs.jsonl",
        {"id": "one/a", "image": "p0000.png", "box": [1, 2, 3, 4], "options": {"max_iter": 1}},
        "",
        {"image": "p0001.png", "points": [[5, 6]], "labels": [0], "phrase": "猫"},
    )
    one, two = read_jobs(path, "segment")
    assert one == Job("one_a", str(tmp_path / "p0000.png"), box=(1, 2, 3, 4), options={"max_iter": 1})
    assert two == Job("p0001", str(tmp_path / "p0001.png"), points=((5, 6),), labels=(0,), phrase="猫")


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(
        'id,image,box,points,phrase\na,x.png,"1,2,3,4",,"a red, big bus"\nb,x.png,"[1,2,3,4]","[[1,2]]",cat\nc,x.png\n'
    )
    a, b, c = read_jobs(tmp_path / "jobs.csv", "find")
    assert isinstance(a, Job) and (a.box, a.phrase) == ((1, 2, 3, 4), "a red, big bus")
    assert isinstance(b, Job) and b.points == ((1, 2),)
    assert isinstance(c, BadRow) and "fewer cells" in c.error


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    rows = [{"id": "a", "image": "x.png", "box": [1.0, 2.0, 3.0, 4.0], "mask": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "jobs.parquet")
    [job] = read_jobs(tmp_path / "jobs.parquet", "segment")
    assert isinstance(job, Job) and job.box == (1, 2, 3, 4)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match="Parquet"):
        read_jobs(tmp_path / "bad.parquet", "segment")


def test_a_folder_and_a_glob_with_one_phrase_for_all(tmp_path: Path) -> None:
    make_pictures(tmp_path, 2)
    make_pictures(tmp_path / "sub", 2)
    (tmp_path / "p0000.jpg").write_bytes((tmp_path / "p0000.png").read_bytes())
    (tmp_path / "notes.txt").write_text("x")
    ids = [row.id for row in read_jobs(tmp_path, "find", defaults={"phrase": "cat"})]
    assert len(set(ids)) == 5 and {"p0001", "sub_p0000", "sub_p0001"} <= set(ids)
    found = read_jobs(str(tmp_path / "sub" / "*.png"), "find", defaults={"phrase": "cat"})
    assert [row.id for row in found] == ["p0000", "p0001"] and all(isinstance(row, Job) for row in found)
    [one] = read_jobs(tmp_path / "p0001.png", "find", defaults={"phrase": "cat"})
    assert isinstance(one, Job) and one.image == str(tmp_path / "p0001.png")


BAD = {
    "not json": ('{"id": "a"', "not JSON"),
    "a list": ("[1, 2]", "not a JSON object"),
    "no image": ({"id": "a", "phrase": "x"}, "names no image"),
    "no phrase": ({"id": "a", "image": "x"}, "needs phrase"),
    "unknown field": ({"id": "a", "image": "x", "pharse": "y"}, "Did you mean phrase"),
    "inverted box": ({"image": "x", "phrase": "y", "box": [9, 9, 1, 1]}, "inverted"),
    "box of text": ({"image": "x", "phrase": "y", "box": "here"}, "not a box"),
    "labels without points": ({"image": "x", "phrase": "y", "labels": [1]}, "0 points but 1 labels"),
    "three numbers": ({"image": "x", "phrase": "y", "points": [[1, 2, 3]]}, "points"),
    "phrase is a number": ({"image": "x", "phrase": 5}, "not text"),
    "deep": ("[" * 100_000, "not JSON"),
    "NaN": ('{"image": "x", "phrase": "y", "box": [NaN, 1, 2, 3]}', "finite"),
}


@pytest.mark.parametrize(("row", "words"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_and_the_others_go_on(tmp_path: Path, row: Any, words: str) -> None:
    good = {"id": "good", "image": "x.png", "phrase": "cat"}
    rows = read_jobs(jsonl(tmp_path / "j.jsonl", good, row, {**good, "id": "better"}), "find")
    assert [r.id for r in rows if isinstance(r, Job)] == ["good", "better"]
    [bad] = [r for r in rows if isinstance(r, BadRow)]
    assert words in bad.error and "line 2" in bad.error


def test_line_4711(tmp_path: Path) -> None:
    good = json.dumps({"image": "x.png", "phrase": "cat"})
    rows = read_jobs(jsonl(tmp_path / "j.jsonl", *[good] * 4710, "{", good), "find")
    assert [r.id for r in rows if isinstance(r, BadRow)] == ["line-4711"] and len({r.id for r in rows}) == 4712


def test_the_second_of_two_equal_ids_is_refused(tmp_path: Path) -> None:
    row = {"image": "x.png", "phrase": "cat"}
    rows = read_jobs(jsonl(tmp_path / "j.jsonl", *({**row, "id": i} for i in ("a/b", "a_b", "c", 7))), "find")
    assert [type(r) for r in rows] == [Job, BadRow, Job, Job]
    assert "taken already" in rows[1].error and len({r.id for r in rows}) == 4  # type: ignore[union-attr]


@pytest.mark.parametrize("id_", ["../../etc/passwd", "a\0b", "..", "/", "con.\n"])
def test_ids_cannot_leave_the_folder(tmp_path: Path, id_: str) -> None:
    [row] = read_jobs(jsonl(tmp_path / "j.jsonl", {"id": id_, "image": "x.png", "phrase": "cat"}), "find")
    assert (tmp_path / "items" / row.id).resolve().parent == tmp_path / "items" and "\n" not in row.id


@pytest.mark.parametrize("source", ["nowhere", "*.tif"])
def test_nothing_to_do_is_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match="no items"):
        read_jobs(tmp_path / source, "find")


def test_an_unknown_kind_names_the_known(tmp_path: Path) -> None:
    make_pictures(tmp_path, 1)
    with pytest.raises(BadSettings, match="sculpt"):
        read_jobs(tmp_path, "paint")


def test_jobs_survive_json() -> None:
    job = Job("a", "x.png", "cat", (1, 2, 3, 4), ((1, 2), (3, 4)), (1, 0), "m.png", "cat", {"max_iter": 2})
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def classic(folder: Path) -> Path:
    for path in make_pictures(folder / "images", 3):
        boxes = folder / "box_out" / path.stem
        boxes.mkdir(parents=True)
        value: Any = {"x0": 1.5, "y0": 2.0, "x1": 9.0, "y1": 12.0}
        value = {"p0001": {"boxes": [value, {**value, "x1": 20.0}]}}.get(path.stem, [value])
        (boxes / f"{path.stem}_sam_boxes.json").write_text(json.dumps(value))
    (folder / "llm_out").mkdir()
    (folder / "llm_out" / "p0000_output.json").write_text(json.dumps({"result": {"instance": "stick insect"}}))
    return folder


def test_the_classic_layout(tmp_path: Path) -> None:
    folder = classic(tmp_path)
    assert is_classic(folder) and not is_classic(folder / "images")
    rows = read_classic(folder, "sculpt")
    assert [row.id for row in rows] == ["p0000", "p0001", "p0001-2", "p0002"]
    first = rows[0]
    assert isinstance(first, Job) and (first.box, first.target) == ((1.5, 2, 9, 12), "stick insect")


def test_samples_of_the_classic_layout(tmp_path: Path) -> None:
    folder = classic(tmp_path)
    (folder / "box_out/p0002/p0002_sam_boxes.json").write_text("{")
    rows = read_classic(folder, "sculpt", samples=("p0001", "p0002", "p0009"))
    assert [type(row) for row in rows] == [Job, Job, BadRow, BadRow]
    assert "p0009" in rows[3].error and "p0002" in rows[2].error  # type: ignore[union-attr]
    with pytest.raises(InputError, match="layout"):
        read_classic(folder / "images", "sculpt")


def test_made_up_ids_make_room_for_each_other_and_for_given_ones(tmp_path: Path) -> None:
    for name in ("a-2.jpg", "a.jpeg", "a.jpg"):
        make_pictures(tmp_path, 1)[0].rename(tmp_path / name)
    assert [row.id for row in read_jobs(tmp_path, "cut")] == ["a-2", "a-2x", "a-3"]
    path = jsonl(tmp_path / "jobs.jsonl", {"image": "a.jpg"}, {"id": "a", "image": "a-2.jpg"})
    one, two = read_jobs(path, "cut")
    assert isinstance(two, Job) and (one.id, two.id) == ("a-1", "a")


def test_a_hostile_row_is_one_bad_row(tmp_path: Path) -> None:
    rows = (
        '{"image": "a.png", "box": [' + "9" * 5000 + ", 1, 2, 3]}",
        {"image": "x" * 5000},
        {"image": "a", "target": 5},
    )
    path = tmp_path / "jobs.jsonl"
    path.write_text("\ufeff" + json.dumps({"image": "p.png"}) + "\n" + jsonl(tmp_path / "x", *rows).read_text())
    found = read_jobs(path, "cut")
    assert [isinstance(row, BadRow) for row in found] == [False, True, True, True]


def test_a_quote_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text('image,phrase\na.png,cat\nb.png,"dog\nc.png,cow\n')
    with pytest.raises(InputError, match="begins in line 3"):
        read_jobs(tmp_path / "jobs.csv", "find")
