"""What is wrong with a source is said by a whole job, and again by the run that only joins its segments."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import vsrcli
from tests.media import make
from vsrcli.cli.upscale import command
from vsrcli.errors import InterruptedJobError
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.joins import Join
from vsrcli.pipeline import Event
from vsrcli.pipeline.findings import Findings


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames, of which one third is overwritten."""
    path = tmp_path_factory.mktemp("damaged") / "holed.mkv"
    make.video(path, frames=12, options={"g": "2", "crf": "10", "bf": "0", "preset": "ultrafast"})
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    path.write_bytes(data)
    return path


def test_a_job_reports_damage_in_a_line_and_in_json(damaged: Path, tiny_model: str, tmp_path: Path) -> None:
    options = ["--window", "4", "--lookahead", "2", "--json"]
    done = CliRunner().invoke(command, [str(damaged), "-o", str(tmp_path / "out.mkv"), "-m", tiny_model, *options])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["damage"]["frames"] == report["frames"] < 12
    assert report["damage"]["frames"] + report["damage"]["missing"] == 12
    assert len(report["damage"]["gaps"]) == 1
    lines = [line for line in done.stderr.splitlines() if "is damaged: " in line]
    assert len(lines) == 1 and f"{report['damage']['missing']} of 12 frames are missing" in lines[0]


def test_a_run_that_only_joins_reports_damage_too(damaged: Path, tiny_model: str, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.kind == "assemble":
            raise KeyboardInterrupt

    output = tmp_path / "out.mkv"
    with pytest.raises(InterruptedJobError):
        vsrcli.upscale(damaged, output, model=tiny_model, window=4, lookahead=2, on_event=stop)
    result = vsrcli.upscale(damaged, output, model=tiny_model, window=4, lookahead=2)
    assert result.made == 0
    assert result.damage is not None and result.damage.missing
    assert f"{damaged} {result.damage.line()}" in result.warnings


def test_findings_survive_json() -> None:
    damage = Damage(9, None, 1, 0, 0, ((0.4, 0.44), (1.0, 1.2)), 0, 7, 0.4, "broken")
    for findings in (Findings(damage, (Join(5, -3), Join(9, 4))), Findings()):
        assert Findings.from_plain(json.loads(json.dumps(findings.plain()))) == findings
    others: list[object] = [None, {}, [], {"damage": {"gaps": 3}, "joins": []}, {"damage": None, "joins": [[1]]}]
    for other in others:
        assert Findings.from_plain(other) == Findings()
