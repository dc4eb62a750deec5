"""TripoSR by its authors' code on your checkout, in its own environment.

Request: {"image": cut-out png, "checkout": folder, "model": folder, "resolution": 256, "out": folder}
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
    image_path, checkout, out = contract.need(request, "image", "checkout", "out")
    model, device = meshing.folder_of(request), meshing.device_of(request)
    if not Path(checkout).is_dir():
        raise contract.Failed(contract.UNAVAILABLE, f"there is no checkout {checkout}")
    sys.path.insert(0, str(checkout))
    import numpy as np
    import torch
    from PIL import Image
    from tsr.system import TSR

    tell(done=0, total=1, loading=model)
    system = TSR.from_pretrained(model, config_name="config.yaml", weight_name="model.ckpt").to(device)
    rgba = np.asarray(meshing.opened(image_path), np.float32) / 255
    on_grey = rgba[:, :, :3] * rgba[:, :, 3:] + 0.5 * (1 - rgba[:, :, 3:])
    with torch.no_grad():
        codes = system([Image.fromarray((on_grey * 255).astype(np.uint8))], device=device)
    mesh = system.extract_mesh(codes, True, resolution=int(request.get("resolution", 256)))[0]
    return meshing.saved(mesh, out)


if __name__ == "__main__":
    contract.main(work)
