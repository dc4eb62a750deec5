"""SAM and CLIP of ViT-B size (random weights) beside the usual ways: python benchmarks/models.py [--grid 8] [--regions 150]

Proposals beside segment-anything's SamAutomaticMaskGenerator (encoder apart), ranking beside one crop at a time, all
in one process; masks and scores are compared. Writes docs/benchmarks/models.md and .json. Needs torch, transformers,
segment-anything and torchvision.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, sam_model_registry
from transformers import CLIPConfig, CLIPModel, SamConfig, SamModel
from writing import table, write_page

from maskwright.models.proposers.grid import GridProposer
from maskwright.models.rankers.contrast import ContrastRanker
from maskwright.models.segmenters.sam import Sam
from maskwright.values import Image

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / part) for part in ("contract", "golden")]
from test_torch_equality import renamed  # noqa: E402
from tiny_torch import save_words  # noqa: E402


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its processor seconds (steadier than the clock where other work runs)."""
    start = time.process_time()
    value = work()
    return value, time.process_time() - start


def picture(size: tuple[int, int]) -> Image:
    """Smooth coloured noise."""
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.uniform(0, 255, (1, 3, 12, 16)).astype(np.float32))
    large = torch.nn.functional.interpolate(small, size[::-1], mode="bicubic").clamp(0, 255)[0].permute(1, 2, 0)
    return Image(large.numpy().astype(np.uint8))


def both_sams(folder: Path) -> tuple[Any, Sam]:
    """Random ViT-B twice, with masks strong enough to be stable here and there."""
    torch.manual_seed(0)
    theirs = sam_model_registry["vit_b"]().eval()
    with torch.no_grad():
        for small in theirs.mask_decoder.output_hypernetworks_mlps:
            small.layers[-1].weight.mul_(30)
        theirs.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(0.9)
    model = SamModel(SamConfig())
    model.load_state_dict(renamed(theirs.state_dict()), strict=False)
    model.save_pretrained(folder)
    return theirs, Sam(folder, device="cpu", name="sam")


def proposals(image: Image, grid: int) -> dict[str, Any]:
    """Seconds of both ways for a grid of clicks, the encoder's left out, and whether the masks are the same."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = both_sams(Path(folder))
        settings = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0}
        generator = SamAutomaticMaskGenerator(theirs, points_per_side=grid, **settings)
        features, encoding = timed(lambda: theirs.image_encoder(torch.zeros(1, 3, 1024, 1024)).detach())
        theirs.image_encoder.forward = lambda x: features
        wanted, slow = timed(lambda: generator.generate(np.array(image.pixels)))
        embedding = ours.encode(image)
        embedding.data["features"].copy_(features)
        proposer = GridProposer(ours, points=grid, least_iou=0.0, least_stability=0.0)
        found, fast = timed(lambda: proposer.propose(image, embedding))
    same = {entry["segmentation"].tobytes() for entry in wanted} == {mask.tobytes() for mask in found.masks}
    return {"clicks": grid * grid, "generator_s": slow, "ours_s": fast, "encoder_s": encoding, "ratio": slow / fast,
            "masks": len(found), "identical": same}  # fmt: skip


def ranking(image: Image, regions: int) -> list[dict[str, Any]]:
    """Seconds of one crop at a time, of all in batches, and of the pooled fast path."""
    rng = np.random.default_rng(1)
    masks = np.zeros((regions, image.height, image.width), np.bool_)
    for mask in masks:
        x, y = rng.integers(0, image.width - 60), rng.integers(0, image.height - 60)
        mask[y : y + rng.integers(20, 60), x : x + rng.integers(20, 60)] = True
    with tempfile.TemporaryDirectory() as folder:
        words = save_words(Path(folder))
        torch.manual_seed(0)
        text = {"vocab_size": words, "bos_token_id": words - 2, "eos_token_id": words - 1}
        CLIPModel(CLIPConfig(text_config=text)).save_pretrained(folder)
        rankers = {
            "one crop at a time": ContrastRanker(folder, device="cpu", views=("dimmed",), batch=1),
            "crops in batches": ContrastRanker(folder, device="cpu", views=("dimmed",)),
            "pooled (fast path)": ContrastRanker(folder, device="cpu", pooled=True),
        }
        rows: list[dict[str, Any]] = []
        for way, ranker in rankers.items():
            ranker.rank(ranker.encode(image, masks[:1]), ["a red cup"])
            ranking, seconds = timed(lambda ranker=ranker: ranker.rank(ranker.encode(image, masks), ["a red cup"]))
            rows.append({"way": way, "seconds": seconds, "logits": ranking.logits[0]})
    first = rows[0]
    for row in rows:
        row["ratio"] = first["seconds"] / row["seconds"]
        row["difference"] = float(np.abs(row["logits"] - first["logits"]).max())
    return [{k: v for k, v in row.items() if k != "logits"} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=int, default=8, help="clicks a side")
    parser.add_argument("--regions", type=int, default=150)
    asked = parser.parse_args()
    image = picture((640, 480))
    with torch.inference_mode():
        found, ranked = proposals(image, asked.grid), ranking(image, asked.regions)
    shown = [
        [found["clicks"], found["generator_s"], found["ours_s"], found["ratio"], found["masks"], found["identical"]]
    ]
    ways = [[row["way"], row["seconds"], row["ratio"], row["difference"]] for row in ranked]
    body = (
        "Random weights of ViT-B size on a 640x480 picture; processor seconds, decoder and post-processing.\n\n"
        + table(["clicks", "SamAutomaticMaskGenerator s", "ours s", "times faster", "masks", "identical"], shown)
        + f"\n\n{asked.regions} regions against one phrase, CLIP ViT-B/32 (random weights):\n\n"
        + table(["way", "s", "times faster", "largest difference of logits"], ways)
    )
    print(body)
    write_page("models", "SAM and CLIP at ViT-B size", body, {"proposals": found, "ranking": ranked})


if __name__ == "__main__":
    main()
