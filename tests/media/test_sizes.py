"""A recording whose size changes on the way is taken at its largest."""

from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def _growing(folder: Path, suffix: str, *options: str) -> Path:
    parts = []
    for number, (width, height) in enumerate([(32, 24), (64, 48), (96, 64)]):
        codec = {"libvpx": {"deadline": "realtime", "cpu-used": "8"}} if suffix == "webm" else {"libx264": None}
        ((name, settings),) = codec.items()
        part = folder / f"{number}.{'webm' if suffix == 'webm' else 'ts'}"
        parts.append(make.video(part, width=width, height=height, frames=12, codec=name, options=settings))
    (folder / "list.txt").write_text("".join(f"file {part.name}\n" for part in parts))
    path = folder / f"grown.{suffix}"
    make.ffmpeg("-f", "concat", "-i", folder / "list.txt", "-c", "copy", *options, path)
    return path


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4", "webm"])
def test_a_recording_with_growing_frames_uses_the_largest_size(tmp_path: Path, suffix: str) -> None:
    path = _growing(tmp_path, suffix)
    info = probe(path)
    assert (info.width, info.height) == (96, 64)
    lines: list[str] = []
    frames = list(decode(info, warn=lines.append))
    assert {frame.data.shape for frame in frames} == {(64, 96, 3)}
    assert lines == ["frames are 32x24 from 0.00 s on: scaled to 96x64"]


def test_an_unseekable_recording_is_read_to_its_end(tmp_path: Path) -> None:
    info = probe(_growing(tmp_path, "webm", "-live", "1"))
    assert (info.width, info.height) == (96, 64)
