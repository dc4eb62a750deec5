"""Hunyuan3D-2.x by its authors' package hy3dgen, in its own environment.

Request: {"image": cut-out png, "views": {"left": png, ...}, "model": folder, "texture": true, "seed": 0,
          "steps": 30, "out": folder}
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
    from hy3dgen.shapegen import Hunyuan3DDiTFlowMatchingPipeline

    tell(done=0, total=2, loading=model)
    views = {name: meshing.opened(path) for name, path in request.get("views", {}).items()}
    image = meshing.opened(image_path)
    pipeline = Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(model, device=device)
    maker = torch.Generator(device="cpu").manual_seed(int(request.get("seed", 0)))
    shown = {"front": image, **views} if views else image
    mesh = pipeline(image=shown, num_inference_steps=int(request.get("steps", 30)), generator=maker)[0]
    tell(done=1, total=2)
    if request.get("texture", True):
        from hy3dgen.texgen import Hunyuan3DPaintPipeline

        mesh = Hunyuan3DPaintPipeline.from_pretrained(model)(mesh, image=image)
    return meshing.saved(mesh, out)


if __name__ == "__main__":
    contract.main(work)
