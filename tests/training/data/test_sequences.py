"""Folders of images are packed as the videos that they are; photographs stay photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.photo.images import write_png
from vsrcli.training.data import packing
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sequences import correlation, split

SIDE = 72


def sequence(folder: Path, count: int, name: str = "{:08d}", *, first: int = 0, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_png(folder / f"{name.format(first + number)}.png", make.pattern(number, SIDE, SIDE, seed=seed))
    return folder


def photographs(folder: Path, count: int, name: str = "IMG_{:04d}") -> Path:
    """Pictures of one size, numbered as cameras do, that have nothing in common."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = np.random.default_rng(number).uniform(0, 255, (3, 6, 6)).astype(np.float32)
        large = torch.nn.functional.interpolate(torch.from_numpy(noise)[None], size=(SIDE, SIDE), mode="bicubic")[0]
        write_png(folder / f"{name.format(number)}.png", large.clamp(0, 255).byte().permute(1, 2, 0).numpy())
    return folder


def found(folder: Path) -> tuple[dict[str, int], int]:
    sequences, photos = split(folder.rglob("*.png"), packing.load_photo)
    return {one.path.relative_to(folder).as_posix(): len(one.images) for one in sequences}, len(photos)


def test_layouts_of_the_data_sets(tmp_path: Path) -> None:
    sequence(tmp_path / "REDS" / "000", 10)
    sequence(tmp_path / "REDS" / "001", 10, seed=1)
    sequence(tmp_path / "vimeo" / "00001" / "0001", 7, "im{}", first=1)
    sequence(tmp_path / "vimeo" / "00002" / "0001", 7, "im{}", first=1, seed=2)
    sequence(tmp_path / "flat", 4, "a_{:03d}")
    sequence(tmp_path / "flat", 5, "b_{:03d}", seed=3)
    sequences, photos = found(tmp_path)
    assert photos == 0
    assert sequences == {
        "REDS/000": 10,
        "REDS/001": 10,
        "flat/a_000": 4,
        "flat/b_000": 5,
        "vimeo/00001/0001": 7,
        "vimeo/00002/0001": 7,
    }


def test_photographs_gaps_and_single_images_are_none(tmp_path: Path) -> None:
    photographs(tmp_path / "album", 8)
    sequence(tmp_path / "gaps", 2)
    sequence(tmp_path / "gaps", 2, first=10)
    sequence(tmp_path / "one", 1, "poster")
    assert found(tmp_path) == ({}, 8 + 4 + 1)


def test_sizes_that_differ_are_of_no_video(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "a", 4)
    write_png(folder / "00000001.png", make.pattern(1, SIDE, 64))
    assert found(tmp_path)[0] == {}


def test_likeness_is_of_neighbours() -> None:
    pictures = [torch.from_numpy(make.pattern(n)).permute(2, 0, 1) for n in (0, 1)]
    other = torch.from_numpy(make.pattern(0, seed=9)).permute(2, 0, 1)
    assert correlation(*pictures) > 0.8 > correlation(pictures[0], other)
    assert correlation(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)) == 1.0


def test_a_pack_of_a_folder_of_sequences_holds_their_own_frames(tmp_path: Path) -> None:
    sequence(tmp_path / "in" / "000", 9)
    sequence(tmp_path / "in" / "001", 9, seed=1)
    sequence(tmp_path / "in" / "short", 3, seed=2)
    said: list[str] = []
    count = packing.pack(
        [tmp_path / "in"], tmp_path / "pack", frames=4, size=64, clips_per_source=5, hold_out=("001",), say=said.append
    )
    assert count == 4
    pack = Pack([tmp_path / "pack"])
    assert pack.names("train") == ["pack/000.001", "pack/000.002"]
    assert pack.names("validation") == ["pack/001.001", "pack/001.002"]
    clip, _ = pack.pair("train", "pack/000.002")
    true = [make.pattern(n, SIDE, SIDE) for n in range(4, 8)]
    for frame, whole in zip(clip, true, strict=True):  # a crop of the frames themselves, not of a camera over one
        shifts = [
            np.abs(whole[y : y + 64, x : x + 64].astype(int) - frame.permute(1, 2, 0).numpy()).max()
            for y in range(SIDE - 63)
            for x in range(SIDE - 63)
        ]
        assert min(shifts) == 0
    assert (pack.origins.sources, pack.origins.held_out) == (["in/000"], ["in/001"])
    assert said == [
        "in/000: 2 clips (train, as video of 9 images)",
        "in/001: 2 clips (validation, as video of 9 images)",
        "in/short: 0 clips (train, as video of 3 images)",
        "in/short: its 3 images are fewer than the 4 frames of a clip",
    ]


@pytest.mark.parametrize("count", [2])
def test_photographs_are_said_to_be_set_in_motion(tmp_path: Path, count: int) -> None:
    said: list[str] = []
    photographs(tmp_path / "album", count)
    packing.pack([tmp_path / "album"], tmp_path / "pack", frames=3, size=32, clips_per_source=1, say=said.append)
    assert len(said) == count and all("(train, as a photograph set in motion)" in line for line in said)


def test_sources_without_a_clip_leave_no_pack(tmp_path: Path) -> None:
    small = make.video(tmp_path / "small.mkv", frames=10, width=64, height=48)
    with pytest.raises(InputError, match="no source has a sharp clip of 8 frames of 256x256 pixels"):
        packing.pack([small], tmp_path / "pack.safetensors", frames=8)
    assert not (tmp_path / "pack.safetensors").exists()
