"""Read what a container's header declares and PyAV does not tell: the hidden borders of the picture."""

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg

from vsrcli.media.containers import FILES_ONLY, url

_STREAM = re.compile(r"^  Stream #0:(\d+)", re.MULTILINE)
_CROPPING = re.compile(r"^ +Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$", re.MULTILINE)


def header_text(path: Path) -> str:
    """Return what ffmpeg's command line says of a file's streams."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", *FILES_ONLY]
    return subprocess.run([*command, "-i", url(path)], capture_output=True, text=True, errors="replace").stderr


def hidden_borders(text: str, index: int) -> tuple[int, int, int, int] | None:
    """Return the (left, right, top, bottom) pixels that stream `index` hides by its container; None for none.

    `text` is `header_text`'s. Matroska declares them as PixelCrop, QuickTime and MP4 as a clean aperture (`clap`).
    """
    places = [*_STREAM.finditer(text)]
    for number, place in enumerate(places):
        if int(place[1]) != index:
            continue
        end = places[number + 1].start() if number + 1 < len(places) else len(text)
        found = _CROPPING.search(text, place.end(), end)
        borders = (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else (0, 0, 0, 0)
        return borders if any(borders) else None
    return None
