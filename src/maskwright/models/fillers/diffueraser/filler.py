"""DiffuEraser as a filler: loads the published folders, paints clips of any length and size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from maskwright.errors import BadMask, BadSettings
from maskwright.models.fillers.diffueraser.lora import fold_lora, read_lora
from maskwright.models.fillers.diffueraser.networks import BrushNet, MotionUnet, load_network
from maskwright.models.fillers.diffueraser.painting import Models, Painter, Progress, Scene, Wish
from maskwright.models.fillers.diffueraser.pictures import Bools, Pixels, blend, hole, resized, working_size
from maskwright.models.fillers.diffueraser.windows import WINDOW, reflected
from maskwright.models.torching import Place, choose_place, load_part, load_pretrained, mapped
from maskwright.models.weights import locate
from maskwright.ports import FillOptions, Frame

LAYOUT = {"base": "stable-diffusion-v1-5", "vae": "sd-vae-ft-mse", "eraser": "diffuEraser", "pcm": "PCM_Weights"}
"""Folders of the published weights, by what they hold; each may be given on its own."""
STEPS = (2, 4, 8, 16)


class DiffuEraser:
    """Fills a clip with a diffusion model of pictures and motion.

    `weights`: a folder that holds the four folders of LAYOUT, or a name of weights.toml; `folders` places some of
    the four elsewhere. `dilate`: pixels by which masks grow (after single pixels are dropped), 0 leaves them alone.
    `upstream_quirks` keeps the published code's last-frame overwrite where windows meet. `progress` is called after
    each encoding batch and each window of each step, and may raise Cancelled.
    """

    name = "diffueraser"

    def __init__(
        self,
        weights: str | Path = "diffueraser",
        *,
        device: str = "auto",
        dtype: str = "auto",
        steps: int = 2,
        max_side: int = 960,
        dilate: int = 0,
        upstream_quirks: bool = True,
        folders: Mapping[str, str | Path] | None = None,
        progress: Progress | None = None,
    ) -> None:
        if steps not in STEPS or max_side < 64 or dilate < 0:
            raise BadSettings(
                f"steps={steps}, max_side={max_side}, dilate={dilate} is not possible.",
                f"steps is one of {STEPS}, max_side at least 64, dilate at least 0.",
            )
        self.steps, self.max_side, self.dilate = steps, max_side, dilate
        self.upstream_quirks = upstream_quirks
        self.progress: Progress = progress or (lambda what, done, total: None)
        self.models = load_models(_places(weights, folders or {}), choose_place(device, dtype, half="float16"), steps)

    def fill(self, frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> Iterator[Frame]:
        """Every frame in order; outside the feathered masks (about ten pixels beyond their edge) nothing changes.

        Raises BadMask, OutOfMemory, ModelError, and what `progress` raises.
        """
        _check(frames, masks, options)
        return self._filled(frames, masks, options)

    def _filled(self, frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> Iterator[Frame]:
        if not any(mask.any() for mask in masks):
            yield from frames
            return
        wish = Wish(
            options.words, options.avoid, options.guidance or 0.0, self.steps,
            seed=options.seed, draw_seed=options.seed + 1, quirks=self.upstream_quirks,
        )  # fmt: skip
        with mapped(self.name):
            painter = Painter(self.models, self._scene(frames, masks, options), wish, self.progress)
        painted = _guarded(self.name, painter.paint())
        for i, picture in zip(range(len(frames)), painted):
            frame = frames[i]
            size = (frame.shape[1], frame.shape[0])
            yield blend(resized(picture, size), frame, hole(masks[i], size, self.dilate))

    def _scene(self, frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> Scene:
        height, width = frames[0].shape[:2]
        size = working_size(width, height, self.max_side)
        order = reflected(len(frames), WINDOW)
        known = {}
        if options.anchor is not None:
            at, painted = options.anchor
            known = {i: resized(painted, size) for i, frame in enumerate(order) if frame == at}

        def picture(i: int) -> Pixels:
            return resized(frames[order[i]], size)

        @lru_cache(maxsize=WINDOW)
        def holes(i: int) -> Bools:
            return hole(masks[order[i]], size, self.dilate)

        def prior(i: int) -> Pixels:
            if options.prior is not None:
                return resized(options.prior[order[i]], size)
            return cv2.inpaint(picture(i), holes(i).astype(np.uint8), 5, cv2.INPAINT_TELEA)  # type: ignore[no-any-return]

        return Scene(len(order), size, picture, holes, prior, known)


def _check(frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> None:
    n = len(frames)
    if len(masks) != n:
        raise BadMask(f"{n} frames, but {len(masks)} masks.", "Give one mask a frame.")
    if options.prior is not None and len(options.prior) != n:
        raise BadSettings(f"{n} frames, but the prior has {len(options.prior)}.", "Give a prior of the same clip.")
    if options.anchor is not None and not 0 <= options.anchor[0] < n:
        raise BadSettings(f"the anchor frame {options.anchor[0]} is not in the clip (0-{n - 1}).", "Choose another.")
    if n and masks[0].shape != frames[0].shape[:2]:
        raise BadMask(f"masks of {masks[0].shape}, frames of {frames[0].shape[:2]}.", "Give masks of the clip's size.")


def _guarded(name: str, pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    """The pictures, made without gradients, torch's exceptions mapped; nothing is held while the caller works."""
    while True:
        with mapped(name), torch.inference_mode():
            picture = next(pictures, None)
        if picture is None:
            return
        yield picture


def _places(weights: str | Path, folders: Mapping[str, str | Path]) -> dict[str, Path]:
    unknown = set(folders) - set(LAYOUT)
    if unknown:
        raise BadSettings(f"folders: {', '.join(sorted(unknown))} is not known.", f"Choose from: {', '.join(LAYOUT)}.")
    places = {part: locate(Path(folder)) for part, folder in folders.items()}
    if len(places) < len(LAYOUT):
        root = locate(weights)
        places = {part: root / name for part, name in LAYOUT.items()} | places
    return places


def load_models(places: Mapping[str, Path], place: Place, steps: int) -> Models:
    """The published weights on a device, the LoRA of `steps` steps folded in."""
    name, host = DiffuEraser.name, Place("cpu", torch.float32)
    text = load_pretrained(CLIPTextModel, places["base"] / "text_encoder", name, host)
    unet = load_network(MotionUnet, places["eraser"] / "unet_main")
    lora = places["pcm"] / "sd15" / f"pcm_sd15_smallcfg_{steps}step_converted.safetensors"
    fold_lora(read_lora(lora), {"unet": unet, "text": text})
    ready = {
        "text": text,
        "unet": unet,
        "brushnet": load_network(BrushNet, places["eraser"] / "brushnet"),
        "vae": load_part(AutoencoderKL, places["vae"], name, use_safetensors=True).eval().requires_grad_(False),
    }
    with mapped(name):
        moved = {part: model.to(place.device, place.dtype) for part, model in ready.items()}
    return Models(tokenizer=load_part(CLIPTokenizer, places["base"] / "tokenizer", name), place=place, **moved)
