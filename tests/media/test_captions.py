"""Closed captions inside the picture (CEA-608/708) go on in the output's pictures, or are said to be left out."""

from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.frame import Frame
from vsrcli.media.read.captions import Shares, captions_of
from vsrcli.media.read.timestamps import Timed
from vsrcli.media.write.caption_messages import with_captions
from vsrcli.pipeline.folder.tensor_folder import FrameFolder

FRAMES = 16


def _odd(*codes: int) -> list[int]:
    """Give each byte of seven bits its odd parity (CEA-608)."""
    return [code | (0x80 if code.bit_count() % 2 == 0 else 0) for code in codes]


def _triplets() -> list[bytes]:
    """Return the captions of each frame: CEA-608 that puts "HELLO THERE" on the screen, and fillers of CEA-708.

    The first frame has 31 constructs with zeros in a row, as many as a message holds, another one none.
    """
    text = "HELLO THERE "
    pairs = [(0x14, 0x20), (0x14, 0x20), (0x14, 0x70), (0x14, 0x70)]  # pop-on captions, row 15
    pairs += [(ord(text[i]), ord(text[i + 1])) for i in range(0, len(text), 2)]
    pairs += [(0x14, 0x2F), (0x14, 0x2F)]  # show it
    shares = [bytes([0xFC, *_odd(*pair), 0xFA, 0, 0]) for pair in pairs]
    shares[0] += bytes([0xFA, 0, 0]) * 29
    assert len(shares[0]) == 31 * 3
    return [*shares, b"", *(bytes([0xFC, 0x80, 0x80, 0xFD, 0x80, 0x80]),) * (FRAMES - len(shares) - 1)]


def _source(path: Path, codec: str = "h264", container: str = ".ts") -> Path:
    """Write a video with captions in every frame but one, whose frames are reordered."""
    encoder = "libx264" if codec == "h264" else "libx265"
    options = {"preset": "ultrafast", "bf": "2", "g": "8"} if codec == "h264" else {}
    plain = make.video(path.with_name("plain.mkv"), codec=encoder, frames=FRAMES, options=options)
    shares = _triplets()
    with av.open(str(plain)) as source, av.open(str(path), "w", format=container.strip(".") or None) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        annexb = av.BitStreamFilterContext(f"{codec}_mp4toannexb", stream)
        first = stream.start_time or 0
        for packet in source.demux(stream):
            for raw in annexb.filter(packet if packet.size else None):
                assert raw.pts is not None and raw.time_base is not None
                number = round((raw.pts - first) * raw.time_base * 25)
                whole = bytes(raw)
                made = av.Packet(with_captions(whole, codec, shares[number]) if shares[number] else whole)
                made.pts, made.dts, made.time_base, made.stream = raw.pts, raw.dts, raw.time_base, copy
                made.is_keyframe = raw.is_keyframe
                target.mux(made)
    return path


def _told(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [captions_of(frame) for frame in container.decode(video=0)]


def _shown(path: Path) -> str:
    """Return the text of the captions as a second decoder shows it."""
    name = str(path).replace("\\", "/").replace(":", r"\:")
    return make.ffmpeg("-f", "lavfi", "-i", f"movie={name}[out+subcc]", "-map", "0:s", "-f", "srt", "-")


def test_the_source_has_captions(tmp_path: Path) -> None:
    assert _told(_source(tmp_path / "a.ts", container=".mpegts")) == _triplets()
    assert "HELLO THERE" in _shown(tmp_path / "a.ts")


@pytest.mark.parametrize(
    ("source", "suffix", "codec"),
    [("h264", ".mp4", None), ("h264", ".mkv", "hevc"), ("hevc", ".ts", None), ("hevc", ".mov", "h264")],
)
def test_captions_go_on_in_the_picture(
    tmp_path: Path, tiny_model: str, source: str, suffix: str, codec: str | None
) -> None:
    path = _source(tmp_path / "a.ts", source, ".mpegts")
    result = vsrcli.upscale(path, tmp_path / f"b{suffix}", model=tiny_model, device="cpu", codec=codec)
    assert not [line for line in result.warnings if "captions" in line]
    assert _told(result.output) == _triplets()
    assert "HELLO THERE" in _shown(result.output)


def test_captions_of_mpeg_2_and_of_interlaced_film_go_on(tmp_path: Path, tiny_model: str) -> None:
    path = _source(tmp_path / "a.ts", container=".mpegts")
    still = "drawbox=color=gray:t=fill,setfield=tff"  # where nothing moves, the flags tell of fields
    make.ffmpeg("-i", path, "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-vf", still, tmp_path / "b.mpg")
    assert _told(tmp_path / "b.mpg") == _triplets()
    output = tmp_path / "c.mp4"
    result = vsrcli.upscale(tmp_path / "b.mpg", output, model=tiny_model, device="cpu", deinterlace="on")
    assert _told(result.output) == _triplets()


def test_captions_are_there_once_where_fields_become_frames(tmp_path: Path, tiny_model: str) -> None:
    path = _source(tmp_path / "a.ts", container=".mpegts")
    still = "drawbox=color=gray:t=fill,setfield=tff"  # where nothing moves, the flags tell of fields
    make.ffmpeg("-i", path, "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-vf", still, tmp_path / "b.mpg")
    vsrcli.upscale(tmp_path / "b.mpg", tmp_path / "c.mp4", model=tiny_model, device="cpu", deinterlace="double")
    told = _told(tmp_path / "c.mp4")
    assert told[::2] == _triplets() and not any(told[1::2])


def test_captions_of_frames_that_are_left_out_go_to_the_next(tmp_path: Path) -> None:
    shares, told = Shares(), _triplets()
    with av.open(str(_source(tmp_path / "a.ts", container=".mpegts"))) as container:
        frames = [Timed(picture, number, 1) for number, picture in enumerate(container.decode(video=0))]
    assert list(shares.collect(frames, Fraction(1, 30))) == frames
    assert [shares.until(Fraction(n, 24)) for n in range(5)] == [*told[:4], told[4] + told[5]]
    assert shares.until(Fraction(1)) == b"".join(told[6:])


@pytest.mark.parametrize(("propagation", "start"), [("exact", None), ("window", 0.2)])
def test_captions_stay_with_their_frames(
    tmp_path: Path, tiny_model: str, propagation: str, start: float | None
) -> None:
    path = _source(tmp_path / "a.ts", container=".mpegts")
    output, options = tmp_path / "b.mkv", {} if start is None else {"start": start}
    vsrcli.upscale(path, output, model=tiny_model, device="cpu", propagation=propagation, window=5, **options)  # type: ignore[arg-type]
    assert _told(output) == _triplets()[0 if start is None else 5 :]


def test_new_frames_have_none(tmp_path: Path, tiny_model: str) -> None:
    path = _source(tmp_path / "a.ts", container=".mpegts")
    vsrcli.upscale(path, tmp_path / "b.mp4", model=tiny_model, device="cpu", fps="2x", end=0.4)
    told = _told(tmp_path / "b.mp4")
    assert told[::2] == _triplets()[:10] and not any(told[1::2])


@pytest.mark.parametrize(
    ("output", "codec"), [("b.webm", None), ("b.mkv", "ffv1"), ("b.gif", None), ("%04d.png", None)]
)
def test_captions_that_an_output_cannot_hold_are_named(
    tmp_path: Path, tiny_model: str, output: str, codec: str | None
) -> None:
    path = _source(tmp_path / "a.ts", container=".mpegts")
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = ["--codec", codec] if codec else []
    done = vsr("upscale", path, "-o", folder / output, "-m", tiny_model, "--device", "cpu", "--end", "0.2", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("only H.264 and HEVC hold closed captions (CEA-608/708) inside the picture: left out") == 1
    assert "closed captions" in vsr("info", path).stdout


def test_many_captions_take_several_messages() -> None:
    captions = bytes(value for _, value in zip(range(3 * 40), cycle([0xFC, 0x80, 0]), strict=False))
    slice_ = b"\x00\x00\x00\x01\x65picture"
    made = with_captions(b"\x00\x00\x00\x01\x09\xf0" + slice_, "h264", captions)
    assert made.startswith(b"\x00\x00\x00\x01\x09\xf0\x00\x00\x00\x01\x06\x04") and made.endswith(slice_)
    assert made.count(b"GA94\x03") == 2 and [made[i + 5] & 31 for i in _places(made, b"GA94\x03")] == [31, 9]


def test_data_without_a_slice_stay() -> None:
    header = b"\x00\x00\x00\x01\x67head\x00\x00\x01\x68"
    assert with_captions(header, "h264", b"\xfc\x80\x80") == header
    assert with_captions(b"", "hevc", b"\xfc\x80\x80") == b""


def test_frames_on_disk_keep_their_captions(tmp_path: Path) -> None:
    store = FrameFolder(tmp_path / "frames")
    for number, captions in enumerate((b"", b"\xfc\x80\x80")):
        store[number] = Frame(number, np.zeros((4, 4, 3), np.uint8), captions=captions)
    assert [store[number].captions for number in range(2)] == [b"", b"\xfc\x80\x80"]


def _places(data: bytes, part: bytes) -> list[int]:
    return [i for i in range(len(data)) if data.startswith(part, i)]
