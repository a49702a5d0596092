"""`vsr compare` writes files that another ffmpeg plays, and figures that are the quality functions'."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.evaluate.make import clip
from tests.media import make
from vsrcli.cli.compare import command
from vsrcli.errors import OutputError, UsageError
from vsrcli.media.photo.images import load_picture
from vsrcli.media.read.probe import probe
from vsrcli.quality.metrics import planes, psnr, ssim


@pytest.fixture
def films(tmp_path: Path) -> tuple[str, str]:
    """A film of 10 frames and one of twice its size."""
    small = make.video(tmp_path / "small.mp4", frames=10)
    return str(small), str(make.video(tmp_path / "large.mkv", width=128, height=96, frames=10))


def run(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout, result.stderr


def play(path: Path) -> np.ndarray:
    info = probe(path)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    frames = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(frames, np.uint8).reshape(-1, info.height, info.width, 3)


@pytest.mark.parametrize(("mode", "size"), [("side", (258, 96)), ("stack", (128, 194)), ("wipe", (128, 96))])
def test_comparisons_of_all_modes_are_playable(
    films: tuple[str, str], tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    out = tmp_path / "out.mp4"
    run(*films, "-o", str(out), "--mode", mode, "-q")
    frames = play(out)
    assert frames.shape == (10, size[1], size[0], 3)
    assert probe(out).rate == Fraction(25)


def test_the_border_of_a_wipe_moves_back_and_forth(tmp_path: Path) -> None:
    small = make.video(tmp_path / "a.mp4", width=64, height=48, frames=5, rate=Fraction(1))
    out = tmp_path / "out.mp4"
    run(str(small), str(small), "-o", str(out), "--mode", "wipe", "--labels", ",", "-q")
    borders = [int(frame.astype(int).sum((0, 2))[8:-8].argmax()) + 8 for frame in play(out)]
    middle = 32
    assert abs(borders[0] - middle) <= 2 and abs(borders[4] - middle) <= 2
    assert borders[2] > middle + 12


def test_sound_of_the_first_video_is_copied(tmp_path: Path) -> None:
    film = make.rich(tmp_path / "film.mkv")
    out = tmp_path / "out.mkv"
    run(str(film), str(film), "-o", str(out), "-q", "--labels", "a,b")
    kinds = [s.kind for s in probe(out).streams]
    assert kinds.count("audio") == 2


def test_sound_ends_with_the_shortest_video(tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"]
    make.ffmpeg(*source, "-c:v", "ffv1", "-c:a", "aac", tmp_path / "a.mkv")
    short = make.video(tmp_path / "b.mkv", frames=20, codec="ffv1")
    _, told = run(str(tmp_path / "a.mkv"), str(short), "-o", str(tmp_path / "c.mkv"))
    assert "ends the comparison after 20 frames" in told
    ends = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "c.mkv")) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                ends[packet.stream.type] = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    assert ends["video"] == pytest.approx(0.8)
    assert ends["audio"] == pytest.approx(0.8, abs=0.05)


def test_a_picture_shows_the_requested_time(films: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    run(*films, "-o", str(out), "--at", "0.2", "--labels", ",", "--zoom", "20,10,40,20", "-q")
    picture = load_picture(out).to_ndarray(format="rgb24")
    assert picture.shape == (96 + 2 + 64, 258, 3)
    truth = make.pattern(5, 128, 96)
    assert np.abs(picture[40:96, 130:].astype(int) - truth[40:96]).mean() < 5
    assert np.abs(make.pattern(3, 128, 96)[40:96].astype(int) - truth[40:96]).mean() > 10


def test_quality_against_a_reference_is_printed_and_plotted(tmp_path: Path) -> None:
    truth = clip(tmp_path / "truth", frames=3)
    result = clip(tmp_path / "result", frames=3, seed=4)
    svg, png = tmp_path / "plot.svg", tmp_path / "plot.png"
    for plot in (svg, png):
        out, _ = run(str(result), str(truth), "--reference", str(truth), "--plot", str(plot), "-q")
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in out.splitlines()]
    a, b = (
        planes(
            torch.stack([torch.from_numpy(make.pattern(n, 128, 96, seed=s)).permute(2, 0, 1) / 255 for n in range(3)])
        )
        for s in (4, 0)
    )
    assert cells[2] == ["result", "3", f"{psnr(a, b).mean():.3f}", f"{ssim(a, b).mean():.4f}"]
    assert cells[3] == ["truth", "3", "inf", "1.0000"]
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert load_picture(png).width > 800


def test_figures_are_printed_as_json_and_patterns_are_told_apart(tmp_path: Path) -> None:
    for name in ("tool-a", "tool-b", "truth"):
        clip(tmp_path / name, frames=3, seed=len(name))
    truth, *results = (str(tmp_path / name / "%03d.png") for name in ("truth", "tool-a", "tool-b"))
    out, _ = run(*results, "--reference", truth, "--json", "-q")
    report = json.loads(out)
    assert report["settings"] == {"reference": truth, "videos": results, "channels": "y"}
    rows = {row["video"]: row for row in report["results"]}
    assert [Path(name).parts for name in rows] == [("tool-a", "%03d.png"), ("tool-b", "%03d.png")]
    shown, _ = run(*results, "--reference", truth, "-q")
    assert all(f"{row['psnr']:.3f}" in shown and row["frames"] == 3 for row in rows.values())


def test_progress_ends_at_the_last_frame(tmp_path: Path) -> None:
    truth = str(clip(tmp_path / "truth", frames=4))
    told = run(truth, "--reference", truth)[1].splitlines()
    assert told[0] == "comparing: frame 0 of 4" and told[-1].startswith("comparing: frame 4 of 4")


def test_quality_of_cropped_results_uses_the_common_area(tmp_path: Path) -> None:
    truth = make.pattern(0, 130, 98)
    from vsrcli.compare.quality import Quality

    quality = Quality(["cropped"])
    quality.add([truth[:96, :128]], truth)
    assert quality.psnr == [[float("inf")]]
    with pytest.raises(UsageError, match="smaller"):
        quality.add([truth], truth[:96, :128])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give -o"),
        (("-o", "x.mp4", "--at", "1"), "--at is for a picture"),
        (("-o", "x.mp4", "--plot", "p.svg"), "--reference"),
        (("-o", "x.mp4", "--json"), "--json holds PSNR and SSIM: give the ground truth with --reference"),
        (("-o", "x.png", "--at", "99"), "not all of the videos"),
        (("-o", "x.png", "--labels", "a,b,c"), "--labels: 3 for 2"),
        (("-o", "x.png", "--zoom", "100,0,64,48"), "does not lie inside"),
    ],
)
def test_wrong_usage_is_reported_and_leaves_no_file(
    films: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        run(*films, *arguments)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.mkv", "small.mp4"]


def test_an_input_or_an_existing_file_is_not_overwritten(films: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add -y"):
        run(*films, "-o", films[0])
    with pytest.raises(UsageError, match="an input itself"):
        run(*films, "-o", films[0], "-y")
    with pytest.raises(OutputError, match="no folder"):
        run(*films, "-o", str(tmp_path / "missing" / "out.mp4"))


def test_videos_of_different_shapes_are_refused(films: tuple[str, str], tmp_path: Path) -> None:
    square = make.video(tmp_path / "square.mp4", width=64, height=64, frames=3)
    told = r"^small.mp4 is shown as 64x48 \(4:3\), square.mp4 as 64x64 \(1:1\): they cannot be laid over each other$"
    for how in (("-o", str(tmp_path / "out.mp4")), ("-o", str(tmp_path / "out.png")), ("--reference", films[0])):
        with pytest.raises(UsageError, match=told if "-o" in how else "square.mp4 is shown"):
            run(films[0], str(square), *how, "-q")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("quarter", [None, (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)])
def test_shapes_are_compared_as_they_are_shown(tmp_path: Path, quarter: tuple[int, ...] | None) -> None:
    """A tape of oblong pixels beside a result of square ones, and beside one that keeps them; phones turn theirs."""
    tape = make.video(tmp_path / "tape.mkv", width=64, height=48, frames=3, sar=Fraction(3, 2), rotation=quarter)
    size = (192, 96)[:: -1 if quarter else 1]
    square = make.video(tmp_path / "square.mkv", width=size[0], height=size[1], frames=3)
    oblong = make.video(tmp_path / "oblong.mkv", width=128, height=96, frames=3, sar=Fraction(3, 2), rotation=quarter)
    for result in (square, oblong):
        picture, film = tmp_path / "out.png", tmp_path / "out.mkv"
        run(str(tape), str(result), "-o", str(picture), "--labels", ",", "-qy")
        drawn = load_picture(picture).to_ndarray(format="rgb24")
        assert drawn.shape == (size[1], 2 * size[0] + 2, 3)
        run(str(tape), str(result), "-o", str(film), "--labels", ",", "-qy")
        assert play(film).shape == (3, size[1], 2 * size[0] + 2, 3)
        info = probe(film)
        assert info.sample_aspect_ratio in (0, 1) and info.rotation is None


def test_figures_are_measured_on_the_reference_s_own_pixels(tmp_path: Path) -> None:
    oblong = make.video(tmp_path / "a.mkv", width=128, height=96, frames=2, sar=Fraction(3, 2))
    small = make.video(tmp_path / "b.mkv", width=96, height=48, frames=2)
    out, _ = run(str(oblong), str(small), "--reference", str(oblong), "-q")
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in out.splitlines()]
    assert cells[2] == ["a.mkv", "2", "inf", "1.0000"] and float(cells[3][2]) < 40
