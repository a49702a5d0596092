"""The blocks against FastDVDnet's reference vectors, and what the net of the supplement must see and not see."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.nets.golden import Golden, needs_golden
from tests.nets.small import small
from vsrcli.nets.fastdvdnet import FastDVDnet, ThreeInOne, fold_batch_norms, read_config, window_numbers
from vsrcli.zoo.architectures import ARCHITECTURES


class Denoiser(nn.Module):
    """FastDVDnet itself, made of the blocks: five frames, each with a map of noise, and the middle one's residue."""

    def __init__(self) -> None:
        super().__init__()
        self.temp1, self.temp2 = ThreeInOne(4, 3), ThreeInOne(4, 3)

    def three(self, block: nn.Module, frames: list[Tensor], noise: Tensor) -> Tensor:
        out: Tensor = frames[1] - block(torch.cat([part for frame in frames for part in (frame, noise)], 1))
        return out

    def first(self, frames: list[Tensor], noise: Tensor) -> list[Tensor]:
        return [self.three(self.temp1, frames[i : i + 3], noise) for i in range(3)]

    def forward(self, frames: list[Tensor], noise: Tensor) -> Tensor:
        return self.three(self.temp2, self.first(frames, noise), noise)


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_the_blocks_are_those_of_fastdvdnet(dtype: torch.dtype) -> None:
    golden = Golden("fastdvdnet")
    state = fold_batch_norms({key: value.double() for key, value in golden.state_dict().items()})
    net = Denoiser().double()
    net.load_state_dict(state)
    net.to(dtype).eval()
    clip = golden.clip()[0].to(dtype)
    frames = [F.pad(frame[None], (0, 2, 0, 2), mode="reflect") for frame in clip]
    noise = torch.full_like(frames[0][:, :1], golden.meta["noise_std"])
    count = len(frames)
    windows = [[min(abs(n), 2 * (count - 1) - abs(n)) for n in range(i - 2, i + 3)] for i in range(count)]
    with torch.no_grad():
        raw = torch.cat([net([frames[n] for n in window], noise) for window in windows])
        stage = torch.cat(net.first([frames[n] for n in windows[0]], noise))
    golden.check("raw", raw)
    golden.check("stage1_frame0", stage)
    golden.check("out", raw[..., :22, :30].clamp(0, 1))


@pytest.mark.parametrize(
    ("number", "length", "expected"),
    [
        (5, None, [2, 3, 4, 5, 6, 7, 8]),
        (0, None, [3, 2, 1, 0, 1, 2, 3]),
        (1, 4, [2, 1, 0, 1, 2, 3, 2]),
        (8, 9, [5, 6, 7, 8, 7, 6, 5]),
        (1, 3, [2, 1, 0, 1, 2, 1, 0]),
        (1, 2, [0, 1, 0, 1, 0, 1, 0]),
        (0, 1, [0] * 7),
    ],
)
def test_frames_beyond_the_ends_are_reflected(number: int, length: int | None, expected: list[int]) -> None:
    assert window_numbers(number, length) == expected


def test_a_frame_depends_on_all_seven_frames_and_on_no_other() -> None:
    net = small("fastdvdnet")
    clip = torch.rand(1, 9, 3, 12, 16, requires_grad=True)
    net(clip)[:, 4].square().sum().backward()
    assert clip.grad is not None
    seen = clip.grad.abs().sum((0, 2, 3, 4)) > 0
    assert seen.tolist() == [False, *[True] * 7, False]


def test_the_three_windows_share_one_block_and_keep_their_order() -> None:
    net = FastDVDnet(8, 4).eval()
    frames = list(torch.rand(7, 1, 3, 8, 8))
    found = net.encode(frames, 3, number=3, length=7)["triples"]
    for i, part in enumerate(found.chunk(3, 1)):
        assert torch.equal(part, net.temp1(torch.cat([frames[i], frames[3], frames[6 - i]], 1)))


def test_an_untrained_last_convolution_leaves_the_bilinear_picture() -> None:
    net = FastDVDnet(8, 4).eval()
    for parameter in net.temp2.outc.convblock["3"].parameters():
        nn.init.zeros_(parameter)
    clip = torch.rand(1, 3, 3, 10, 14)
    wanted = F.interpolate(clip[0], scale_factor=4, mode="bilinear", align_corners=False)
    assert torch.allclose(net(clip)[0][..., :36, :52], wanted[..., :36, :52], atol=1e-6)  # inside of the padding


def test_batch_norms_of_a_checkpoint_are_folded_and_its_widths_read() -> None:
    net = FastDVDnet(8, 5).eval()
    state = {key: value.clone() for key, value in net.state_dict().items()}
    with_norms: dict[str, Tensor] = {}
    for key, value in state.items():
        name, _, kind = key.rpartition(".")
        if kind == "bias":
            block, _, place = name.rpartition(".")
            norm = f"{block}.{int(place) + 1}"
            with_norms |= {f"{norm}.weight": torch.rand(value.shape) + 0.5, f"{norm}.bias": torch.rand(value.shape)}
            with_norms |= {f"{norm}.running_mean": torch.rand(value.shape)}
            with_norms |= {f"{norm}.running_var": torch.rand(value.shape) + 0.5}
            with_norms |= {f"{norm}.num_batches_tracked": torch.tensor(7)}
        else:
            with_norms[key] = value
    shapes = {key: tuple(value.shape) for key, value in with_norms.items()}
    assert read_config(shapes) == {"channels": 8, "hidden": 5}
    net.load_state_dict(fold_batch_norms(with_norms))
    x = torch.rand(1, 8, 6, 6)
    conv = with_norms["temp1.outc.convblock.0.weight"]
    name = "temp1.outc.convblock.1"
    mean, variance, gain, bias = (
        with_norms[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    wanted = F.batch_norm(F.conv2d(x, conv, padding=1), mean, variance, gain, bias)
    assert torch.allclose(net.temp1.outc.convblock["0"](x), wanted, atol=1e-5)


def test_the_denoiser_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="denoising"):
        read_config({"temp1.inc.convblock.0.weight": (90, 4, 3, 3)})


def test_the_published_size() -> None:
    net = ARCHITECTURES["fastdvdnet"].build({})
    denoiser, norms = 2_479_096, 2 * 1114  # each channel of a norm has a gain beside the bias
    fewer, more = 90 * 9, 29 * 32 * 9 + 90 * 28 * 9 + 45 * 32 * 9  # no map of noise; features and detail
    assert sum(p.numel() for p in net.parameters()) == denoiser - norms - fewer + more
