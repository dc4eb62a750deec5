"""The way from a clip with holes to a painted clip: encode, noise, denoise window by window, decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers import TCDScheduler
from torch import Tensor

from maskwright.models.fillers.diffueraser.networks import BrushNet, MotionUnet
from maskwright.models.fillers.diffueraser.pictures import Bools, Pixels, to_pixels, to_tensor
from maskwright.models.fillers.diffueraser.windows import WINDOW, join, samples, windows
from maskwright.models.torching import Place

Progress = Callable[[str, int, int], None]
"""What is going on, steps done, steps in all; may raise Cancelled."""
_ENCODED_AT_ONCE = 4
_PIXELS_A_LATENT = 8


@dataclass(frozen=True)
class Models:
    """The five models of the published pipeline, on one device."""

    tokenizer: Any
    text: Any
    vae: Any
    brushnet: BrushNet
    unet: MotionUnet
    place: Place


@dataclass(frozen=True)
class Scene:
    """A clip at working size, read by index: pictures, holes, and the prior; at least 22 frames. `known` replaces
    pictures that are already painted: there is no hole in them."""

    frames: int
    size: tuple[int, int]
    picture: Callable[[int], Pixels]
    hole: Callable[[int], Bools]
    prior: Callable[[int], Pixels]
    known: dict[int, Pixels] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """How to paint. `seed` draws the noise, `draw_seed` the encoder's samples."""

    words: str = ""
    avoid: str = ""
    guidance: float = 0.0
    steps: int = 2
    seed: int = 0
    draw_seed: int = 0
    quirks: bool = True


class Painter:
    """Paints one scene; made anew for each."""

    def __init__(self, models: Models, scene: Scene, wish: Wish, progress: Progress) -> None:
        self.models, self.scene, self.wish, self.progress = models, scene, wish, progress
        self.schedule = TCDScheduler(
            num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
            timestep_spacing="trailing",
        )  # fmt: skip
        self.schedule.set_timesteps(wish.steps)
        self.draws = torch.Generator().manual_seed(wish.draw_seed)
        self.text = self._read_words()

    def paint(self) -> Iterator[Pixels]:
        """Every frame as the models see it, the whole of it painted; to be blended by the caller."""
        for latent in self.latents():
            yield self._decode(latent)

    def latents(self) -> Tensor:
        """(frames, 4, h, w), denoised."""
        scene = self.scene
        width, height = (side // _PIXELS_A_LATENT for side in scene.size)
        seeded = torch.Generator().manual_seed(self.wish.seed)
        first = torch.randn((WINDOW, 4, height, width), generator=seeded).to(self.models.place.device)
        noise = first.repeat(-(-scene.frames // WINDOW), 1, 1, 1)[: scene.frames]
        prior = self._encode("prior", [self._prior(i) for i in range(scene.frames)])
        chosen = _with_anchors(samples(scene.frames), scene.known)
        known = dict(scene.known)
        if chosen:
            ahead = self._denoise("overview", chosen, self._noised(prior[chosen], first), known)
            prior[chosen] = ahead
            known |= {i: self._decode(latent) for i, latent in zip(chosen, ahead) if i not in known}
        return self._denoise("painting", range(scene.frames), self._noised(prior, noise), known)

    def _prior(self, i: int) -> Callable[[], Pixels]:
        known = self.scene.known
        return (lambda: known[i]) if i in known else (lambda: self.scene.prior(i))

    def _read_words(self) -> Tensor:
        """(1 or 2, L, C): with guidance what to avoid first, then the words."""
        texts = [self.wish.avoid, self.wish.words] if self.wish.guidance > 1 else [self.wish.words]
        made = []
        for text in texts:
            ids = self.models.tokenizer(
                text, padding="max_length", max_length=self.models.tokenizer.model_max_length, truncation=True,
                return_tensors="pt",
            ).input_ids  # fmt: skip
            made.append(self.models.text(ids.to(self.models.place.device))[0])
        return torch.cat(made).to(self.models.place.dtype)

    def _encode(self, what: str, pictures: Sequence[Callable[[], Pixels]]) -> Tensor:
        """(N, 4, h, w) float32 samples of the encoder's distribution, four pictures at a time."""
        made = []
        for start in range(0, len(pictures), _ENCODED_AT_ONCE):
            some = torch.cat([to_tensor(picture()) for picture in pictures[start : start + _ENCODED_AT_ONCE]])
            spread = self.models.vae.encode(self.models.place.put(some)).latent_dist
            made.append(spread.sample(self.draws).float() * self.models.vae.config.scaling_factor)
            self.progress(f"encoding {what}", min(start + _ENCODED_AT_ONCE, len(pictures)), len(pictures))
        return torch.cat(made)

    def _decode(self, latent: Tensor) -> Pixels:
        scaled = 1 / self.models.vae.config.scaling_factor * latent[None]
        return to_pixels(self.models.vae.decode(self.models.place.put(scaled)).sample)

    def _noised(self, latents: Tensor, noise: Tensor) -> Tensor:
        """Almost all noise: the level of step 999, where painting begins (the published code asks for step 0)."""
        last = self.schedule.alphas_cumprod[-1]
        sigma = ((1 - last) / last) ** 0.5
        alpha = 1 / ((sigma**2 + 1) ** 0.5)
        return alpha * latents + sigma * alpha * noise

    def _condition(self, indices: Sequence[int], known: dict[int, Pixels]) -> Tensor:
        """(N, 5, h, w): latents of the pictures with their holes black, and 1 where nothing is missing."""
        shown = [lambda i=i: known[i] if i in known else _blackened(self.scene, i) for i in indices]
        latents = self._encode("frames", shown)
        step = _PIXELS_A_LATENT
        nothing = np.zeros(self.scene.size[::-1], np.bool_)[::step, ::step]
        holes = [nothing if i in known else self.scene.hole(i)[::step, ::step] for i in indices]
        clear = torch.from_numpy(~np.stack(holes))[:, None]
        return torch.cat([latents, clear.to(latents)], dim=1)

    def _denoise(self, what: str, indices: Sequence[int], latents: Tensor, known: dict[int, Pixels]) -> Tensor:
        condition = self._condition(indices, known)
        layouts = [windows(len(indices), shifted=odd) for odd in (False, True)]
        total = sum(len(layouts[i % 2]) for i in range(self.wish.steps))
        done = 0
        for i, t in enumerate(self.schedule.timesteps):
            parts = []
            for window in layouts[i % 2]:
                own = slice(window.start, window.stop)
                parts.append((window, self._step(i, t, latents[own], condition[own])))
                done += 1
                self.progress(what, done, total)
            latents = join(parts, len(indices), quirks=self.wish.quirks)
        return latents

    def _step(self, i: int, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        """One window from time step i to the next; deterministic TCD."""
        noise = self._predict(t, x, condition)
        after = self.schedule.timesteps[i + 1] if i + 1 < len(self.schedule.timesteps) else 0
        now, then = self.schedule.alphas_cumprod[t], self.schedule.alphas_cumprod[after]
        clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
        return then.sqrt() * clean + (1 - then).sqrt() * noise

    def _predict(self, t: Tensor, x: Tensor, condition: Tensor) -> Tensor:
        models, text, frames = self.models, self.text, len(x)
        copies = len(text)
        x, condition = (models.place.put(torch.cat([v] * copies)) for v in (x, condition))
        t = t.to(models.place.device)
        additions = models.brushnet(x, t, text.repeat_interleave(frames, dim=0), condition)
        noise: Tensor = models.unet(x, t, text, frames, additions).float()
        if copies == 1:
            return noise
        without, having = noise.chunk(2)
        return without + self.wish.guidance * (having - without)


def _with_anchors(chosen: list[int], known: dict[int, Pixels]) -> list[int]:
    """The frames of the overview, the nearest ones moved onto those that are known already."""
    for i in known:
        if chosen and i not in chosen:
            nearest = min((k for k in chosen if k not in known), key=lambda k: abs(k - i))
            chosen[chosen.index(nearest)] = i
    return sorted(chosen)


def _blackened(scene: Scene, i: int) -> Pixels:
    picture = scene.picture(i).copy()
    picture[scene.hole(i)] = 0
    return picture
