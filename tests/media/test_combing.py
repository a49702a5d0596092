"""Fields are told from whole frames by the picture: film in an interlaced stream keeps its lines, tape does not."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.read.combing import Weave, luma, weave_of
from vsrcli.media.read.decode import decode
from vsrcli.media.read.field_order import judged
from vsrcli.media.read.probe import probe
from vsrcli.media.read.timestamps import Timed

MOVING = "testsrc2=s=192x144:r=50:d=1,scroll=horizontal=0.013:vertical=0.005,format=yuv420p"
FLAGGED = ("-r", "25", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "1", "-bf", "0")
WAYS = {
    Weave.TOP_FIRST: "tinterlace=interleave_top",
    Weave.BOTTOM_FIRST: "tinterlace=interleave_bottom",
    Weave.WHOLE: "select='not(mod(n,2))',setpts=N/25/TB",
}


def made(path: Path, filters: str, *codec: str) -> Path:
    make.ffmpeg("-f", "lavfi", "-i", MOVING, "-vf", filters, *codec, path)
    return path


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def psnr(found: Path, truth: Path, **how: str) -> float:
    """Of the luma-like green, over all frames but the first and last two."""
    shown = [frame.data[..., 1].astype(float) for frame in decode(probe(found), **how)]  # type: ignore[arg-type]
    wanted = [frame.data[..., 1].astype(float) for frame in decode(probe(truth))]
    errors = [((a - b) ** 2).mean() for a, b in zip(shown[2:20], wanted[2:20], strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


@pytest.mark.parametrize("way", list(WAYS), ids=lambda way: way.value)
@pytest.mark.parametrize("noise", ["", "noise=alls=8:allf=t,"])
def test_woven_and_whole_frames_are_told_apart(tmp_path: Path, way: Weave, noise: str) -> None:
    lumas = [luma(picture) for picture in pictures(made(tmp_path / "a.mpg", noise + WAYS[way], *FLAGGED))]
    found = [weave_of(*lumas[i - 1 : i + 2]) for i in range(1, len(lumas) - 1)]
    assert set(found) <= {way, Weave.UNKNOWN} and found.count(way) > 15
    frames = [Timed(picture, number, 1) for number, picture in enumerate(pictures(tmp_path / "a.mpg"))]
    orders = {one.order for one in judged(frames)}
    assert orders == {Weave.UNKNOWN if way is Weave.WHOLE else way}


def test_a_small_moving_object_is_recognised_as_woven(tmp_path: Path) -> None:
    ground = "testsrc2=s=192x144:r=50:d=1,select='eq(n,0)',loop=49:1,setpts=N/50/TB"
    ball = "color=white:s=16x16:r=50:d=1"
    both = f"{ground}[g];{ball}[b];[g][b]overlay=x='20+3*n':y=60,tinterlace=interleave_top,format=yuv420p"
    make.ffmpeg("-filter_complex", both, *FLAGGED, tmp_path / "a.mpg")
    lumas = [luma(picture) for picture in pictures(tmp_path / "a.mpg")]
    found = [weave_of(*lumas[i - 1 : i + 2]) for i in range(1, len(lumas) - 1)]
    assert found.count(Weave.TOP_FIRST) > 15 and Weave.WHOLE not in found


def test_film_that_is_flagged_interlaced_keeps_every_line(tmp_path: Path) -> None:
    film = made(tmp_path / "film.mpg", WAYS[Weave.WHOLE], *FLAGGED)
    assert probe(film).interlaced
    off = [frame.data for frame in decode(probe(film), deinterlace="off")]
    auto = [frame.data for frame in decode(probe(film))]
    assert all((a == b).all() for a, b in zip(auto[1:], off[1:], strict=True))
    truth = made(tmp_path / "truth.mkv", WAYS[Weave.WHOLE], "-r", "25", "-c:v", "ffv1")
    assert psnr(film, truth) > psnr(film, truth, deinterlace="on") + 2


def test_interlaced_tape_is_deinterlaced_despite_a_wrong_field_order_flag(tmp_path: Path) -> None:
    truth = made(tmp_path / "truth.mkv", "select='not(mod(n,2))',setpts=N/25/TB", "-c:v", "ffv1")
    right = made(tmp_path / "right.mkv", WAYS[Weave.TOP_FIRST] + ",setfield=tff", "-c:v", "ffv1")
    wrong = made(tmp_path / "wrong.mkv", WAYS[Weave.TOP_FIRST] + ",setfield=bff", "-c:v", "ffv1")
    for mode in ("auto", "on"):
        assert psnr(right, truth, deinterlace=mode) > psnr(right, truth, deinterlace="off") + 3
        assert psnr(wrong, truth, deinterlace=mode) == pytest.approx(psnr(right, truth, deinterlace=mode), abs=0.01)


def test_progressive_and_interlaced_parts_of_one_stream_are_treated_separately(tmp_path: Path) -> None:
    film = made(tmp_path / "film.mkv", WAYS[Weave.WHOLE] + ",setfield=tff", "-c:v", "ffv1")
    tape = made(tmp_path / "tape.mkv", WAYS[Weave.TOP_FIRST] + ",setfield=tff", "-c:v", "ffv1")
    parts: list[str | Path] = ["-i", film, "-i", tape, "-filter_complex", "[0:v][1:v]concat,setfield=tff", *FLAGGED]
    make.ffmpeg(*parts, tmp_path / "both.mpg")
    whole, off = decode(probe(tmp_path / "both.mpg")), decode(probe(tmp_path / "both.mpg"), deinterlace="off")
    kept = [bool((a.data == b.data).all()) for a, b in zip(whole, off, strict=True)]
    assert all(kept[2:23]) and not any(kept[27:])
