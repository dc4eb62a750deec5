"""Shap-E by diffusers, in its own environment.

Request: {"image": cut-out png, "model": folder, "steps": 64, "guidance": 3.0, "seed": 0, "out": folder}
Result: {"mesh": npz, "faces": n}
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import meshing

import contract  # type: ignore[import-not-found]


def work(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    image_path, out = contract.need(request, "image", "out")
    model, device = meshing.folder_of(request), meshing.device_of(request)
    import torch
    from diffusers import ShapEImg2ImgPipeline
    from PIL import Image

    tell(done=0, total=1, loading=model)
    pipeline = ShapEImg2ImgPipeline.from_pretrained(model, local_files_only=True).to(device)
    cutout = meshing.opened(image_path)
    white = Image.new("RGBA", cutout.size, "white")
    white.alpha_composite(cutout)
    made = pipeline(
        white.convert("RGB").resize((256, 256)), num_inference_steps=int(request.get("steps", 64)), output_type="mesh",
        guidance_scale=float(request.get("guidance", 3.0)),
        generator=torch.Generator("cpu").manual_seed(int(request.get("seed", 0))),
    ).images[0]  # fmt: skip

    class Plain:
        vertices, faces = made.verts.float().cpu().numpy(), made.faces.cpu().numpy()

    return meshing.saved(Plain, out)


if __name__ == "__main__":
    contract.main(work)
