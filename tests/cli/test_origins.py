"""Where an invalid setting comes from is told, in the way that the caller reads."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.cli import COMMANDS, cli

DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"


def test_an_invalid_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_UPSCALE_CRF", "abc")
    done = vsr("upscale", "nope.mp4")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: Invalid value for VSR_UPSCALE_CRF: 'abc' is not a valid float.",
    )


def test_variables_that_are_not_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VSR_DEVICE", "VSR_UPSCALE_CRX", "VSR_UPSCALE_CRF", "VSR_HOME", "DEVICE"):
        monkeypatch.setenv(name, "3")
    lines = vsr("upscale", "nope.mp4").stderr.splitlines()
    assert lines[:-1] == [
        "warning: VSR_DEVICE is not read: write VSR_UPSCALE_DEVICE",
        "warning: VSR_UPSCALE_CRX: vsr upscale has no such option (did you mean crf?)",
    ]


def test_variables_of_no_command_and_of_commands_within_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VSR_UPSCAL_CRF", "VSR_HOM", "VSR_XYZZY", "VSR_BENCH_CRX", "VSR_CACHE", "VSR_DEBUG"):
        monkeypatch.setenv(name, "")
    assert vsr("upscale", "nope.mp4").stderr.splitlines()[:-1] == [
        "warning: VSR_HOM is not read (did you mean VSR_HOME?)",
        "warning: VSR_UPSCAL_CRF is not read (did you mean VSR_UPSCALE_CRF?)",
        "warning: VSR_XYZZY is not read",
    ]
    monkeypatch.setenv("VSR_TRAIN_RUN_SED", "3")
    told = vsr("train", "recipes").stderr
    assert "VSR_TRAIN_RUN_SED: vsr train has no such option (did you mean run-seed?)" in told


def test_every_option_is_read_from_the_variable_that_is_named_like_its_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {}
        for words, one in {name: command, **{f"{name} {word}": sub for word, sub in inner.items()}}.items():
            for option in one.params:
                if isinstance(option, click.Option):
                    flags = [flag[2:] for flag in option.opts if flag.startswith("--")]
                    assert option.envvar == re.sub("[ -]", "_", f"vsr {words} {flags[0]}").upper()
    monkeypatch.setenv("VSR_INFO_JSON", "1")
    monkeypatch.setenv("VSR_INFO_MODEL", "repvsr iconvsr")
    done = vsr("info", DEMO)
    assert (done.stderr, [pick["asked"] for pick in json.loads(done.stdout)["picks"]]) == ("", ["repvsr", "iconvsr"])


def test_options_that_cannot_be_read_are_told_as_json_where_it_is_asked_for() -> None:
    done = vsr("upscale", "nope.mp4", "--bogus", "--progress", "json")
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (done.returncode, told["event"], told["exit_code"]) == (2, "error", 2)
    assert "--bogus" in told["message"]


def test_a_failed_file_of_several_is_an_event(tmp_path: Path) -> None:
    film = make.video(tmp_path / "a.mkv", frames=2, width=32, height=24)
    done = vsr("upscale", film, tmp_path / "nope.mkv", "-m", "repvsr", "--dry-run", "--progress", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    failed = [one for one in events if one["event"] == "result"]
    missing = str(tmp_path / "nope.mkv")
    assert [(one["status"], one["input"], one["error"]) for one in failed] == [
        ("failed", missing, f"{missing} does not exist")
    ]
    assert done.returncode == 3


def test_contradictions_are_refused_before_torch_is_imported() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "vsrcli", "upscale", "nope.mp4", "--crf=18", "--bitrate=5M"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "exclude each other" in done.stderr.splitlines()[-1]
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)
