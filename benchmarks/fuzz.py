"""Mutated pictures and clips against media/: `python benchmarks/fuzz.py [--quick]`.

10 000 pictures and 500 clips (seeded: case i is the same on every machine with the same libraries), run in processes of
their own so that a crash is a result too. Interrupted, it goes on where it stopped at that commit. Writes
docs/benchmarks/fuzz.md and fuzz.json; exits with 1 when a figure is not met.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from writing import commit, provenance  # noqa: E402

from clip_makers import make_clip  # noqa: E402
from maskwright.errors import MaskwrightError  # noqa: E402
from maskwright.media.images import open_image, open_mask  # noqa: E402
from maskwright.media.videos import open_clip  # noqa: E402

SEED = 20_241
BATCH = 250
FULL = {"giants": 5, "images": 10_000, "clips": 500}
QUICK = {"giants": 1, "images": 500, "clips": 24}
MAX_IMAGE_S, MAX_IMAGE_MIB, MAX_CLIP_S = 2.0, 512, 30.0


# -- seeds: sound files of every kind


def image_seeds() -> list[tuple[str, bytes]]:
    """(name, bytes) of small sound pictures in every allowed format and most modes."""
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[:60, :90]
    colour = np.stack([x * 2, y * 4, (x * y) % 256], axis=2).astype(np.uint8)
    colour[20:40, 20:60] = rng.integers(0, 256, (20, 40, 3))
    rgb = PIL.Image.fromarray(colour)
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a note"
    wide = PIL.Image.fromarray((x * 700).astype(np.uint16))
    frames = [rgb, rgb.transpose(PIL.Image.Transpose.ROTATE_180)]
    again = {"save_all": True, "append_images": frames[1:]}
    made: list[tuple[str, PIL.Image.Image, str, dict[str, Any]]] = [
        ("png-rgb", rgb, "PNG", {"exif": exif}),
        ("png-rgba", rgb.convert("RGBA"), "PNG", {}),
        ("png-16", wide, "PNG", {}),
        ("png-palette", rgb.quantize(64), "PNG", {"transparency": 3}),
        ("png-bits", rgb.convert("1"), "PNG", {}),
        ("jpeg", rgb, "JPEG", {"quality": 80, "exif": exif}),
        ("jpeg-progressive", rgb, "JPEG", {"progressive": True}),
        ("jpeg-cmyk", rgb.convert("CMYK"), "JPEG", {}),
        ("jpeg-grey", rgb.convert("L"), "JPEG", {}),
        ("webp", rgb, "WEBP", {"quality": 70, "exif": exif}),
        ("webp-lossless", rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        ("webp-animated", rgb, "WEBP", again),
        ("tiff", rgb, "TIFF", {}),
        ("tiff-lzw", rgb, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff-deflate", rgb.convert("RGBA"), "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("tiff-jpeg", rgb, "TIFF", {"compression": "jpeg"}),
        ("tiff-float", PIL.Image.fromarray((x / 90).astype(np.float32)), "TIFF", {}),
        ("tiff-16", wide, "TIFF", {}),
        ("bmp", rgb, "BMP", {}),
        ("bmp-palette", rgb.quantize(16), "BMP", {}),
        ("gif", rgb, "GIF", {}),
        ("gif-animated", rgb, "GIF", again),
        ("jpeg-large", rgb.resize((1800, 1200)), "JPEG", {}),
        ("png-large", rgb.resize((1800, 1200)), "PNG", {}),
    ]
    return [(name, _saved(image, form, options)) for name, image, form, options in made]


def giant(case: int) -> tuple[str, bytes]:
    """A sound picture just under the 40-megapixel cap: (name, bytes)."""
    rng = np.random.default_rng(SEED)
    small = rng.integers(0, 256, (100, 160, 4), dtype=np.uint8)
    rgba = PIL.Image.fromarray(small).resize((7990, 5000), PIL.Image.Resampling.BILINEAR)
    form, image, options = (
        ("JPEG", rgba.convert("RGB"), {"quality": 90}),
        ("PNG", rgba, {"compress_level": 1}),
        ("WEBP", rgba.convert("RGB"), {"quality": 60, "method": 0}),
        ("TIFF", rgba, {"compression": "tiff_lzw"}),
        ("PNG", PIL.Image.fromarray(np.asarray(rgba)[:, :, 0].astype(np.uint16) * 257), {"compress_level": 1}),
    )[case]
    return f"giant {form} {image.mode}", _saved(image, form, dict(options))


def _saved(image: PIL.Image.Image, form: str, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


CLIP_SEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264.mp4": ("a.mp4", {"audio": True}),
    "h264-b.mp4": ("a.mp4", {"options": {"bf": "2", "g": "8"}}),
    "h264.mov": ("a.mov", {"rotation": 90}),
    "h264.mkv": ("a.mkv", {"audio": True}),
    "h264-uneven.mkv": ("a.mkv", {"times": [i * i * 7 for i in range(24)]}),
    "ffv1.mkv": ("a.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}),
    "vp9.webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    "mpeg4.avi": ("a.avi", {"codec": "mpeg4", "audio": True}),
    "mjpeg.avi": ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "h264.ts": ("a.ts", {"form": "mpegts"}),
    "hevc-like-10bit.mp4": ("a.mp4", {"pix_fmt": "yuv420p10le"}),
}
CLIP_FRAMES = 24


def clip_seeds() -> list[tuple[str, bytes]]:
    """(name, bytes) of small sound clips, CLIP_FRAMES frames each."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, options) in CLIP_SEEDS.items():
            found.append((name, make_clip(Path(folder) / file, CLIP_FRAMES, **options).read_bytes()))
    return found


# -- mutations

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 40_000, 100_000)


def mutated(seeds: list[tuple[str, bytes]], case: int) -> tuple[str, str, bytes]:
    """(seed's name, what was done, bytes) of one case."""
    rng = random.Random(SEED * 1_000_003 + case)
    name, data = seeds[case % len(seeds)]
    kind = rng.choice(sorted(_MUTATIONS))
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        out = _MUTATIONS[kind](rng, out, seeds)
        if not out:
            break
    return name, kind, bytes(out)


def _flip(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    for _i in range(rng.choice((1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _header(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    """A number at the front of the file becomes an extreme one."""
    place = rng.randrange(min(len(data), 120))
    form = rng.choice(("<I", ">I", "<H", ">H", "B"))
    size = struct.calcsize(form)
    packed = struct.pack(form, rng.choice(_NUMBERS) & ((1 << 8 * size) - 1))
    data[place : place + size] = packed
    return data


def _number(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    place = rng.randrange(len(data))
    form = rng.choice(("<I", ">I", "<H", ">H"))
    size = struct.calcsize(form)
    data[place : place + size] = struct.pack(form, rng.choice(_NUMBERS) & ((1 << 8 * size) - 1))
    return data


def _truncate(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    return data[: rng.randrange(len(data))]


def _zero(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    place = rng.randrange(len(data))
    end = min(len(data), place + rng.choice((4, 64, 1000)))
    data[place:end] = bytes(end - place)
    return data


def _noise(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    place = rng.randrange(len(data))
    end = min(len(data), place + rng.choice((4, 64, 1000)))
    data[place:end] = rng.randbytes(end - place)
    return data


def _repeat(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    place = rng.randrange(len(data))
    part = data[place : place + rng.choice((8, 100, 2000))]
    return data[:place] + part * rng.choice((2, 3)) + data[place:]


def _remove(rng: random.Random, data: bytearray, _: Any) -> bytearray:
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.choice((1, 8, 500)) :]


def _splice(rng: random.Random, data: bytearray, seeds: list[tuple[str, bytes]]) -> bytearray:
    other = rng.choice(seeds)[1]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


_MUTATIONS = {
    "flip": _flip, "header": _header, "number": _number, "truncate": _truncate, "zero": _zero, "noise": _noise,
    "repeat": _repeat, "remove": _remove, "splice": _splice,
}  # fmt: skip


# -- one case


def try_image(data: bytes) -> dict[str, Any]:
    """What came of opening it as a picture and as a mask: opened, refused, or UNTYPED with the error."""
    began, cpu = time.perf_counter(), time.process_time()
    outcome = _outcome(lambda: open_image(data))
    if outcome != "untyped":
        masked = _outcome(lambda: open_mask(data))
        outcome = masked if masked.startswith("untyped") else outcome
    return {"outcome": outcome, "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}


def _outcome(call: Any) -> str:
    try:
        call()
    except MaskwrightError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - what is looked for
        return f"untyped {type(error).__name__}: {error}"[:200]
    return "opened"


def try_clip(data: bytes, suffix: str) -> dict[str, Any]:
    """What came of reading every frame: whole, refused, stopped (an error while reading), short (fewer frames than the
    seed, and no error), or UNTYPED."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"
        path.write_bytes(data)
        outcome, frames, said = _read_all(path)
    return {"outcome": outcome, "frames": frames, "said": said, "wall_s": time.perf_counter() - began}


def _read_all(path: Path) -> tuple[str, int, int]:
    frames, said = 0, -1
    try:
        with open_clip(path) as clip:
            said = len(clip)
            for _ in clip.frames:
                frames += 1
    except MaskwrightError:
        return ("refused" if said < 0 else "stopped"), frames, said
    except Exception as error:  # noqa: BLE001 - what is looked for
        return f"untyped {type(error).__name__}: {error}"[:200], frames, said
    if frames < said:
        return "SHORT", frames, said
    return ("whole" if frames >= CLIP_FRAMES else "fewer"), frames, said


# -- many cases


def work(kind: str, start: int, stop: int) -> None:
    """A worker: one line of JSON a case on stdout."""
    if kind == "images":
        import warnings

        warnings.simplefilter("ignore")
        seeds = image_seeds()
        for case in range(start, stop):
            name, how, data = mutated(seeds, case)
            print(
                json.dumps({"case": case, "seed": name, "how": how, "rss_mib": _rss_mib(), **try_image(data)}),
                flush=True,
            )
        return
    if kind == "giants":
        name, data = giant(start)
        file = Path(tempfile.gettempdir()) / f"maskwright-giant-{os.getpid()}"
        file.write_bytes(data)
        say = "import sys; sys.path.insert(0, sys.argv[1]); import fuzz; fuzz.work_giant(sys.argv[2])"
        command = [sys.executable, "-c", say, str(ROOT / "benchmarks"), str(file)]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        file.unlink()
        print(json.dumps({"case": start, "seed": name, "how": "sound", **json.loads(text)}), flush=True)
        return
    seeds = clip_seeds()
    with ThreadPoolExecutor(2) as pool:
        cases = [(case, *mutated(seeds, case)) for case in range(start, stop)]
        results = pool.map(lambda row: try_clip(row[3], Path(row[1]).suffix), cases)
        for (case, name, how, _), result in zip(cases, results, strict=True):
            print(json.dumps({"case": case, "seed": name, "how": how, **result}), flush=True)


def work_giant(file: str) -> None:
    """In a process of its own, which has not made the picture: opens it from the file."""
    began, cpu = time.perf_counter(), time.process_time()
    outcome = _outcome(lambda: open_image(file))
    spent = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    print(json.dumps({"outcome": outcome, "rss_mib": _rss_mib(), **spent}))


def _rss_mib() -> float:
    """The most memory this process has held (getrusage would count what its parent held before it started)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run(kind: str, count: int, state: Path, *, patience_s: float = 900) -> list[dict[str, Any]]:
    """Every case's result; cases already in the state file are not run again."""
    done = {row["case"]: row for row in _rows(state)} if state.exists() else {}
    step = 1 if kind == "giants" else BATCH
    for start in range(0, count, step):
        missing = [case for case in range(start, min(start + step, count)) if case not in done]
        while missing:
            found = _batch(kind, missing[0], missing[-1] + 1, patience_s)
            if not found or found[-1]["case"] < missing[-1]:
                lost = found[-1]["case"] + 1 if found else missing[0]
                found.append(
                    {"case": lost, "seed": "?", "how": "?", "outcome": "CRASHED or hung", "wall_s": patience_s}
                )
            with state.open("a") as stream:
                stream.writelines(json.dumps(row) + "\n" for row in found if row["case"] not in done)
            done |= {row["case"]: row for row in found}
            missing = [case for case in missing if case not in done]
        print(f"{kind}: {min(start + step, count)} of {count}", file=sys.stderr)
    return [done[case] for case in range(count)]


def _batch(kind: str, start: int, stop: int, patience_s: float) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, "--worker", kind, str(start), str(stop)]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False).stdout
    except subprocess.TimeoutExpired as error:
        text = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else error.stdout or ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


# -- figures


def figures(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of the table: what, found, most (None: no limit), met."""
    giants, images, clips = found["giants"], found["images"], found["clips"]
    cut = [row for row in clips if row["how"] == "truncate" and row["outcome"] in ("fewer", "SHORT")]
    rows = [
        ("pictures mutated", len(images), None),
        ("pictures: untyped errors or crashes", _odd(images, "untyped", "CRASHED"), 0),
        ("pictures: slowest, CPU s", _most(images, "cpu_s"), MAX_IMAGE_S),
        ("pictures: slowest, wall s (other work on the machine counted)", _most(images, "wall_s"), None),
        ("pictures: peak RSS, MiB", _most(images, "rss_mib"), MAX_IMAGE_MIB),
        ("sound pictures of 40 megapixels refused", len(giants) - _odd(giants, "opened"), 0),
        ("sound pictures of 40 megapixels: slowest, CPU s", _most(giants, "cpu_s"), None),
        ("sound pictures of 40 megapixels: peak RSS, MiB", _most(giants, "rss_mib"), MAX_IMAGE_MIB),
        ("EXIF orientations (of 8) not turned", 8 - orientations(), 0),
        ("clips mutated", len(clips), None),
        ("clips: untyped errors or crashes", _odd(clips, "untyped", "CRASHED"), 0),
        ("clips: slowest, wall s", _most(clips, "wall_s"), MAX_CLIP_S),
        ("clips: fewer frames than announced, no error", _odd(clips, "SHORT"), 0),
        ("clips cut short and taken as whole", len(cut), 0),
    ]
    return [{"what": w, "found": v, "most": limit, "met": limit is None or v <= limit} for w, v, limit in rows]


def _odd(rows: list[dict[str, Any]], *starts: str) -> int:
    return sum(row["outcome"].startswith(starts) for row in rows)


def _most(rows: list[dict[str, Any]], name: str) -> float:
    return round(max(row.get(name, 1e6 if row["outcome"].startswith("CRASHED") else 0) for row in rows), 2)


def orientations() -> int:
    """How many of the eight EXIF orientations come out upright, in PNG, JPEG, TIFF and WebP alike."""
    blocks = np.kron(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10, np.ones((16, 16), np.uint8))
    upright = PIL.Image.fromarray(blocks).convert("RGB")
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF value -> PIL transpose that stores it so
    good = 0
    for turn in range(1, 9):
        stored = upright if turn == 1 else upright.transpose(PIL.Image.Transpose(undo[turn]))
        exif = PIL.Image.Exif()
        exif[0x0112] = turn
        opened = [open_image(_saved(stored, form, {"exif": exif})).pixels for form in ("PNG", "JPEG", "TIFF", "WEBP")]
        good += all(p.shape == (64, 96, 3) and np.abs(p[:, :, 0].astype(int) - blocks).mean() < 4 for p in opened)
    return good


def report(found: dict[str, list[dict[str, Any]]], out: Path) -> bool:
    images, clips = found["images"], found["clips"]
    rows = figures(found)
    about = {**provenance(), "seed": SEED}
    outcomes = {
        "pictures": dict(Counter(row["outcome"].split(" ")[0] for row in images)),
        "clips": dict(Counter(row["outcome"].split(" ")[0] for row in clips)),
    }
    slowest = sorted(images, key=lambda r: -r.get("cpu_s", 99))[:3]
    bad = [row for row in images + clips if row["outcome"].startswith(("untyped", "CRASHED", "SHORT"))]
    value = {
        **about,
        "figures": rows,
        "giants": found["giants"],
        "outcomes": outcomes,
        "slowest_pictures": slowest,
        "bad": bad,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "fuzz.json").write_text(json.dumps(value, indent=1) + "\n")
    table = "".join(_line(row) for row in rows)
    (out / "fuzz.md").write_text(
        "# Mutated pictures and clips\n\n"
        f"`python benchmarks/fuzz.py` on {about['machine']}, {about['date']}, commit {about['commit']}.\n\n"
        f"| figure | found | at most | met |\n|---|---|---|---|\n{table}\n"
        f"Outcomes of pictures: {outcomes['pictures']}; of clips: {outcomes['clips']} (`stopped`: an error while "
        "reading; `fewer`: the mutation removed frames from the file's own index, all that it names were read).\n"
    )
    print((out / "fuzz.md").read_text())
    return all(row["met"] for row in rows)


def _line(row: dict[str, Any]) -> str:
    most = "-" if row["most"] is None else row["most"]
    return f"| {row['what']} | {row['found']:g} | {most} | {'yes' if row['met'] else 'NO'} |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 pictures and 24 clips")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / f"maskwright-fuzz-{commit()}")
    parser.add_argument("--worker", nargs=3, metavar=("KIND", "START", "STOP"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker[0], int(args.worker[1]), int(args.worker[2]))
        return 0
    counts = QUICK if args.quick else FULL
    args.state.mkdir(parents=True, exist_ok=True)
    found = {kind: run(kind, count, args.state / f"{kind}-{SEED}.jsonl") for kind, count in counts.items()}
    return 0 if report(found, args.out) else 1


if __name__ == "__main__":
    sys.exit(main())
