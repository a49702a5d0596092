"""Thousands of tags are carried; tens of thousands, over which FFmpeg takes minutes, are refused at the first look."""

import time
from pathlib import Path

import av
import pytest

from tests.media import make
from tests.media.test_assemble import enlarge
from vsrcli.errors import InputError
from vsrcli.media.opening import MOST_TAGS
from vsrcli.media.read.probe import probe


def _tagged(path: Path, count: int, *, of_stream: bool = False) -> Path:
    picture = make.video(path.with_stem("plain"), frames=2)
    head = ";FFMETADATA1\n" + ("[STREAM]\n" if of_stream else "")
    text = head + "".join(f"KEY{number:05d}={number}{'v' * 90}\n" for number in range(count))
    path.with_suffix(".txt").write_text(text)
    which = ["-map_metadata:s:v", "1:s:0"] if of_stream else ["-map_metadata", "1"]
    make.ffmpeg(
        "-i", picture, "-f", "ffmetadata", "-i", path.with_suffix(".txt"), "-map", "0:v", *which,
        "-c", "copy", "-movflags", "use_metadata_tags", path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_many_tags_are_carried(tmp_path: Path, suffix: str) -> None:
    source = _tagged(tmp_path / f"a{suffix}", 1500)
    assert enlarge(source, tmp_path / f"b{suffix}") == []
    with av.open(str(source)) as old, av.open(str(tmp_path / f"b{suffix}")) as new:
        kept = {key: value for key, value in old.metadata.items() if key.startswith("KEY")}
        assert len(kept) == 1500 and kept.items() <= new.metadata.items()


@pytest.mark.parametrize("of_stream", [False, True])
def test_too_many_are_refused_at_the_first_look(tmp_path: Path, of_stream: bool) -> None:
    source = _tagged(tmp_path / "a.mkv", MOST_TAGS + 100, of_stream=of_stream)
    began = time.process_time()
    with pytest.raises(InputError, match=r"has 51\d\d tags.*remove them first"):
        probe(source)
    assert time.process_time() - began < 3
