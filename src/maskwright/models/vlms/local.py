"""Vision-language models on this machine: one adapter over AutoModelForImageTextToText and AutoProcessor.

For Qwen2.5-VL, Qwen3-VL, InternVL, SmolVLM, Florence-2 and their like. P(yes) and P(no) are read from the logits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor, LogitsProcessor, LogitsProcessorList

from maskwright.errors import BadSettings
from maskwright.models.torching import Host, Place, choose_place, empty_device, load_part, load_pretrained, lodge
from maskwright.models.vlms.endpoint import question_text
from maskwright.models.vlms.logprobs import NO, YES
from maskwright.models.vlms.presets import coordinates_of
from maskwright.models.weights import locate
from maskwright.ports import Question, Reply
from maskwright.values import Image

QUANTIZED = ("", "4bit")


class LocalVlm:
    """A model from a folder or a name of weights.toml, loaded at the first question and kept until `unload`, or until
    a segmenter or another model finds the device full while no question is asked; the next question loads it again.

    `max_side` bounds the pictures; `batch` how many questions are answered at once. Deterministic (greedy).
    """

    concurrency = 1

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantize: str = "",
        max_side: int = 1024,
        batch: int = 4,
        name: str = "",
    ) -> None:
        if quantize not in QUANTIZED:
            raise BadSettings(f"there is no quantization {quantize!r}.", "Use 4bit, or leave it out.")
        self.folder = locate(weights)
        self.name = name or f"local:{Path(weights).name}"
        self.coordinates = coordinates_of(str(weights))
        self.max_side, self.batch, self.quantize = max_side, batch, quantize
        self.place = choose_place(device, dtype, half="bfloat16")
        self._loaded: tuple[Host, Any] | None = None
        self._lock = threading.Lock()  # not an RLock: who answers is not idle, and must not be unloaded by its own call
        lodge(self)

    def reply(self, question: Question) -> Reply:
        """One answer; raises ModelError, OutOfMemory, WeightsError."""
        return self.reply_many([question])[0]

    def reply_many(self, questions: Sequence[Question]) -> list[Reply]:
        """Answers in order, generated in batches; answers do not depend on the batch they are in."""
        with self._lock:
            host, processor = self._load()
            talker = _Talker(processor, self.max_side)
            batches = host.batches(talker.answer, questions, self.batch)
        return [reply for replies in batches for reply in replies]

    def unload(self) -> None:
        """Frees the model's memory; the next question loads it again."""
        with self._lock:
            self._loaded = None
            empty_device()

    def make_room(self) -> bool:
        """Unloads if it is loaded on an accelerator and answers nothing now; False otherwise."""
        if self.place.device == "cpu" or not self._lock.acquire(blocking=False):
            return False
        try:
            had, self._loaded = self._loaded is not None, None
            return had
        finally:
            self._lock.release()

    def _load(self) -> tuple[Host, Any]:
        if self._loaded is None:
            processor = load_part(AutoProcessor, self.folder, self.name)
            options = {"quantization_config": _four_bits()} if self.quantize else {}
            model = load_pretrained(AutoModelForImageTextToText, self.folder, self.name, self.place, **options)
            self._loaded = (Host(self.name, model, self.place), processor)
        return self._loaded


def _four_bits() -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)


class _Talker:
    """Turns questions into tokens and tokens into replies."""

    def __init__(self, processor: Any, max_side: int) -> None:
        self.processor, self.max_side = processor, max_side
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self.yes, self.no = _ids(self.tokenizer, YES), _ids(self.tokenizer, NO)

    def answer(self, model: Any, place: Place, questions: Sequence[Question]) -> list[Reply]:
        """One batch: greedy generation, the odds of yes against no noted at every step."""
        began = time.perf_counter()
        inputs = {k: place.put(v) if isinstance(v, Tensor) else v for k, v in self.encode(questions).items()}
        watch = _Watch([*self.yes, *self.no], [self._choice_ids(q) for q in questions])
        most = max(q.max_tokens for q in questions)
        out = model.generate(
            **inputs,
            max_new_tokens=most,
            do_sample=False,
            logits_processor=LogitsProcessorList([watch]),
            pad_token_id=self._pad(),
        )
        given = 1 if _encodes(model) else int(inputs["input_ids"].shape[1])
        seconds = (time.perf_counter() - began) / len(questions)
        return [
            self._reply(n, question, out[n][given:].tolist(), watch=watch, inputs=inputs, seconds=seconds)
            for n, question in enumerate(questions)
        ]

    def encode(self, questions: Sequence[Question]) -> dict[str, Any]:
        """The batch as tensors, padded on the left."""
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if not getattr(self.processor, "chat_template", None):
            pictures = [[self._picture(image) for image in q.images] for q in questions]
            texts = [question_text(q, "plain") for q in questions]
            flat = [p[0] for p in pictures] if all(len(p) == 1 for p in pictures) else pictures
            return dict(self.processor(images=flat, text=texts, return_tensors="pt", padding=True))
        chats = [self._messages(q) for q in questions]
        encoded = self.processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        return dict(encoded)

    def _messages(self, question: Question) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = [{"type": "image", "image": self._picture(i)} for i in question.images]
        content.append({"type": "text", "text": question_text(question, "plain")})
        user: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if not question.system:
            return user
        return [{"role": "system", "content": [{"type": "text", "text": question.system}]}, *user]

    def _picture(self, image: Image) -> PIL.Image.Image:
        scale = self.max_side / max(image.size)
        if scale >= 1:
            return PIL.Image.fromarray(image.pixels)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return PIL.Image.fromarray(np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)))

    def _reply(
        self, n: int, question: Question, tokens: list[int], *, watch: _Watch, inputs: dict[str, Any], seconds: float
    ) -> Reply:
        ends = _ends(self.tokenizer)
        stop = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
        kept = tokens[: min(stop, question.max_tokens)]
        odds = [watch.odds(n, step, len(self.yes)) for step, t in enumerate(kept) if t in (*self.yes, *self.no)]
        return Reply(
            text=self.tokenizer.decode(kept, skip_special_tokens=True),
            probabilities=watch.choices(n, question.choices),
            tokens_in=int(inputs["attention_mask"][n].sum()) if "attention_mask" in inputs else 0,
            tokens_out=len(kept),
            seconds=seconds,
            detail={"booleans": tuple(odds)},
        )

    def _choice_ids(self, question: Question) -> list[list[int]]:
        """For each choice, the tokens that only it begins with."""
        each = [_ids(self.tokenizer, (choice,), first=True) for choice in question.choices]
        return [[t for t in ids if sum(t in other for other in each) == 1] for ids in each]

    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id or 0)


class _Watch(LogitsProcessor):  # type: ignore[misc]
    """Changes nothing; notes the log-probabilities of a few tokens at every step, and of the choices at the first."""

    def __init__(self, watched: Sequence[int], choices: Sequence[Sequence[Sequence[int]]]) -> None:
        self._watched, self._choices = list(watched), choices
        self._steps: list[Tensor] = []
        self._first: list[list[float]] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        logs = torch.log_softmax(scores.float(), dim=-1)
        if not self._steps:
            self._first = [
                [float(logs[n, list(ids)].exp().sum()) if ids else 0.0 for ids in each]
                for n, each in enumerate(self._choices)
            ]
        self._steps.append(logs[:, self._watched].cpu())
        return scores

    def odds(self, n: int, step: int, yes: int) -> float:
        """P(yes) / (P(yes) + P(no)) of item n at a step; the first `yes` watched tokens mean yes."""
        p = self._steps[step][n].exp()
        return float(p[:yes].sum() / p.sum().clamp_min(1e-30))

    def choices(self, n: int, names: Sequence[str]) -> dict[str, float] | None:
        """The first token's probabilities of the choices, summing to 1."""
        found = self._first[n] if n < len(self._first) else []
        total = sum(found)
        return {name: p / total for name, p in zip(names, found)} if names and total > 0 else None


def _ids(tokenizer: Any, words: Sequence[str], *, first: bool = False) -> list[int]:
    """Tokens of the words alone, after a space, and capitalised; with `first`, the first of several counts."""
    found: list[int] = []
    for word in words:
        for form in (word, " " + word, word.capitalize(), " " + word.capitalize()):
            ids = tokenizer.encode(form, add_special_tokens=False)
            if ids and (first or len(ids) == 1) and ids[0] not in found:
                found.append(int(ids[0]))
    return found


def _ends(tokenizer: Any) -> set[int]:
    return {int(t) for t in (tokenizer.eos_token_id, tokenizer.pad_token_id) if t is not None}


def _encodes(model: Any) -> bool:
    return bool(getattr(model.config, "is_encoder_decoder", False))
