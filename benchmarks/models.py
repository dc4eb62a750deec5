"""SAM and CLIP (random weights) beside the usual ways: python benchmarks/models.py [--grid 32] [--regions 150]

Proposals beside segment-anything's SamAutomaticMaskGenerator (encoder apart), ranking beside one crop at a time, all
in one process and one thread; masks and scores are compared. Writes docs/benchmarks/models.md and .json. Needs torch, transformers,
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
from writing import table, write_page

from maskwright.values import Embedding, Image, Prompt

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / part) for part in ("", "contract", "golden")]
import torchvision_ops  # noqa: E402

torchvision_ops.register()
from segment_anything import SamAutomaticMaskGenerator  # noqa: E402
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer  # noqa: E402
from segment_anything.modeling import Sam as TheirSam  # noqa: E402
from test_torch_equality import renamed  # noqa: E402
from tiny_torch import save_words  # noqa: E402
from transformers import CLIPConfig, CLIPModel, SamConfig, SamModel  # noqa: E402

from maskwright.models.proposers.grid import GridProposer, grid_points  # noqa: E402
from maskwright.models.rankers.contrast import ContrastRanker  # noqa: E402
from maskwright.models.segmenters.prompting import as_tensors  # noqa: E402
from maskwright.models.segmenters.sam import Sam  # noqa: E402
from maskwright.models.sieve import Sieve  # noqa: E402

STAYING = 150
"""Masks that both ways' thresholds are set to leave. Random weights answer all clicks much alike, so that twins are left
in by both; suppression is compared in tests/golden/test_torch_equality.py."""
MOST_DIFFERENCE = 1e-4
SMALL_GRID = 8


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
    """Prompt encoder and mask decoder of SAM's size twice, with the same random weights; the picture encoder, which is
    left out of the figures, is a small one. Weights are set so that masks are like those of trained ones in what
    costs time: outlines are smooth, and clicks tell."""
    torch.manual_seed(0)
    decoder = MaskDecoder(
        transformer_dim=256,
        transformer=TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8),
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    encoder = ImageEncoderViT(
        img_size=1024, patch_size=16, embed_dim=16, depth=1, num_heads=2, out_chans=256, use_rel_pos=True,
        window_size=14, global_attn_indexes=(),
    )  # fmt: skip
    prompts = PromptEncoder(
        embed_dim=256, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=16
    )
    theirs = TheirSam(encoder, prompts, decoder).eval()
    with torch.no_grad():
        for part in (decoder.output_upscaling[0], decoder.output_upscaling[3]):
            part.weight.copy_(2 * part.weight.mean((2, 3), keepdim=True).expand_as(part.weight))
        for small in decoder.output_hypernetworks_mlps:
            small.layers[-1].weight.mul_(30)
            small.layers[-1].bias.zero_()
        decoder.iou_prediction_head.layers[-1].bias.fill_(0.9)
        for token in (decoder.iou_token, decoder.mask_tokens, prompts.point_embeddings[1]):
            token.weight.mul_(0.2)  # what is left to tell is where the click is
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 64}
    model = SamModel(SamConfig(vision_config=vision | {"global_attn_indexes": []}))
    model.load_state_dict(renamed(theirs.state_dict()), strict=True)
    model.save_pretrained(folder)
    return theirs, Sam(folder, device="cpu", name="sam")


def some_features() -> torch.Tensor:
    """What a picture encoder might see: a few smooth blobs."""
    coarse = torch.randn(1, 256, 6, 6, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.interpolate(coarse, 64, mode="bicubic")


def proposals(image: Image, grid: int) -> dict[str, Any]:
    """Processor seconds of both ways for a grid of clicks, the encoder's left out, and how their masks compare."""
    features = some_features()
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = both_sams(Path(folder))
    theirs.image_encoder.forward = lambda x: features
    embedding = Embedding("segmenter:sam", image.sha256, image.size, {"features": features})

    sieve = thresholds(ours, embedding, grid)

    def reference(side: int, batch: int = 64) -> Any:
        least = {"pred_iou_thresh": sieve.least_iou, "stability_score_thresh": sieve.least_stability}
        return SamAutomaticMaskGenerator(
            theirs, points_per_side=side, points_per_batch=batch, box_nms_thresh=1.0, **least
        )

    def mine(side: int) -> GridProposer:
        least = {"least_iou": sieve.least_iou, "least_stability": sieve.least_stability}
        return GridProposer(ours, points=side, twin_iou=1.0, **least)

    pixels = np.array(image.pixels)
    reference(2).generate(pixels), mine(2).propose(image, embedding)  # both warm
    wanted, slow = timed(lambda: reference(grid).generate(pixels))
    found, fast = timed(lambda: mine(grid).propose(image, embedding))
    their_decoder, our_decoder = decoders(theirs, ours, embedding)
    again = reference(SMALL_GRID, 3).generate(pixels)
    once = wanted if grid == SMALL_GRID else reference(SMALL_GRID).generate(pixels)
    return {
        "clicks": grid * grid,
        "least_iou": sieve.least_iou,
        "least_stability": sieve.least_stability,
        "generator_s": slow,
        "ours_s": fast,
        "ratio": slow / fast,
        "their_decoder_s": their_decoder,
        "our_decoder_s": our_decoder,
        "decoder_ratio": their_decoder / our_decoder,
        "alike": alike([entry["segmentation"] for entry in wanted], list(found.masks)),
        "reference_with_itself": alike(*([entry["segmentation"] for entry in entries] for entries in (once, again))),
    }


def thresholds(ours: Sam, embedding: Embedding, grid: int) -> Sieve:
    """What leaves about STAYING masks of the grid, told from an 8x8 one."""
    clicks = [Prompt([point]) for point in grid_points(8) * embedding.size]
    seen = ours.sift(embedding, clicks, Sieve(0.0, 0.0))
    share = min(0.5, STAYING / (3 * grid * grid))
    least_iou = float(np.quantile(seen.scores, 1 - share**0.5))
    good = seen.scores > least_iou
    left = min(1.0, share * len(seen.scores) / max(1, good.sum()))
    return Sieve(least_iou, float(np.quantile(seen.stability[good], 1 - left)))


def decoders(theirs: Any, ours: Sam, embedding: Embedding) -> tuple[float, float]:
    """Processor seconds of both decoders for 64 clicks, every mask drawn."""
    points = grid_points(8) * embedding.size
    asked = as_tensors([Prompt([point]) for point in points], ours.square(embedding.size))
    clicks = (asked["input_points"][:, 0], asked["input_labels"][:, 0])
    features = embedding.data["features"]
    words, dense = theirs.prompt_encoder(points=clicks, boxes=None, masks=None)
    spots = theirs.prompt_encoder.get_dense_pe()
    (low, _), slow = timed(lambda: theirs.mask_decoder(features, spots, words, dense, multimask_output=True))
    (ours_low, _), fast = timed(lambda: ours.decode(ours.host.model, dict(embedding.data), asked, True))
    most = float((low - ours_low).abs().max())
    if most > MOST_DIFFERENCE:
        raise SystemExit(f"the decoders' logits differ by {most}")
    return slow, fast


def alike(wanted: list[Any], found: list[Any]) -> dict[str, int]:
    """How many masks are the same bit by bit, how many have a partner at all (IoU over 0.999), and all pixels that
    differ from the partner's."""
    exact = {mask.tobytes() for mask in wanted}
    matched = [m for m in found if m.tobytes() in exact]
    left = [m for m in wanted if m.tobytes() not in {mask.tobytes() for mask in matched}]
    pixels, near = 0, len(matched)
    for mask in (m for m in found if m.tobytes() not in exact):
        differing = [int((mask ^ other).sum()) for other in left]
        best = int(np.argmin(differing)) if differing else -1
        if best >= 0 and differing[best] < 0.001 * (mask | left[best]).sum():
            pixels, near = pixels + differing[best], near + 1
            left.pop(best)
    return {"wanted": len(wanted), "found": len(found), "identical": len(matched), "matched": near, "pixels": pixels}


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
    parser.add_argument("--grid", type=int, default=32, help="clicks a side")
    parser.add_argument("--regions", type=int, default=150)
    asked = parser.parse_args()
    torch.set_num_threads(1)  # where cores are shared, waiting threads would be counted as work
    image = picture((640, 480))
    with torch.inference_mode():
        found, ranked = proposals(image, asked.grid), ranking(image, asked.regions)
    shown = [found[k] for k in ("clicks", "generator_s", "ours_s", "ratio")]
    shown += [f"{found['their_decoder_s']:.3g} and {found['our_decoder_s']:.3g} s", found["decoder_ratio"]]
    pairs = {
        "ours": found["alike"],
        f"the reference's own, {SMALL_GRID}x{SMALL_GRID} clicks": found["reference_with_itself"],
    }
    compared = [
        [name, *(row[k] for k in ("wanted", "found", "identical", "matched", "pixels"))] for name, row in pairs.items()
    ]
    ways = [[row["way"], row["seconds"], row["ratio"], row["difference"]] for row in ranked]
    body = (
        "Random weights of SAM's size on a 640x480 picture; decoder and post-processing without the encoder. Processor"
        f" seconds of one thread. Both keep masks over {found['least_iou']:.3f} predicted IoU and"
        f" {found['least_stability']:.3f} stability.\n\n"
        + table(
            ["clicks", "SamAutomaticMaskGenerator s", "ours s", "times faster", "decoder alone, 64 clicks", "faster"],
            [shown],
        )
        + "\n\n"
        + table(["masks", "the reference's", "found", "the same bits", "partners", "pixels that differ"], compared)
        + "\n\nA pixel whose logit is a rounding error away from zero may fall on either side; the second row is the"
        " reference beside itself, the same clicks in batches of 3 in place of 64.\n\n"
        f"{asked.regions} regions against one phrase, CLIP ViT-B/32 (random weights):\n\n"
        + table(["way", "s", "times faster", "largest difference of logits"], ways)
        + "\n\nOn a processor crops are bound by the picture tower, which sees as many of them in batches as one by one;"
        " what a region costs falls only where the picture is seen once (the fast path, another answer) or on a GPU."
    )
    print(body)
    write_page("models", "SAM and CLIP at ViT-B size", body, {"proposals": found, "ranking": ranked})


if __name__ == "__main__":
    main()
