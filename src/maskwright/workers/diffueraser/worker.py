"""DiffuEraser's own code on the user's checkout: the clip without the object.

Request: {"checkout": folder, "weights": folder, "video": path, "mask": path, "prior": path, "out": folder,
          "length_s": 10, "max_side": 960, "dilate": 8, "words": "", "guidance": 0}
`weights` holds diffuEraser/, stable-diffusion-v1-5/, sd-vae-ft-mse/ and PCM_Weights/.
Result: {"video": path}
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
    checkout, weights, video, mask, prior, out = contract.need(
        request, "checkout", "weights", "video", "mask", "prior", "out"
    )
    checkout, weights = Path(checkout), Path(weights)
    if not (checkout / "diffueraser" / "diffueraser.py").is_file():
        raise contract.Failed(contract.UNAVAILABLE, f"{checkout} is not a checkout of DiffuEraser")
    for name in ("diffuEraser", "stable-diffusion-v1-5", "sd-vae-ft-mse"):
        if not (weights / name).is_dir():
            raise contract.Failed(contract.UNAVAILABLE, "the weights %s are missing" % (weights / name))
    sys.path.insert(0, str(checkout))
    import torch
    from diffueraser.diffueraser import DiffuEraser  # type: ignore[import-not-found]

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tell(done=0, total=2, loading=str(weights))
    model = DiffuEraser(
        device, str(weights / "stable-diffusion-v1-5"), str(weights / "sd-vae-ft-mse"), str(weights / "diffuEraser"),
        ckpt=request.get("ckpt", "2-Step"),
    )  # fmt: skip
    target = Path(out) / "diffueraser.mp4"
    tell(done=1, total=2)
    model.forward(
        str(video), str(mask), str(prior), str(target), max_img_size=int(request.get("max_side", 960)),
        video_length=int(request.get("length_s", 10)), mask_dilation_iter=int(request.get("dilate", 8)),
        guidance_scale=request.get("guidance") or None,
    )  # fmt: skip
    tell(done=2, total=2)
    if not target.is_file() or target.stat().st_size == 0:
        raise contract.Failed(contract.SOFTWARE, "the model wrote no video")
    return {"video": str(target)}


if __name__ == "__main__":
    contract.main(work)
