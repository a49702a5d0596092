"""Names are sorted naturally, and one list defines which files are videos and which are images."""

import random
from pathlib import Path

from vsrcli.evaluate.datasets import find_clips
from vsrcli.media.containers import CONTAINERS
from vsrcli.media.photo.images import expand_images
from vsrcli.names import IMAGES, VIDEOS, WRITABLE_IMAGES, is_image, is_video, natural_key, with_ending
from vsrcli.pipeline.running.batch import Item, items, target
from vsrcli.training.data.packing import files_in
from vsrcli.web.places import Root


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


def test_files_in_which_macos_keeps_attributes_are_passed_over_in_folders(tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    for name in ("a.mov", "._a.mov", "stills/1.png", "stills/2.png", "stills/._1.png"):
        (tmp_path / name).write_bytes(b"\x00\x05\x16\x07")
    stills = tmp_path / "stills"
    assert [item.source.name for item in items([tmp_path], None, recursive=True)] == ["a.mov"]
    assert [path.name for path in expand_images(stills) or ()] == ["1.png", "2.png"]
    assert [path.name for path in expand_images(stills / "*.png") or ()] == ["1.png", "2.png"]
    assert [clip.name for clip in find_clips(tmp_path)] == ["stills", "a"]
    assert sorted(path.name for path in files_in(tmp_path)) == ["1.png", "2.png", "a.mov"]
    shown = {entry["name"]: entry for entry in Root(tmp_path).entries(tmp_path)}
    assert set(shown) == {"stills", "a.mov"} and shown["stills"]["images"] == 2


def test_such_a_file_that_is_named_is_tried(tmp_path: Path) -> None:
    named = tmp_path / "._a.mov"
    named.touch()
    assert items([named], None, recursive=False) == [Item(named, None)]
    assert with_ending(named, ".mkv").name == "._a.mkv"


def test_an_evaluation_set_may_hold_any_kind_of_video(tmp_path: Path) -> None:
    for name in ("2.mpg", "10.mkv", "1.HEVC", "notes.txt"):
        (tmp_path / name).touch()
    clips = find_clips(tmp_path)
    assert [clip.name for clip in clips] == ["1", "2", "10"]
    assert all(clip.is_video for clip in clips)


def test_formats_that_cannot_be_written_get_another_suffix() -> None:
    names = {"a.mpg": "a.mkv", "b.MP4": "b.MP4", "c.bmp": "c.png", "d.webp": "d.webp", "e.JPG": "e.JPG", "f": "f"}
    assert {name: target(Path("out"), Path(name)).name for name in names} == names
