"""ProPainter's own code on the user's checkout, run as it runs itself. Its licence forbids commercial use: the request
must say that this was accepted.

Request: {"checkout": folder, "video": path, "mask": path, "out": folder, "accepted": true, "width": 432,
          "height": 240, "neighbor_length": 10, "ref_stride": 10, "subvideo_length": 80, "dilate": 4}
Result: {"video": path}
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contract  # type: ignore[import-not-found]

FLAGS = {
    "width": "--width", "height": "--height", "neighbor_length": "--neighbor_length", "ref_stride": "--ref_stride",
    "subvideo_length": "--subvideo_length", "dilate": "--mask_dilation",
}  # fmt: skip


def work(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    checkout, video, mask, out = contract.need(request, "checkout", "video", "mask", "out")
    if request.get("accepted") is not True:
        raise contract.Failed(contract.CONFIG, "ProPainter's licence (non-commercial) was not accepted")
    script = Path(checkout) / "inference_propainter.py"
    if not script.is_file():
        raise contract.Failed(contract.UNAVAILABLE, f"{checkout} is not a checkout of ProPainter")
    command = [sys.executable, str(script), "--video", str(video), "--mask", str(mask), "--output", str(out)]
    for name, flag in FLAGS.items():
        if request.get(name) is not None:
            command += [flag, str(int(request[name]))]
    tell(done=0, total=1)
    process = subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    last = ""
    for line in process.stdout or ():
        last = line.strip() or last
        found = re.search(r"(\d+)%\|", line)
        if found:
            tell(done=int(found[1]), total=100)
    if process.wait() != 0:
        raise contract.Failed(contract.SOFTWARE, f"ProPainter failed: {last[:400]}")
    made = sorted(Path(out).rglob("inpaint_out.mp4"))
    if not made or made[0].stat().st_size == 0:
        raise contract.Failed(contract.SOFTWARE, "ProPainter wrote no video")
    return {"video": str(made[0])}


if __name__ == "__main__":
    contract.main(work)
