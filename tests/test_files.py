"""A written file is complete or as before, whatever happens, and no other file is left."""

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vsrcli.errors import FullDiskError, OutputError, unwritable
from vsrcli.files import replacing, write_durably, write_whole
from vsrcli.media.photo.images import write_image
from vsrcli.pipeline.folder.work_folder import save_tensors
from vsrcli.training.data.pack import write_pack

PICTURE = np.zeros((16, 16, 3), np.uint8)
WRITERS: dict[str, Callable[[Path], object]] = {
    "durably": lambda path: write_durably(path, b"new"),
    "whole": lambda path: write_whole(path, b"new"),
    "png": lambda path: write_image(path.with_suffix(".png"), PICTURE),
    "jpg": lambda path: write_image(path.with_suffix(".jpg"), PICTURE),
    "tensors": lambda path: save_tensors({"a": torch.zeros(3)}, path),
    "pack": lambda path: write_pack(path, {"train/a.001": torch.zeros(2, 3, 4, 4, dtype=torch.uint8)}, {}),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_temporary_files_of_a_killed_run_are_replaced(writer: Callable[[Path], object], tmp_path: Path) -> None:
    for name in ("a", "a.png", "a.jpg"):
        (tmp_path / f"{name}.part").write_bytes(b"half")
    writer(tmp_path / "a")
    left = {path.name for path in tmp_path.iterdir()}
    (written,) = left & {"a", "a.png", "a.jpg"}
    assert f"{written}.part" not in left
    assert (tmp_path / written).stat().st_size > 0


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_link_under_the_temporary_name_is_not_followed(writer: Callable[[Path], object], tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("a", "a.png", "a.jpg"):
        (tmp_path / f"{name}.part").symlink_to(victim)
    writer(tmp_path / "a")
    assert victim.read_text() == "precious"
    assert not any((tmp_path / name).is_symlink() for name in ("a", "a.png", "a.jpg"))


@pytest.mark.parametrize("durably", [True, False])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(durably: bool, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(error), replacing(path, durably=durably) as temporary:
        temporary.write_text("ha")
        raise error
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_unwritable_picture_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    for path in (tmp_path / "a.png", tmp_path / "missing" / "a.png"):
        with pytest.raises(OutputError, match="cannot write") as caught:
            write_image(path, PICTURE)
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.skipif(os.name != "posix", reason="rights are otherwise elsewhere")
@pytest.mark.parametrize("mask", [0o022, 0o077])
@pytest.mark.parametrize("kind", ["png", "pack"])
def test_outputs_have_the_permissions_of_other_new_files(kind: str, mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        WRITERS[kind](tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_its_own_words(number: int) -> None:
    error = pickle.loads(pickle.dumps(unwritable("a.mkv", OSError(number, "No space"))))
    assert isinstance(error, FullDiskError)
    assert str(error) == "cannot write a.mkv: the disk is full (make room and run again)"
    assert str(unwritable("a.mkv", OSError(errno.EACCES, "Denied"))) == "cannot write a.mkv: Denied"
