"""Write a .y4m file from a job's segments, which hold the same pictures losslessly compressed."""

from collections.abc import Callable
from pathlib import Path

import av

from vsrcli.errors import GO_ON, InterruptedJobError
from vsrcli.media.containers import open_container
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.encode import output_aspect, output_colour
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.feed import Feed
from vsrcli.media.write.y4m import FULL_RANGE, y4m_frame, y4m_header


def header_of(info: VideoInfo, settings: EncodeSettings) -> bytes:
    """Return the first line of a result."""
    colour = output_colour(info, settings)
    return y4m_header(
        settings.pix_fmt,
        (settings.width, settings.height),
        info.rate,
        output_aspect(info, settings),
        location=colour.chroma_location,
        full=colour.range == FULL_RANGE,
    )


def write_y4m(
    feed: Feed, info: VideoInfo, settings: EncodeSettings, partial: Path, cancelled: Callable[[], bool]
) -> None:
    """Write the frames of the segments in order. Raises OSError, and InterruptedJobError once `cancelled` is true."""
    with partial.open("xb") as file:
        file.write(header_of(info, settings))
        for path in feed.segments:
            with open_container(path) as container:
                for picture in container.decode(video=0):
                    if cancelled():
                        raise InterruptedJobError(f"stopped while writing the final file{GO_ON}")
                    assert isinstance(picture, av.VideoFrame)
                    file.writelines(y4m_frame(picture))
