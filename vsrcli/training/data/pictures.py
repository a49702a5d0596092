"""Clips as compressed pictures, so that a pack can be sent over a slow connection.

A clip of t frames is one picture with its frames one below the other: JPEG (about 41 dB) for HR frames, PNG for the LR
frames of real degradation, whose every level counts. In a pack it is a one-dimensional tensor of the file's bytes.
"""

import io
from fractions import Fraction

import torch
from torch import Tensor

JPEG_SCALE = 2  # quantiser scale, 1 to 31: 1 makes files 1.5 times as large for 3 dB


def compress(clip: Tensor, *, lossless: bool) -> Tensor:
    """Compress frames (t, 3, h, w) uint8 to the bytes (n,) uint8 of a picture of (t*h, w)."""
    import av

    picture = av.VideoFrame.from_ndarray(clip.permute(0, 2, 3, 1).flatten(0, 1).contiguous().numpy(), format="rgb24")
    encoder = av.VideoCodecContext.create("png" if lossless else "mjpeg", "w")
    encoder.width, encoder.height, encoder.time_base = picture.width, picture.height, Fraction(1, 25)
    encoder.pix_fmt = "rgb24" if lossless else "yuvj444p"
    if not lossless:
        encoder.qmin = encoder.qmax = JPEG_SCALE
        picture = picture.reformat(format="yuvj444p", dst_colorspace="ITU601", dst_color_range="JPEG")
    data = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def decompress(data: Tensor, frames: int) -> Tensor:
    """Decompress a picture's bytes to frames (t, 3, h, w) uint8, by PyAV, or by torchvision if PyAV is missing."""
    try:
        import av
    except ImportError:
        from torchvision.io import ImageReadMode, decode_image  # type: ignore[import-not-found, unused-ignore]

        tall = decode_image(data, ImageReadMode.RGB)
    else:
        with av.open(io.BytesIO(data.numpy().tobytes()), "r") as container:
            tall = torch.from_numpy(next(container.decode(video=0)).to_ndarray(format="rgb24")).permute(2, 0, 1)
    return torch.unflatten(tall, 1, (frames, -1)).transpose(0, 1).contiguous()
