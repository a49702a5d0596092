"""Destinations of HR frames: a video file or a sequence of images.

Both consist of segments and are renamed at the end.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from vsrcli.errors import OutputError, Reason, Remark, UsageError
from vsrcli.files import free_names, settle
from vsrcli.frame import Frame
from vsrcli.media.assemble import assemble
from vsrcli.media.avi_times import check_avi_times
from vsrcli.media.captions import holds_captions
from vsrcli.media.codecs import choose_settings
from vsrcli.media.containers import CONTAINERS, check_container
from vsrcli.media.encode import SegmentWriter, output_aspect, output_colour
from vsrcli.media.encode_settings import EncodeSettings
from vsrcli.media.images import write_image
from vsrcli.media.info import VideoInfo
from vsrcli.media.joins import Join
from vsrcli.media.mux import try_sound
from vsrcli.media.options import EncodingOptions
from vsrcli.media.tint import tinted
from vsrcli.media.unkept import CAPTIONS, left_out
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.photographs import Tags, lost_in_images, lost_in_video, tags_for_images
from vsrcli.pipeline.work_files import clear_inner
from vsrcli.pipeline.work_folder import Segment
from vsrcli.words import counted


class Writer(Protocol):
    """Writer of the frames of one segment."""

    def write(self, frame: Frame) -> None:
        """Write one frame of levels."""

    def close(self) -> None:
        """Flush and complete the segment."""


class Announce(Protocol):
    """Callback with the next name of the output, and the finished file that will get it (None: images)."""

    def __call__(self, output: Path, *, file: Path | None = None) -> None:
        """Record the name."""


@dataclass(frozen=True)
class Placing:
    """Settings for naming an output: whether it may `overwrite`, the callback, and the name that an earlier run used.

    `cancelled` returns whether to stop while the output is being written.
    """

    overwrite: bool
    announce: Announce
    begun: str | None
    cancelled: Callable[[], bool]


class Sink(Protocol):
    """One kind of output.

    `size` is (width, height); `warnings` are lines about what the output cannot hold, `kept` the names of what it gets
    beside the picture and another might not.
    """

    output: Path
    kept: tuple[str, ...]
    size: tuple[int, int]
    warnings: list[str]

    def settings(self) -> dict[str, object]:
        """Return the settings that affect the encoded frames, for the job's record."""

    def writer(self, path: Path) -> Writer:
        """Return a writer for the segment at `path`."""

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: "Placing",
        joins: Sequence[Join] = (),
    ) -> Path:
        """Move the complete output into place and return its name. At `joins` the source's clock jumps back."""


class VideoSink:
    """A video file with all other streams of the source."""

    def __init__(
        self,
        output: Path,
        info: VideoInfo,
        encode: EncodeSettings,
        *,
        span: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.output, self.info, self.encode, self.span = output, info, encode, span
        self.size = (encode.width, encode.height)
        self.warnings = [*encode.notes, *check_container(info, output)]
        self.kept: tuple[str, ...] = (CAPTIONS,) if holds_captions(encode) else ()
        self.warnings += [left_out(name) for name in info.unkept if name not in self.kept]
        self.warnings += lost_in_video(info, output.suffix.lower())
        aspect = output_aspect(info, encode)
        if encode.codec == "gif" and aspect and abs(aspect - 1) > _ROUND:
            self.warnings.append(
                f"{output.suffix} shows square pixels: the shape by {info.sample_aspect_ratio} is lost"
            )
        try_sound(info, output)
        check_avi_times(info, output, *span)
        matrix = output_colour(info, encode).matrix
        coloured = not info.images and not info.pix_fmt.startswith(("gray", "mono"))
        if info.colour.matrix == 2 and matrix not in (0, 2) and coloured:
            name = {1: "BT.709", 5: "BT.601"}[matrix]
            line = f"the source declares no colour matrix: taken as {name}, and the output says so"
            self.warnings.append(Remark(line))

    def settings(self) -> dict[str, object]:
        """Return the encoder's settings."""
        e = self.encode
        return {"codec": e.name, "crf": e.crf, "preset": e.preset, "pix_fmt": e.pix_fmt, "size": [e.width, e.height]}

    def writer(self, path: Path) -> Writer:
        """Return an encoder."""
        return SegmentWriter(path, self.info, self.encode)

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: "Placing",
        joins: Sequence[Join] = (),
    ) -> Path:
        """Join the segments and add the source's other streams by stream copy."""
        already = set(self.warnings)
        return assemble(
            [s.path for s in segments],
            self.info,
            self.encode,
            self.output,
            pts=[p for s in segments for p in s.pts],
            tags=tags,
            start=self.span[0],
            end=self.span[1],
            joins=joins,
            warn=lambda line: None if line in already else warn(line),
            overwrite=placing.overwrite,
            announce=lambda name, file: placing.announce(name, file=file),
            cancelled=placing.cancelled,
        )


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
        self.warnings = [*_image_warnings(info, suffix), *lost_in_images(info, size, suffix)]
        self._tags = tags_for_images(info, size)

    def settings(self) -> dict[str, object]:
        """Return the pattern and size."""
        return {"images": self.output.name, "size": list(self.size)}

    def writer(self, path: Path) -> Writer:
        """Return a writer of images to the folder `path`."""
        return _ImageWriter(path, self._names, self.size, self._matrix, self._tags, by_pts=self._by_pts)

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: "Placing",
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
            return settle(images[0], self.output, overwrite=placing.overwrite, announce=placing.announce)
        except OSError as error:
            raise OutputError(f"cannot write {self.folder}: {error.strerror}") from None

    def _fill(self, segments: Sequence[Segment], placing: "Placing") -> Path:
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
                if target.is_symlink():  # which a copy would write through
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
        *,
        by_pts: bool,
    ) -> None:
        foreign = clear_inner(folder)  # what a run that was killed has left, half-written images among it
        if foreign:
            raise OutputError(f"{foreign[0]} is not vsr's: put it elsewhere, vsr works in that folder")
        folder.mkdir()
        self._folder, self._names, self._size, self._by_pts = folder, names, size, by_pts
        self._matrix, self._tags = matrix, tags

    def write(self, frame: Frame) -> None:
        name = self._names(frame.pts if self._by_pts else frame.number)
        data = frame.data if frame.tint is None else tinted(frame.data, frame.tint, self._matrix)
        write_image(self._folder / name, data, size=self._size, tags=self._tags(frame.pts))

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


def make_sink(
    output: Path,
    info: VideoInfo,
    size: tuple[int, int],
    *,
    asked: EncodingOptions,
    span: tuple[float | None, float | None],
) -> Sink:
    """Return the sink for the output's name. Raises UsageError if the container cannot hold what is requested."""
    if is_image_output(output, info):
        return ImageSink(output, info, size=size)
    if output.suffix.lower() in WRITABLE_IMAGES:
        name = f"{output.stem.replace('%', '')}-%08d{output.suffix}"
        message = f"{output.name} is one image, the source is several"
        raise UsageError(message, Reason.ONE_IMAGE, output=output.parent / name)
    width, height = size
    encode = choose_settings(
        info,
        output,
        width=width,
        height=height,
        codec=asked.codec,
        crf=asked.crf,
        preset=asked.preset,
        pix_fmt=asked.pix_fmt,
        tune=asked.tune,
        encoder_opt=asked.encoder_opt,
    )
    return VideoSink(output, info, encode, span=span)


def _numbers(info: VideoInfo) -> list[int]:
    """Return the images' own numbers; if they have none, or one twice, consecutive numbers from the first one's."""
    found = [re.findall(r"\d+", path.stem) for path in info.images]
    numbers = [int(digits[-1]) for digits in found if digits]
    if len(set(numbers)) == len(found):
        return numbers
    first = int(found[0][-1]) if found[0] else 1
    return list(range(first, first + len(found)))


_ROUND = Fraction(1, 100)  # by which a size in whole pixels may differ from the shape asked for


def _image_warnings(info: VideoInfo, suffix: str) -> list[str]:
    """Return lines about what images cannot hold of the source."""
    lines = [left_out(name) for name in info.unkept]
    if info.streams:
        lines.append(f"images hold no sound or subtitles: {counted(len(info.streams), 'stream')} left out")
    if info.sample_aspect_ratio not in (0, 1):
        lines.append(f"images hold no sample aspect ratio: they show without the source's {info.sample_aspect_ratio}")
    if suffix != ".png" and info.bit_depth > 8:
        lines.append(f"{suffix} keeps 8 of the source's {info.bit_depth} bits: write .png for 16")
    return lines
