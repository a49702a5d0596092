"""Names are sorted naturally, and one list defines which files are videos and which are images."""

import random
from pathlib import Path

from vsrcli.evaluate.datasets import find_clips
from vsrcli.media.containers import CONTAINERS
from vsrcli.names import IMAGES, VIDEOS, WRITABLE_IMAGES, is_image, is_video, natural_key
from vsrcli.pipeline.running.batch import target


def ordered(*names: str) -> list[str]:
    return [path.name for path in sorted(map(Path, names), key=natural_key)]


def test_numbers_in_names_are_compared_as_numbers() -> None:
    assert ordered("a10.png", "a2.png", "A1.png", "b.png", "1.png") == ["1.png", "A1.png", "a2.png", "a10.png", "b.png"]
    assert ordered("s2e10.mkv", "s10e1.mkv", "s2e9.mkv") == ["s2e9.mkv", "s2e10.mkv", "s10e1.mkv"]


def test_other_unicode_digits_are_no_numbers() -> None:
    assert ordered("1²2.png", "1²10.png", "١٠.png", "٢.png") == ["1²2.png", "1²10.png", "٢.png", "١٠.png"]


def test_order_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    names = ["01.png", "1.png", "001.png", "a.png", "A.png", "٠١.png"]
    expected = ordered(*names)
    for seed in range(20):
        random.Random(seed).shuffle(names)
        assert ordered(*names) == expected


def test_every_container_that_is_written_is_found_in_folders() -> None:
    assert set(CONTAINERS) <= VIDEOS
    assert set(WRITABLE_IMAGES) <= IMAGES
    assert not VIDEOS & IMAGES
    assert is_video(Path("a/B.MKV")) and is_image(Path("a/B.JPeG"))
    assert not is_video(Path("mkv")) and not is_image(Path("png"))


def test_an_evaluation_set_may_hold_any_kind_of_video(tmp_path: Path) -> None:
    for name in ("2.mpg", "10.mkv", "1.HEVC", "notes.txt"):
        (tmp_path / name).touch()
    clips = find_clips(tmp_path)
    assert [clip.name for clip in clips] == ["1", "2", "10"]
    assert all(clip.is_video for clip in clips)


def test_formats_that_cannot_be_written_get_another_suffix() -> None:
    names = {"a.mpg": "a.mkv", "b.MP4": "b.MP4", "c.bmp": "c.png", "d.webp": "d.webp", "e.JPG": "e.JPG", "f": "f"}
    assert {name: target(Path("out"), Path(name)).name for name in names} == names
