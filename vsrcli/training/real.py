"""Low-resolution clips as they are met in life: blurred, reduced somehow, noisy, and compressed by a real codec.

Random blur and noise alone leave out what a net meets most often and must not amplify: blocks, ringing and the
pulsing of predicted frames. Those come from an actual H.264, HEVC or VP9 encoder, run over the whole clip.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.errors import UsageError
from vsrcli.quality.degrade import imresize

CODECS: tuple[tuple[str, int, int, dict[str, str]], ...] = (
    ("libx264", 16, 36, {"preset": "medium"}),
    ("libx264", 16, 36, {"preset": "veryfast"}),
    ("libx265", 18, 38, {"preset": "fast", "x265-params": "log-level=none:pools=1"}),
    ("libvpx-vp9", 22, 48, {"b:v": "0", "cpu-used": "5", "deadline": "good", "threads": "1"}),
)
"""Encoder, best and worst CRF, options: from good downloads to bad ones."""

UNIT = 32  # pixels: x265 takes the process down on small frames of other sides, such as 48
ANTIALIAS_LOBES = 3


def lower_real(hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """A clip's LR side: (t, 3, h, w) uint8 -> (t, 3, h/scale, w/scale) uint8, by one random chain for all frames."""
    frames = _blur(hr.float(), generator) if _chance(0.5, generator) else hr.float()
    lr = _reduce(frames, scale, generator)
    if _chance(0.5, generator):
        sigma = _uniform(0.5, 6.0, generator)
        shape = lr.shape if _chance(0.5, generator) else (len(lr), 1, *lr.shape[-2:])  # of colour, or of luma
        lr = lr + sigma * torch.randn(shape, generator=generator)
    lr = (lr + 0.5).clamp(0, 255).to(torch.uint8)
    return compress(lr, generator) if _chance(0.85, generator) else lr


def compress(clip: Tensor, generator: torch.Generator) -> Tensor:
    """Encode and decode (t, 3, h, w) uint8 by a random codec and quality; sides must be multiples of UNIT."""
    encoder, best, worst, options = CODECS[int(torch.randint(len(CODECS), (), generator=generator))]
    crf = round(_uniform(best, worst, generator))
    return transcode(clip, encoder, {**options, "crf": str(crf)})


def transcode(clip: Tensor, encoder: str, options: dict[str, str]) -> Tensor:
    """What a viewer decodes after `encoder` (4:2:0, 8 bit) has encoded (t, 3, h, w) uint8.

    Raises UsageError for sizes that not all the encoders take.
    """
    from vsrcli.media.compress import compressed

    if any(side % UNIT for side in clip.shape[-2:]):
        raise UsageError(f"sides of frames to compress must be multiples of {UNIT} pixels: pack crops of another size")
    frames = compressed((frame.permute(1, 2, 0).contiguous().numpy() for frame in clip), encoder, options)
    return torch.stack([torch.from_numpy(frame) for frame in frames]).permute(0, 3, 1, 2).contiguous()


def _blur(x: Tensor, generator: torch.Generator) -> Tensor:
    """A Gaussian of random size, oblong and turned at random."""
    major, minor = (_uniform(0.3, 2.4, generator) for _ in range(2))
    angle = torch.tensor(_uniform(0, 3.1416, generator))
    reach = torch.arange(-7, 8).float()
    ys, xs = torch.meshgrid(reach, reach, indexing="ij")
    u, v = xs * angle.cos() + ys * angle.sin(), ys * angle.cos() - xs * angle.sin()
    kernel = torch.exp(-0.5 * ((u / major) ** 2 + (v / minor) ** 2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
    return F.conv2d(F.pad(x, (7,) * 4, mode="replicate"), kernel, groups=3)


def _reduce(x: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """Reduce by bicubic, area or Lanczos, as scalers in the world do."""
    kind = int(torch.randint(3, (), generator=generator))
    if kind == 0:
        return imresize(x, 1 / scale)
    if kind == 1:
        return F.avg_pool2d(x, scale)
    return _lanczos(x, scale)


def _lanczos(x: Tensor, scale: int) -> Tensor:
    """Lanczos-3 reduction by a whole number, borders replicated."""
    reach = ANTIALIAS_LOBES * scale
    position = (torch.arange(2 * reach) + 0.5 - reach) / scale
    tap = torch.sinc(position) * torch.sinc(position / ANTIALIAS_LOBES)
    tap = (tap / tap.sum()).expand(3, 1, 1, -1)
    pad = reach - scale // 2
    x = F.conv2d(F.pad(x, (pad, pad, pad, pad), mode="replicate"), tap, stride=(1, scale), groups=3)
    return F.conv2d(x, tap.transpose(-2, -1), stride=(scale, 1), groups=3)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _chance(probability: float, generator: torch.Generator) -> bool:
    return float(torch.rand((), generator=generator)) < probability
