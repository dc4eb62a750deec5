"""Find and its loop: quality on the embedded scenes and on development pictures, phrases as they are typed, speed, and
runs that are killed.

    python benchmarks/find.py [--data DEV_FOLDER] [--only quality typed speed plain kills] [--scenes 30] [--work FOLDER]
                              [--engines lite]

Parts that are not run keep the figures of their last run. --work keeps the run folders, so that quality can go on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from writing import PAGES, commit, machine, table, write_page

from maskwright.assemble.benching import open_data, run_bench
from maskwright.assemble.finding import Finder
from maskwright.assemble.loading import load
from maskwright.bench.experiment import make_experiment, write_toml
from maskwright.bench.report import tables, write_report
from maskwright.bench.rows import Row, read_results
from maskwright.bench.summary import compare_rows
from maskwright.config.find import FindSettings
from maskwright.finding.counting import CountedSegmenter
from maskwright.finding.engines import FindEngines
from maskwright.finding.loop import FindTask, find_rounds
from maskwright.finding.session import FindSession
from maskwright.media.samples import sample
from maskwright.values import Candidates, Embedding, Image, Prompt, Ranking

ERRORS = (0.0, 0.1, 0.2, 0.3)
PARTS = ("quality", "typed", "speed", "plain", "kills")
PHRASES = (
    "the woman", "the face", "the orange suit", "the helmet", "the flag", "the space shuttle", "the white collar",
    "the badge", "the person on the left", "the black background",
)  # fmt: skip


# -- quality


def experiment(engines: str, data: dict[str, Any]) -> Any:
    lite = {"segmenter": engines, "ranker": engines, "proposers": [engines]}
    variants = [{"name": "one-shot", "mode": "one-shot", **lite}, {"name": "loop", "mode": "loop", **lite}]
    variants += [
        {"name": f"oracle {error:g}", "mode": "loop+vlm", "oracle_error": error, "max_iter": 3, **lite}
        for error in ERRORS
    ]
    return make_experiment(
        {"title": f"find on {data['name']}", "data": data, "variants": variants, "share_sessions": True}
    )


def sets_of(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    sets = {"sample": {"name": "sample", "split": str(args.scenes)}}
    if args.data:
        sets["dev"] = {"name": "listed", "root": str(Path(args.data) / "phrases.jsonl")}
    return sets


def quality(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Every mode on both sets; the report of each run lies in its folder."""
    found: dict[str, Any] = {}
    pooled: dict[str, list[Row]] = {}
    for name, data in sets_of(args).items():
        spec = experiment(args.engines, data)
        dataset, began = open_data(spec.data), time.perf_counter()
        for progress in [] if args.partial else run_bench(spec, work / name, dataset=dataset):
            if progress.done % 25 == 0:
                print(f"{name} {progress.done}/{progress.total} {time.perf_counter() - began:.0f} s", flush=True)
        results = read_results(work / name)
        report = write_report(results, dataset).report
        kept = ("samples", "pictures", "missing", "table", "comparisons", "oracle", "kinds")
        found[name] = {key: report[key] for key in kept}
        for variant in report["variants"]:
            pooled.setdefault(variant, []).extend(results.of(variant))
    first = pooled["one-shot"]
    found["pooled"] = [
        {"a": "one-shot", "b": name, **compare_rows(first, rows, 2000, 0)}
        for name, rows in pooled.items()
        if rows is not first
    ]
    return found


def _pairs(left: list[Row], right: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of the samples that both have."""
    there = {row.sample: row for row in right}
    shared = [row for row in left if row.sample in there]
    return shared, [there[row.sample] for row in shared]


def quality_text(found: dict[str, Any]) -> str:
    parts = []
    for name, report in found.items():
        if name == "pooled":
            parts.append(f"**All samples pooled**\n\n{tables.markdown(tables.comparisons({'comparisons': report}))}")
            continue
        head = f"**{name}**: {report['samples']} phrases, {report['pictures']} pictures"
        if report["missing"]:
            head += f"; not finished: {report['missing']} answers of all variants are missing"
        parts += [head, tables.markdown(tables.quality(report)), tables.markdown(tables.comparisons(report))]
    note = (
        "“sample” are drawn scenes: they prove the machinery, not accuracy on photographs. The oracle is a judge that "
        "knows the truth and errs as often as its name says, at each question anew: it shows what consulting a model is "
        "worth, not what any one model does. One that errs the same way twice gains less from being asked twice."
    )
    return "\n\n".join([*parts, note])


# -- phrases as they are typed


def typed(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """One look at both sets: phrases as they stand, with slips of the hand, and said in other words."""
    found: dict[str, Any] = {}
    for name, data in sets_of(args).items():
        lite = {"segmenter": args.engines, "ranker": args.engines, "proposers": [args.engines]}
        spec = make_experiment({
            "title": f"typed on {name}", "data": data, "variants": [{"name": "one-shot", "mode": "one-shot", **lite}],
            "conditions": ["clean", "typos", "paraphrase"], "share_sessions": True,
        })  # fmt: skip
        dataset = open_data(spec.data)
        for progress in run_bench(spec, work / f"typed-{name}", dataset=dataset):
            if progress.done % 25 == 0:
                print(f"{name} {progress.done}/{progress.total}", flush=True)
        report = write_report(read_results(work / f"typed-{name}"), dataset).report
        found[name] = {key: report[key] for key in ("samples", "pictures", "conditions", "table", "reliability")}
    return found


def typed_text(found: dict[str, Any]) -> str:
    parts = []
    for name, report in found.items():
        parts.append(f"**{name}**: {report['samples']} phrases, {report['pictures']} pictures")
        parts.append(tables.markdown(tables.reliability(report)))
    return "\n\n".join(parts)


# -- speed


def photo() -> Image:
    """A 640x480 photograph that travels with the product."""
    import cv2

    return Image(cv2.resize(sample("astronaut").pixels, (640, 480), interpolation=cv2.INTER_AREA))


def speed(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Seconds of the first and the tenth phrase on one picture, models loaded, nothing else cached."""
    image = photo()
    ready = {"segmenter": load("segmenter", args.engines), "ranker": load("ranker", args.engines)}
    settings = FindSettings(mode="one-shot", proposers=(args.engines,))
    runs = []
    for _ in range(3):
        finder = Finder(settings, engines=ready)
        runs.append([_timed(finder, image, phrase) for phrase in PHRASES])
    wall, processor = (
        np.min([[w for w, _ in run] for run in runs], axis=0),
        np.min([[c for _, c in r] for r in runs], 0),
    )
    return {
        "first_s": float(wall[0]),
        "first_cpu_s": float(processor[0]),
        "tenth_s": float(wall[9]),
        "tenth_cpu_s": float(processor[9]),
        "load": os.getloadavg()[0],
    }


def _timed(finder: Finder, image: Image, phrase: str) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    finder.find(image, phrase)
    return time.perf_counter() - wall, time.process_time() - processor


def speed_text(found: dict[str, Any]) -> str:
    rows = [
        ["one phrase on a 640x480 picture, nothing cached", found["first_s"], found["first_cpu_s"], "< 1.5 s"],
        ["the tenth phrase on the same picture", found["tenth_s"], found["tenth_cpu_s"], "< 0.2 s"],
    ]
    note = f"Best of three; load average of the machine while measuring: {found['load']:.1f}."
    return table(["what", "s", "processor s", "goal"], rows) + "\n\n" + note


# -- the plain way


class OneByOne:
    """The segmenter asked one prompt a call."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, image: Image) -> Embedding:
        return self.inner.encode(image)  # type: ignore[no-any-return]

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        return [self.inner.predict(embedding, [prompt])[0] for prompt in prompts]

    def coarse(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[Any, Any]:
        """What the embedded proposer asks for, one prompt a call."""
        answers = [self.inner.coarse(embedding, [prompt]) for prompt in prompts]
        return np.concatenate([a for a, _ in answers]), np.concatenate([b for _, b in answers])


class OneRegionAtATime:
    """The ranker's encoder called once a region; the text is encoded for every phrase. What is whole depends on the
    company a region keeps, so that alone is asked of all together (one call of about a hundred and fifty)."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, image: Image, masks: Any) -> Embedding:
        parts = [self.inner.encode(image, masks[i : i + 1]) for i in range(len(masks))]
        whole = self.inner.encode(image, masks[:1]) if not parts else parts[0]
        data = {
            key: np.concatenate([part.data[key] for part in parts])
            if isinstance(value, np.ndarray) and len(value) == 1
            else value
            for key, value in whole.data.items()
        }
        if "wholes" in data:
            data["wholes"] = self.inner.encode(image, masks).data["wholes"]
        return Embedding(whole.model, whole.image_sha256, whole.size, data)

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking:
        return self.inner.rank(regions, phrases)  # type: ignore[no-any-return]


def plain(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Ten phrases our way, one the plain way (each costs the same); proposals and ranking must be equal."""
    image, settings = photo(), FindSettings(mode="one-shot", proposers=(args.engines,))
    segmenter, ranker = load("segmenter", args.engines), load("ranker", args.engines)
    ours = Finder(settings, engines={"segmenter": segmenter, "ranker": ranker})
    began = time.process_time()
    answers = {phrase: ours.find(image, phrase) for phrase in PHRASES}
    ours_s = (time.process_time() - began) / len(PHRASES)
    asked = PHRASES[:1]
    began = time.process_time()
    plainly = {phrase: _plain_find(image, phrase, settings, segmenter, ranker, args.engines) for phrase in asked}
    plain_s = (time.process_time() - began) / len(asked)
    same = all(_same(answers[phrase], plainly[phrase]) for phrase in asked)
    return {"ours_s": ours_s, "plain_s": plain_s, "times": plain_s / ours_s, "same": same, "phrases": len(PHRASES)}


def _plain_find(image: Image, phrase: str, settings: Any, segmenter: Any, ranker: Any, name: str) -> Any:
    """One phrase with everything made anew."""
    slow = OneByOne(segmenter)
    needs = {"segmenter": slow} if name != "fake" else {}
    proposer = load("proposer", name, **needs)
    engines = FindEngines(CountedSegmenter(slow), (proposer,), OneRegionAtATime(ranker))
    session = FindSession(image, engines, settings)
    return list(find_rounds(session, FindTask(phrase), settings))[-1]


def _same(ours: Any, plain_round: Any) -> bool:
    """The same candidates in the same order with the same scores, and the same answer."""
    left, right = ours.candidates, plain_round.candidates
    scores = np.allclose([c.score for c in left], [c.score for c in right], atol=1e-4)
    return len(left) == len(right) and scores and all(a.mask == b.mask for a, b in zip(left, right))


def plain_text(found: dict[str, Any]) -> str:
    rows = [
        ["this product", found["ours_s"], ""],
        ["the plain way of older systems", found["plain_s"], f"{found['times']:.1f} times slower (goal: 5)"],
    ]
    note = (
        "Processor seconds a phrase, ten phrases on one picture. Plain: the picture encoded for each phrase, one "
        "decoder call a click, one encoder call a region, text encoded each time. Equal candidates, order and scores: "
        f"{found['same']}."
    )
    return table(["way", "s a phrase", ""], rows) + "\n\n" + note


# -- kills


def kills(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """A run killed ten times against an undisturbed one."""
    fakes = {"segmenter": "fake", "ranker": "fake", "proposers": ["fake"]}
    variants = [
        {"name": "one-shot", "mode": "one-shot", **fakes},
        {"name": "oracle", "mode": "loop+vlm", "max_iter": 2, "oracle_error": 0.2, **fakes},
    ]
    spec = make_experiment({"data": {"name": "sample", "split": "6"}, "variants": variants, "resamples": 200})
    with tempfile.TemporaryDirectory() as scratch:
        toml = Path(scratch) / "e.toml"
        toml.write_text(write_toml(spec), encoding="utf-8")
        calm, killed = Path(scratch) / "calm", Path(scratch) / "killed"
        _start(toml, calm).wait()
        total = len(list(calm.glob("items/*/result.json")))
        rng = random.Random(7)
        struck = sum(_kill_after(_start(toml, killed), killed, at, rng) for at in sorted(rng.sample(range(total), 10)))
        _start(toml, killed).wait()
        files = ("report.html", "report.md", "report.json")
        equal = {f: (calm / f).read_bytes() == (killed / f).read_bytes() for f in files}
        there = len(list(killed.glob("items/*/result.json")))
        redone = _attempts(killed) - there
    return {"samples": total, "kills": struck, "lost": total - there, "redone": redone, "equal": equal}


def _start(toml: Path, folder: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "maskwright.cli.main",
        "bench",
        "run",
        str(toml),
        "-o",
        str(folder),
        "--no-timings",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill_after(process: subprocess.Popen[bytes], folder: Path, count: int, rng: random.Random) -> bool:
    while process.poll() is None:
        if len(list(folder.glob("items/*/result.json"))) >= count:
            time.sleep(rng.random() * 0.05)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def _attempts(folder: Path) -> int:
    import sqlite3

    with sqlite3.connect(folder / "ledger.sqlite") as db:
        return int(db.execute("SELECT SUM(attempt) FROM steps").fetchone()[0])


def kills_text(found: dict[str, Any]) -> str:
    rows = [
        ["answers wanted", found["samples"]],
        ["kills -9 that struck", found["kills"]],
        ["answers lost", found["lost"]],
        ["answers begun twice (the one under way)", found["redone"]],
        ["reports byte-identical to the undisturbed run's", all(found["equal"].values())],
    ]
    return table(["killed run", ""], rows)


# -- all of it

RUN = {"quality": quality, "typed": typed, "speed": speed, "plain": plain, "kills": kills}
TEXT = {"quality": quality_text, "typed": typed_text, "speed": speed_text, "plain": plain_text, "kills": kills_text}
TITLES = {
    "quality": "Quality of the loop",
    "typed": "Phrases as they are typed",
    "speed": "Speed",
    "plain": "Against the plain way",
    "kills": "Kill and resume",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--scenes", type=int, default=30)
    parser.add_argument("--engines", default="lite")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--partial", action="store_true", help="report what --work holds, run nothing")
    args = parser.parse_args()
    page = PAGES / "find.json"
    values = json.loads(page.read_text(encoding="utf-8"))["values"] if page.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for part in args.only:
            about = {"commit": commit(), "machine": machine(), "engines": args.engines}
            values[part] = {**about, "found": RUN[part](args, args.work or Path(scratch))}
            print(TEXT[part](values[part]["found"]), flush=True)
    sections = [
        f"## {TITLES[part]}\n\n{TEXT[part](values[part]['found'])}\n\nMeasured at {values[part]['commit']} on "
        f"{values[part]['machine']}, engines {values[part]['engines']}, by `benchmarks/find.py --only {part}`."
        for part in PARTS
        if part in values
    ]
    print(write_page("find", "Find", "\n\n".join(sections), values))


if __name__ == "__main__":
    main()
