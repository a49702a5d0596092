"""The job's folder: what is flushed, what is verified, what is deleted, and whose links are refused."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.told import told
from vsrcli.engine.plan import Plan
from vsrcli.errors import OutputError, OutputExistsError, UsageError
from vsrcli.files import settle, sync
from vsrcli.frame import Frame
from vsrcli.pipeline.folder.tensor_folder import FrameFolder, TensorFolder
from vsrcli.pipeline.folder.work_folder import WorkFolder

_opened: list[int] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(arguments[2])


sys.addaudithook(_listen)


def flags_of_sync(path: Path) -> list[int]:
    """Sync a path; return the flags with which it was opened."""
    global _opened
    _opened = []
    try:
        sync(path)
        return list(_opened)
    finally:
        _opened = None


def test_files_are_synced_through_a_writable_handle(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    flags = flags_of_sync(path)
    assert flags and all(flag & (os.O_RDWR | os.O_WRONLY) for flag in flags)
    assert path.read_bytes() == b"x"


def test_folders_are_synced_where_the_system_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    flags = flags_of_sync(tmp_path)
    assert flags and not any(flag & (os.O_RDWR | os.O_WRONLY) for flag in flags)
    assert len(flushed) == (os.name == "posix")


PLAN = Plan(window=4, lookahead=2, tile=None)


def begin(folder: Path, *, restart: bool = False, overwrite: bool = False, **settings: str) -> WorkFolder:
    return WorkFolder.open(
        folder,
        source={"input": "a.mkv"},
        settings={"model": "tiny"} | settings,
        plan=PLAN,
        segment_frames=4,
        restart=restart,
        overwrite=overwrite,
    )


def three_segments(folder: Path, *, last: bool = False) -> None:
    work = begin(folder)
    for index in range(3):
        work.segment_path(index).write_bytes(bytes([index]) * 1000)
        ended = last and index == 2
        state = None if ended else {"backward": torch.full((6,), float(index))}
        work.commit(index, [4 * index + i for i in range(4)], last=ended, state=state)
    work.close()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["000002.segment", "000002.state", "000002.json"])
@pytest.mark.parametrize("how", [flip, Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(
    path.read_bytes()[:-1])], ids=["flipped", "gone", "empty", "cut"])  # fmt: skip
def test_a_damaged_last_segment_or_state_is_recomputed(tmp_path: Path, damage: str, how: Callable[[Path], Any]) -> None:
    three_segments(tmp_path / "o.mkv.vsr")
    path = tmp_path / "o.mkv.vsr" / damage
    how(path)
    if damage.endswith("json") and how is flip and path.read_bytes()[:1] == b"{":
        path.write_bytes(b"{")  # a flipped digit of a pts is another number, which no check of its own guards
    work = begin(tmp_path / "o.mkv.vsr")
    assert work.frames == 8
    state = work.state()
    assert state is not None and torch.equal(state["backward"], torch.ones(6))
    work.segment_path(2).write_bytes(b"anew")
    work.commit(2, [8, 9, 10, 11], last=True, state=None)
    assert work.complete
    work.close()


@pytest.mark.parametrize("damage", ["000000.segment", "000001.segment", "000001.json"])
def test_damage_in_an_earlier_segment_is_an_error(tmp_path: Path, damage: str) -> None:
    three_segments(tmp_path / "o.mkv.vsr", last=True)
    flip(tmp_path / "o.mkv.vsr" / damage) if "json" not in damage else (tmp_path / "o.mkv.vsr" / damage).write_text("[")
    with told(UsageError, r"damaged job: add --restart"):
        begin(tmp_path / "o.mkv.vsr")
    assert begin(tmp_path / "o.mkv.vsr", restart=True).frames == 0


def test_a_segment_damaged_before_joining_is_an_error(tmp_path: Path) -> None:
    work = begin(tmp_path / "o.mkv.vsr")
    work.segment_path(0).write_bytes(b"0" * 100)
    work.commit(0, [0, 1], last=True, state=None)
    work.verify()
    flip(work.segment_path(0))
    with pytest.raises(OutputError, match="run the same command again"):
        work.verify()
    work.close()
    assert begin(tmp_path / "o.mkv.vsr").frames == 0


HALF = '{"source": {"input": "a.mkv"}, "settings": {"model": "tiny"}, "plan": 7}'


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"source": 1, "settings": 2}', "[" * 100_000, "\x00\xff", HALF]
)
def test_a_damaged_job_record_is_refused_with_advice(tmp_path: Path, content: str) -> None:
    three_segments(tmp_path / "o.mkv.vsr")
    (tmp_path / "o.mkv.vsr" / "job.json").write_text(content)
    with told(UsageError, "--restart"):
        begin(tmp_path / "o.mkv.vsr")


def test_a_frame_folder_returns_equal_frames(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path / "frames")
    for number, dtype in ((8, np.uint8), (9, np.uint16), (10, np.float32)):
        folder[number] = Frame(number, np.arange(24).reshape(2, 4, 3).astype(dtype), pts=-(2**40), duration=7)
        back = folder[number]
        assert (back.number, back.pts, back.duration) == (number, -(2**40), 7)
        assert back.data.dtype == dtype and back.data.tolist() == np.arange(24).reshape(2, 4, 3).tolist()
        assert back.bit_depth == 8 * back.data.itemsize
    assert set(folder) == {8, 9, 10}
    del folder[8]
    assert len(folder) == 2 and 8 not in folder
    folder.remove()
    assert not (tmp_path / "frames").exists()


def test_a_damaged_swept_state_is_an_error(tmp_path: Path) -> None:
    folder = TensorFolder(tmp_path / "states", durable=True)
    folder["backward.10"] = (torch.ones(8),)
    assert torch.equal(folder["backward.10"][0], torch.ones(8))
    flip(tmp_path / "states" / "backward.10.tensors")
    with pytest.raises(OutputError, match="damaged: delete it"):
        folder["backward.10"]
    (tmp_path / "states" / "backward.10.tensors").unlink()
    with pytest.raises(OutputError, match=r"cannot read .*backward.10.tensors: No such file"):
        folder.get("backward.10")  # which is not the same as none
    assert "backward.10" not in TensorFolder(tmp_path / "states", durable=True)


@pytest.mark.parametrize("restart", [False, True])
def test_user_files_in_the_work_folder_survive(tmp_path: Path, restart: bool) -> None:
    folder = tmp_path / "o.mkv.vsr"
    three_segments(folder)
    own = [folder / name for name in ("notes.txt", "000000.segment.bak", "my folder/a.png", "states/list.txt")]
    for path in own:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    work = begin(folder, restart=restart)
    if restart:
        assert work.frames == 0
        work.close()
    else:
        foreign = {path.name for path in work.remove()}
        assert foreign == {"notes.txt", "000000.segment.bak", "my folder", "list.txt"}
        assert {path.name for path in folder.iterdir()} == {"notes.txt", "000000.segment.bak", "my folder", "states"}
    assert all(path.read_text() == "mine" for path in own)


@pytest.mark.parametrize("deleted", range(9))
def test_a_killed_clean_up_is_completed_by_the_next_run(tmp_path: Path, deleted: int) -> None:
    folder, output = tmp_path / "o.mkv.vsr", tmp_path / "o.mkv"
    three_segments(folder, last=True)
    finished = tmp_path / "finished"
    finished.write_bytes(b"video")
    work = begin(folder)
    settle(finished, output, overwrite=False, announce=lambda name: work.announce(name, file=finished))
    work.close()
    for path in sorted(path for path in folder.iterdir() if path.name not in ("lock", "placed.json"))[:deleted]:
        path.unlink()
    again = begin(folder)
    assert (again.placed, again.frames) == (output, 12)
    again.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mkv"]


def test_another_job_does_not_replace_a_finished_output(tmp_path: Path) -> None:
    folder, output = tmp_path / "o.mkv.vsr", tmp_path / "o.mkv"
    three_segments(folder, last=True)
    output.write_bytes(b"video")
    work = begin(folder)
    work.announce(output)
    work.finish()
    work.close()
    with pytest.raises(OutputExistsError):
        begin(folder, model="other")
    assert output.read_bytes() == b"video"


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
@pytest.mark.parametrize("name", ["", "lock", "job.json", "job.json.part", "000003.segment", "states", "000001.state"])
@pytest.mark.parametrize("restart", [False, True])
def test_links_in_the_work_folder_are_refused(tmp_path: Path, name: str, restart: bool) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "o.mkv.vsr"
    if name:
        three_segments(folder)
        (folder / name).unlink(missing_ok=True)
    target = victim / "file" if name and name != "states" else victim
    victim.mkdir()
    (victim / "file").write_text("precious")
    (folder / name if name else folder).symlink_to(target)
    with pytest.raises(UsageError, match="is a link"):
        begin(folder, restart=restart)
    assert (victim / "file").read_text() == "precious"
    assert [path.name for path in victim.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="rights are otherwise elsewhere")
def test_the_work_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    begin(tmp_path / "o.mkv.vsr").close()
    assert (tmp_path / "o.mkv.vsr").stat().st_mode & 0o777 == 0o700
    (tmp_path / "o.mkv.vsr").chmod(0o777)
    begin(tmp_path / "o.mkv.vsr").close()
    assert (tmp_path / "o.mkv.vsr").stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        os.chown(tmp_path / "o.mkv.vsr", 12345, 12345)
        with pytest.raises(UsageError, match="belongs to another user"):
            begin(tmp_path / "o.mkv.vsr")


def test_an_output_that_appears_during_the_job_is_not_overwritten(tmp_path: Path) -> None:
    for expected in ("o.mkv", "o.1.mkv", "o.2.mkv"):
        (tmp_path / "part").write_text(expected)
        assert settle(tmp_path / "part", tmp_path / "o.mkv", overwrite=False).name == expected
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        name: name for name in ("o.mkv", "o.1.mkv", "o.2.mkv")
    }
    (tmp_path / "part").write_text("new")
    assert settle(tmp_path / "part", tmp_path / "o.mkv", overwrite=True).read_text() == "new"
