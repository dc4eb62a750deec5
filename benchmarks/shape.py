"""Measures cut, edit, parts and lift, and writes docs/benchmarks/shape.md and .json.

    python benchmarks/shape.py [--data ../shared/data/dev] [--lemur DIR] [--meshes 100] [--gltf DIR]

`--lemur`: a folder with lemur.png and lemur_alpha.png of pymatting's data. Parsing truth: Clothing Co-Parsing labels.
`--gltf`: a folder where `npm install gltf-validator` was run; Khronos's validator then reads the GLB files.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mattes
import numpy as np
import PIL.Image
from writing import provenance

import maskwright as mw
from maskwright.media.images import open_image
from maskwright.media.samples import sample
from maskwright.models.lifters.lite import LiteLifter
from maskwright.ports import PART_LABELS, Mesh
from maskwright.shaping.mesh_care import care_for, is_watertight
from maskwright.shaping.mesh_files import glb_bytes
from maskwright.shaping.turntable import front_silhouette
from maskwright.values import Image, Mask

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training" / "parser"))
WORDS = ["make it dark green", "make it white", "blur it", "brighten it by 30%", "desaturate it", "white stripes",
         "outline it in red", "make it warmer", "flip it", "remove it"]  # fmt: skip
CCP_NAMES = [
    "null",
    "accessories",
    "bag",
    "belt",
    "blazer",
    "blouse",
    "bodysuit",
    "boots",
    "bra",
    "bracelet",
    "cape",
    "cardigan",
    "clogs",
    "coat",
    "dress",
    "earrings",
    "flats",
    "glasses",
    "gloves",
    "hair",
    "hat",
    "heels",
    "hoodie",
    "intimate",
    "jacket",
    "jeans",
    "jumper",
    "leggings",
    "loafers",
    "necklace",
    "panties",
    "pants",
    "pumps",
    "purse",
    "ring",
    "romper",
    "sandals",
    "scarf",
    "shirt",
    "shoes",
    "shorts",
    "skin",
    "skirt",
    "sneakers",
    "socks",
    "stockings",
    "suit",
    "sunglasses",
    "sweater",
    "sweatshirt",
    "swimwear",
    "t-shirt",
    "tie",
    "tights",
    "top",
    "vest",
    "wallet",
    "watch",
    "wedges",
]


def cases(lemur: Path | None) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """(set, name, picture, true alpha)."""
    for kind, made in (("built on", mattes.four()), ("held out", mattes.held_out())):
        yield from ((kind, *case) for case in made)
    if lemur is not None and lemur.exists():
        truth = open_image(lemur / "lemur_alpha.png").pixels[:, :, 0] / 255.0
        yield "photograph", "pymatting's lemur", open_image(lemur / "lemur.png").pixels, truth


def measure_cut(lemur: Path | None) -> list[dict[str, Any]]:
    rows = []
    for kind, name, pixels, alpha in cases(lemur):
        mask = Mask(alpha > 0.5)
        began = time.process_time()
        found = mw.cut(Image(pixels), mask)
        spent = time.process_time() - began
        plain = float(np.abs(mask.array - alpha).sum())
        ours = float(np.abs(found.alpha - alpha).sum())
        rows.append(
            {
                "set": kind,
                "matte": name,
                "SAD mask": round(plain),
                "SAD cut": round(ours),
                "lower by": f"{100 * (1 - ours / plain):.0f} %",
                "CPU s": round(spent, 2),
            }
        )
    return rows


def measure_edits() -> list[dict[str, Any]]:
    rows, differing, edits, correlations = [], 0, 0, []
    for name in ("cat", "coffee", "flower", "rocket", "astronaut"):
        image = sample(name)
        image = Image(cv2.resize(image.pixels, (160, 120), interpolation=cv2.INTER_AREA))
        mask = mattes.blob(np.random.default_rng(edits), 120, 160) > 127
        for words in WORDS:
            found = mw.edit(image, words, mask)
            differing += int((found.image.pixels != image.pixels).any(axis=2)[~mask].sum())
            edits += 1
        for colour in ("dark green", "white", "black", "yellow"):
            found = mw.edit(image, f"make it {colour}", mask)
            grey = [cv2.cvtColor(p.pixels, cv2.COLOR_RGB2GRAY)[mask].astype(float) for p in (image, found.image)]
            correlations.append(float(np.corrcoef(*grey)[0, 1]))
    rows.append({"what": f"pixels that differ outside the mask, {edits} edits", "value": differing})
    rows.append(
        {
            "what": f"luminance correlation inside, {len(correlations)} recolours, least",
            "value": round(min(correlations), 4),
        }
    )
    rows.append({"what": "the same, mean", "value": round(float(np.mean(correlations)), 4)})
    return rows


def clusters(image: Image, truth: np.ndarray) -> np.ndarray:
    """k-means of colour and place inside the true figure, each cluster named by its commonest true label."""
    inside = truth > 0
    y, x = np.nonzero(inside)
    lab = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2LAB)[inside].astype(np.float32)
    values = np.column_stack([lab, 60 * y / image.height, 30 * x / image.width]).astype(np.float32)
    cv2.setRNGSeed(1)
    _, kinds, _ = cv2.kmeans(values, 8, None, (3, 20, 1.0), 2, cv2.KMEANS_PP_CENTERS)
    out = np.zeros_like(truth)
    named = np.zeros(len(values), np.uint8)
    for kind in range(8):
        here = kinds.ravel() == kind
        if here.any():
            named[here] = np.bincount(truth[inside][here]).argmax()
    out[inside] = named
    return out


def measure_parts(data: Path) -> list[dict[str, Any]]:
    from labels import mapping
    from pictures import with_face

    table = np.array(mapping(CCP_NAMES), np.uint8)
    kinds = ("lite", "lite, figure's mask given", "one label (upper garment)", "k-means with true names")
    hits, sums = (np.zeros((len(kinds), len(PART_LABELS))) for _ in range(2))
    for path in sorted((data / "masks").glob("ccp_*_labels.png")):
        image = open_image(data / "images" / path.name.replace("_labels.png", ".jpg"))
        truth = with_face(table[np.asarray(PIL.Image.open(path))])
        parser = mw.load("parser")
        one = np.where(truth > 0, PART_LABELS.index("upper garment"), 0)
        answers = (
            parser.parse(image).label_map,
            parser.parse(image, Mask(truth > 0)).label_map,
            one,
            clusters(image, truth),
        )
        for k, found in enumerate(answers):
            for c in range(len(PART_LABELS)):
                hits[k, c] += ((found == c) & (truth == c)).sum()
                sums[k, c] += ((found == c) | (truth == c)).sum()
    seen = [c for c in range(1, len(PART_LABELS)) if sums[2, c] > 0 and (sums[3, c] > 0) and PART_LABELS[c] != "other"]
    seen = [c for c in seen if sums[2, c] > 0]
    iou = hits / np.maximum(sums, 1)
    return [
        {
            "method": kinds[k],
            **{PART_LABELS[c]: round(float(iou[k, c]), 2) for c in seen},
            "mean": round(float(iou[k, seen].mean()), 3),
        }
        for k in range(len(kinds))
    ]


def silhouette(rng: np.random.Generator, size: int) -> np.ndarray:
    """Pieces, holes, thin lines and single pixels."""
    mask = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(1, 6)):
        centre, reach, t = (
            rng.integers(size // 6, size * 5 // 6, 2),
            rng.integers(size // 20, size // 3),
            np.linspace(0, 2 * np.pi, 60),
        )
        wave = reach * (1 + 0.3 * np.sin(rng.integers(2, 9) * t))
        cv2.fillPoly(
            mask, [np.int32(np.stack([centre[0] + wave * np.cos(t), centre[1] + wave * np.sin(t)], axis=1))], 255
        )
    for _ in range(rng.integers(0, 5)):
        cv2.circle(mask, tuple(int(v) for v in rng.integers(0, size, 2)), int(rng.integers(3, size // 8)), 0, -1)
    for _ in range(rng.integers(0, 6)):
        ends = [tuple(int(v) for v in rng.integers(0, size, 2)) for _ in range(2)]
        cv2.line(mask, ends[0], ends[1], 255, int(rng.integers(1, 9)))
    for _ in range(rng.integers(0, 20)):
        mask[tuple(rng.integers(0, size, 2))] = 255
    mask[size // 2, size // 2] = 255
    return mask


def measure_lift(count: int) -> list[dict[str, Any]]:
    closed, overlaps, seconds = 0, [], []
    for seed in range(count):
        mask = silhouette(np.random.default_rng(seed), 1024)
        began = time.process_time()
        mesh = LiteLifter().lift(Image(np.repeat(mask[:, :, None], 3, axis=2), mask))
        seconds.append(time.process_time() - began)
        closed += is_watertight(mesh)
        if seed % 10 == 0:
            box = Mask(mask > 0).box
            assert box is not None
            x0, y0, x1, y1 = box.pixels()
            window = mask[y0:y1, x0:x1] > 0
            seen = front_silhouette(mesh, max(window.shape))[: window.shape[0], : window.shape[1]]
            overlaps.append(float((seen & window).sum() / (seen | window).sum()))
    return [
        {"what": f"closed meshes of {count}", "value": closed},
        {"what": "front render's IoU with the mask, least (every tenth)", "value": round(min(overlaps), 4)},
        {"what": "CPU seconds, mean", "value": round(float(np.mean(seconds)), 2)},
        {"what": "CPU seconds, most", "value": round(max(seconds), 2)},
    ]


def glb_kinds() -> Iterator[bytes]:
    """GLB files of every kind that is written: holes, pieces, thin parts, photographs; whole, thinned, scaled, bare."""
    for seed in range(12):
        mask = silhouette(np.random.default_rng(1000 + seed), 256)
        cutout = Image(np.random.default_rng(seed).integers(0, 255, (256, 256, 3), dtype=np.uint8), mask)
        mesh = LiteLifter(back=("mirrored", "completed")[seed % 2]).lift(cutout)
        yield glb_bytes(mesh)
        yield from (glb_bytes(care_for(mesh, faces=faces)) for faces in (12, 400))
        yield glb_bytes(care_for(mesh, largest_only=True, height_m=1.8))
        yield glb_bytes(Mesh(mesh.vertices, mesh.faces))
    for name in ("cat", "coffee", "flower"):
        image = sample(name)
        mask = mattes.blob(np.random.default_rng(5), image.height, image.width) > 127
        yield glb_bytes(mw.lift(mw.cut(image, Mask(mask)).image).mesh)


def measure_glb(validator: Path) -> list[dict[str, Any]]:
    """Messages of Khronos's validator; hints about texture sizes that are no power of two are not counted."""
    script = (
        "const v=require('gltf-validator'),fs=require('fs');(async()=>{for(const f of process.argv.slice(1)){"
        "const i=(await v.validateBytes(new Uint8Array(fs.readFileSync(f)))).issues;"
        "console.log(i.numErrors,i.numWarnings)}})()"
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for k, data in enumerate(glb_kinds()):
            paths.append(Path(folder) / f"{k}.glb")
            paths[-1].write_bytes(data)
        ran = subprocess.run(["node", "-e", script, *map(str, paths)], cwd=validator, capture_output=True, text=True,
                             check=True)  # fmt: skip
    errors, warnings = zip(*(map(int, line.split()) for line in ran.stdout.splitlines()))
    assert len(errors) == len(paths)
    return [{"what": f"errors and warnings of the glTF validator, {len(paths)} GLB files",
             "value": f"{sum(errors)} and {sum(warnings)}"}]  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of rows with equal keys."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(str(r[n]) for n in names) + " |" for r in rows])


def main() -> None:
    """Measures and writes."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "dev")
    ask.add_argument("--lemur", type=Path)
    ask.add_argument("--gltf", type=Path)
    ask.add_argument("--meshes", type=int, default=100)
    a = ask.parse_args()
    sections: dict[str, list[dict[str, Any]]] = {}
    for name, measure in (
        ("Lift", lambda: measure_lift(a.meshes)),
        ("Cut", lambda: measure_cut(a.lemur)),
        ("Edit", measure_edits),
    ):
        sections[name] = measure()
        print(name, *sections[name], sep="\n", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sections["Lift"].append({"what": "most memory of the whole run, MiB", "value": memory})
    if a.gltf is not None:
        sections["Lift"] += measure_glb(a.gltf)
    if a.data.exists():
        sections["Parts: IoU on the development pictures"] = measure_parts(a.data)
    at = provenance()
    head = f"Written by `python benchmarks/shape.py` on {at['date']}, commit {at['commit']}, {at['machine']}."
    text = "\n\n".join(f"## {name}\n\n{table(rows)}" for name, rows in sections.items())
    folder = ROOT / "docs" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shape.md").write_text(f"# Shape\n\n{head}\n\n{text}\n", encoding="utf-8")
    (folder / "shape.json").write_text(json.dumps({**at, **sections}, indent=1) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
