"""Teaches a second network over the same backbone to answer first prompts, and nothing else.

    python training/segmenter/first.py --pack pack.npz --weights lite0.pth --begin state.pt --folder DIR --minutes 45 [--fixed-pyramid] [--boxes 1]

Most people click once or draw one box; later clicks correct. One small decoder for all is a compromise, so first
answers get a decoder and a pyramid of their own; the shipped ones for clicks and for boxes are two runs of this. The backbone stays as it is: it is shared, and run once a picture.
Each prompt is answered, and answered again with that answer's own logits, sometimes blurred as they are when a closer
look takes them over: as the product does. Restartable like train.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from export import averaged
from torch import Tensor
from train import Prompts, Trainer

OBJECTS = 7
"""Of a picture and step."""
BOXES, BOTH = 0.52, 0.06
"""Shares of prompts with a box, unless told, and with a box and a click."""
COARSE, COARSER = 0.4, (2.0, 4.5)
"""How often the logits of the first round are blurred, and how much."""


class FirstPrompts(Prompts):
    """One box or one click for each object; the same again with the logits of the answer."""

    share = BOXES

    def begin(self) -> None:
        for i, truth in enumerate(self.truth):
            dice = self.rng.random()
            if dice < self.share:
                self.add_box(i)
            if dice > self.share - (BOTH if self.share < 1 else 0):
                self.add_click(i, truth, np.zeros_like(truth), exact=self.rng.random() < 0.6)

    def follow(self, logits: Tensor, exact: bool = False) -> None:
        """Nothing new is said: the same prompts, with the logits (N, h, w) of their answers."""
        self.previous, self.has_previous = logits[:, None].float(), torch.ones(len(logits))
        if self.rng.random() < COARSE:
            size, by = self.previous.shape[2:], self.rng.uniform(*COARSER)
            small = F.interpolate(self.previous, [max(2, int(side / by)) for side in size], mode="area")
            self.previous = F.interpolate(small, size, mode="bilinear")


class FirstTrainer(Trainer):
    """Only what lies above the backbone learns; with `fixed_pyramid` only the decoder."""

    prompts: type[FirstPrompts] = FirstPrompts
    rounds, warm_ups, told = 2, (0,), 0.0

    def __init__(self, a: argparse.Namespace):
        super().__init__(a)
        self.objects = OBJECTS
        self.prompts.share = a.boxes
        if not self.step:
            weights = averaged(a.begin)
            self.net.load_state_dict(weights)
            self.mean.load_state_dict(weights)

    def fixed(self) -> list[Tensor]:
        part = self.net.encoder if self.a.fixed_pyramid else self.net.encoder.backbone
        for p in part.parameters():
            p.requires_grad_(False)
        return list(part.parameters())


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--pack", "--weights", "--folder"):
        ask.add_argument(name, type=Path, required=True)
    ask.add_argument("--begin", required=True, help="a state, or a blend A:SHARE,B:SHARE")
    ask.add_argument("--minutes", type=float, default=45)
    ask.add_argument("--rate", type=float, default=6e-4)
    ask.add_argument("--boxes", type=float, default=BOXES, help="share of prompts with a box")
    ask.add_argument("--seed", type=int, default=0, help="other pictures and prompts, for a second run to blend with")
    ask.add_argument("--fixed-pyramid", action="store_true", help="teach the decoder alone")
    a = ask.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    a.large, a.ranks = True, 1
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(8 + a.seed)
    FirstTrainer(a).run()


if __name__ == "__main__":
    main()
