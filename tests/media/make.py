"""Makes tiny real videos for tests, with real codecs, and reads them back with a second, independent ffmpeg."""

import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from vsrcli.media.info import Colour


def pattern(number: int, width: int = 64, height: int = 48, *, seed: int = 0) -> np.ndarray:
    """A smooth moving texture that differs from frame to frame: (height, width, 3) uint8 RGB."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 3)
    waves = [
        np.sin((x + number * 1.5) / (5 + 2 * c) + phases[c]) + np.cos((y - number) / (7 - c) + phases[c])
        for c in range(3)
    ]
    return np.rint(127.5 + 50 * np.stack(waves, axis=-1)).astype(np.uint8)


def video(
    path: Path,
    *,
    width: int = 64,
    height: int = 48,
    frames: int = 10,
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    colour: Colour | None = None,
    sar: Fraction | None = None,
    rotation: Sequence[int] | None = None,
    seed: int = 0,
    options: dict[str, str] | None = None,
    draw: Callable[[int, int, int], np.ndarray] | None = None,
) -> Path:
    """Encode `pattern` frames with PyAV, or what `draw` makes of (number, width, height).

    `pts` (in `time_base`, default 1/rate) makes the frame rate variable.
    """
    tick = time_base or 1 / rate
    if options is None:
        options = {"crf": "10", "preset": "ultrafast"} if codec in ("libx264", "libx265") else {}
    if codec == "libx265":
        options = {"x265-params": "log-level=none", **options}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = tick
        context = stream.codec_context
        context.time_base = tick
        if sar is not None:
            context.sample_aspect_ratio = sar
        if colour is not None:
            context.colorspace, context.color_range = colour.matrix, colour.range
            context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if rotation is not None:
            stream.set_display_matrix(rotation)
        for number in range(frames):
            picture = draw(number, width, height) if draw else pattern(number, width, height, seed=seed)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if colour is not None:
                frame = frame.reformat(format=pix_fmt, dst_colorspace=colour.matrix, dst_color_range=colour.range)
                frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
            else:
                frame = frame.reformat(format=pix_fmt)
            frame.pts = pts[number] if pts is not None else number
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ffmpeg(*arguments: str | Path) -> str:
    """Run the second ffmpeg (a newer one than PyAV's) and return its stdout; its stderr is the failure's message."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rich(path: Path, *, width: int = 64, height: int = 48, frames: int = 20) -> Path:
    """A Matroska file with all there can be beside the video.

    Two audio tracks (English, German; AAC), a subtitle, two chapters, an attachment (a font's bytes), a cover, tags.
    """
    folder = path.with_suffix(".parts")
    folder.mkdir(exist_ok=True)
    picture = video(folder / "video.mkv", width=width, height=height, frames=frames)
    (folder / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n", "utf-8")
    (folder / "font.ttf").write_bytes(bytes(range(256)) * 4)
    cover = folder / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:d=1", "-frames:v", "1", cover)
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
        for start, end, title in ((0, 400, "One"), (400, 800, "Two"))
    )
    (folder / "meta.txt").write_text(f";FFMETADATA1\ntitle=A title\nartist=Somebody\n{chapters}", "utf-8")
    tone = "sine=frequency={}:duration={}"
    seconds = str(frames / 25)
    inputs: list[str | Path] = ["-i", picture]
    for frequency in (440, 660):
        inputs += ["-f", "lavfi", "-i", tone.format(frequency, seconds)]
    inputs += ["-i", folder / "a.srt", "-i", folder / "meta.txt"]
    inputs += ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map_metadata", "4", "-map_chapters", "4"]
    inputs += ["-c:v", "copy", "-c:a", "aac", "-c:s", "srt"]
    inputs += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=fre"]
    inputs += ["-metadata:s:a:0", "title=Main", "-attach", folder / "font.ttf"]
    inputs += ["-metadata:s:t:0", "mimetype=application/x-truetype-font", "-metadata:s:t:0", "filename=font.ttf"]
    inputs += ["-attach", cover, "-metadata:s:t:1", "mimetype=image/png", "-metadata:s:t:1", "filename=cover.png"]
    ffmpeg(*inputs, path)
    return path


def audio_only(path: Path) -> Path:
    """A third of a second of a tone and nothing else."""
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.3", path)
    return path


def second_opinion(path: Path, *options: str | Path) -> list[tuple[int, str]]:
    """(pts, hash) of every frame of the first video stream as the second ffmpeg decodes it, timestamps untouched."""
    text = ffmpeg(
        *options, "-copyts", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough", "-enc_time_base", "demux",
        "-f", "framehash", "-hash", "murmur3", "-",
    )  # fmt: skip
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    return [(int(row[2]), row[5].strip()) for row in rows]


def interlaced(path: Path, *, frames: int = 12) -> Path:
    """Top-field-first MPEG-2 at 25 frames (50 fields) a second of bars that move from field to field."""
    return _combed(path, frames, ["-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "1", "-bf", "0"])


def combed_but_not_flagged(path: Path, *, frames: int = 12) -> Path:
    """The same picture without a word that it is interlaced."""
    return _combed(path, frames, ["-c:v", "ffv1"], ",setfield=prog")


def _combed(path: Path, frames: int, codec: list[str], after: str = "") -> Path:
    source = "testsrc2=s=96x64:r=50,scroll=horizontal=0.04,hue=s=0,format=yuv420p"
    filters = f"tinterlace=interleave_top{after}"
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", str(frames), "-vf", filters, *codec, path)
    return path
