"""Paths of a job's output and of its work."""

import hashlib
import os
from pathlib import Path

from vsrcli.errors import UsageError
from vsrcli.media.containers import CONTAINERS, CannotHoldError, check_container
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.avi_times import check_avi_times
from vsrcli.names import WRITABLE_IMAGES, with_ending
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.sinks.image_sink import is_pattern

STREAMS = frozenset({"-", "/dev/stdout", "/dev/stderr", "/dev/null"})
"""Names of outputs that are no files."""
LONGEST_NAME = 255
"""Largest number of bytes of a file's name."""
ENDING = ".vsr"
"""Suffix of the folders in which jobs work."""
HOLDS_ALL = ".mkv"
"""Suffix of the container that can hold everything of any source."""


def default_output(info: VideoInfo, options: Options, scale: int) -> Path:
    """Return `<name>_x4.<ext>` beside the input; for images a folder `<name>_x4`."""
    name = f"_x{options.scale or scale:g}"
    if options.fit is not None:
        name = "_{}x{}".format(*options.fit)
    elif options.height is not None or options.size is not None:
        name = f"_{options.height}p" if options.size is None else "_{}x{}".format(*options.size)
    path = info.path
    if info.images and path not in info.images:
        folder = path if path.is_dir() else path.parent
        return folder.with_name(folder.name + name)
    written = WRITABLE_IMAGES if info.images else CONTAINERS
    ended = path if path.suffix.lower() in written else with_ending(path, ".png" if info.images else HOLDS_ALL)
    room = LONGEST_NAME - len(os.fsencode(name + ended.suffix))
    return ended.with_name(_within(ended.stem, room) + name + ended.suffix)


def _within(text: str, most: int) -> str:
    """Return the beginning of a name that takes at most `most` bytes."""
    while len(os.fsencode(text)) > most:
        text = text[:-1]
    return text


def choose_output(
    output: Path | None, info: VideoInfo, options: Options, scale: int, *, named: bool = True
) -> tuple[Path, str | None]:
    """Return the path of the result, and a line if its suffix differs from the requested one or from the source's.

    A suffix that is only the source's own (`output` is None, or has the same suffix, or is not `named` by the caller
    but follows from the source's name) is replaced by that of the nearest format that can be written and holds
    everything. Raises UsageError if `output` is no file.
    """
    if output is not None and str(output) in STREAMS:
        raise UsageError("the result is put together in a file, not in a stream: give a file's name as output")
    wanted = default_output(info, options, scale) if output is None else output
    if is_pattern(wanted) or (info.images and (info.path not in info.images or wanted.is_dir())):
        return wanted, None
    source, suffix = info.path.suffix.lower(), wanted.suffix.lower()
    free = output is None or not named or (suffix == source and suffix != "")
    if info.images:
        if free and suffix not in WRITABLE_IMAGES and suffix not in CONTAINERS:
            wanted = with_ending(wanted, ".png")
        changed = source not in WRITABLE_IMAGES and free
        what = f"{source} is not written" if source else "the source's name has no ending"
        return wanted, f"{what}: the result is {wanted.suffix}" if changed else None
    if free and suffix not in CONTAINERS:
        wanted = with_ending(wanted, HOLDS_ALL)
        suffix = HOLDS_ALL
    if free and source not in CONTAINERS:
        if suffix != HOLDS_ALL:  # one that the caller's pattern of names gives
            return wanted, None
        what = f"{source} is not written" if source else "the source's name has no ending"
        return wanted, f"{what}: the result is {suffix}, which holds everything"
    if suffix in CONTAINERS and (output is None or not named):
        try:
            check_container(info, wanted)
            check_avi_times(info, wanted, options.start, options.end)
        except CannotHoldError as error:
            held = with_ending(wanted, HOLDS_ALL)
            return held, f"{error}: the result is {HOLDS_ALL}, which holds everything"
    return wanted, None


def job_folder(output: Path, work_dir: str | None = None) -> Path:
    """Return the folder of the job's work: beside the output, or in a folder for the work of many jobs."""
    place = output.parent if is_pattern(output) else output
    name = os.fsencode(place.name)
    if work_dir is not None:  # where outputs of one name from several folders meet
        return Path(work_dir) / _short(name, os.fsencode(os.path.realpath(place)))
    if len(name) <= LONGEST_NAME - len(ENDING):
        return place.parent / f"{place.name}{ENDING}"
    return place.parent / _short(name, name)


def _short(name: bytes, whole: bytes) -> str:
    """Return the beginning of a name, and a digest that distinguishes it from others with the same beginning."""
    beginning = name[: LONGEST_NAME - len(ENDING) - 17].decode("utf-8", "ignore")
    return f"{beginning}~{hashlib.sha256(whole).hexdigest()[:16]}{ENDING}"
