"""Where a job's output and its work lie."""

from pathlib import Path

from vsrcli.errors import UsageError
from vsrcli.media.containers import CONTAINERS, place_streams
from vsrcli.media.info import VideoInfo
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.sinks import is_pattern


def default_output(info: VideoInfo, options: Options, scale: int) -> Path:
    """`<name>_x4.<ext>` beside the input; for images a folder `<name>_x4`."""
    name = f"_x{options.scale or scale:g}"
    if options.height is not None or options.size is not None:
        name = f"_{options.height}p" if options.size is None else "_{}x{}".format(*options.size)
    path = info.path
    if path in info.images:
        suffix = path.suffix if path.suffix.lower() in WRITABLE_IMAGES else ".png"
        return path.with_name(path.stem + name + suffix)
    if info.images:
        folder = path if path.is_dir() else path.parent
        return folder.with_name(folder.name + name)
    output = path.with_name(path.stem + name + (path.suffix if path.suffix.lower() in CONTAINERS else ".mkv"))
    try:
        place_streams(info, output)
    except UsageError:  # its own container is read, but cannot be written with all its sound, as a Blu-ray's TrueHD
        return output.with_suffix(".mkv")
    return output


def job_folder(output: Path) -> Path:
    """Where the job's work lies until it is done."""
    place = output.parent if is_pattern(output) else output
    return place.parent / f"{place.name}.vsr"
