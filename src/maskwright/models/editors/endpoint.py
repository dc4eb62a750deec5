"""Image editing behind an address: OpenAI's images/edits form, or DashScope's (Qwen-Image-Edit)."""

from __future__ import annotations

import base64
import binascii
import io
import secrets
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadPhrase, BadReply, BadSettings, ModelError
from maskwright.media.images import open_image
from maskwright.models.editors.endpoint_download import download
from maskwright.models.vlms.faults import read_json
from maskwright.models.vlms.keys import read_key
from maskwright.models.vlms.transport import Transport, UrlTransport, check_url
from maskwright.plumbing.retry import retry
from maskwright.values import Image, Mask

Pixels = NDArray[Any]
FORMS = ("openai", "dashscope")
_LONGEST = 800
_SIDE = 2048
"""Larger pictures are shrunk before they are sent; the answer is brought back to full size inside the mask only."""


class EndpointEditor:
    """`form` is the protocol; the answer is whatever the model drew, registered afterwards by `maskwright edit`."""

    generative = True

    def __init__(
        self,
        *,
        base_url: str = "",
        model: str = "",
        key: str = "",
        form: str = "openai",
        timeout_s: float = 180.0,
        transport: Transport | None = None,
    ) -> None:
        if form not in FORMS:
            raise BadSettings(f"there is no form {form!r} of image endpoint.", f"Choose one of: {', '.join(FORMS)}.")
        if not base_url or not model:
            raise BadSettings("an image endpoint needs base_url and model.", "Set models.editor.base_url and .model.")
        check_url(base_url)
        self.name, self.url, self.model, self.form = f"endpoint:{model}", base_url.rstrip("/"), model, form
        self.timeout_s, self._key = timeout_s, read_key(key, f"endpoint:{model}")
        self._transport = transport or UrlTransport()

    def edit(self, image: Image, words: str, mask: Mask | None = None, *, seed: int = 0) -> Image:
        """The endpoint's picture at the size of `image`. Raises RefusedError, BadPhrase, EngineDown, EngineRefused,
        BadReply."""
        check_words(words)
        if not words.strip() or len(words) > _LONGEST:
            raise BadPhrase(f"the edit must have 1 to {_LONGEST} characters.", "Say what to change, shortly.")
        if mask is not None:
            mask.check_size(image.size)
        small = _shrunk(image)
        try:
            value = retry(lambda: self._posted(small, words, mask, seed))
            return _grown(open_image(self._picture(value)), image)
        except ModelError as error:
            error.message = self._key.hide(error.message)
            error.args = (error.message,)
            raise

    def _posted(self, image: Image, words: str, mask: Mask | None, seed: int) -> dict[str, Any]:
        body: Any
        if self.form == "dashscope":
            path, headers, body = _dashscope(self.model, image, words, seed)
        else:
            path, headers, body = _openai(self.model, image, words, mask)
        reply = self._transport.post(self.url + path, {**headers, **self._key.header()}, body, self.timeout_s)
        return read_json(reply, self.name)

    def _picture(self, value: dict[str, Any]) -> bytes:
        """The picture's bytes, inside the answer or at the https address it names."""
        try:
            if self.form == "openai":
                entry = value["data"][0]
                place = entry.get("b64_json") or entry["url"]
            else:
                place = value["output"]["choices"][0]["message"]["content"][0]["image"]
            if str(place).startswith("https://"):
                return download(str(place), self.timeout_s)
            return base64.b64decode(str(place).partition("base64,")[2] or str(place), validate=True)
        except (KeyError, IndexError, TypeError, AttributeError, binascii.Error) as error:
            raise BadReply(f"{self.name} answers without a picture.", "Check model and form.") from error


def _openai(model: str, image: Image, words: str, mask: Mask | None) -> tuple[str, dict[str, str], bytes]:
    """multipart/form-data: what is transparent in `mask` may change."""
    border = secrets.token_hex(16)
    fields: list[tuple[str, str | None, bytes]] = [
        ("model", None, model.encode()),
        ("prompt", None, words.encode()),
        ("n", None, b"1"),
    ]
    fields.append(("image", "image.png", _png(image.pixels)))
    if mask is not None:
        keep = np.where(_fitted(mask, image), 0, 255).astype(np.uint8)
        fields.append(("mask", "mask.png", _png(np.dstack([image.pixels, keep]))))
    out = io.BytesIO()
    for name, file, data in fields:
        extra = f'; filename="{file}"\r\nContent-Type: image/png' if file else ""
        out.write(
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + data + b"\r\n"
        )
    out.write(f"--{border}--\r\n".encode())
    return "/images/edits", {"Content-Type": f"multipart/form-data; boundary={border}"}, out.getvalue()


def _dashscope(model: str, image: Image, words: str, seed: int) -> tuple[str, dict[str, str], dict[str, Any]]:
    picture = "data:image/png;base64," + base64.b64encode(_png(image.pixels)).decode("ascii")
    content = [{"image": picture}, {"text": words}]
    body = {
        "model": model,
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": {"seed": seed, "watermark": False, "n": 1},
    }
    return "/services/aigc/multimodal-generation/generation", {"Content-Type": "application/json"}, body


def _png(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, format="PNG", compress_level=3)
    return out.getvalue()


def _fitted(mask: Mask, image: Image) -> Pixels:
    picture = PIL.Image.fromarray(mask.array).resize(image.size, PIL.Image.Resampling.NEAREST)
    return np.asarray(picture)


def _shrunk(image: Image) -> Image:
    scale = _SIDE / max(image.size)
    if scale >= 1:
        return Image(image.pixels)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return Image(np.asarray(PIL.Image.fromarray(image.pixels).resize(size, PIL.Image.Resampling.LANCZOS)))


def _grown(answer: Image, image: Image) -> Image:
    if answer.size == image.size:
        return Image(answer.pixels, image.alpha, image.source)
    picture = PIL.Image.fromarray(answer.pixels).resize(image.size, PIL.Image.Resampling.LANCZOS)
    return Image(np.asarray(picture), image.alpha, image.source)
