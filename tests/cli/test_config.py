"""Settings: the command line before variables, those before the project's file, that before the user's."""

from pathlib import Path
from typing import Any

import pytest

from tests.command import vsr
from vsrcli.cli import config, upscale
from vsrcli.pipeline.options import Options


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What `vsr upscale` was asked for; settings are read from a folder of the test's own."""
    seen: list[Options] = []

    def one(source: Path, output: Path | None, options: Options, display: object, **how: object) -> dict[str, str]:
        seen.append(options)
        return {"status": "done"}

    monkeypatch.setattr(upscale, "upscale_one", one)
    monkeypatch.setattr(config, "user_file", lambda: tmp_path / "home" / "config.toml")
    monkeypatch.delenv("VSR_NO_CONFIG", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return seen


def user(text: str) -> None:
    Path("../home/config.toml").write_text(text, encoding="utf-8")


def project(text: str) -> None:
    Path("vsr.toml").write_text(text, encoding="utf-8")


def test_the_more_specific_setting_wins(asked: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    user('[upscale]\ncrf = 30\npreset = "slow"\nmodel = "edvr"\nwindow = 7')
    project('[upscale]\ncrf = 25\nmodel = "tdan"\nwindow = 8')
    monkeypatch.setenv("VSR_UPSCALE_CRF", "20")
    monkeypatch.setenv("VSR_UPSCALE_MODEL", "rrn")
    assert vsr("upscale", "in.mp4", "-m", "iconvsr").returncode == 0
    [options] = asked
    assert (options.model, options.crf, options.window, options.preset) == ("iconvsr", 20.0, 8, "slow")


def test_a_named_settings_file_replaces_the_others_and_none_can_be_chosen(asked: list[Options], tmp_path: Path) -> None:
    user("[upscale]\ncrf = 30")
    other = tmp_path / "other.toml"
    other.write_text("[upscale]\nwindow = 9")
    named: list[list[object]] = [["--config", other, "upscale"], ["upscale", "--config", other]]
    named += [["--no-config", "upscale"], ["upscale", "--no-config"]]
    for words in named:
        assert vsr(*words, "in.mp4").returncode == 0
    assert [(o.crf, o.window) for o in asked] == [(None, 9), (None, 9), (None, None), (None, None)]


def test_what_is_typed_replaces_a_setting_that_it_excludes(asked: list[Options]) -> None:
    project("[upscale]\ncrf = 18\nverbose = true")
    assert vsr("upscale", "in.mp4", "--bitrate", "5M", "-q").returncode == 0
    assert [(o.crf, o.bitrate) for o in asked] == [(None, 5_000_000)]
    done = vsr("upscale", "in.mp4", "-q", "-v")
    assert (done.returncode, done.stderr) == (2, "vsr: -q and -v exclude each other: give one\n")


def test_settings_of_all_types_are_read(asked: list[Options]) -> None:
    project(
        'device = "cpu"\n[upscale]\npix-fmt = "yuv444p"\nkeyframe_interval = 0\noverwrite = true\n'
        'tile = "64x32"\nhorizon = "none"\nmemory = "1GiB"\nstart = "0:01"\nfps = "30000/1001"\nscale = 2\n'
    )
    done = vsr("upscale", "in.mp4")
    assert done.returncode == 0, done.stderr
    [o] = asked
    assert (o.device, o.pix_fmt, o.keyframe_interval, o.overwrite) == ("cpu", "yuv444p", 0, True)
    assert (o.tile, o.horizon, o.memory, o.start, o.scale) == ((64, 32), None, 1 << 30, 1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[upscale]\ncfr = 18", r"vsr.toml: [upscale] has no option cfr (did you mean crf?)"),
        ("[upscal]\ncrf = 18", "vsr.toml: there is no command upscal (did you mean upscale?)"),
        ("crff = 1", "vsr.toml: no command has an option crff (did you mean crf?)"),
        ("[upscale]\ncrf = 'low'", "vsr.toml: crf: 'low' is not a valid float."),
        ("[upscale]\ncrf = true", "vsr.toml: crf is not true or false"),
        ("[upscale]\noverwrite = 1", "vsr.toml: overwrite is true or false"),
        ("[upscale]\nprecision = 'fp8'", "vsr.toml: precision: 'fp8' is not one of"),
        ("[upscale]\nhelp = true", "vsr.toml: [upscale] has no option help"),
        ("[upscale]\ninputs = ['x']", "vsr.toml: [upscale] has no option inputs"),
        ("upscale = 3", "vsr.toml: no command has an option upscale"),
        ("[upscale.x]\na = 1", "vsr.toml: [upscale] has no option x"),
        ("[[upscale]]\na = 1", "vsr.toml: no command has an option upscale"),
        ("[upscale", "vsr.toml is not TOML: "),
        ("[train.rum]\nseed = 1", None),
    ],
)
def test_invalid_settings_are_refused_in_one_line(asked: list[Options], text: str, told: str | None) -> None:
    project(text)
    done = vsr("upscale", "in.mp4")
    if told is None:  # another command's table is looked at when that is run
        assert done.returncode == 0
        assert "[train] has no command rum" in vsr("train", "recipes").stderr
        return
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("vsr: " + told) and not asked


def test_unreadable_settings_files_are_refused(asked: list[Options], tmp_path: Path) -> None:
    done = vsr("--config", tmp_path / "none.toml", "upscale", "in.mp4")
    assert done.returncode == 2 and "none.toml does not exist" in done.stderr
    Path("vsr.toml").write_bytes(b"\xff\xfe[")
    assert "is not TOML" in vsr("upscale", "in.mp4").stderr
    assert vsr("upscale", "--no-config", "in.mp4").returncode == 0 and len(asked) == 1
    for words in (["upscale", "--help"], ["--help"], ["completion", "zsh"]):
        assert vsr(*words).returncode == 0, "help is there whatever the settings"


def test_more_specific_size_options_replace_others(asked: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    user("height = 1080")
    project("[upscale]\nscale = 2")
    assert vsr("upscale", "in.mp4").returncode == 0
    assert vsr("upscale", "in.mp4", "--size", "640x480").returncode == 0
    assert [(o.scale, o.height, o.size) for o in asked] == [(2.0, None, None), (None, None, (640, 480))]
    for text in ("square-pixels = true\nmax-height = 400", 'fit = "640x480"\npad = true'):
        project(f"[upscale]\n{text}")
        assert vsr("upscale", "in.mp4", "--size", "320x240").returncode == 0
        last = asked[-1]
        assert (last.size, last.square_pixels, last.max_height, last.pad) == ((320, 240), False, None, False)


def test_a_dry_run_says_which_settings_are_used(asked: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    project("height = 240\n[upscale]\ncrf = 20\npreset = 'slow'")
    assert "settings: " not in vsr("upscale", "in.mp4").stderr
    monkeypatch.setenv("VSR_UPSCALE_CRF", "24")
    for flag in ("-v", "--dry-run"):
        said = vsr("upscale", "in.mp4", "--size", "64x48", flag).stderr
        assert "settings: VSR_UPSCALE_CRF; preset of vsr.toml\n" in said, said
    Path("mine.toml").write_text("[upscale]\nwindow = 9")
    said = vsr("upscale", "in.mp4", "--config", "mine.toml", "-v").stderr
    assert "settings: VSR_UPSCALE_CRF; window of mine.toml\n" in said, said


def test_settings_of_subcommands_are_read(asked: list[Options]) -> None:
    seen: dict[str, Any] = config.defaults(_group(), "train", [_written("seed = 3\n[train.run]\niterations = 5\n")])
    assert seen["train"]["run"] == {"seed": 3, "iterations": 5}


def _group() -> Any:
    from vsrcli.cli import cli

    return cli


def _written(text: str) -> Path:
    project(text)
    return Path("vsr.toml")
