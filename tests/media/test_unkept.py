"""What a picture carries beside its levels and no output gets is named."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.containers import check_container
from vsrcli.media.options import EncodingOptions
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.sinks.video_sink import make_sink

SAMPLE_ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _with_box(path: Path, entry: bytes, box: bytes) -> Path:
    """Put a box at the end of the picture's sample entry: all boxes around it grow."""
    data = bytearray(path.read_bytes())
    place = 0
    for kind in (*SAMPLE_ENTRY, entry):
        place = data.index(kind, place)
        size = struct.unpack_from(">I", data, place - 4)[0]
        struct.pack_into(">I", data, place - 4, size + len(box))
    end = place - 4 + size
    data[end:end] = box
    path.write_bytes(data)
    return path


def _captioned(path: Path, *, first: int) -> Path:
    """Raw H.264 with a caption's SEI (ATSC A/53 part 4) in front of every picture from number `first` on."""
    raw = make.video(path.with_suffix(".h264"), frames=4, options={"crf": "10", "g": "1", "threads": "1"}).read_bytes()
    payload = b"\xb5\x00\x31GA94\x03\x41\xff\xfc\x94\x2c\xff"
    sei = b"\x00\x00\x00\x01\x06\x04" + bytes([len(payload)]) + payload + b"\x80"
    head, *pictures = raw.split(b"\x00\x00\x01\x65")
    joined = head
    for number, picture in enumerate(pictures):
        joined += (sei if number >= first else b"") + b"\x00\x00\x01\x65" + picture
    path.write_bytes(joined)
    return path


@pytest.mark.parametrize("first", [0, 2])
def test_closed_captions_are_reported_wherever_they_begin(tmp_path: Path, first: int) -> None:
    info = probe(_captioned(tmp_path / "a.264", first=first))
    assert any("closed captions" in name for name in info.unkept) == (first == 0)
    lines: list[str] = []
    assert len(list(decode(info, warn=lines.append))) == 4
    assert len([line for line in lines if "closed captions" in line]) == (first > 0)


def test_dolby_vision_spherical_and_3d_video_are_reported(tmp_path: Path) -> None:
    plain = make.video(tmp_path / "a.mp4", frames=2)
    assert probe(plain).unkept == ()
    packed = make.video(tmp_path / "b.mp4", frames=2, options={"x264-params": "frame-packing=3", "preset": "ultrafast"})
    assert probe(packed).unkept == ("the mark of how two pictures for 3D are packed into one",)
    projection = _box(b"prhd", bytes(16)) + _box(b"equi", bytes(20))
    sphere = _box(b"sv3d", _box(b"svhd", bytes(4) + b"a\0") + _box(b"proj", projection))
    assert probe(_with_box(plain, b"avc1", sphere)).unkept == ("the mark of a spherical (360 degree) picture",)


@pytest.mark.parametrize(
    ("box", "name"),
    [
        (_box(b"amve", struct.pack(">IHH", 3140000, 15635, 16450)), "the brightness of the surroundings"),
        (_box(b"colr", b"prof" + bytes(128)), "a colour profile (ICC)"),
    ],
)
def test_the_surroundings_of_hdr_and_colour_profiles_are_reported(tmp_path: Path, box: bytes, name: str) -> None:
    deep = make.video(tmp_path / "a.mkv", codec="libx265", pix_fmt="yuv420p10le", frames=2)
    make.ffmpeg("-i", deep, "-c", "copy", "-tag:v", "hvc1", tmp_path / "b.mp4")
    info = probe(_with_box(tmp_path / "b.mp4", b"hvc1", box))
    assert [one for one in info.unkept if one.startswith(name)] == list(info.unkept) != []
    sink = make_sink(tmp_path / "o.mp4", info, (64, 48), asked=EncodingOptions(), span=(None, None))
    assert any(line.startswith(f"no output holds {name}") for line in sink.warnings)


@pytest.mark.parametrize(("profile", "wrong"), [(5, True), (8, False)])
def test_dolby_vision_is_reported_with_its_profile(tmp_path: Path, profile: int, wrong: bool) -> None:
    deep = make.video(tmp_path / "a.mkv", codec="libx265", pix_fmt="yuv420p10le", frames=2)
    make.ffmpeg("-i", deep, "-c", "copy", "-tag:v", "hvc1", tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").unkept == ()
    record = struct.pack(">BBHB", 1, 0, profile << 9 | 6 << 3 | 0b101, 0x10).ljust(24, b"\0")
    info = probe(_with_box(tmp_path / "b.mp4", b"hvc1", _box(b"dvcC", record)))
    assert len(info.unkept) == 1
    assert info.unkept[0].startswith(f"Dolby Vision profile {profile}")
    assert ("its colours are wrong" in info.unkept[0]) == wrong


def test_images_and_gif_report_lost_metadata(tmp_path: Path) -> None:
    info = replace(probe(make.video(tmp_path / "a.mkv", frames=2)), unkept=("Dolby Vision",))
    wide = replace(info, sample_aspect_ratio=Fraction(4, 3))
    asked = {"asked": EncodingOptions(), "span": (None, None)}
    gif = make_sink(tmp_path / "o.gif", wide, (64, 48), **asked)  # type: ignore[arg-type]
    assert gif.warnings[0] == "no output holds Dolby Vision: left out"
    assert any("square pixels: the shape by 4/3 is lost" in line for line in gif.warnings)
    right = make_sink(tmp_path / "o.gif", wide, (85, 48), **asked)  # type: ignore[arg-type]
    assert not any("square pixels" in line for line in right.warnings)
    images = make_sink(tmp_path / "%04d.png", info, (64, 48), **asked)  # type: ignore[arg-type]
    assert images.warnings == [
        "no output holds Dolby Vision: left out",
    ]


def test_a_data_track_beside_chapters_is_reported(tmp_path: Path) -> None:
    (tmp_path / "meta.txt").write_text(
        ";FFMETADATA1\n" + "".join(f"[CHAPTER]\nTIMEBASE=1/10\nSTART={n}\nEND={n + 1}\ntitle={n}\n" for n in range(2))
    )
    picture = make.video(tmp_path / "v.ts", frames=5)
    make.ffmpeg("-i", picture, "-i", tmp_path / "meta.txt", "-map", "0:v", "-map_chapters", "1", "-c", "copy",
                tmp_path / "plain.mov")  # fmt: skip
    assert check_container(probe(tmp_path / "plain.mov"), tmp_path / "o.mov") == []
    chapters = next(s for s in probe(tmp_path / "plain.mov").streams if s.kind == "data")
    more = replace(probe(tmp_path / "plain.mov"), streams=(chapters, replace(chapters, index=2, packets=5)))
    notes = check_container(more, tmp_path / "o.mov")
    assert len(notes) == 1 and "cannot hold stream 2 (data, " in notes[0]
