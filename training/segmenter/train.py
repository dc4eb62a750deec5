"""Trains the click network.

    python training/segmenter/train.py --pack pack.npz --weights lite0.pth --folder DIR --minutes 90 [--large]

Every object meets clicks as at test time: first a click at its middle or a loosened box, then each next click at
the centre of the largest error, with the network's own previous logits. Restartable: the folder keeps the last
state, and the schedule follows the time spent, on a GPU or on two CPU cores alike.
"""

from __future__ import annotations

import argparse
import copy
import queue
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from model import FROZEN_BLOCKS, ClickNet, load_backbone
from samples import Store, sample
from torch import Tensor

SMALL = ((256, 256), (224, 320), (320, 224), (256, 256))
LARGE = ((320, 320), (288, 384), (384, 288), (320, 320))
PICTURES, OBJECTS = 2, (6, 5)  # a rank and step; objects of small and of large crops
DTYPE = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
"""Of the arithmetic: half as wide only where the processor has instructions for it; elsewhere a step takes longer so."""
CARELESS = 0.4
"""Share of boxes whose sides may lie well inside the object."""


class Prompts:
    """The prompts of N objects, growing by rounds. Points in pixels of the crop, boxes xyxy."""

    def __init__(self, truths: Tensor, rng: np.random.Generator):
        self.truth = truths.numpy() > 0.5
        self.rng = rng
        n = len(truths)
        self.clicks: list[list[tuple[float, float, int]]] = [[] for _ in range(n)]
        self.boxes = np.zeros((n, 4), np.float32)
        self.has_box = np.zeros(n, np.float32)
        self.previous = torch.zeros(n, 1, *truths.shape[1:])
        self.has_previous = torch.zeros(n)

    def begin(self) -> None:
        """First prompt of every object: click, box, both, or a few clicks at once."""
        for i, truth in enumerate(self.truth):
            dice = self.rng.random()
            if dice < 0.34:
                self.add_box(i)
            if dice > 0.29:
                self.add_click(i, truth, np.zeros_like(truth))
            if dice > 0.9:
                for _ in range(self.rng.integers(1, 4)):
                    self.stray_click(i)

    def add_box(self, i: int) -> None:
        """The object's box within the picture, each side moved outward (seldom inward), at times by a careless hand."""
        ys, xs = np.nonzero(self.truth[i])
        x0, y0, x1, y1 = xs.min() * 4, ys.min() * 4, xs.max() * 4 + 4, ys.max() * 4 + 4
        span = np.array([x1 - x0, y1 - y0] * 2)
        if self.rng.random() < CARELESS:
            move = self.rng.normal(0.03, 0.08, 4).clip(-0.15, 0.25)
        else:
            move = self.rng.uniform(-0.02, 0.14, 4)
        height, width = self.truth[i].shape
        box = np.array([x0, y0, x1, y1]) + np.array([-1, -1, 1, 1]) * span * move
        self.boxes[i] = box.clip(0, np.array([width, height] * 2) * 4)
        self.has_box[i] = 1

    def stray_click(self, i: int) -> None:
        """A correct click anywhere, inside or near outside."""
        truth = self.truth[i]
        region = (
            truth
            if self.rng.random() < 0.5
            else (cv2.dilate(truth.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0) & ~truth
        )
        ys, xs = np.nonzero(region)
        if len(ys):
            k = self.rng.integers(len(ys))
            self.clicks[i].append((xs[k] * 4 + 2.0, ys[k] * 4 + 2.0, int(truth[ys[k], xs[k]])))

    def add_click(self, i: int, missed: np.ndarray, extra: np.ndarray, exact: bool = False) -> None:
        """A click in the largest error region, mostly at its centre."""
        best, where, sign = 0, None, 1
        for label, region in ((1, missed), (0, extra)):
            count, pieces, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
            if count > 1:
                k = 1 + int(np.argmax(stats[1:, 4]))
                if stats[k, 4] > best:
                    best, where, sign = stats[k, 4], pieces == k, label
        if where is None:
            return
        far = cv2.distanceTransform(np.pad(where.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        if exact or self.rng.random() < 0.6:
            y, x = np.unravel_index(int(np.argmax(far)), far.shape)
        else:
            ys, xs = np.nonzero(far >= self.rng.uniform(0.2, 0.9) * far.max())
            k = self.rng.integers(len(ys))
            y, x = ys[k], xs[k]
        shake = (0.0, 0.0) if exact else self.rng.uniform(-1.5, 1.5, 2)
        self.clicks[i].append((x * 4 + 2.0 + shake[0], y * 4 + 2.0 + shake[1], sign))

    def follow(self, logits: Tensor, exact: bool = False) -> None:
        """Next clicks, where these logits (N, h, w) are wrong; they become the previous ones."""
        self.previous = logits[:, None].float()
        self.has_previous = torch.from_numpy((self.rng.random(len(logits)) > 0.12).astype(np.float32))
        on = logits.numpy() > 0
        for i, truth in enumerate(self.truth):
            self.add_click(i, truth & ~on[i], on[i] & ~truth, exact)

    def tensors(self) -> tuple[Tensor, ...]:
        """points, labels, boxes, has_box, previous, has_previous as the decoder takes them."""
        most = max(1, max(map(len, self.clicks)))
        points = torch.zeros(len(self.clicks), most, 2)
        labels = torch.full((len(self.clicks), most), -1.0)
        for i, clicks in enumerate(self.clicks):
            for k, (x, y, sign) in enumerate(clicks):
                points[i, k, 0], points[i, k, 1], labels[i, k] = x, y, sign
        return (
            points,
            labels,
            torch.from_numpy(self.boxes),
            torch.from_numpy(self.has_box),
            self.previous,
            self.has_previous,
        )

    def ambiguous(self) -> Tensor:
        """(N,) 1 where the prompt is a single click."""
        return torch.tensor([float(len(c) == 1 and not b) for c, b in zip(self.clicks, self.has_box, strict=True)])


def mask_loss(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """(N, 4): normalised focal loss plus dice of every hypothesis; truths are soft."""
    truth, weight = truth[:, None], weight[:, None]
    p = torch.sigmoid(logits)
    cross = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    hard = ((p - truth).abs() ** 1.5 * weight).detach() + 1e-4
    focal = (hard * cross).sum((2, 3)) / hard.sum((2, 3))
    plain = (cross * weight).sum((2, 3)) / weight.sum((2, 3)) / (truth * weight).mean((2, 3)).clamp(0.02, 0.5) * 0.25
    pw, tw = p * weight, truth * weight
    dice = 1 - (2 * (pw * truth).sum((2, 3)) + 1) / ((pw * p).sum((2, 3)) + (tw * truth).sum((2, 3)) + 1)
    return 0.4 * focal + plain + 1.5 * dice


def overlap(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """(N, 4): IoU of every hypothesis."""
    on, true = (logits > 0) & (weight > 0.5)[:, None], ((truth > 0.5) & (weight > 0.5))[:, None]
    return (on & true).sum((2, 3)) / (on | true).sum((2, 3)).clamp(min=1)


def round_loss(logits: Tensor, scores: Tensor, truth: Tensor, weight: Tensor, single: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of one round, and the IoU of every hypothesis."""
    each = mask_loss(logits, truth, weight)
    spread = each[:, 1:].amin(1) + 0.08 * each[:, 1:].mean(1)
    mask = torch.where(single > 0, spread + 0.4 * each[:, 0], each[:, 0] + 0.35 * spread)
    iou = overlap(logits.detach(), truth, weight)
    return mask.mean() + 1.5 * F.mse_loss(scores, iou), iou


def feed(store: Store, seed: int, rank: int, large: bool, objects: int, channel: queue.Queue) -> None:
    """Makes batches for ever; all ranks draw the same sizes, so that they take equally long."""
    rng, shared = np.random.default_rng((seed, rank)), np.random.default_rng(seed)
    while True:
        size = (LARGE if large else SMALL)[shared.integers(4)]
        rows = [sample(store, rng, size, objects, 0.6 if large else 0.35) for _ in range(PICTURES)]
        channel.put(tuple(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))


def schedule(progress: float, step: int) -> float:
    """Learning-rate factor: a short warm-up, flat, then a cosine down to 2 %."""
    late = max(0.0, (progress - 0.25) / 0.75)
    return float(min(1.0, (step + 1) / 40) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(1.0, late)))))


class Trainer:
    """Model, averaged weights, optimiser and their state on disk.

    `prompts` are asked in `rounds` that teach, after one of the numbers of `warm_ups` that do not, which reach late
    clicks; `told` is how often the truth and not the network chooses the answer that the next round follows.
    """

    prompts: type[Prompts] = Prompts
    rounds, warm_ups, told = 3, (0, 0, 0, 1, 3, 6), 0.3

    def __init__(self, a: argparse.Namespace, rank: int = 0):
        self.a, self.rank, self.objects = a, rank, OBJECTS[a.large]
        self.net = ClickNet().to(memory_format=torch.channels_last)
        load_backbone(self.net.encoder.backbone, torch.load(a.weights, map_location="cpu", weights_only=True))
        self.mean = copy.deepcopy(self.net)
        frozen = set(map(id, self.fixed()))
        slow = [p for p in self.net.encoder.backbone.parameters() if id(p) not in frozen]
        known = frozen | {id(p) for p in slow}
        fast = [p for p in self.net.parameters() if id(p) not in known]
        self.optimiser = torch.optim.AdamW(
            [{"params": fast, "peak": a.rate}, {"params": slow, "peak": a.rate * 0.12}],
            weight_decay=0.02,
            betas=(0.9, 0.98),
        )
        self.step, self.spent, self.seen = 0, 0.0, 0
        self.state = a.folder / "state.pt"
        if self.state.exists():
            saved = torch.load(self.state, map_location="cpu", weights_only=True)
            self.net.load_state_dict(saved["net"])
            self.mean.load_state_dict(saved["mean"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.spent, self.seen = saved["step"], saved["spent"], saved["seen"]

    def fixed(self) -> list[Tensor]:
        """What stays as pretrained: the stem, the first blocks, and the 5 x 5 depthwise kernels, whose weight
        gradients cost more on a CPU than the whole rest of the step."""
        body = self.net.encoder.backbone
        out = [p for b in [body.stem, *body.blocks[:FROZEN_BLOCKS]] for p in b.parameters()]
        out += [b.depthwise.conv.weight for b in body.blocks if b.depthwise.conv.kernel_size[0] == 5]
        for p in out:
            p.requires_grad_(False)
        return out

    def save(self) -> None:
        """Writes the state beside its place, then renames it."""
        torch.save(
            {
                "net": self.net.state_dict(),
                "mean": self.mean.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "spent": self.spent,
                "seen": self.seen,
            },
            self.state.with_suffix(".part"),
        )
        self.state.with_suffix(".part").replace(self.state)

    def one(self, batch: tuple[Tensor, Tensor, Tensor], rng: np.random.Generator) -> tuple[float, list[float]]:
        """One step: encode once, several prompt rounds, one update."""
        pictures, truths, weights = batch
        n = truths.shape[0] * truths.shape[1]
        index = torch.arange(truths.shape[0]).repeat_interleave(truths.shape[1])
        with torch.autocast("cpu", DTYPE, enabled=DTYPE is not torch.float32):
            features = self.net.encoder(pictures.float().contiguous(memory_format=torch.channels_last))
        leaves = [f.detach().float().requires_grad_() for f in features]
        truth, weight = truths.reshape(n, *truths.shape[2:]), weights[index]
        prompts = self.prompts(truth, rng)
        prompts.begin()
        self.warm(prompts, leaves, index, int(np.random.default_rng(self.step).choice(self.warm_ups)))
        losses, ious = 0.0, []
        for k in range(self.rounds):
            with torch.autocast("cpu", DTYPE, enabled=DTYPE is not torch.float32):
                logits, scores = self.net.decoder(*[leaf.to(DTYPE)[index] for leaf in leaves], *prompts.tensors())
            loss, iou = round_loss(logits.float(), scores.float(), truth, weight, prompts.ambiguous())
            (loss / self.rounds).backward()
            losses += loss.item() / self.rounds
            pick = iou.argmax(1) if rng.random() < self.told else scores.argmax(1)
            ious.append(iou[torch.arange(n), scores.argmax(1)].mean().item())
            if k + 1 < self.rounds:
                prompts.follow(logits.detach().float()[torch.arange(n), pick])
        if features[0].requires_grad:
            pairs = zip(leaves, features, strict=True)
            torch.autograd.backward(list(features), [leaf.grad.to(f.dtype) for leaf, f in pairs])
        self.seen += n * self.rounds
        return losses, ious

    def warm(self, prompts: Prompts, leaves: list[Tensor], index: Tensor, rounds: int) -> None:
        """Rounds without learning."""
        for _ in range(rounds):
            with torch.no_grad(), torch.autocast("cpu", DTYPE, enabled=DTYPE is not torch.float32):
                logits, scores = self.net.decoder(*[leaf.to(DTYPE)[index] for leaf in leaves], *prompts.tensors())
            prompts.follow(logits.float()[torch.arange(len(logits)), scores.argmax(1)])

    def update(self, progress: float) -> None:
        """Applies the gradients and moves the averaged weights."""
        factor = schedule(progress, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        if self.a.ranks > 1:
            self.agree()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 3.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        keep = min(0.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for slow, fast in zip(self.mean.parameters(), self.net.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        self.step += 1

    def agree(self) -> None:
        """Averages the gradients over the ranks."""
        params = [p for p in self.net.parameters() if p.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in params])
        dist.all_reduce(flat)
        flat /= self.a.ranks
        start = 0
        for p in params:
            p.grad = flat[start : start + p.numel()].view_as(p).clone(memory_format=torch.preserve_format)
            start += p.numel()

    def clock(self, before: float) -> float:
        """Adds the seconds since `before` to those spent: rank 0's, for all. A machine that slept does not count."""
        now = time.monotonic()
        spent = torch.tensor([self.spent + min(now - before, 30.0)], dtype=torch.float64)
        if self.a.ranks > 1:
            dist.broadcast(spent, 0)
        self.spent = float(spent)
        return now

    def run(self) -> None:
        """Trains until the minutes are spent."""
        channel: queue.Queue = queue.Queue(3)
        seed = 1000 + self.step + 1_000_000 * self.a.seed
        parts = (Store(self.a.pack), seed, self.rank, self.a.large, self.objects, channel)
        threading.Thread(target=feed, args=parts, daemon=True).start()
        rng = np.random.default_rng((seed + 1, self.rank))
        total, log = self.a.minutes * 60.0, []
        now = time.monotonic()
        while self.spent < total:
            loss, ious = self.one(channel.get(), rng)
            self.update(self.spent / total)
            now = self.clock(now)
            log.append([loss, *ious])
            if self.rank == 0 and self.step % 25 == 0:
                print(
                    f"{self.step} {self.spent / 60:.1f}min seen {self.seen} loss,iou {np.round(np.mean(log, 0), 3)}",
                    flush=True,
                )
                log = []
            if self.rank == 0 and self.step % 50 == 0:
                self.save()
        if self.rank == 0:
            self.save()


def main() -> None:
    """Reads the command line and trains."""
    ask = argparse.ArgumentParser()
    for name in ("--pack", "--weights", "--folder"):
        ask.add_argument(name, type=Path, required=True)
    ask.add_argument("--minutes", type=float, default=90)
    ask.add_argument("--rate", type=float, default=1.2e-3)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--large", action="store_true", help="the second phase: larger crops, mostly whole pictures")
    ask.add_argument("--ranks", type=int, default=2, help="processes of one thread each")
    ask.add_argument("--rank", type=int, help="be this rank only; the others are started by hand")
    a = ask.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    if a.ranks == 1 or a.rank is not None:
        work(a.rank or 0, a)
    else:
        (a.folder / "meeting").unlink(missing_ok=True)
        mp.spawn(work, args=(a,), nprocs=a.ranks)


def work(rank: int, a: argparse.Namespace) -> None:
    """One process of the training."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(7)
    if a.ranks > 1:
        dist.init_process_group("gloo", f"file://{a.folder.resolve()}/meeting", rank=rank, world_size=a.ranks)
    Trainer(a, rank).run()


if __name__ == "__main__":
    main()
