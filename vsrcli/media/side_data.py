"""Read FFmpeg's side data of a picture."""

from typing import Any

import av


def side_data(picture: av.VideoFrame, kind: str) -> bytes | None:
    """Return the side data of a kind, by PyAV's name; None if there is none, or PyAV cannot read it.

    PyAV raises for all of it if it has no name for one kind, as for FFmpeg 8's EXIF.
    """
    try:
        container: Any = picture.side_data  # PyAV's stub has it as a dictionary
        return next((bytes(data) for data in container if data.type.name == kind), None)
    except ValueError:
        return None
