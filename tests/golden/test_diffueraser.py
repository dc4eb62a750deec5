"""DiffuEraser's networks and whole way against numbers recorded from the published implementation.

diffueraser_step.npz: outputs of lixiaowen-xw/DiffuEraser's own networks (diffusers 0.29.2) in float64, weights drawn by
`drawn` below; the sines of the time step are float32 and differ in their last bits between processors. The folder of
`diffueraser_data` holds float32 recordings of larger tiny networks, made with AVX2 kernels on one thread; they are
compared in a process of that kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")

from maskwright.models.fillers.diffueraser.networks import BrushNet, MotionUnet  # noqa: E402

GOLDEN = Path(__file__).with_name("diffueraser_step.npz")
SIZES: dict[str, Any] = {
    "in_channels": 4, "block_out_channels": [32, 64], "layers_per_block": 1, "cross_attention_dim": 16,
    "norm_num_groups": 32, "norm_eps": 1e-5, "num_attention_heads": 4,
}  # fmt: skip
UNET = SIZES | {
    "down_block_types": ["CrossAttnDownBlockMotion", "DownBlockMotion"], "motion_num_attention_heads": 4,
    "motion_max_seq_length": 8, "out_channels": 4,
}  # fmt: skip
BRUSHNET = SIZES | {"conditioning_channels": 5, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"]}


def drawn(network: Any, seed: int) -> Any:
    """The network in float64 with weights of a fixed draw, in the order of their names."""
    rng = np.random.default_rng(seed)
    state = network.state_dict()
    for name in sorted(state):
        if not name.endswith(".pe"):
            values = rng.standard_normal(tuple(state[name].shape)) * 0.1
            state[name] = torch.from_numpy(values + ("norm" in name and name.endswith("weight")))
    network.double().load_state_dict(state)
    return network.eval()


@pytest.mark.parametrize(("shape", "clips", "frames", "height", "width"), [("one", 1, 5, 6, 9), ("pair", 2, 3, 4, 8)])
def test_networks_equal_the_published_ones(shape: str, clips: int, frames: int, height: int, width: int) -> None:
    unet, brushnet = drawn(MotionUnet(UNET), 1), drawn(BrushNet(BRUSHNET), 2)
    rng = np.random.default_rng(3)
    n = clips * frames
    x, condition = (torch.from_numpy(rng.standard_normal((n, c, height, width))) for c in (4, 5))
    text = torch.from_numpy(rng.standard_normal((clips, 7, 16)))
    t = torch.tensor(499)
    with torch.inference_mode():
        additions = brushnet(x, t, text.repeat_interleave(frames, 0), condition)
        got = {
            "middle": additions.middle,
            "last_up": additions.up[-1][:1],
            "first_down": additions.down[-1],
            "painted": unet(x, t, text, frames, additions),
            "alone": unet(x, t, text, frames),
        }
    with np.load(GOLDEN) as golden:
        for name, value in got.items():
            np.testing.assert_allclose(value.numpy(), golden[f"{shape}_{name}"], rtol=0, atol=1e-6, err_msg=name)


def test_the_middle_layer_used_once_would_be_seen() -> None:
    """The golden numbers tell a stock motion network from this one."""
    unet = drawn(MotionUnet(UNET), 1)
    rng = np.random.default_rng(3)
    x, _ = (torch.from_numpy(rng.standard_normal((5, c, 6, 9))) for c in (4, 5))
    text = torch.from_numpy(rng.standard_normal((1, 7, 16)))
    middle = unet.mid_block

    def once(x: Any, step: Any) -> Any:
        x = middle.resnets[0](x, step.time)
        x = middle.attentions[0](x, encoder_hidden_states=step.text, return_dict=False)[0]
        return middle.motion_modules[0](step.add(middle.resnets[1](x, step.time)), step.frames)

    middle.forward = once
    with torch.inference_mode(), np.load(GOLDEN) as golden:
        assert np.abs(unet(x, torch.tensor(499), text, 5).numpy() - golden["one_alone"]).max() > 1e-3


def _with_avx2(part: str, folder: Path) -> str:
    """What a fresh process with AVX2 kernels and one thread says about `part`."""
    environment = dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2", OMP_NUM_THREADS="1")
    script = Path(__file__).with_name("diffueraser_compare.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), part, str(folder)],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_one_step_equals_the_recording(diffueraser_data: Path) -> None:
    """Nothing differs on a processor like that of the recording; these networks enlarge what others round differently
    (2e-3 with AVX-512). What the float64 numbers above cannot show, the whole released layout, is shown here."""
    assert float(_with_avx2("step", diffueraser_data)) <= 1e-3


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("MASKWRIGHT_LONG_TESTS") != "1", reason="minutes long: set MASKWRIGHT_LONG_TESTS=1")
@pytest.mark.parametrize("recording", ["lora", "cfg"])
def test_a_whole_clip_equals_the_recording(diffueraser_data: Path, recording: str) -> None:
    worst, differing = _with_avx2(recording, diffueraser_data).split()
    assert int(worst) <= 1
    assert int(differing) <= 200
