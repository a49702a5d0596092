"""Layouts of evaluation sets, as folders of empty files."""

from pathlib import Path

import pytest

from vsrcli.errors import InputError
from vsrcli.evaluate.datasets import find_clips


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def frames(folder: str, count: int = 3) -> list[str]:
    return [f"{folder}/{i:08d}.png" for i in range(count)]


def test_folder_per_clip(tmp_path: Path) -> None:
    make(tmp_path, *frames("walk"), *frames("city", 2), "README.md", "city/notes.txt", ".hidden/a.png")
    clips = find_clips(tmp_path)
    assert [(c.name, len(c.hr), c.lr, c.scored) for c in clips] == [("city", 2, None, None), ("walk", 3, None, None)]


def test_a_folder_of_frames_is_one_clip_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path / "one", "im10.png", "im2.png", "im1.png")
    (clip,) = find_clips(tmp_path / "one")
    assert clip.name == "one" and [p.name for p in clip.hr] == ["im1.png", "im2.png", "im10.png"]


def test_gt_beside_lr_folders(tmp_path: Path) -> None:
    make(tmp_path, *frames("GT/000"), *frames("GT/011"), *frames("BIx4/000"), *frames("BIx4/011"))
    clips = find_clips(tmp_path)
    assert [c.name for c in clips] == ["000", "011"]
    assert all(c.lr is not None and c.lr[0].parent.parent.name == "BIx4" for c in clips)


def test_ambiguous_lr_folders_are_not_used(tmp_path: Path) -> None:
    make(tmp_path, *frames("GT/city"), *frames("BIx4/city"), *frames("BDx4/city"))
    assert find_clips(tmp_path)[0].lr is None
    make(tmp_path, *frames("LR/city"))
    assert find_clips(tmp_path)[0].lr == tuple(tmp_path / f for f in frames("LR/city"))


def test_truth_inside_each_clip(tmp_path: Path) -> None:
    make(tmp_path, *frames("hk/truth"), *frames("hk/input4"), *frames("car/truth"), *frames("car/input4"))
    clips = find_clips(tmp_path)
    assert [c.name for c in clips] == ["car", "hk"]
    assert clips[1].lr == tuple(tmp_path / f for f in frames("hk/input4"))
    assert clips[1].hr == tuple(tmp_path / f for f in frames("hk/truth"))


def test_vimeo_list_scores_the_middle_frame(tmp_path: Path) -> None:
    septuplets = [f"sequences/{s}/im{i}.png" for s in ("00001/0266", "00002/0001", "00002/0002") for i in range(1, 8)]
    make(tmp_path, *septuplets)
    (tmp_path / "sep_testlist.txt").write_text("00001/0266\n00002/0001\n\n")
    for given in (tmp_path, tmp_path / "sep_testlist.txt"):
        clips = find_clips(given)
        assert [c.name for c in clips] == ["00001/0266", "00002/0001"]
        assert [p.name for p in clips[0].hr] == [f"im{i}.png" for i in range(1, 8)]
        assert clips[0].scored == (3,)
    (tmp_path / "sep_testlist.txt").write_text("00009/0009\n")
    with pytest.raises(InputError, match="00009/0009"):
        find_clips(tmp_path)


def test_video_files(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a.MKV", "notes.txt")
    clips = find_clips(tmp_path)
    assert [(c.name, c.is_video) for c in clips] == [("a", True), ("b", True)]
    assert find_clips(tmp_path / "b.mp4")[0].hr == (tmp_path / "b.mp4",)


def test_missing_clips_and_unequal_pairs_are_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        find_clips(tmp_path / "absent")
    with pytest.raises(InputError, match="no clips found"):
        find_clips(tmp_path)
    make(tmp_path, *frames("GT/city"), *frames("LR/city", 2))
    with pytest.raises(InputError, match="2 LR frames for the 3"):
        find_clips(tmp_path)
