"""Segments keep every timestamp and tag, and the settings follow the source."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media import make
from tests.told import told
from vsrcli.cli.messages import full
from vsrcli.errors import OutputError, UsageError
from vsrcli.frame import Frame
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter, output_aspect
from vsrcli.media.write.encode_settings import EncodeSettings, encoder_options

INFO = VideoInfo(
    path=Path("in.mkv"), container="matroska", stream_index=0, codec="h264", width=64, height=48, pix_fmt="yuv420p",
    bit_depth=8, time_base=Fraction(1, 1000), frames=None, duration=None, rate=Fraction(25), colour=Colour(),
    sample_aspect_ratio=Fraction(0), rotation=None, interlaced=False, mastering_display=None, content_light=None,
    streams=(), chapters=0,
)  # fmt: skip
DEEP = replace(INFO, pix_fmt="yuv420p10le", bit_depth=10)
CODECS = ["h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1"]
QUICK = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12", "vp9": "8"}
ROOT = Path(__file__).parents[2]
OUTPUT = {"vp9": "o.webm", "prores": "o.mov", "gif": "o.gif"}


def chosen(info: VideoInfo, output: str, width: int = 256, height: int = 192, **asked: str | float) -> EncodeSettings:
    return choose_settings(info, Path(output), width=width, height=height, **asked)  # type: ignore[arg-type]


def write(path: Path, info: VideoInfo, settings: EncodeSettings, pts: list[int]) -> None:
    with SegmentWriter(path, info, settings) as writer:
        for number, time in enumerate(pts):
            writer.write(Frame(number, make.pattern(number, settings.width, settings.height), time, 1))


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [(frame.pts or 0) * Fraction(frame.time_base or 0) for frame in container.decode(video=0)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "tick", [Fraction(1, 90000), Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 15360), Fraction(1, 10000000)]
)
def test_a_segment_keeps_every_pts(tmp_path: Path, codec: str, tick: Fraction) -> None:
    step = max(1, int(Fraction(1, 25) / tick))
    pts = [700 + step * n for n in (0, 1, 2, 4, 5, 9)] + [700 + 9 * step + 1]
    info = replace(INFO, time_base=tick)
    settings = choose_settings(
        info, Path(OUTPUT.get(codec, "o.mkv")), width=256, height=128, codec=codec, preset=QUICK.get(codec)
    )
    if codec in ("h264", "hevc"):
        settings = replace(settings, preset="veryfast")  # with B-frames
    write(tmp_path / "s", info, settings, pts)
    assert times(tmp_path / "s") == [time * tick for time in pts]


def test_segments_of_very_few_frames_are_written(tmp_path: Path) -> None:
    """With fresh memory filled by 0xfe: x265 reads the delay of one or two frames from memory that it never set."""
    code = (
        "import sys; from pathlib import Path; from tests.media import test_encode as t\n"
        "for codec in ('h264', 'hevc', 'av1'):\n"
        "    settings = t.chosen(t.INFO, 'o.mkv', codec=codec, preset=t.QUICK[codec])\n"
        "    for frames in (1, 2):\n"
        "        t.write(Path(sys.argv[1], f'{codec}.{frames}'), t.INFO, settings, [400, 440][:frames])\n"
    )
    environment = os.environ | {"MALLOC_PERTURB_": "1"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for codec in ("h264", "hevc", "av1"):
        for frames in (1, 2):
            expected = [Fraction(400, 1000), Fraction(440, 1000)][:frames]
            assert times(tmp_path / f"{codec}.{frames}") == expected, codec


def test_the_stream_declares_colour_tags_and_aspect_ratio(tmp_path: Path) -> None:
    colour = Colour(matrix=1, range=2, primaries=1, transfer=1, chroma_location=2)
    info = replace(INFO, colour=colour, sample_aspect_ratio=Fraction(16, 11))
    write(tmp_path / "s", info, chosen(info, "o.mp4", preset="ultrafast"), [0])
    with av.open(str(tmp_path / "s")) as container:
        frame = next(container.decode(video=0))
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    assert tags == (1, 2, 1, 1)


def test_lossless_codecs_return_identical_frames(tmp_path: Path) -> None:
    info = replace(INFO, pix_fmt="rgb24")
    settings = chosen(info, "o.mkv", 64, 48, codec="ffv1")
    write(tmp_path / "s", info, settings, [0, 40])
    with av.open(str(tmp_path / "s")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            assert np.array_equal(frame.to_ndarray(format="rgb24"), make.pattern(number))


def test_x264_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    settings = chosen(INFO, "o.mp4", 192, 128, codec="h264")
    pictures = [make.pattern(number, 48, 32) for number in range(60)]
    for run in range(20):
        with SegmentWriter(tmp_path / f"{run}", INFO, settings) as writer:
            for number, picture in enumerate(pictures):
                writer.write(Frame(number, picture, 40 * number, 40))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_encoding_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for codec in ("h264", "vp9", "av1"):
        settings = chosen(INFO, OUTPUT.get(codec, "o.mkv"), codec=codec, preset=QUICK[codec])
        for name in "ab":
            write(tmp_path / name, INFO, settings, list(range(0, 400, 40)))
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("info", "output", "size", "codec", "pix_fmt"),
    [
        (INFO, "o.mp4", (1920, 1080), "h264", "yuv420p"),
        (INFO, "o.mkv", (7680, 4320), "hevc", "yuv420p"),
        (INFO, "o.avi", (7680, 4320), "h264", "yuv420p"),
        (INFO, "o.webm", (640, 480), "vp9", "yuv420p"),
        (INFO, "o.gif", (640, 480), "gif", "bgr0"),
        (DEEP, "o.mp4", (640, 480), "hevc", "yuv420p10le"),
        (DEEP, "o.webm", (640, 480), "av1", "yuv420p10le"),
        (replace(INFO, pix_fmt="yuv422p"), "o.ts", (640, 480), "h264", "yuv422p"),
        (replace(INFO, pix_fmt="yuv444p10le", bit_depth=10), "o.mkv", (640, 480), "hevc", "yuv444p10le"),
        (replace(INFO, pix_fmt="yuv422p12le", bit_depth=12), "o.mkv", (640, 480), "hevc", "yuv422p12le"),
        (replace(INFO, pix_fmt="yuvj420p"), "o.mp4", (640, 480), "h264", "yuv420p"),
        (replace(INFO, pix_fmt="yuv411p"), "o.mp4", (640, 480), "h264", "yuv422p"),
        (replace(INFO, pix_fmt="gray"), "o.mp4", (640, 480), "h264", "yuv420p"),
        (replace(INFO, pix_fmt="rgb24"), "o.mp4", (640, 480), "h264", "yuv420p"),
        (replace(INFO, pix_fmt="pal8"), "o.mkv", (640, 480), "h264", "yuv420p"),
        (replace(INFO, pix_fmt="yuva420p"), "o.mkv", (640, 480), "h264", "yuv420p"),
    ],
)
def test_settings_follow_source_and_container(
    info: VideoInfo, output: str, size: tuple[int, int], codec: str, pix_fmt: str
) -> None:
    settings = chosen(info, output, *size)
    assert (settings.codec, settings.pix_fmt, settings.notes) == (codec, pix_fmt, ())


def test_lossless_and_production_codecs_keep_the_pixel_format() -> None:
    assert chosen(replace(INFO, pix_fmt="rgb24"), "o.mkv", codec="ffv1").pix_fmt == "bgr0"
    assert chosen(replace(INFO, pix_fmt="pal8"), "o.mkv", codec="ffv1").pix_fmt == "bgr0"
    assert chosen(replace(INFO, pix_fmt="gbrp10le", bit_depth=10), "o.mkv", codec="ffv1").pix_fmt == "gbrp10le"
    assert chosen(replace(INFO, pix_fmt="yuv410p"), "o.mkv", codec="ffv1").pix_fmt == "yuv410p"
    assert chosen(INFO, "o.mov", codec="prores").pix_fmt == "yuv422p10le"
    assert chosen(replace(INFO, pix_fmt="yuv444p"), "o.mov", codec="prores").pix_fmt == "yuv444p10le"


def test_the_profile_of_prores_decides_its_chroma_and_what_is_lost_is_told() -> None:
    deep = replace(INFO, codec="prores", pix_fmt="yuva444p12le", bit_depth=12, alpha=True, transparent=True)
    kept = chosen(deep, "o.mov")
    assert (kept.pix_fmt, kept.preset, kept.notes) == ("yuva444p10le", "4444", ())
    for preset in ("hq", "proxy"):
        halved = chosen(replace(deep, bit_depth=10), "o.mov", codec="prores", preset=preset)
        assert (halved.pix_fmt, halved.preset) == ("yuv422p10le", preset)
        chroma, opaque = map(full, halved.notes)
        assert f"prores {preset} is 4:2:2" in chroma and "does not keep transparency" in opaque
        assert chroma.endswith("(--preset 4444 keeps it)") and opaque.endswith("(--preset 4444 keeps it)")
    assert chosen(INFO, "o.mov", codec="prores", preset="hq").notes == ()
    assert chosen(INFO, "o.mov", codec="prores", preset="4444").pix_fmt == "yuv444p10le"
    for preset, pix_fmt in (("hq", "yuv444p10le"), ("4444", "yuv422p10le")):
        with pytest.raises(UsageError, match=f"prores_ks {preset} cannot encode {pix_fmt}: choose one of yuv"):
            chosen(INFO, "o.mov", codec="prores", preset=preset, pix_fmt=pix_fmt)


def test_the_profile_of_dnxhr_follows_the_source_or_the_preset() -> None:
    hd = replace(INFO, colour=Colour(matrix=1))
    for pix_fmt, bits, made, profile in [
        ("yuv420p", 8, "yuv422p", "hq"),
        ("yuv420p10le", 10, "yuv422p10le", "hqx"),
        ("yuv444p", 8, "yuv444p10le", "444"),
        ("rgb24", 8, "yuv444p10le", "444"),
    ]:
        settings = chosen(replace(hd, pix_fmt=pix_fmt, bit_depth=bits), "o.mov", codec="dnxhr")
        assert (settings.pix_fmt, settings.preset, settings.notes) == (made, profile, ())
        assert encoder_options(INFO, settings)["profile"] == f"dnxhr_{profile}"
    for asked in ("sq", "dnxhr_sq"):
        deep = replace(hd, pix_fmt="yuv444p10le", bit_depth=10)
        shallow = chosen(deep, "o.mkv", codec="dnxhr", preset=asked)
        assert (shallow.pix_fmt, shallow.preset) == ("yuv422p", "sq")
        assert [full(note) for note in shallow.notes] == [
            "dnxhr sq has 8 bits: the source's depth of 10 is lost (--preset hqx keeps it)",
            "dnxhr sq is 4:2:2: the source's colours have half as many columns in the output (--preset 444 keeps it)",
        ]
    clear = replace(hd, pix_fmt="yuva444p", alpha=True, transparent=True)
    assert full(chosen(clear, "o.mov", codec="dnxhr", preset="hq").notes[-1]).endswith("(--codec prores keeps it)")
    with pytest.raises(UsageError, match="dnxhr has no preset 4444: choose one of lb sq hq hqx 444"):
        chosen(INFO, "o.mov", codec="dnxhr", preset="4444")


def test_no_codec_is_named_that_keeps_the_bits_and_loses_the_alpha() -> None:
    deep = replace(INFO, codec="ffv1", pix_fmt="gbrap12le", bit_depth=12, alpha=True, transparent=True)
    [note] = chosen(deep, "o.mov", codec="prores").notes
    assert full(note) == "prores keeps 10 of the source's 12 bits here: -o o.mkv --codec ffv1 keeps 12"


def test_sources_for_editing_and_archives_keep_their_codec_by_default() -> None:
    prores = replace(INFO, codec="prores", pix_fmt="yuv422p10le", bit_depth=10)
    dnxhd = replace(INFO, codec="dnxhd", pix_fmt="yuv422p")
    lossless = replace(INFO, codec="ffv1", pix_fmt="yuv422p")
    for info, output, codec in [
        (prores, "o.mov", "prores"),
        (prores, "o.mp4", "hevc"),
        (dnxhd, "o.mov", "dnxhr"),
        (lossless, "o.mkv", "ffv1"),
        (lossless, "o.mov", "h264"),
    ]:
        assert chosen(info, output).codec == codec
    assert chosen(prores, "o.mov", crf=20.0).codec == "hevc"
    assert chosen(prores, "o.mov", preset="slow").codec == "hevc"
    assert chosen(lossless, "o.mkv", pix_fmt="yuv420p").codec == "h264"
    assert chosen(lossless, "o.mkv", codec="h264").codec == "h264"


def test_lost_depth_metadata_and_size_are_reported() -> None:
    assert "10 bits here: --codec av1 keeps 10" in full(chosen(DEEP, "o.webm", codec="vp9").notes[0])
    hdr = replace(DEEP, content_light=(1000, 400))
    assert full(chosen(hdr, "o.webm", codec="vp9").notes[-1]).endswith("metadata (--codec av1 keeps it)")
    images = chosen(replace(INFO, pix_fmt="rgb48le", bit_depth=16), "o.mp4")
    assert images.pix_fmt == "yuv420p12le"
    assert "-o o.mkv --codec ffv1 keeps 16" in full(images.notes[0])
    odd = chosen(INFO, "o.mp4", 641, 479)
    assert (odd.width, odd.height) == (642, 480)
    assert "641x479 becomes 642x480" in odd.notes[0]
    free = chosen(replace(INFO, pix_fmt="yuv444p"), "o.mp4", 641, 479)
    assert (free.width, free.height, free.notes) == (641, 479, ())


@pytest.mark.parametrize(
    ("output", "asked", "message"),
    [
        ("o.avi", {"codec": "av1"}, r"\.avi cannot hold av1: use --codec h264"),
        ("o.webm", {"codec": "h264"}, r"\.webm cannot hold h264: use --codec vp9 or av1, or -o o\.mp4"),
        ("o.mp4", {"codec": "ffv1"}, r"-o o\.mkv"),
        ("o.mp4", {"codec": "divx"}, "unknown codec divx: choose one of h264"),
        ("o.flv", {}, r"cannot write o\.flv: .*\.mkv"),
        ("o.mp4", {"pix_fmt": "yuv410p"}, "libx264 cannot encode yuv410p"),
        ("o.mov", {"codec": "prores", "crf": 1.0}, "prores has no crf"),
        ("o.gif", {"crf": 20.0}, "gif has no crf"),
        ("o.mkv", {"codec": "ffv1", "preset": "slow"}, "ffv1 has no presets"),
        ("o.mp4", {"preset": "sloow"}, "h264 has no preset sloow: choose one of ultrafast"),
        ("o.mp4", {"crf": 70.0}, "crf"),
    ],
)
def test_impossible_settings_are_refused_with_advice(output: str, asked: dict[str, Any], message: str) -> None:
    with told(UsageError, message):
        chosen(INFO, output, **asked)


def test_encoders_know_all_their_options() -> None:
    for codec in CODECS:
        settings = chosen(INFO, OUTPUT.get(codec, "o.mkv"), codec=codec)
        context = av.CodecContext.create(settings.encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 256, 192, settings.pix_fmt
        context.time_base = Fraction(1, 25)
        context.options = encoder_options(INFO, settings)
        context.open()
        assert context.options == {}, f"{codec} did not take these"


@pytest.mark.parametrize(
    ("colour", "output", "change"),
    [
        (Colour(5, 2, 5, 6), "o.nut", "converted to limited range, as players guess"),
        (Colour(1, 2, 1, 1), "o.nut", "converted to BT.601 and limited range, as players guess; the primaries and"),
        (Colour(1, 2, 2, 1), "o.y4m", "converted to BT.601, as players guess"),
        (Colour(6, 1, 9, 16), "o.nut", "the primaries and the transfer curve are lost"),
        (Colour(2, 2, 2, 2), "o.nut", "converted to limited range, as players guess"),
        (Colour(2, 1, 6, 6), "o.nut", None),
        (Colour(6, 2, 6, 6), "o.y4m", None),
    ],
)
def test_what_a_container_without_tags_changes_is_told(colour: Colour, output: str, change: str | None) -> None:
    notes = chosen(replace(INFO, colour=colour), output, codec="rawvideo").notes
    assert [note.partition("has no colour tags: ")[2][: len(change or "")] for note in notes] == [change] * bool(change)


def test_halved_colours_of_rgb_are_told() -> None:
    rgb = replace(INFO, pix_fmt="gbrp")
    [note] = chosen(rgb, "o.mp4").notes
    assert full(note) == "h264 halves the width and height of the RGB source's colours (--pix-fmt yuv444p keeps them)"
    assert chosen(rgb, "o.mp4", pix_fmt="yuv444p").notes == chosen(rgb, "o.mkv", codec="ffv1").notes == ()
    assert chosen(replace(rgb, images=(Path("1.png"), Path("2.png"))), "o.mp4").notes == ()


def test_sample_aspect_ratio_keeps_the_shape_of_the_picture() -> None:
    wide = replace(INFO, width=720, height=576, sample_aspect_ratio=Fraction(64, 45))
    assert output_aspect(wide, chosen(wide, "o.mp4", 2880, 2304)) == Fraction(64, 45)
    assert output_aspect(wide, chosen(wide, "o.mp4", 1920, 1080)) == 1
    nearly = replace(wide, sample_aspect_ratio=Fraction(441, 440), width=176, height=216)
    assert output_aspect(nearly, chosen(nearly, "o.mp4", 704, 864)) == Fraction(441, 440)
    assert output_aspect(nearly, chosen(nearly, "o.mp4", 706, 864)) == 1
    assert output_aspect(INFO, chosen(INFO, "o.mp4", 256, 192)) == 0
    assert output_aspect(INFO, chosen(INFO, "o.mp4", 854, 640)) == 0  # rounded to whole pixels, not stretched


def test_unwritable_segment_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*nowhere.s"):
        SegmentWriter(tmp_path / "nowhere" / "s", INFO, chosen(INFO, "o.mp4"))


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="scheduling policies are Linux's")
def test_no_encoder_leaves_threads_at_real_time_priority(tmp_path: Path) -> None:
    """SVT-AV1 takes SCHED_FIFO where it may, and with it the whole machine."""
    settings = chosen(INFO, "o.mkv", 64, 64, codec="av1", preset="12")
    before = realtime_threads()  # of encoders that other tests have opened by themselves
    with SegmentWriter(tmp_path / "s.nut", INFO, settings):
        assert not realtime_threads() - before


def realtime_threads() -> set[str]:
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(int(task.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(task.name)
    return found


SMALL = """
import sys
import av
import numpy as np
from vsrcli.media.write.encode_settings import EncodeSettings, encoder_options
from tests.media.test_encode import INFO

settings = EncodeSettings("hevc", "libx265", 20.0, "medium", "yuv420p10le", 48, 32)
with av.open(sys.argv[1], "w") as file:
    stream = file.add_stream("libx265", rate=25, options=encoder_options(INFO, settings))
    stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p10le"
    for number in range(5):
        levels = np.random.default_rng(number).integers(0, 1024, (48, 48), np.uint16)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="yuv420p10le")))
    file.mux(stream.encode())
"""


def test_small_pictures_in_10_bit_hevc_do_not_end_the_process(tmp_path: Path) -> None:
    for attempt in range(2):  # with x265's assembler nearly each one aborts
        output = tmp_path / f"{attempt}.mkv"
        done = subprocess.run([sys.executable, "-c", SMALL, output], cwd=ROOT, capture_output=True, check=False)
        assert (done.returncode, done.stderr.decode()[-300:]) == (0, "")
