"""A result in a transport stream is known as one: who sends it says how it was made."""

from pathlib import Path
from typing import Any

import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.media.write.made import made_tags, offset_in_source


@pytest.mark.parametrize("name", ["b.ts", "b.m2ts"])
def test_a_transport_stream_tells_that_it_is_a_result(tmp_path: Path, tiny_model: str, name: str) -> None:
    how: dict[str, Any] = {"model": tiny_model, "window": 4, "precision": "fp32"}
    film = make.video(tmp_path / "a.mkv", frames=8, width=32, height=24)
    assert not made_tags(film)
    made = vsrcli.upscale(film, tmp_path / name, start=0.12, **how).output
    (text,) = made_tags(made)
    assert text.startswith("upscaled by vsr ") and "tiny.safetensors" in text and ", fp32, from " in text
    assert offset_in_source(made) == pytest.approx(0.12)
    assert f"      made  {text}\n" in vsr("info", made).stdout and "  made  " not in vsr("info", film).stdout


def test_a_folder_s_own_results_are_left_out_in_another_run(tmp_path: Path, tiny_model: str) -> None:
    make.video(tmp_path / "a.ts", frames=4, width=32, height=24)
    words = ["upscale", tmp_path, "-m", tiny_model, "--window", 4, "--precision", "fp32"]
    assert vsr(*words).returncode == 0
    assert not made_tags(tmp_path / "a.ts")
    (tmp_path / "new").mkdir()
    (tmp_path / "a_x4.ts").rename(tmp_path / "new" / "b.ts")
    again = vsr("upscale", tmp_path / "new", *words[2:])
    assert again.returncode == 0 and "left out, made by vsr: " in again.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.ts"]
