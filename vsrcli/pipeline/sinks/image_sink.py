"""Images as a destination of HR frames: a pattern of names, a folder, or a single image."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vsrcli.errors import OutputError, UsageError, unwritable
from vsrcli.files import PART, free_names, settle
from vsrcli.frame import Frame, largest_level
from vsrcli.media.containers import CONTAINERS
from vsrcli.media.info import VideoInfo
from vsrcli.media.photo.images import KEEP_ALPHA, write_image
from vsrcli.media.pixels.alpha import has_alpha_plane
from vsrcli.media.pixels.tint import tinted
from vsrcli.media.read.joins import Join
from vsrcli.media.unkept import left_out
from vsrcli.media.write.held import IMAGE_BYTES
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.folder.work_files import clear_inner
from vsrcli.pipeline.folder.work_folder import Segment
from vsrcli.pipeline.sinks.photographs import Tags, lost_in_images, tags_for_images
from vsrcli.pipeline.sinks.sink import Placing, Writer
from vsrcli.words import counted

_MOST_DIGITS = 20
_LARGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}


class ImageSink:
    """Images: a pattern such as out/%08d.png, a folder (which gets the source images' names), or one image's name.

    Images keep their numbers, including gaps; a video's frames, and images with new ones between them, count from 1, as
    with ffmpeg.
    """

    def __init__(self, output: Path, info: VideoInfo, *, size: tuple[int, int]) -> None:
        self.output, self.size = output, size
        self.kept: tuple[str, ...] = ()
        self._matrix = info.colour.matrix_for_conversion(info.width, info.height)
        # their pts say which image it is, wherever a part begins; with new ones between, they are counted anew
        self._by_pts = bool(info.images) and info.ticks == 1
        self._names: Callable[[int], str]
        self.folder = output.parent
        if is_pattern(output):
            if any(int(digits or 0) > _MOST_DIGITS for digits in re.findall(r"%(\d*)d", output.name)):
                raise UsageError(f"a pattern with more than {_MOST_DIGITS} digits: write it like out/%08d.png")
            pattern, numbers = output.name, _numbers(info) if self._by_pts else []
            self._names = lambda index: pattern % (numbers[index] if numbers else index + 1)
        elif output.suffix:
            self._names = lambda index: output.name
        else:
            self.folder = output
            stems = [p.stem for p in info.images] if self._by_pts else []
            self._names = lambda index: f"{stems[index]}.png" if stems else f"{index + 1:08d}.png"
        try:
            suffix = Path(self._names(0)).suffix.lower()
        except (TypeError, ValueError):
            raise UsageError(f"not a pattern of names: {output.name} (write it like out/%08d.png)") from None
        if suffix not in WRITABLE_IMAGES:
            raise UsageError(f"cannot write {suffix or 'nameless'} images: use one of {', '.join(WRITABLE_IMAGES)}")
        most = _LARGEST_SIDE.get(suffix)
        if most and max(size) > most:
            raise UsageError(f"{suffix} holds {most} pixels a side at most, not {size[0]}x{size[1]}: write .png")
        self.keeps_alpha = info.alpha and suffix in KEEP_ALPHA
        self._alpha = self.keeps_alpha and has_alpha_plane(av.VideoFormat(info.pix_fmt, 16, 16))
        self.warnings = [*_image_warnings(info, suffix), *lost_in_images(info, size, suffix)]
        self._tags = tags_for_images(info, size)
        self.shown = replace(info, width=size[0], height=size[1], sample_aspect_ratio=Fraction(1)).shown

    def settings(self) -> dict[str, object]:
        """Return the pattern and size."""
        return {"images": self.output.name, "size": list(self.size)}

    def held(self, frames: int | None) -> int:
        """Return the bytes that writing an image takes."""
        return self.size[0] * self.size[1] * IMAGE_BYTES

    def writer(self, path: Path) -> Writer:
        """Return a writer of images to the folder `path`."""
        return _ImageWriter(path, self._names, self.size, self._matrix, self._tags, self._by_pts, self._alpha)

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: Placing,
        joins: Sequence[Join] = (),
    ) -> Path:
        """Move the images to their folder, or to another if theirs is not empty and may not be overwritten."""
        try:
            if self.folder != self.output.parent or is_pattern(self.output):
                return self._fill(segments, placing)
            images = [image for segment in segments for image in _images(segment)]
            if not images:  # a run before has put it in place
                return self.output.with_name(placing.begun or self.output.name)
            self.folder.mkdir(parents=True, exist_ok=True)
            image = images[0]
            if image.stat().st_dev != self.folder.stat().st_dev:  # which a rename does not leave
                beside = self.folder / f".{image.name}{PART}"
                beside.unlink(missing_ok=True)  # a copy would write through a link
                image = Path(shutil.move(image, beside))
            return settle(image, self.output, overwrite=placing.overwrite, announce=placing.announce)
        except OSError as error:
            raise unwritable(self.folder, error) from None

    def _fill(self, segments: Sequence[Segment], placing: Placing) -> Path:
        folder = self.folder
        if placing.begun is not None:
            folder = folder.with_name(placing.begun)
        elif not placing.overwrite:
            folder = next(name for name in free_names(folder) if not (name.is_dir() and any(name.iterdir())))
        placing.announce(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for segment in segments:
            for image in _images(segment):
                target = folder / image.name
                if target.is_symlink():  # a copy would write through the link
                    target.unlink()
                shutil.move(image, target)  # maybe to another disk
        return (
            folder
            if folder.parent == self.output.parent and not is_pattern(self.output)
            else (folder / self.output.name)
        )


def _images(segment: Segment) -> list[Path]:
    """Return the images of a segment that are not yet in place."""
    return sorted(segment.path.iterdir()) if segment.path.exists() else []


class _ImageWriter:
    def __init__(
        self,
        folder: Path,
        names: Callable[[int], str],
        size: tuple[int, int],
        matrix: int,
        tags: Tags,
        by_pts: bool,
        always_alpha: bool,
    ) -> None:
        foreign = clear_inner(folder)  # delete what a killed run has left, such as half-written images
        if foreign:
            raise OutputError(f"{foreign[0]} is not vsr's: put it elsewhere, vsr works in that folder")
        folder.mkdir()
        self._folder, self._names, self._size, self._by_pts = folder, names, size, by_pts
        self._matrix, self._tags, self._always_alpha = matrix, tags, always_alpha

    def write(self, frame: Frame) -> None:
        name = self._names(frame.pts if self._by_pts else frame.number)
        data = frame.data if frame.tint is None else tinted(frame.data, frame.tint, self._matrix)
        alpha = frame.alpha
        if alpha is None and self._always_alpha:  # the images of a sequence are of one kind
            alpha = np.full(data.shape[:2], largest_level(data), data.dtype)
        write_image(self._folder / name, data, alpha=alpha, size=self._size, tags=self._tags(frame.pts))

    def close(self) -> None:
        pass


def is_image_output(output: Path, info: VideoInfo) -> bool:
    """Return whether an output's name means images: a pattern, a folder for images, or an image for one image."""
    if is_pattern(output):
        return True
    if output.suffix.lower() in WRITABLE_IMAGES:
        return len(info.images) == 1
    return bool(info.images) and (output.is_dir() or not output.suffix)


def is_pattern(output: Path) -> bool:
    """Return whether a name stands for many images: it contains a number's format and is not a video's."""
    return bool(re.search(r"%\d*d", output.name)) and output.suffix.lower() not in CONTAINERS


def _numbers(info: VideoInfo) -> list[int]:
    """Return the images' own numbers; if they have none, or one twice, consecutive numbers from the first one's."""
    found = [re.findall(r"\d+", path.stem) for path in info.images]
    numbers = [int(digits[-1]) for digits in found if digits]
    if len(set(numbers)) == len(found):
        return numbers
    first = int(found[0][-1]) if found[0] else 1
    return list(range(first, first + len(found)))


def _image_warnings(info: VideoInfo, suffix: str) -> list[str]:
    """Return lines about what images cannot hold of the source."""
    lines = [left_out(name) for name in info.unkept]
    if info.streams:
        lines.append(f"images hold no sound or subtitles: {counted(len(info.streams), 'stream')} left out")
    if info.sample_aspect_ratio not in (0, 1):
        lines.append(f"images hold no sample aspect ratio: they show without the source's {info.sample_aspect_ratio}")
    if suffix not in KEEP_ALPHA and info.transparent:
        lines.append(f"{suffix} does not keep transparency: write .png or .webp for it")
    if suffix != ".png" and info.bit_depth > 8:
        lines.append(f"{suffix} keeps 8 of the source's {info.bit_depth} bits: write .png for 16")
    return lines
