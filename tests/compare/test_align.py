"""Frames of the same moment are paired, whatever the containers, rates and rotations."""

from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from tests.evaluate.make import clip
from tests.media import make
from vsrcli.compare.align import aligned, upright
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def number(rgb: np.ndarray) -> int:
    """Return the number of the pattern's frame that a picture shows."""
    height, width = rgb.shape[:2]
    step = 64 / width
    ys, xs = (np.minimum((np.arange(n) * step).round().astype(int), m - 1) for n, m in ((height, 48), (width, 64)))
    errors = [np.abs(rgb.astype(int) - make.pattern(n)[ys][:, xs]).mean() for n in range(24)]
    return int(np.argmin(errors))


def shown(infos: list[VideoInfo], **options: float) -> list[list[int]]:
    return [[number(f) for f in moment.frames] for moment in aligned(infos, **options)]


def test_the_same_film_in_other_containers_is_aligned_frame_by_frame(tmp_path: Path) -> None:
    vfr = [0, 400, 900, 1300, 2100, 2300, 3000]
    tick = Fraction(1, 10000)
    mp4 = make.video(tmp_path / "a.mp4", frames=7, pts=vfr, time_base=tick)
    mkv = make.video(tmp_path / "b.mkv", frames=7, pts=[p + 5000 for p in vfr], time_base=tick)
    infos = [probe(mp4), probe(mkv)]
    assert shown(infos) == [[n, n] for n in range(7)]
    assert [round(m.seconds, 3) for m in aligned(infos)] == [0, 0.04, 0.09, 0.13, 0.21, 0.23, 0.3]


def test_a_video_of_half_the_rate_shows_each_frame_twice(tmp_path: Path) -> None:
    full = probe(make.video(tmp_path / "a.mp4", frames=8, rate=Fraction(50)))
    half = probe(make.video(tmp_path / "b.mp4", frames=4, rate=Fraction(25)))
    pairs = shown([full, half])
    assert [a for a, _ in pairs] == list(range(8))
    assert all(abs(2 * b - a) <= 1 for a, b in pairs)


def test_shortest_video_ends_the_comparison(tmp_path: Path) -> None:
    long = probe(make.video(tmp_path / "a.mp4", frames=9))
    short = probe(make.video(tmp_path / "b.mp4", frames=6))
    assert shown([long, short]) == [[n, n] for n in range(6)]
    assert shown([short, long]) == [[n, n] for n in range(6)]


def test_a_start_in_the_middle_gives_the_same_moments(tmp_path: Path) -> None:
    infos = [probe(make.video(tmp_path / name, frames=20)) for name in ("a.mp4", "b.mkv")]
    assert shown(infos, start=0.48) == [[n, n] for n in range(12, 20)]
    assert shown(infos, start=9.0) == []


def test_images_are_paired_by_number(tmp_path: Path) -> None:
    images = probe(clip(tmp_path / "frames", frames=5, width=64, height=48))
    film = probe(make.video(tmp_path / "a.mp4", frames=5, rate=Fraction(10)))
    assert shown([images, film]) == [[n, n] for n in range(5)]
    assert shown([images, film], start=0.2) == [[n, n] for n in range(2, 5)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # imageio's reader leaves pipes open
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_films_are_shown_upright(tmp_path: Path, degrees: int) -> None:
    angle = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (65536 * v for v in angle)
    path = make.video(tmp_path / "a.mp4", frames=1, rotation=(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    info = probe(path)
    reader = imageio_ffmpeg.read_frames(str(path))  # turns as players do
    width, height = next(reader)["size"]
    player = np.frombuffer(next(reader), np.uint8).reshape(height, width, 3)
    reader.close()
    ours = upright(next(decode(info)).data, info)
    if ours.shape != player.shape:
        pytest.fail(f"{ours.shape} is not turned as {player.shape}")
    assert np.abs(ours.astype(int) - player).mean() < 4
