"""The default output can hold the source's sound, and what a container cannot hold is named."""

from pathlib import Path

from tests.media import make
from vsrcli.media.containers import check_container
from vsrcli.media.probe import probe
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.places import default_output


def test_a_blu_ray_with_truehd_becomes_matroska(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "v.mkv", frames=5)
    make.ffmpeg("-i", picture, "-f", "lavfi", "-i", "sine=d=0.2", "-c:v", "copy", "-c:a", "truehd", "-strict", "-2",
                "-f", "mpegts", "-mpegts_m2ts_mode", "1", tmp_path / "disc.m2ts")  # fmt: skip
    assert default_output(probe(tmp_path / "disc.m2ts"), Options(), 4) == tmp_path / "disc_x4.mkv"
    make.ffmpeg("-i", picture, tmp_path / "plain.m2ts")
    assert default_output(probe(tmp_path / "plain.m2ts"), Options(), 4) == tmp_path / "plain_x4.m2ts"


def test_tags_that_a_transport_stream_cannot_hold_are_named(tmp_path: Path) -> None:
    make.ffmpeg("-i", make.video(tmp_path / "v.mkv", frames=5), "-c", "copy", "-metadata", "title=T", "-metadata",
                "artist=A", tmp_path / "a.mkv")  # fmt: skip
    notes = check_container(probe(tmp_path / "a.mkv"), tmp_path / "out.ts")
    assert notes == [".ts cannot hold these tags: title, artist"]
