"""Reads what FFmpeg tells beside a picture."""

from typing import Any

import av


def side_data(picture: av.VideoFrame, kind: str) -> bytes | None:
    """Return the side data of a kind, by PyAV's name; None if there is none, or PyAV cannot say.

    PyAV raises for all of it where it has no name for one kind, as for the EXIF that FFmpeg 8 tells of.
    """
    try:
        container: Any = picture.side_data  # PyAV's stub has it as a dictionary
        return next((bytes(data) for data in container if data.type.name == kind), None)
    except ValueError:
        return None
