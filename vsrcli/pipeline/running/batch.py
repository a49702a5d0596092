"""Several inputs and folders: the files, their outputs, and which of them are done."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeGuard

from vsrcli.errors import InputError, Reason, UsageError
from vsrcli.files import free_names
from vsrcli.media.containers import CONTAINERS
from vsrcli.media.write.made import made_tags
from vsrcli.names import WRITABLE_IMAGES, is_image, is_video, tree_key
from vsrcli.pipeline.jobs.places import STREAMS
from vsrcli.pipeline.jobs.templates import is_template, mirrored
from vsrcli.pipeline.sinks.image_sink import is_pattern


@dataclass(frozen=True)
class Item:
    """One input and its output (None: beside it, under the default name). `listed`: found in a folder."""

    source: Path
    output: Path | None
    listed: bool = False


def is_video_folder(path: Path, *, recursive: bool) -> bool:
    """Return whether a path is a folder to process file by file, and not one sequence of images."""
    return path.is_dir() and (recursive or any(is_video(p) or is_disc_video(p) for p in path.iterdir()))


def is_batch(sources: Sequence[Path], *, recursive: bool) -> bool:
    """Return whether the call names more than one video."""
    return len(sources) > 1 or is_video_folder(sources[0], recursive=recursive)


def items(sources: Sequence[Path], output: Path | None, *, recursive: bool) -> list[Item]:
    """Return all videos of a batch. In `output` (a folder) the tree below each source folder is kept.

    Raises UsageError if `output` is a file, InputError if there is no video.
    """
    template = is_template(output)
    is_file = output is not None and (output.exists() or is_pattern(output) or is_media_name(output))
    if output is not None and not template and not output.is_dir() and is_file:
        raise UsageError(f"{output} is not a folder, which the output of several inputs must be")
    found = []
    for source in sources:
        if template and not is_video_folder(source, recursive=recursive):
            found.append(Item(source, output))
            continue
        if not is_video_folder(source, recursive=recursive):
            found.append(Item(source, _target(output, Path(source.name), folder=source.is_dir())))
            continue
        for video in _videos(source, recursive):
            if output is not None and not template and video.is_relative_to(output):
                continue
            place = video.relative_to(source)
            target = mirrored(output, place.parent) if is_template(output) else _target(output, place)
            found.append(Item(video, target, listed=True))
    if not found:
        message = f"no videos in {', '.join(map(str, sources))}"
        if recursive and any(is_image(path) for source in sources for path in source.rglob("*")):
            raise InputError(message, Reason.ONLY_IMAGES)
        raise InputError(message, None if recursive else Reason.NO_VIDEOS)
    return found


def apart(output: Path, source: Path, taken: Collection[str]) -> Path:
    """Return another name for a result whose name another input of the call has taken: the same in every run.

    It has the source's ending (t.wmv.mkv), or its folder's name where that tells nothing (t_tapes.mkv), or a number.
    """
    names = [output.stem + source.suffix + output.suffix] if source.suffix.lower() != output.suffix.lower() else []
    names += [f"{output.stem}_{source.absolute().parent.name}{output.suffix}"]
    wanted = chain(map(output.with_name, names), islice(free_names(output), 1, None))
    return next(name for name in wanted if str(name) not in taken)


def refuse_nested(folder: Path) -> None:
    """Raise InputError if a folder has videos in its subfolders alone, and no images either."""
    if not folder.is_dir() or any(is_image(path) for path in folder.iterdir()):
        return
    if next(_videos(folder, True), None) is not None:
        raise InputError(f"the videos of {folder} lie in its subfolders", Reason.NO_VIDEOS)


def left_out(sources: Sequence[Path], *, recursive: bool, output: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Return the files of the folders among `sources` that are no videos, and the subfolders that are not entered.

    The folder of the results, `output`, does not count.
    """
    files: list[Path] = []
    folders: list[Path] = []
    for source in sources:
        if not is_video_folder(source, recursive=recursive):
            continue
        taken = set(_videos(source, recursive))
        for path in sorted(source.rglob("*") if recursive else source.iterdir(), key=tree_key):
            hidden = any(part.startswith(".") or part.endswith(".vsr") for part in path.relative_to(source).parts)
            if hidden or path in taken or (output is not None and path.is_relative_to(output)):
                continue
            if path.is_file():
                files.append(path)
            elif not recursive and path.is_dir() and next(_videos(path, True), None) is not None:
                folders.append(path)
    return files, folders


def is_media_name(path: Path) -> bool:
    """Return whether a name is that of a video or an image, not of a folder."""
    return is_video(path) or is_image(path)


def apart_from_results(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Return the items to process, and those that vsr has made and that were only found in a folder."""
    made = [item for item in items if item.listed and is_result(item.source)]
    return [item for item in items if item not in made], made


def is_result(path: Path) -> bool:
    """Return whether a video's tags say that vsr made it."""
    return bool(made_tags(path))


def is_folder_for(output: Path | None, source: Path) -> TypeGuard[Path]:
    """Return whether one file's result goes into the folder `output` under its own name."""
    if output is None or str(output) in STREAMS or is_template(output):
        return False
    return source.is_file() and (output.is_dir() or not output.suffix)


def target(output: Path, name: Path, *, folder: bool = False) -> Path:
    """Return the same name in the output folder; formats that cannot be written become Matroska or PNG.

    Matroska holds everything. With `folder`, the name is that of a folder of images and is not changed.
    """
    suffix = name.suffix.lower()
    if folder or suffix in CONTAINERS or suffix in WRITABLE_IMAGES or not is_media_name(name):
        return output / name
    return output / name.with_suffix(".png" if is_image(name) else ".mkv")


def _target(output: Path | None, name: Path, *, folder: bool = False) -> Path | None:
    return None if output is None else target(output, name, folder=folder)


def is_disc_video(path: Path) -> bool:
    """Return whether a .dat file is a Video CD's, by its first bytes; other .dat files may be anything."""
    if path.suffix.lower() != ".dat" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(b"\0\0\1\xba") or (head.startswith(b"RIFF") and head.endswith(b"CDXA"))


def _videos(folder: Path, recursive: bool) -> Iterator[Path]:
    walk = folder.rglob("*") if recursive else folder.iterdir()
    files = (p for p in walk if (is_video(p) or is_disc_video(p)) and p.is_file())
    return iter(sorted((p for p in files if not any(part.endswith(".vsr") for part in p.parts)), key=tree_key))
