"""Realistic degradation of clips: blur, downscaling by a random method, noise, and compression by a real codec.

Random blur and noise alone leave out what a net sees most often and must not amplify: blocks, ringing and the pulsing
of predicted frames. Those come from an actual encoder (H.264, HEVC, VP9, MPEG-2 or MPEG-4), which encodes the whole
clip.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.errors import UsageError
from vsrcli.quality.degrade import imresize


@dataclass(frozen=True)
class Codec:
    """An encoder, its options, and the range of its quality setting: from good downloads (`best`) to bad ones."""

    encoder: str
    best: int
    worst: int
    options: Mapping[str, str]

    def at(self, quality: int) -> dict[str, str]:
        """Return the encoder's options for a CRF or, for the MPEG-2 and MPEG-4 encoders, a quantiser."""
        if self.encoder in ("mpeg2video", "mpeg4"):
            return {**self.options, "qmin": str(quality), "qmax": str(quality)}
        return {**self.options, "crf": str(quality)}


CODECS = (
    Codec("libx264", 16, 36, {"preset": "medium"}),
    Codec("libx264", 18, 36, {"preset": "veryfast"}),
    Codec("libx264", 20, 34, {"preset": "fast", "profile": "baseline"}),
    Codec("libx265", 18, 38, {"preset": "fast", "x265-params": "log-level=none:pools=1"}),
    Codec("libvpx-vp9", 22, 48, {"b:v": "0", "cpu-used": "5", "deadline": "good", "threads": "1"}),
    Codec("mpeg2video", 2, 12, {"g": "12", "bf": "2", "threads": "1"}),
    Codec("mpeg4", 2, 12, {"g": "100", "bf": "0", "threads": "1"}),
)


@dataclass(frozen=True)
class Chain:
    """How likely and how strong the random steps are.

    Attributes:
        blur: chance of a blur.
        noise: chance of noise.
        sigma: largest standard deviation of the noise, in levels.
        twice: chance of a second compression: a clip that was edited and published again.
        qualities: range of the quality, where 0 is a codec's `best` and 1 its `worst`.
    """

    blur: float
    noise: float
    sigma: float
    twice: float
    qualities: tuple[float, float]


CHAINS = {
    "real": Chain(blur=0.4, noise=0.35, sigma=5.0, twice=0.2, qualities=(0.0, 1.0)),
    "mild": Chain(blur=0.15, noise=0.2, sigma=2.0, twice=0.1, qualities=(-0.3, 0.4)),
}
"""The chains by the names of their degradations. Mild is what good cameras and discs have: x264 at CRF 10 to 24."""

LEAST_QUANTISER = 2
UNIT = 32  # pixels: x265 crashes on small frames with other sides, such as 48 (see X265_SMALL in encode_settings.py)
ANTIALIAS_LOBES = 3


def lower_real(hr: Tensor, scale: int, generator: torch.Generator, degradation: str = "real") -> Tensor:
    """Return a clip's LR frames, (t, 3, h, w) uint8 to (t, 3, h/scale, w/scale) uint8, by a random chain of steps.

    The steps are blur, downscaling, noise, and a codec once or twice, as strong as `CHAINS` has them for the
    degradation. Some of them are left out, and one chain in ten has only the downscaling.
    """
    chain = CHAINS[degradation]
    clean = _chance(0.1, generator)
    frames = _blur(hr.float(), generator) if not clean and _chance(chain.blur, generator) else hr.float()
    lr = _reduce(frames, scale, generator)
    if not clean and _chance(chain.noise, generator):
        sigma = _uniform(0.5, chain.sigma, generator)
        shape = lr.shape if _chance(0.5, generator) else (len(lr), 1, *lr.shape[-2:])  # colour noise, or luma noise
        lr = lr + sigma * torch.randn(shape, generator=generator)
    lr = (lr + 0.5).clamp(0, 255).to(torch.uint8)
    if not clean:
        lr = compress(lr, generator, chain)
        if _chance(chain.twice, generator):
            lr = compress(lr, generator, chain)
    return lr


def compress(clip: Tensor, generator: torch.Generator, chain: Chain) -> Tensor:
    """Encode and decode (t, 3, h, w) uint8 by a random codec and quality; sides must be multiples of UNIT."""
    codec = CODECS[int(torch.randint(len(CODECS), (), generator=generator))]
    first, last = (codec.best + share * (codec.worst - codec.best) for share in chain.qualities)
    quality = max(LEAST_QUANTISER, round(_uniform(first, last, generator)))
    return transcode(clip, codec.encoder, codec.at(quality))


def transcode(clip: Tensor, encoder: str, options: dict[str, str]) -> Tensor:
    """Return (t, 3, h, w) uint8 after `encoder` (4:2:0, 8 bit) has encoded it and it is decoded again.

    Raises UsageError for sizes that not all encoders support.
    """
    from vsrcli.media.strength.compress import compressed

    if any(side % UNIT for side in clip.shape[-2:]):
        raise UsageError(f"sides of frames to compress must be multiples of {UNIT} pixels: pack crops of another size")
    frames = compressed((frame.permute(1, 2, 0).contiguous().numpy() for frame in clip), encoder, options)
    return torch.stack([torch.from_numpy(frame) for frame in frames]).permute(0, 3, 1, 2).contiguous()


def _blur(x: Tensor, generator: torch.Generator) -> Tensor:
    """Blur by a Gaussian of random size, anisotropy and angle."""
    major, minor = (_uniform(0.3, 2.4, generator) for _ in range(2))
    angle = torch.tensor(_uniform(0, 3.1416, generator))
    reach = torch.arange(-7, 8).float()
    ys, xs = torch.meshgrid(reach, reach, indexing="ij")
    u, v = xs * angle.cos() + ys * angle.sin(), ys * angle.cos() - xs * angle.sin()
    kernel = torch.exp(-0.5 * ((u / major) ** 2 + (v / minor) ** 2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
    return F.conv2d(F.pad(x, (7,) * 4, mode="replicate"), kernel, groups=3)


def _reduce(x: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """Downscale by bicubic, area or Lanczos resampling, as common scalers do."""
    kind = int(torch.randint(3, (), generator=generator))
    if kind == 0:
        return imresize(x, 1 / scale)
    if kind == 1:
        return F.avg_pool2d(x, scale)
    return _lanczos(x, scale)


def _lanczos(x: Tensor, scale: int) -> Tensor:
    """Downscale by a whole number with Lanczos-3; borders are replicated."""
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
