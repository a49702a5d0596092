"""Strings from outside are printed in one line without characters that control a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.media import make
from vsrcli import cli as command_line
from vsrcli.cli import upscale
from vsrcli.cli.progress import Display
from vsrcli.pipeline import Event
from vsrcli.words import clean, counted, padded

EVIL = "a\x1b]0;owned\x07\n\r\x9b2J\u202egpj.\u2028b"


def test_only_terminal_control_characters_are_escaped() -> None:
    assert clean(EVIL) == r"a\x1b]0;owned\x07\x0a\x0d\x9b2J\u202egpj.\u2028b"
    assert clean(os.fsdecode(b"caf\xe9")) == r"caf\udce9"
    for text in ("plain", "naïve café", "文件.mkv", "می\u200cروم", "e\u0301", "👩\u200d🚀"):
        assert clean(text) == text


def test_nouns_have_the_right_number() -> None:
    assert [counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert padded([["a", "x"], ["bcd", "10"]], [False, True], least=2) == [["a  ", " x"], ["bcd", "10"]]
    assert padded([["a"]], [True], least=3) == [["  a"]]


def test_events_results_and_plans_are_shown_clean(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(quiet=False, verbose=True)
    for kind in ("note", "warning"):
        display.event(Event(kind, EVIL))
    display.failed(EVIL, EVIL)
    display.summary([{"status": "failed", "input": EVIL, "error": EVIL}])
    shown = capsys.readouterr().err
    assert not set(shown) & set(EVIL) - set("aowned]0;2Jgpj.b\n")
    assert shown.count("\n") == 4


@pytest.mark.parametrize("arguments", [["{}"], ["x.mp4", "--fps", "{}"], ["x.mp4", "-m", "{}"], ["--{}", "x.mp4"]])
def test_errors_are_one_clean_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    make.video(tmp_path / "x.mp4", frames=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vsr", "upscale", *(a.format(EVIL) for a in arguments)])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code in (1, 2)
    shown = capsys.readouterr().err
    assert "\\x1b]0;owned" in shown
    assert not {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2028"} & set(shown)
    assert sum("owned" in line for line in shown.splitlines()) == 1


def test_json_holds_no_control_characters(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("there are no such names")
    source = make.video(tmp_path / f"{EVIL}.mp4", frames=1)
    done = CliRunner().invoke(upscale.command, [str(source), "--dry-run", "--json", "-m", "repvsr.real"])
    assert json.loads(done.stdout)["input"] == str(source)
    assert all(c == "\n" or c.isprintable() for c in done.stdout)
    assert "\x1b" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["--version"]])
def test_a_full_disk_under_standard_output_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vsrcli", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "vsr: cannot write: No space left on device\n")
