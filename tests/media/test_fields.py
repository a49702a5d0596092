"""Fields become frames, and film comes out of pulldown: against the progressive truth from which files are made."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.frame import Frame
from vsrcli.media.read.decode import decode, has_pulldown_rate, paced
from vsrcli.media.read.probe import probe

MOTION = "scroll=horizontal=0.013:vertical=0.005"
TAPE = f"testsrc2=s=192x144:r=50:d=1,{MOTION},format=yuv420p"
FILM = f"testsrc2=s=192x144:r=24000/1001:d=1.66,{MOTION},format=yuv420p"
STILL = "testsrc2=s=192x144:r=50:d=1,select='eq(n,0)',loop=49:1,setpts=N/50/TB,format=yuv420p"
WOVEN = {"tff": "tinterlace=interleave_top", "bff": "tinterlace=interleave_bottom"}
LOSSLESS = ("-c:v", "ffv1")
BROADCAST = ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "2", "-bf", "0")


def made(path: Path, picture: str, filters: str, *codec: str) -> Path:
    make.ffmpeg("-f", "lavfi", "-i", picture, "-vf", filters, *(codec or LOSSLESS), path)
    return path


def shown(path: Path, **how: object) -> list[Frame]:
    return list(decode(probe(path), **how))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def tape_truth(sources: Path) -> list[Frame]:
    """The 50 moments that tape holds as fields."""
    return shown(made(sources / "tape.mkv", TAPE, "null"))


@pytest.fixture(scope="module")
def film_truth(sources: Path) -> list[Frame]:
    """The 40 frames of film that pulldown spreads over 50."""
    return shown(made(sources / "film.mkv", FILM, "null"))


def psnr(found: list[Frame], wanted: list[Frame]) -> float:
    """Of the green, over all frames but the first and last two."""
    pairs = list(zip(found, wanted, strict=True))[2:-2]
    errors = [((a.data[..., 1].astype(float) - b.data[..., 1]) ** 2).mean() for a, b in pairs]
    return float(10 * np.log10(255**2 / max(1e-9, np.mean(errors))))


@pytest.mark.parametrize("order", WOVEN)
@pytest.mark.parametrize("flag", ["tff", "bff", "prog"])
def test_every_field_becomes_a_frame_whatever_the_flag_says(
    tmp_path: Path, tape_truth: list[Frame], order: str, flag: str
) -> None:
    tape = made(tmp_path / "tape.mkv", TAPE, f"{WOVEN[order]},setfield={flag}")
    doubled = shown(tape, deinterlace="double")
    held = [frame for frame in shown(tape, deinterlace="on") for _ in range(2)]
    assert len(doubled) == 50
    assert psnr(doubled, tape_truth) > psnr(held, tape_truth) + 8
    info = paced(probe(tape), "double", detelecine=False)
    assert info.rate == 50 and info.frames == 50
    assert [float(frame.pts * info.time_base) for frame in doubled] == pytest.approx([n / 50 for n in range(50)])
    assert all(a.pts + a.duration == b.pts for a, b in pairwise(doubled))


def test_the_order_is_judged_where_the_first_thing_moves(tmp_path: Path) -> None:
    parts = [made(tmp_path / f"{name}.mkv", name_of, "null") for name, name_of in (("a", STILL), ("b", TAPE))]
    joined: list[str | Path] = ["-i", parts[0], "-i", parts[1], "-filter_complex"]
    make.ffmpeg(*joined, "[0:v][1:v]concat,tinterlace=interleave_bottom,setfield=tff", *LOSSLESS, tmp_path / "t.mkv")
    make.ffmpeg(*joined, "[0:v][1:v]concat", *LOSSLESS, tmp_path / "truth.mkv")
    found, truth = shown(tmp_path / "t.mkv", deinterlace="double"), shown(tmp_path / "truth.mkv")
    right = made(tmp_path / "right.mkv", TAPE, f"{WOVEN['bff']},setfield=bff")
    alone = psnr(shown(right, deinterlace="double"), truth[50:])
    assert psnr(found[50:], truth[50:]) == pytest.approx(alone, abs=0.2)


def test_a_whole_frame_is_shown_twice_as_it_is(tmp_path: Path) -> None:
    film = made(tmp_path / "film.mkv", TAPE, "select='not(mod(n,2))',setpts=N/25/TB,setfield=tff")
    doubled, off = shown(film, deinterlace="double"), shown(film, deinterlace="off")
    assert len(doubled) == 2 * len(off)
    assert all((doubled[n].data == off[n // 2].data).all() for n in range(2, len(doubled)))


def test_a_part_has_the_frames_that_the_whole_has(tmp_path: Path) -> None:
    tape = made(tmp_path / "tape.mkv", TAPE, f"{WOVEN['tff']},setfield=bff")
    whole = shown(tape, deinterlace="double")
    for start, end in ((0.5, 0.8), (0.501, 0.82), (0.02, 0.06)):  # 0.5: a second field, 0.02 too
        info = paced(probe(tape), "double", detelecine=False)
        wanted = [f for f in whole if start - 1e-4 <= float(f.pts * info.time_base) - info.start_time < end - 1e-4]
        part = shown(tape, deinterlace="double", start=start, end=end)
        assert [frame.pts for frame in part] == [frame.pts for frame in wanted]
        assert all((a.data == b.data).all() for a, b in zip(part, wanted, strict=True))
    skipped = shown(tape, deinterlace="double", skip=7)
    assert [frame.number for frame in skipped] == list(range(7, 50))
    assert all((a.data == b.data).all() for a, b in zip(skipped, whole[7:], strict=True))


def test_fields_of_frames_of_varying_length_share_their_frames_time_and_it_is_said(tmp_path: Path) -> None:
    uneven = "setpts='(N+floor(N/3))/25/TB'"
    tape = tmp_path / "tape.mkv"
    make.ffmpeg(
        *("-f", "lavfi", "-i", TAPE, "-vf", f"{WOVEN['tff']},setfield=tff,{uneven}"),
        *("-fps_mode", "vfr", *LOSSLESS, tape),
    )
    said: list[str] = []
    doubled = list(decode(probe(tape), deinterlace="double", warn=said.append))
    frames = shown(tape, deinterlace="off")
    assert [frame.pts for frame in doubled[::2]] == [2 * frame.pts for frame in frames]
    assert [frame.pts for frame in doubled[1::2]] == [2 * frame.pts + frame.duration for frame in frames]
    assert said == [f"{tape}: its frame rate varies: each field is shown for half of its frame's time"]


@pytest.mark.parametrize("first", ["top", "bottom"])
@pytest.mark.parametrize("flag", ["tff", "bff", "prog"])
@pytest.mark.parametrize("codec", [LOSSLESS, BROADCAST], ids=["lossless", "mpeg2"])
def test_film_comes_out_of_pulldown(
    tmp_path: Path, film_truth: list[Frame], first: str, flag: str, codec: tuple[str, ...]
) -> None:
    pulled = made(tmp_path / "pulled.mkv", FILM, f"telecine=first_field={first}:pattern=23,setfield={flag}", *codec)
    info = paced(probe(pulled), "auto", detelecine=True)
    found = shown(pulled, detelecine=True)
    assert info.rate == Fraction(24000, 1001) and probe(pulled).frames == 50
    assert len(found) == len(film_truth) == 40
    assert psnr(found, film_truth) > (60 if codec is LOSSLESS else 30)
    times = [float((frame.pts - found[0].pts) * info.time_base) for frame in found]
    assert times == pytest.approx([n * 1001 / 24000 for n in range(40)], abs=0.0011)
    assert all(a.pts + a.duration == b.pts for a, b in pairwise(found))


@pytest.mark.parametrize("offset", range(5))
def test_pulldown_may_begin_anywhere_in_its_pattern(tmp_path: Path, film_truth: list[Frame], offset: int) -> None:
    pulled = made(tmp_path / "pulled.mkv", FILM, f"telecine=pattern=23,select='gte(n,{offset})',setpts=PTS-STARTPTS")
    truth = [frame.data[::4, ::4, 1].astype(int) for frame in film_truth]
    found = [frame.data[::4, ::4, 1] for frame in shown(pulled, detelecine=True)]
    which = [min((abs(frame - one).max(), number) for number, one in enumerate(truth)) for frame in found[1:]]
    assert max(error for error, _ in which) <= 2  # each is a frame of the film
    assert [number for _, number in which] == list(range(which[0][1], 40))


def test_video_between_film_keeps_its_frames_and_times(tmp_path: Path) -> None:
    film = f"{FILM},telecine=pattern=23,setpts=N*1001/30000/TB"
    video = f"testsrc2=s=192x144:r=60000/1001:d=1,{MOTION},format=yuv420p,tinterlace=interleave_top"
    graph = f"{film}[a];{video},setpts=N*1001/30000/TB[b];{film}[c];[a][b][c]concat=n=3,setfield=tff"
    make.ffmpeg("-filter_complex", graph, "-r", "30000/1001", *LOSSLESS, tmp_path / "mixed.mkv")
    info = paced(probe(tmp_path / "mixed.mkv"), "auto", detelecine=True)
    found = shown(tmp_path / "mixed.mkv", detelecine=True)
    steps = [round(float((b.pts - a.pts) * info.time_base) * 30000 / 1001, 1) for a, b in pairwise(found)]
    assert len(found) == 40 + 30 + 39 and len(shown(tmp_path / "mixed.mkv")) == 50 + 30 + 49
    assert set(steps[:38]) <= {1.2, 1.3}
    assert set(steps[42:68]) <= {1.0} and set(steps[72:108]) <= {1.2, 1.3}
    last = found[-1]
    assert float((last.pts + last.duration) * info.time_base) == pytest.approx(129 * 1001 / 30000, abs=0.002)


def test_whole_video_at_30_frames_loses_none(tmp_path: Path) -> None:
    video = made(tmp_path / "a.mkv", f"testsrc2=s=192x144:r=30:d=1,{MOTION},format=yuv420p", "null")
    assert len(shown(video, detelecine=True)) == 30


def test_a_still_in_film_is_thinned_as_the_film_before_it(tmp_path: Path) -> None:
    film = f"{FILM},tpad=stop_mode=clone:stop_duration=1.66"
    pulled = made(tmp_path / "a.mkv", film, "telecine=pattern=23")
    assert len(shown(pulled)) == 100
    assert len(shown(pulled, detelecine=True)) == 80


def test_rates_that_no_pulldown_has_are_left_as_they_are(tmp_path: Path) -> None:
    tape = made(tmp_path / "tape.mkv", TAPE, f"{WOVEN['tff']},setfield=tff")
    assert [f.pts for f in shown(tape, detelecine=True)] == [f.pts for f in shown(tape)]
    assert [has_pulldown_rate(Fraction(rate)) for rate in ("30000/1001", "30", "25", "50", "24000/1001", "15")] == [
        True, True, False, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("frames", "film"), [(1, 1), (2, 2), (3, 2), (5, 4), (6, 5)])
def test_a_few_frames_are_film_too(tmp_path: Path, frames: int, film: int) -> None:
    pulled = made(tmp_path / "a.mkv", FILM, f"telecine=pattern=23,trim=end_frame={frames}")
    found = shown(pulled, detelecine=True)
    assert len(found) == film and found[-1].duration > 0
    tape = made(tmp_path / "b.mkv", TAPE, f"{WOVEN['tff']},trim=end_frame={frames},setfield=tff")
    assert len(shown(tape, deinterlace="double")) == 2 * frames


@pytest.mark.parametrize("pix_fmt", ["yuv422p10le", "yuv411p"])
def test_other_pixel_formats_of_tape(tmp_path: Path, pix_fmt: str) -> None:
    pulled = made(tmp_path / "a.mkv", FILM, f"format={pix_fmt},telecine=pattern=23,setfield=bff")
    said: list[str] = []
    found = list(decode(probe(pulled), detelecine=True, warn=said.append))
    truth = shown(made(tmp_path / "truth.mkv", FILM, f"format={pix_fmt}"))
    narrow = [Frame(one.number, (one.data >> 8).astype(np.uint8)) if one.bit_depth > 8 else one for one in truth]
    assert psnr(found, narrow) > 45
    assert [line.split(": ")[-1] for line in said] == (
        ["film is taken out of pulldown with 8 bits a channel, not 10"] if "10" in pix_fmt else []
    )
