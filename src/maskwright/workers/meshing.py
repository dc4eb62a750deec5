"""What the lifting workers share: the cut-out in, a mesh out as one .npz (vertices, faces, and uv with texture if any)."""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import Any

import contract


def opened(path: str) -> Any:
    """The cut-out as a PIL RGBA picture."""
    from PIL import Image

    return Image.open(path).convert("RGBA")


def device_of(request: dict[str, Any]) -> str:
    import torch

    wanted = str(request.get("device", "auto"))
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def folder_of(request: dict[str, Any]) -> str:
    """The model's own folder; nothing is fetched by a worker."""
    (model,) = contract.need(request, "model")
    if not Path(model).is_dir():
        raise contract.Failed(contract.UNAVAILABLE, f"there is no model folder {model}")
    return str(model)


def saved(mesh: Any, out: str) -> dict[str, Any]:
    """Writes a trimesh-like mesh; returns the worker's result."""
    import numpy as np

    values: dict[str, Any] = {
        "vertices": np.asarray(mesh.vertices, np.float32), "faces": np.asarray(mesh.faces, np.int32)
    }  # fmt: skip
    visual = getattr(mesh, "visual", None)
    uv, material = getattr(visual, "uv", None), getattr(visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if uv is not None and picture is not None:
        values |= {"uv": np.asarray(uv, np.float32), "texture": np.asarray(picture.convert("RGB"), np.uint8)}
    path = Path(out) / "mesh.npz"
    np.savez(path, **values)
    return {"mesh": str(path), "faces": len(values["faces"])}
