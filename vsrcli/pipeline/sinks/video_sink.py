"""Videos as a destination of HR frames, and the choice of the destination by the output's name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from vsrcli.errors import Note, Reason, Remark, UsageError
from vsrcli.media.containers import check_container, container_of
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import EncodingOptions
from vsrcli.media.pixels.alpha import has_alpha_plane
from vsrcli.media.read.joins import Join
from vsrcli.media.unkept import CAPTIONS, left_out
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.avi_times import check_avi_times
from vsrcli.media.write.caption_messages import holds_captions
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter, output_aspect, output_colour
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.held import encoder_bytes
from vsrcli.media.write.mux import try_sound
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.folder.work_folder import Segment
from vsrcli.pipeline.sinks.image_sink import ImageSink, is_image_output
from vsrcli.pipeline.sinks.photographs import lost_in_video
from vsrcli.pipeline.sinks.rate import controlled
from vsrcli.pipeline.sinks.sink import Placing, Sink, Writer

_ROUND = Fraction(1, 100)  # allowed difference of shape, since sizes are whole pixels


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
        self.keeps_alpha = info.alpha and has_alpha_plane(av.VideoFormat(encode.pix_fmt, 16, 16))
        self.warnings = [*encode.notes, *check_container(info, output)]
        self.kept: tuple[str, ...] = (CAPTIONS,) if holds_captions(encode) else ()
        self.warnings += [left_out(name) for name in info.unkept if name not in self.kept]
        self.warnings += lost_in_video(info, output.suffix.lower())
        aspect = output_aspect(info, encode)
        if aspect not in (0, 1) and abs(aspect / (info.sample_aspect_ratio or 1) - 1) > _ROUND:
            width, height = reversed(self.size) if info.turned else self.size
            line = f"{width}x{height} has another shape than the source: its pixels are shown {aspect} as wide as high"
            self.warnings.append(Note(line, Reason.OTHER_SHAPE, width=width, height=height))
        square = encode.codec in ("gif", "apng")
        rotation = info.rotation if container_of(output).rotation else None
        self.shown = replace(
            info,
            width=self.size[0],
            height=self.size[1],
            sample_aspect_ratio=Fraction(1) if square else aspect,
            rotation=rotation,
        ).shown
        if square and aspect and abs(aspect - 1) > _ROUND:
            self.warnings.append(
                f"{output.suffix} shows square pixels: the shape by {info.sample_aspect_ratio} is lost"
            )
        try_sound(info, output)
        check_avi_times(info, output, *span)
        matrix = output_colour(info, encode).matrix
        coloured = not info.images and not info.pix_fmt.startswith(("gray", "mono")) and encode.tagged
        if info.colour.matrix == 2 and matrix not in (0, 2) and coloured:
            taken = info.colour.matrix_for_conversion(info.width, info.height)
            said = ", and the output says so" if matrix == taken else ""
            name = {1: "BT.709", 5: "BT.601"}[taken]
            self.warnings.append(Remark(f"the source declares no colour matrix: taken as {name}{said}"))

    def settings(self) -> dict[str, object]:
        """Return the encoder's settings."""
        e = self.encode
        quality = {"codec": e.name, "crf": e.crf, "bitrate": e.bitrate, "preset": e.preset}
        return {**quality, "pix_fmt": e.pix_fmt, "size": [e.width, e.height]}

    def held(self, frames: int | None) -> int:
        """Return about how many bytes the encoder holds; each segment has its own."""
        return encoder_bytes(self.encode, self.info.bit_depth, frames)

    def writer(self, path: Path) -> Writer:
        """Return an encoder."""
        return SegmentWriter(path, self.info, controlled(self.encode, path, self.info))

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: Placing,
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


def make_sink(
    output: Path,
    info: VideoInfo,
    size: tuple[int, int],
    *,
    asked: EncodingOptions,
    span: tuple[float | None, float | None],
    box: tuple[int, int] | None = None,
) -> Sink:
    """Return the sink for the output's name; `box` (width, height) is what black borders fill around the picture.

    Raises UsageError if the container cannot hold what is requested.
    """
    if is_image_output(output, info):
        if asked.bitrate is not None or asked.target_size is not None:
            raise UsageError("images have no bitrate or size to choose")
        if box is not None:
            raise UsageError("images are not padded: only videos are")
        return ImageSink(output, info, size=size)
    if output.suffix.lower() in WRITABLE_IMAGES:
        name = f"{output.stem.replace('%', '')}-%08d{output.suffix}"
        message = f"{output.name} is one image, the source is several"
        raise UsageError(message, Reason.ONE_IMAGE, output=output.parent / name)
    width, height = box or size
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
        bitrate=asked.bitrate,
        aim="bitrate" if asked.target_size is None else "size",
    )
    if box is not None and size != (encode.width, encode.height):
        encode = replace(encode, inner=size)
    return VideoSink(output, info, encode, span=span)
