"""EDVR-M against reference vectors, and as a net of its own at the ends of scenes."""

import pytest
import torch
from torch import Tensor

from tests.nets.golden import Golden, key_list, load_filled, needs_golden
from vsrcli.nets.edvr import EDVR, EDVRFeatureExtractor, window_numbers


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize(("case", "frames"), [("edvr_p2", 5), ("edvr_p3", 7)])
def test_extractor_matches_the_reference(case: str, frames: int, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(EDVRFeatureExtractor(64, frames), golden, dtype)
    assert isinstance(net, EDVRFeatureExtractor)
    aligned: list[Tensor] = []
    offsets: list[Tensor] = []
    net.pcd_align.register_forward_hook(lambda module, args, out: aligned.append(out))
    net.pcd_align.cas_dcnpack.conv_offset.register_forward_hook(lambda module, args, out: offsets.append(out))
    with torch.inference_mode():
        out = net.fuse(golden.clip().to(dtype).unbind(1))[0]
    golden.check("aligned", torch.cat(aligned))
    golden.check("cas_offset_0", offsets[0][0])
    golden.check("out", out)


@needs_golden
def test_whole_net_has_the_keys_and_shapes_of_the_reference() -> None:
    ours = [f"{key}\t{'x'.join(map(str, t.shape))}" for key, t in EDVR().state_dict().items()]
    assert sorted(ours) == sorted(line.rsplit("\t", 1)[0] for line in key_list("basicsr_edvr_m_full"))


def test_windows_at_scene_ends_hold_distinct_frames() -> None:
    assert [window_numbers(n, 2, 7) for n in (0, 1, 3, 5, 6)] == [
        [4, 3, 0, 1, 2],
        [4, 0, 1, 2, 3],
        [1, 2, 3, 4, 5],
        [3, 4, 5, 6, 2],
        [4, 5, 6, 3, 2],
    ]
    assert window_numbers(1, 2, None) == [4, 0, 1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_scenes_shorter_than_a_window_work(count: int) -> None:
    net = EDVR(channels=8, blocks=1).eval()
    clip = torch.rand(1, count, 3, 9, 14)
    with torch.inference_mode():
        out = net(clip)
    assert out.shape == (1, count, 3, 36, 56)
    assert out.isfinite().all()


def test_half_precision_keeps_frames_and_output_in_float32() -> None:
    net = EDVR(channels=8, blocks=1).eval()
    clip = torch.rand(1, 2, 3, 8, 8)
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        out = net(clip)
    assert out.dtype == torch.float32
    assert (out - exact).abs().max() < 0.03
