"""Test whether an encoder works on this machine with given settings, by encoding a frame."""

import re
import tempfile
from pathlib import Path

import av
import av.logging
import numpy as np
from av.error import FFmpegError

from vsrcli.errors import OutputError, Reason, UsageError
from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.encode import SegmentWriter
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.encoders import OWN_PARAMETERS, EncoderFailsError

_UNREAD = re.compile(r"(?:Error parsing option|Unknown option:?|Invalid value for)\s+'?([^'.]+)")


def try_encoder(info: VideoInfo, settings: EncodeSettings) -> None:
    """Encode one frame of the output's size into a segment, as a job does.

    Raises EncoderFailsError, with one line, if the encoder does not open or encodes nothing, and UsageError if it does
    not know an option.
    """
    picture = np.full((settings.height, settings.width, 3), 128, np.uint8)
    level = av.logging.get_level()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="vsr-", ignore_cleanup_errors=True) as folder,
            av.logging.Capture(local=False) as said,
        ):
            av.logging.set_level(av.logging.WARNING)
            path = Path(folder) / "probe"
            with SegmentWriter(path, info, settings) as writer:
                writer.write(Frame(0, picture, 0, 1))
                unknown = sorted(set(writer.unused))
            _check_data(path)
    except (OutputError, FFmpegError, ValueError, OSError) as error:
        lines = [line.strip() for level, _, line in said if line.strip() and level <= av.logging.ERROR]
        reason = lines[0].splitlines()[0].rstrip(".") if lines else str(error).partition(": ")[2] or str(error)
        raise EncoderFailsError(f"{settings.encoder} does not open here: {reason}") from None
    finally:
        av.logging.set_level(level)
    if "preset" in unknown and settings.preset is not None:
        raise UsageError(f"{settings.encoder} has no presets", Reason.NO_PRESET)
    own = OWN_PARAMETERS.get(settings.encoder)
    if unknown and own:
        advice = f"what FFmpeg has no name for is written {own}=KEY=VALUE:KEY=VALUE"
        raise UsageError(f"{settings.encoder} has no option {', '.join(unknown)}: {advice}")
    unknown += [found[1] for _, _, line in said if (found := _UNREAD.search(line))]
    if unknown:
        raise UsageError(f"{settings.encoder} has no option {', '.join(unknown)}")


def _check_data(path: Path) -> None:
    """Raise OutputError if a segment holds no data."""
    with av.open(str(path)) as made:
        if not any(packet.size for packet in made.demux(video=0)):
            raise OutputError("it encodes nothing")
