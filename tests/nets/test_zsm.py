"""Zooming Slow-Mo against reference vectors; new frames are made of their neighbours alone."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.media import make
from tests.nets.golden import Golden, needs_golden
from tests.nets.small import small
from vsrcli.nets.zsm import ARCHITECTURE, ZoomingSlowMo
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run
from vsrcli.zoo.loading import load


def golden_net(golden: Golden) -> ZoomingSlowMo:
    state = golden.state_dict()
    config = ARCHITECTURE.configure({key: tuple(value.shape) for key, value in state.items()})
    ctor = golden.meta["ctor"]
    assert config == {"channels": ctor["nf"], "blocks": ctor["front_RBs"], "reconstruction_blocks": ctor["back_RBs"]}
    net = ZoomingSlowMo(**config)
    net.load_state_dict(ARCHITECTURE.adapt(state))
    return net.eval()


@needs_golden
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param("zsm_n2_pad", torch.float64, id="n2-fp64", marks=pytest.mark.slow),
        pytest.param("zsm_n2_pad", torch.float32, id="n2-fp32"),
        pytest.param("zsm_n4", torch.float32, id="n4-fp32", marks=pytest.mark.slow),
    ],
)
def test_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = golden_net(golden).to(dtype)
    clip = golden.clip().to(dtype)
    h, w = clip.shape[-2:]
    if "input_pad" in golden.meta:  # the scripts pad with black, vsr by reflection
        up_h, up_w = golden.meta["input_pad"]
        clip = torch.nn.functional.pad(clip, (0, up_w - w, 0, up_h - h))
    joined: list[Tensor] = []
    net.conv_1x1.register_forward_hook(lambda _, args, out: joined.append(out[0]))
    with torch.inference_mode():
        out = net.slow_motion(clip)[0, ..., : 4 * h, : 4 * w]
    golden.check("lstm_out", torch.stack(joined))
    for name, info in golden.meta["arrays"].items():
        if info["of"] == "out":
            golden.check(name, out)


@needs_golden
def test_the_published_size() -> None:
    assert sum(p.numel() for p in ZoomingSlowMo().parameters()) == 11_102_771


def test_the_picture_in_a_new_frame_s_place_does_not_count() -> None:
    net = small("zsm")
    assert isinstance(net, ZoomingSlowMo)
    clip = torch.rand(1, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    other = clip.clone()
    other[:, 1::2] = 0.3
    with torch.inference_mode():
        assert not torch.allclose(net(clip), net(other))
        net.between = True
        assert torch.equal(net(clip), net(other))
        net.between = False
        assert net.slow_motion(clip[:, ::2]).shape == (1, 3, 3, 64, 64)
        assert not net.between


@pytest.mark.parametrize(("fps", "between"), [("2x", True), ("3x", False), (None, False)])
def test_a_job_tells_the_net_whether_it_makes_new_frames(fps: str | None, between: bool, tmp_path: Path) -> None:
    save_file(small("zsm").state_dict(), tmp_path / "net.safetensors")
    film = make.video(tmp_path / "in.mkv", width=32, height=24, frames=3)
    options = Options(model=str(tmp_path / "net.safetensors"), fps=fps, window=2)
    job = prepare(film, tmp_path / "out.mkv", options, lambda event: None)
    assert isinstance(job.model.net, ZoomingSlowMo) and job.model.net.between == between
    assert run(job).frames == {"2x": 6, "3x": 9, None: 3}[fps]


@needs_golden
def test_the_official_layout_is_recognised_on_disk(tmp_path: Path) -> None:
    state = Golden("zsm_n2_pad").state_dict()
    torch.save(state, tmp_path / "net.pth")
    loaded = load(str(tmp_path / "net.pth"))
    assert (loaded.arch, loaded.scale) == ("zsm", 4)
    wanted = ARCHITECTURE.adapt(state)
    assert all(torch.equal(value, wanted[key]) for key, value in loaded.net.state_dict().items())
