"""Decode on a device, by FFmpeg's name for its interface: cuda, vaapi, qsv, videotoolbox, d3d11va, ..."""

from pathlib import Path

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.error import FFmpegError

from vsrcli.errors import UsageError
from vsrcli.media.containers import url
from vsrcli.media.info import VideoInfo

DOWNLOADED = frozenset({"nv12", "nv16", "nv24", "p010le", "p012le", "p016le", "p210le", "p410le"})
"""Pixel formats in which pictures come from devices; their levels are those of the planar formats."""


def open_on_device(path: Path, name: str) -> InputContainer:
    """Open a video file, that has been opened before, for decoding on a device: "cuda", or "cuda:1".

    Raises UsageError if there is no such interface here, or if its device cannot be opened or decode this video.
    """
    kind, _, device = name.strip().partition(":")
    if kind.lower() not in hwdevices_available():
        here = ", ".join(sorted(hwdevices_available())) or "none"
        raise UsageError(f"this FFmpeg has no hardware decoding by {kind} (it has {here})")
    try:
        wanted = HWAccel(kind.lower(), device or None, allow_software_fallback=False)
        options = {"protocol_whitelist": "file"}
        return av.open(url(path), "r", metadata_errors="replace", options=options, hwaccel=wanted)
    except FFmpegError:  # the file itself has been opened before
        raise UsageError(f"{name} cannot be opened for decoding: no such device opens here") from None
    except ValueError:
        raise UsageError(f"{name} cannot be opened for decoding: {device} is no device") from None
    except (RuntimeError, NotImplementedError):
        raise UsageError(f"{name} does not decode {path}") from None


def check_device(info: VideoInfo, name: str | None) -> None:
    """Decode a frame on the device, as the work will. Raises UsageError if that does not work."""
    if name is None:
        return
    if info.images or info.once is not None:
        raise UsageError(f"{'images' if info.images else 'pipes'} are not decoded on a device")
    with open_on_device(info.path, name) as container:
        try:
            stream = container.streams[info.stream_index]
            assert isinstance(stream, av.VideoStream)
            if next(container.decode(stream), None) is not None:
                return
        except FFmpegError:
            pass
    raise UsageError(f"{name} does not decode {info.path}")
