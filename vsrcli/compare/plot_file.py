"""Write plots as files."""

from collections.abc import Sequence
from pathlib import Path

from vsrcli.compare.plot import Panel, plot_picture, plot_svg
from vsrcli.errors import unwritable
from vsrcli.files import write_whole
from vsrcli.media.photo.images import write_image


def save(panels: Sequence[Panel], path: Path, *, axis: str = "frame") -> None:
    """Write a plot as .svg, or as .png for any other suffix; `axis` is the label of x. Raises OutputError."""
    if path.suffix.lower() != ".svg":
        write_image(path, plot_picture(panels, axis=axis))
        return
    try:
        write_whole(path, plot_svg(panels, axis=axis).encode())
    except OSError as error:
        raise unwritable(path, error) from None
