"""Image sequences: order, patterns, and PNG without loss."""

from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.errors import InputError, OutputError
from vsrcli.media.photo.images import expand_images, load_picture, write_png
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        write_png(folder / name, make.pattern(0, 16, 16))


def _names(path: Path) -> list[str]:
    images = expand_images(path)
    assert images is not None
    return [image.name for image in images]


def test_a_folder_gives_only_its_images(tmp_path: Path) -> None:
    _touch(tmp_path / "in", "10.png", "9.png", ".hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert _names(tmp_path / "in") == ["9.png", "10.png"]


def test_a_printf_pattern_matches_the_names_that_printf_writes(tmp_path: Path) -> None:
    _touch(tmp_path / "in", "f_0001.png", "f_0002.png", "f_10000.png", "f_3.png", "g_0001.png")
    assert _names(tmp_path / "in" / "f_%04d.png") == ["f_0001.png", "f_0002.png", "f_10000.png"]
    assert _names(tmp_path / "in" / "f_%d.png") == ["f_0001.png", "f_0002.png", "f_3.png", "f_10000.png"]


def test_a_glob_pattern_finds_images(tmp_path: Path) -> None:
    _touch(tmp_path / "in", "f1.png", "f2.png", "g1.png")
    assert _names(tmp_path / "in" / "f*.png") == ["f1.png", "f2.png"]


def test_videos_and_missing_paths_are_not_images(tmp_path: Path) -> None:
    assert expand_images(make.video(tmp_path / "a.mp4")) is None
    assert expand_images(tmp_path / "none.mp4") is None


@pytest.mark.parametrize("name", ["", "%04d.png", "*.png"])
def test_no_images_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no image"):
        expand_images(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_is_lossless(tmp_path: Path, dtype: type[np.unsignedinteger]) -> None:
    rgb = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (37, 53, 3)).astype(dtype)
    write_png(tmp_path / "a.png", rgb)
    (frame,) = decode(probe(tmp_path / "a.png"))
    assert frame.data.dtype == dtype
    assert np.array_equal(frame.data, rgb)
    raw = tmp_path / "a.raw"
    pix_fmt = "rgb24" if dtype is np.uint8 else "rgb48le"
    make.ffmpeg("-i", tmp_path / "a.png", "-f", "rawvideo", "-pix_fmt", pix_fmt, raw)
    assert np.array_equal(np.frombuffer(raw.read_bytes(), dtype).reshape(rgb.shape), rgb)


def test_png_is_written_atomically(tmp_path: Path) -> None:
    target = tmp_path / "taken.png"
    target.mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_png(target, make.pattern(0))
    with pytest.raises(OutputError, match="cannot write"):
        write_png(tmp_path / "gone" / "a.png", make.pattern(0))
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_jpeg_and_a_wrong_suffix_are_read(tmp_path: Path) -> None:
    rgb = make.pattern(0, 64, 48)
    write_png(tmp_path / "a.png", rgb)
    make.ffmpeg("-i", tmp_path / "a.png", "-q:v", "1", "-pix_fmt", "yuvj444p", tmp_path / "b.jpg")
    (frame,) = decode(probe(tmp_path / "b.jpg"))
    assert np.abs(frame.data.astype(int) - rgb).mean() < 2.0  # limited range would be 8 off
    (tmp_path / "a.png").rename(tmp_path / "c%03d.jpg")
    assert load_picture(tmp_path / "c%03d.jpg").format.name == "rgb24"


@pytest.mark.parametrize(("pix_fmt", "dtype"), [("gray", np.uint8), ("gray16be", np.uint16)])
def test_gray_images_keep_black_and_white(tmp_path: Path, pix_fmt: str, dtype: type) -> None:
    source = "color=black:s=32x32,drawbox=x=0:y=0:w=16:h=32:color=white:t=fill"
    make.ffmpeg("-f", "lavfi", "-i", source, "-frames:v", "1", "-pix_fmt", pix_fmt, tmp_path / "a.png")
    (frame,) = decode(probe(tmp_path / "a.png"))
    assert frame.data.dtype == dtype
    assert frame.data[16, 4].tolist() == [np.iinfo(dtype).max] * 3
    assert frame.data[16, 28].tolist() == [0, 0, 0]


def test_palette_images_are_read_as_rgb(tmp_path: Path) -> None:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32", "-frames:v", "1", "-pix_fmt", "pal8", tmp_path / "a.png")
    make.ffmpeg("-i", tmp_path / "a.png", "-f", "rawvideo", "-pix_fmt", "rgb24", tmp_path / "a.raw")
    (frame,) = decode(probe(tmp_path / "a.png"))
    assert np.array_equal(frame.data.ravel(), np.frombuffer((tmp_path / "a.raw").read_bytes(), np.uint8))


def test_sequences_are_read_in_order_or_in_part(tmp_path: Path) -> None:
    for number in range(12):
        write_png(tmp_path / f"{number}.png", make.pattern(number))
    info = probe(tmp_path)
    frames = list(decode(info))
    assert [(frame.number, frame.pts, frame.duration) for frame in frames] == [(n, n, 1) for n in range(12)]
    assert all(np.array_equal(frame.data, make.pattern(frame.pts)) for frame in frames)
    assert [frame.number for frame in decode(info, skip=10)] == [10, 11]
    part = list(decode(info, start=0.12, end=0.2))
    assert [(frame.number, frame.pts) for frame in part] == [(0, 3), (1, 4)]


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    _touch(tmp_path, "0.png", "1.png")
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[:30])
    with pytest.raises(InputError, match=r"1\.png"):
        list(decode(probe(tmp_path)))


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("1.png", "2.png", "4.png", "5.png"), "1 image of the sequence is missing, the first after 2.png"),
        (
            ("a_010.png", "a_020.png", "a_030.png", "a_060.png"),
            "2 images of the sequence are missing, the first after a_030",
        ),
        (("1.png", "2.png", "3.png"), None),
        (("10.png", "20.png", "30.png"), None),
        (("2.png", "a2.png", "a3.png", "a5.png"), None),
        (("1.png", "7.png", "30.png", "31.png"), None),
    ],
)
def test_numbers_that_are_missing_from_a_sequence_are_told(
    tmp_path: Path, names: tuple[str, ...], wanted: str | None
) -> None:
    for name in names:
        write_png(tmp_path / name, np.zeros((16, 16, 3), np.uint8))
    notes = probe(tmp_path).notes
    assert len(notes) == (wanted is not None) and all(note.startswith(wanted or "") for note in notes)
