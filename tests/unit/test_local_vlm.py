"""The local vlm adapter on a tiny Qwen2.5-VL with random weights: equal to a hand-written forward, batch = loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.errors import BadSettings, MaskwrightError, OutOfMemory
from maskwright.ports import Question, Vlm
from maskwright.sculpting.judges.schemas import PATCH
from maskwright.values import Image

torch = pytest.importorskip("torch", reason="needs the torch extra")
transformers = pytest.importorskip("transformers", reason="needs the torch extra")

from maskwright.models.vlms.local import LocalVlm  # noqa: E402

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
           "<|video_pad|>")  # fmt: skip
WORDS = ("true", "false", "yes", "no", "Yes", "No")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{{ '<|im_start|>assistant\\n' }}"
)


def picture(seed: int, size: tuple[int, int] = (40, 60)) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 255, (*size, 3)).astype(np.uint8))


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(list(SPECIAL))
    raw.add_tokens(list(WORDS))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A saved tiny Qwen2.5-VL with its processor."""
    pytest.importorskip("torchvision", reason="the processor of Qwen2.5-VL needs torchvision")
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": 2048,
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [1, 1, 2]},
            "bos_token_id": None, "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tiny-qwen2.5-vl")
    model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    model.save_pretrained(path, safe_serialization=True)
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=112 * 112),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(path)
    yield path


@pytest.fixture(scope="module")
def vlm(folder: Path) -> LocalVlm:
    return LocalVlm(folder, device="cpu", name="tiny")


def question(seed: int, text: str = "is it?", **more: Any) -> Question:
    return Question(text, (picture(seed),), max_tokens=6, choices=("yes", "no"), **more)


@pytest.mark.torch
def test_it_is_a_vlm_and_says_the_same_twice(vlm: LocalVlm) -> None:
    assert isinstance(vlm, Vlm)
    first, second = vlm.reply(question(1)), vlm.reply(question(1))
    assert (first.text, first.probabilities) == (second.text, second.probabilities)
    assert 0 < first.tokens_out <= 6
    assert first.tokens_in > 20


@pytest.mark.torch
def test_yes_and_no_equal_a_hand_written_forward(vlm: LocalVlm, folder: Path) -> None:
    asked = question(2, "is it a cat?", system="be brief")
    found = vlm.reply(asked).probabilities
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    text = (
        "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>"
        "is it a cat?<|im_end|>\n<|im_start|>assistant\n"
    )
    inputs = processor(text=[text], images=[asked.images[0].pixels.copy()], return_tensors="pt")
    with torch.no_grad():
        odds = torch.softmax(model(**inputs).logits[0, -1].double(), dim=-1)
    ids = {w: processor.tokenizer.convert_tokens_to_ids(w) for w in WORDS}
    yes = float(odds[ids["yes"]] + odds[ids["Yes"]])
    no = float(odds[ids["no"]] + odds[ids["No"]])
    assert found is not None
    assert found["yes"] == pytest.approx(yes / (yes + no), abs=1e-4)
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.torch
def test_a_batch_equals_its_items(vlm: LocalVlm) -> None:
    asked = [question(n, "is it? " * (1 + n)) for n in range(3)]
    for one, together in zip([vlm.reply(q) for q in asked], vlm.reply_many(asked)):
        assert one.text == together.text
        assert one.probabilities is not None
        assert together.probabilities is not None
        assert one.probabilities["yes"] == pytest.approx(together.probabilities["yes"], abs=1e-4)


@pytest.mark.torch
def test_odd_questions_are_answered(vlm: LocalVlm) -> None:
    thin = Question("?", (picture(0, (30, 400)), picture(1, (29, 31))), PATCH, max_tokens=3)
    blank = Question("no picture at all", max_tokens=3)
    for asked in (thin, blank):
        reply = vlm.reply(asked)
        assert reply.probabilities is None
        assert isinstance(reply.text, str)


@pytest.mark.torch
def test_it_unloads_and_loads_again(vlm: LocalVlm) -> None:
    before = vlm.reply(question(3)).text
    vlm.unload()
    assert vlm.reply(question(3)).text == before


@pytest.mark.torch
def test_it_leaves_the_device_for_a_segmenter_and_comes_back(folder: Path) -> None:
    from maskwright.models.torching import Host, Place, make_room

    vlm = LocalVlm(folder, device="cpu", name="tiny")
    before = vlm.reply(question(3)).text
    assert not make_room()  # on the processor it is in nobody's way
    vlm.place = Place("pretended", torch.float32)

    def work(model: Any, place: Place) -> str:
        if vlm._loaded is not None and place.device != "cpu":
            raise torch.OutOfMemoryError("out of memory")
        return place.device

    segmenter = Host("segmenter", torch.nn.Linear(1, 1), Place("pretended", torch.float32))
    assert segmenter.call(work) == "pretended"
    assert segmenter.fell_back == 0
    assert not make_room()  # it has left already
    vlm.place = Place("cpu", torch.float32)
    assert vlm.reply(question(3)).text == before


@pytest.mark.torch
def test_it_does_not_leave_while_it_answers(vlm: LocalVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.models.torching import Place, make_room

    vlm.reply(question(3))
    assert vlm._loaded is not None
    host = vlm._loaded[0]
    seen: list[bool] = []

    def full(work: Any, model: Any, place: Place) -> Any:
        seen.append(make_room())
        raise OutOfMemory("full.", "")

    monkeypatch.setattr(host, "_work", full)
    monkeypatch.setattr(vlm, "place", Place("pretended", torch.float32))
    with pytest.raises(OutOfMemory):
        vlm.reply(question(3))
    assert seen and not any(seen)
    assert vlm._loaded is not None


@pytest.mark.torch
def test_what_is_not_a_model_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="quantization"):
        LocalVlm(folder, quantize="1bit")
    with pytest.raises(MaskwrightError):
        LocalVlm(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(MaskwrightError):
        LocalVlm(tmp_path, device="cpu").reply(question(0))
