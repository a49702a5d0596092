"""A wished size or bit rate is kept to what the help says; what has none refuses it in one line."""

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

import vsrcli
from tests.command import vsr
from vsrcli.cli.param_types import Amount
from vsrcli.errors import UsageError

TOLERANCE = 0.2
"""The help says so of a few seconds."""


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 5 s of moving noise with sound: three segments of what an encoder finds hard."""
    path = tmp_path_factory.mktemp("noisy") / "a.mkv"
    words = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi"]
    words += ["-i", "testsrc2=s=48x32:r=25,noise=alls=20:allf=t", "-f", "lavfi", "-i", "sine", "-t", "5"]
    subprocess.run([*words, "-c:v", "libx264", "-c:a", "aac", "-b:a", "64k", str(path)], check=True)
    return path


@pytest.fixture
def how(tiny_model: str) -> dict[str, Any]:
    return {"model": tiny_model, "window": 4, "lookahead": 1, "precision": "fp32", "preset": "veryfast"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"), [("b.mkv", {}), ("b.mp4", {"codec": "hevc"}), ("b.mkv", {"audio": "none", "end": 2.0})]
)
def test_a_wished_size_is_kept(
    noisy: Path, tmp_path: Path, how: dict[str, Any], name: str, more: dict[str, Any]
) -> None:
    wanted = 200_000
    made = vsrcli.upscale(noisy, tmp_path / name, target_size=wanted, **how | more)
    assert made.output.stat().st_size == pytest.approx(wanted, rel=TOLERANCE)
    assert not any("asked for" in line for line in made.warnings)


@pytest.mark.slow
def test_a_bit_rate_is_kept(noisy: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    made = vsrcli.upscale(noisy, tmp_path / "b.mkv", bitrate=300_000, audio="none", **how)
    assert made.output.stat().st_size == pytest.approx(300_000 / 8 * 5, rel=TOLERANCE)
    assert not any("asked for" in line for line in made.warnings)


def test_the_least_size_that_is_named_is_taken(noisy: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as told:
        vsrcli.upscale(noisy, tmp_path / "b.mkv", target_size=1000, end=0.2, **how)
    least = Amount().convert(str(told.value).split(": ")[1].removesuffix("B is the least").replace(" ", ""), None, None)
    assert vsrcli.upscale(noisy, tmp_path / "b.mkv", target_size=least, end=0.2, **how).output.is_file()
    with pytest.raises(UsageError):
        vsrcli.upscale(noisy, tmp_path / "c.mkv", target_size=least - 200, end=0.2, **how)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        (
            "b.mkv",
            {"target_size": 20_000},
            r"^20.0 kB are .* for 5 s, of which the sound takes \d+.\d kB: \d+.\d kB is the",
        ),
        ("b.mkv", {"target_size": 3_500, "audio": "none"}, r"too little for 5 s: \d.\d kB is the least$"),
        ("b.mkv", {"target_size": 1_000, "audio": "none", "end": 0.2}, r"^1.0 kB are too little for 0.2 s: \d.\d kB"),
        ("b.mkv", {"bitrate": 100_000, "codec": "ffv1", "preset": None}, "ffv1 has no bitrate"),
        ("b.mov", {"target_size": 100_000, "codec": "prores", "preset": None}, "prores has no size"),
        ("b.avi", {"bitrate": 100_000, "codec": "huffyuv", "preset": None}, "huffyuv has no bitrate"),
        ("b.gif", {"bitrate": 100_000, "preset": None}, "gif has no bitrate"),
        ("%d.png", {"target_size": 100_000}, "images have no bitrate"),
        ("b.mkv", {"bitrate": 100_000, "crf": 20}, "exclude each other"),
        ("b.mkv", {"bitrate": 100_000, "target_size": 100_000}, "exclude each other"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    noisy: Path, tmp_path: Path, how: dict[str, Any], name: str, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        vsrcli.upscale(noisy, tmp_path / name, **how | more)
    assert not list(tmp_path.iterdir())


def test_what_decides_on_the_size_instead_is_told(noisy: Path, tmp_path: Path) -> None:
    def said(codec: str) -> str:
        done = vsr("upscale", noisy, "-o", tmp_path / "b.mkv", "--codec", codec, "--target-size", "5M")
        assert done.returncode == 2
        return done.stderr

    presets = "--preset proxy, lt, standard, hq, 4444 or 4444xq decides on it"
    assert f"prores has no size to choose: {presets}\n" in said("prores")
    assert "dnxhr has no size to choose: --preset lb, sq, " in said("dnxhr")
    assert "ffv1 has no size to choose: it is lossless\n" in said("ffv1")


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [("b.mkv", 1_400, "larger"), ("b.mkv", 90_000, "smaller"), ("b.avi", 900_000, "smaller")],
)
def test_a_size_that_is_missed_is_told(
    noisy: Path, tmp_path: Path, how: dict[str, Any], name: str, wanted: int, said: str
) -> None:
    made = vsrcli.upscale(noisy, tmp_path / name, target_size=wanted, audio="none", end=0.16, **how)
    got = f"{made.output.stat().st_size / 1e3:.1f} kB"
    told = [line for line in made.warnings if "asked for" in line]
    assert told == [f"the result has {got}, {said} than the {wanted / 1e3:.1f} kB that were asked for"]


@pytest.mark.parametrize(("wanted", "said"), [(2_000, "more"), (4_000_000, "less")])
def test_a_bit_rate_that_is_missed_is_told(
    noisy: Path, tmp_path: Path, how: dict[str, Any], wanted: int, said: str
) -> None:
    made = vsrcli.upscale(noisy, tmp_path / "b.mkv", bitrate=wanted, end=0.16, **how)
    [told] = [line for line in made.warnings if "asked for" in line]
    assert told.startswith("the picture has ") and told.endswith(
        f" kbit/s, {said} than the {wanted // 1000} kbit/s that were asked for"
    )


def test_amounts_are_read_as_video_programs_write_them() -> None:
    read = {"5M": 5_000_000, "800k": 800_000, "700MB": 700_000_000, "1.5GiB": 3 << 29, "64000": 64000, "2m": 2_000_000}
    assert {text: Amount().convert(text, None, None) for text in read} == read
    for wrong in ("", "M", "-5M", "5X", "nan", "1e999"):
        done = vsr("upscale", "a.mkv", "--bitrate", wrong)
        assert done.returncode == 2 and "not an amount" in done.stderr and "Traceback" not in done.stderr
