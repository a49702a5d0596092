"""What a person types: completed by the shell, understood without a verb, shown in groups; and what programs read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.cli import COMMANDS, cli, upscale
from vsrcli.cli.grouped import GROUPS, REST, group_of


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["in.mp4"], "did you mean: vsr upscale in.mp4"),
        (["my film.mkv", "-m", "iconvsr"], "did you mean: vsr upscale 'my film.mkv' -m iconvsr"),
        (["-m", "iconvsr", "in.mp4"], "did you mean: vsr upscale -m iconvsr in.mp4"),
        (["photo.png"], "did you mean: vsr upscale photo.png"),
        ([str(Path(__file__).parent)], "did you mean: vsr upscale"),
        (["upscael", "in.mp4"], "no such command: upscael (did you mean: vsr upscale)"),
        (["frobnicate"], "no such command, and no file: frobnicate"),
    ],
)
def test_a_missing_command_is_suggested(words: list[str], told: str) -> None:
    done = vsr(*words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("vsr: " + told)


@pytest.mark.parametrize("words", [["-t", "5"], ["-ss", "1:00"], ["-to", "5"], ["--duration=5"], ["--seconds", "5"]])
def test_options_of_ffmpeg_for_a_part_are_understood(words: list[str]) -> None:
    done = vsr("upscale", "in.mp4", *words)
    name = words[0].partition("=")[0]
    assert (done.returncode, done.stderr) == (
        2,
        f"vsr: no such option: {name}; a part of a film is taken by --start and --end\n",
    )
    assert "--start" not in vsr("models", *words).stderr


def test_a_file_whose_name_begins_with_a_dash_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make.video(tmp_path / "-vhs.avi", frames=2)
    done = vsr("upscale", "-vhs.avi")
    told = "vsr: no such option: -vhs.avi; a file whose name begins with a dash is given as ./-vhs.avi\n"
    assert (done.returncode, done.stderr) == (2, told)
    assert "-vhs.avi" in vsr("info", "./-vhs.avi").stdout
    for words in (("--", "-vhs.avi"), ("./-vhs.avi", "-o", "-vhs.avi")):
        assert "begins with a dash" not in vsr("upscale", *words, "--dry-run").stderr


def complete(shell: str, *words: str) -> str:
    typed = {"COMP_WORDS": " ".join(["vsr", *words]), "COMP_CWORD": str(len(words))}
    if shell == "powershell":
        typed["COMP_CWORD"] = words[-1]
    environment = os.environ | typed | {"_VSR_COMPLETE": f"{shell}_complete"}
    command = [sys.executable, "-m", "vsrcli"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_shells_complete_commands_options_and_models(shell: str) -> None:
    script = vsr("completion", shell).stdout
    assert "_VSR_COMPLETE" in script and f"{shell}_complete" in script
    if shell == "fish":  # which gives the word itself
        return
    assert "upscale" in complete(shell, "upsc")
    assert "--propagation" in complete(shell, "upscale", "--prop")
    assert "iconvsr.real" in complete(shell, "upscale", "-m", "iconvsr.r")


@pytest.mark.skipif(sys.platform == "win32", reason="there may be no bash")
def test_the_completion_script_is_valid_bash() -> None:
    script = vsr("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)


def test_help_stays_fast() -> None:
    script = "import sys, time; from vsrcli.cli import cli; cli.main(['--help'], standalone_mode=False)\n"
    script += "print(time.process_time(), *sys.modules, file=sys.stderr)"
    took, *modules = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stderr.split()
    assert not {"torch", "numpy", "av", "rich", "platformdirs"} & set(modules)
    assert float(took) < 1.0, "0.15 s of the processor, however busy the machine is"


def test_the_help_of_no_command_imports_torch_pyav_or_numpy() -> None:
    script = "import sys\nfrom vsrcli.cli import cli\nfor name in sys.argv[1:]:\n"
    script += "    cli.main([name, '--help'], standalone_mode=False)\n"
    script += "    assert not {'torch', 'av', 'numpy'} & set(sys.modules), name\n"
    done = subprocess.run([sys.executable, "-c", script, *COMMANDS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == len(COMMANDS)


def test_options_are_shown_in_groups() -> None:
    shown = vsr("upscale", "--help").stdout
    heads = [line.removesuffix(" options:") for line in shown.splitlines() if line.endswith(" options:")]
    assert heads == [*GROUPS, REST]
    for param in upscale.command.params:
        if isinstance(param, click.Option):
            assert shown.count(f" {param.opts[-1]} ") + shown.count(f" {param.opts[-1]}\n") >= 1, param.opts
    assert group_of("crf") == "Output" and group_of("tile") == "Memory and device" and group_of("start") == REST


def test_every_command_is_listed_with_its_purpose() -> None:
    for name, text in COMMANDS.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None and command.name == name
        assert text.endswith(".") and command.help


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_progress_as_json_lines(tmp_path: Path, tiny_model: str) -> None:
    source, output, log = make.video(tmp_path / "a.mp4"), tmp_path / "b.mp4", tmp_path / "log.txt"
    words = ["upscale", source, "-o", output, "-m", tiny_model, "--progress", "json", "--log-file", log]
    done = vsr(*words)
    told = events(done.stderr)
    assert done.returncode == 0 and not done.stdout
    kinds = [str(one["event"]) for one in told]
    assert kinds[0] == "job" and kinds[-1] == "result" and "frame" in kinds
    last = [one for one in told if one["event"] == "frame" and one["stage"] == "upscaling"][-1]
    assert (last["done"], last["total"]) == (10, 10)
    assert told[-1]["frames"] == 10 and told[-1]["output"] == str(output)
    again = vsr(*words)
    assert again.returncode == 2
    assert events(again.stderr)[-1] == {
        "event": "error",
        "message": f"{output} exists: add -y to overwrite it, or give another -o",
        "exit_code": 2,
    }
    lines = log.read_text().splitlines()
    assert any("10 frames of 256x192" in line for line in lines)
    assert lines[-1].endswith("(exit code 2)") and lines[0][:2] == "20"


@pytest.mark.parametrize("way", ["plain", "none", "auto"])
def test_progress_as_plain_text(tmp_path: Path, tiny_model: str, way: str) -> None:
    source = make.video(tmp_path / "a.mp4")
    done = vsr("upscale", source, "-m", tiny_model, "--progress", way)
    assert done.returncode == 0 and "10 frames of 256x192" in done.stderr
    assert ("upscaling: frame" in done.stderr) == (way != "none")


def test_a_log_file_gets_lines_that_quiet_hides(tmp_path: Path, tiny_model: str) -> None:
    source, log = make.video(tmp_path / "a.mp4"), tmp_path / "log.txt"
    done = vsr("upscale", source, "-m", tiny_model, "-q", "--log-file", log, "--rate", "25")
    assert (done.returncode, done.stderr) == (0, "")
    text = log.read_text()
    assert "the frame rate changes nothing" in text and "10 frames of 256x192" in text
    assert vsr("upscale", source, "--log-file", tmp_path / "no" / "log.txt").returncode == 1
