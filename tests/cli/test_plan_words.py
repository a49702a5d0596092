"""Plans and results in words tell a rate in a unit and how wide and high a picture is shown."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.cli.figures import rate_text
from vsrcli.media.read.probe import probe

QUARTER = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
SHORT = ("--window", "4", "--lookahead", "1", "--precision", "fp32")


@pytest.mark.parametrize(
    ("rotation", "how", "name", "input_", "output"),
    [
        (None, (), "o.mkv", "64x48, shown as 96x48", "256x192, shown as 384x192"),
        (QUARTER, (), "o.mkv", "64x48, shown as 48x96", "256x192, shown as 192x384"),
        (None, ("--square-pixels",), "o.mkv", "64x48, shown as 96x48", "384x192"),
        (QUARTER, ("--height", "96"), "o.mkv", "64x48, shown as 48x96", "64x48, shown as 48x96"),
        (None, ("--fit", "96x96", "--pad"), "o.mkv", "64x48, shown as 96x48", "96x96"),
        (None, (), "o.gif", "64x48, shown as 96x48", "256x192"),
    ],
)
def test_a_plan_says_how_it_is_shown(
    tmp_path: Path,
    tiny_model: str,
    rotation: Sequence[int] | None,
    how: tuple[str, ...],
    name: str,
    input_: str,
    output: str,
) -> None:
    tape = make.video(tmp_path / "a.mkv", frames=4, sar=Fraction(3, 2), rotation=rotation)
    out = tmp_path / name
    words = ("upscale", tape, "-o", out, "-m", tiny_model, *SHORT, *how)
    told = vsr(*words, "--dry-run").stderr
    assert f"   input  {tape}: {input_}, 4 frames" in told
    assert f"  output  {out}: {output}, codec " in told
    done = vsr(*words, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert tuple(report["shown"]) == probe(out).shown
    assert f"{out}: 4 frames of {output} in " in done.stderr


def test_a_rate_has_a_unit(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=4)
    how = ("-m", tiny_model, *SHORT, "--bitrate", "78789296", "--dry-run")
    assert "codec h264, bitrate 79 Mbit/s, " in vsr("upscale", film, *how).stderr
    assert [rate_text(bits) for bits in (4_240_000, 850_400, 300)] == ["4.2 Mbit/s", "850 kbit/s", "0.3 kbit/s"]
