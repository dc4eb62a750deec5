"""One sentence on pictures by a vision-language model of transformers, in its own environment.

Request: {"model": folder, "device": "auto", "questions": [{"text": ..., "images": [png, ...]}, ...], "max_tokens": 96}
Result: {"answers": [text, ...], "model": folder}
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract  # type: ignore[import-not-found]


def work(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    model_path, questions = contract.need(request, "model", "questions")
    if not Path(model_path).is_dir():
        raise contract.Failed(contract.UNAVAILABLE, f"there is no model folder {model_path}")
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    device = request.get("device", "auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    tell(done=0, total=len(questions), loading=model_path)
    processor = AutoProcessor.from_pretrained(model_path, local_files_only=True)
    model = AutoModelForImageTextToText.from_pretrained(model_path, local_files_only=True, dtype="auto")
    model = model.to(device).eval()
    answers = []
    for number, question in enumerate(questions, 1):
        images = [Image.open(path).convert("RGB") for path in question.get("images", [])]
        content = [{"type": "image", "image": image} for image in images]
        content.append({"type": "text", "text": question["text"]})
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        ).to(device)  # fmt: skip
        with torch.inference_mode():
            made = model.generate(**inputs, max_new_tokens=int(request.get("max_tokens", 96)), do_sample=False)
        text = processor.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0]
        answers.append(text.strip())
        tell(done=number, total=len(questions))
    return {"answers": answers, "model": model_path}


if __name__ == "__main__":
    contract.main(work)
