"""The text of options becomes their types, or is refused with how to write it; commands and records agree."""

import re
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner

from vsrcli.bench.case import RESOLUTIONS
from vsrcli.cli import bench, cli, evaluate, param_types, params, plan, train, upscale
from vsrcli.engine.device import PRECISIONS
from vsrcli.engine.options import EngineOptions, Precision
from vsrcli.media.options import Codec
from vsrcli.media.write.codecs import DEFAULTS
from vsrcli.media.write.encoders import ENCODERS, INNER
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.nets.horizon import Horizon
from vsrcli.pipeline.jobs import job
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of
from vsrcli.shards.options import ShardOptions


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (param_types.Memory(), "6GiB", 6 << 30),
        (param_types.Memory(), "512M", 512 << 20),
        (param_types.Memory(), "1.5g", 3 << 29),
        (param_types.Memory(), "4096", 4096),
        (param_types.HorizonFrames(), "auto", Horizon()),
        (param_types.HorizonFrames(), "NONE", None),
        (param_types.HorizonFrames(), "3", Horizon.of(3)),
        (param_types.HorizonFrames(), "45", Horizon.of(45)),
        (param_types.Tile(), "auto", "auto"),
        (param_types.Tile(), "none", None),
        (param_types.Tile(), "256", (256, 256)),
        (param_types.Tile(), "256X192", (256, 192)),
        (param_types.Size(), "1920x1080", (1920, 1080)),
        (param_types.Rate(), "30000/1001", Fraction(30000, 1001)),
        (param_types.Rate(), "23.976", Fraction(24000, 1001)),
        (param_types.Rate(), "23.98", Fraction(24000, 1001)),
        (param_types.Rate(), "29.97", Fraction(30000, 1001)),
        (param_types.Rate(), "47.952", Fraction(48000, 1001)),
        (param_types.Rate(), "119.88", Fraction(120000, 1001)),
        (param_types.Rate(), "12.5", Fraction(25, 2)),
        (param_types.FrameRate(), "59.94", Fraction(60000, 1001)),
        (param_types.FrameRate(), "2x", "2x"),
        (param_types.FrameRate(), "8X", "8x"),
        (param_types.FrameRate(), "60000/1001", Fraction(60000, 1001)),
        (param_types.Time(), "1:02.5", 62.5),
        (param_types.Time(), "1:00:00", 3600.0),
        (param_types.Resolution(RESOLUTIONS), "720p", (1280, 720)),
        (param_types.Resolution(RESOLUTIONS), "1080P", (1920, 1080)),
        (param_types.Resolution(RESOLUTIONS), "1440p", (2560, 1440)),
        (param_types.Resolution(RESOLUTIONS), "4k", (3840, 2160)),
        (param_types.Resolution(RESOLUTIONS), "96x64", (96, 64)),
        (param_types.Words("word", ("a", "b")), "A, b", ("a", "b")),
    ],
)
def test_text_is_converted_to_values(kind: "click.ParamType[object]", text: str, value: Any) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "texts", "message"),
    [
        (param_types.Memory(), ["", "lots", "-1G", "6XB", "nan", "inf", "0"], "not a memory size"),
        (param_types.HorizonFrames(), ["2", "0", "-5", "sixty", "", "1e3", "²", "9" * 12], "not a horizon"),
        (param_types.Tile(), ["7x", "31", "32x31", "x", "", "1e3", "64x64x64", "²x64"], "not a tile"),
        (param_types.Size(), ["1920", "x", "axb", "", "-64x64", "²x²"], "is not a size"),
        (param_types.Rate(), ["fast", "0", "-1", "1/0", "", "nan"], "is not a frame rate"),
        (param_types.Time(), ["", "x", "-1", "nan", "inf", "1:x", "0:00:00:01"], "is not a time"),
        (param_types.Resolution(RESOLUTIONS), ["", "8k", "1080", "8x100", "axb", "-64x64"], "720p"),
        (param_types.Words("word", ("a", "b")), ["", "c", "a,c"], "no such word"),
    ],
)
def test_invalid_text_is_refused_with_the_right_spelling(
    kind: "click.ParamType[object]", texts: list[str], message: str
) -> None:
    for text in texts:
        with pytest.raises(click.BadParameter, match=message):
            kind.convert(text, None, None)


def taken(command: click.Command) -> dict[str, click.Parameter]:
    return {str(parameter.name): parameter for parameter in command.params}


COMMANDS = [
    (upscale.command, Options, {one.name for one in options_of(Options)}),
    (evaluate.command, evaluate.PaperOptions, {one.name for one in options_of(EngineOptions)}),
    (bench.command, EngineOptions, {"device", "window"}),
    (train.run, EngineOptions, {"device"}),
    (plan.command, Options, {one.name for one in options_of(Options)}),
    (plan.command, ShardOptions, {one.name for one in options_of(ShardOptions)}),
]


IDS = ["upscale", "evaluate", "bench", "train", "plan", "shards"]


@pytest.mark.parametrize(("command", "record", "names"), COMMANDS, ids=IDS)
def test_a_command_s_parameters_are_the_fields_with_their_defaults(
    command: click.Command, record: type[Options], names: set[str]
) -> None:
    parameters = taken(command)
    for one in options_of(record):
        if one.name not in names:
            continue
        parameter = parameters[one.name]
        default = parameter.get_default(click.Context(command))
        assert parameter.type_cast_value(click.Context(command), default) == one.default, one.name
        assert "--" + str(parameter.name).replace("_", "-") in parameter.opts
        assert one.words == getattr(parameter.type, "choices", one.words)


@pytest.mark.parametrize("words", ["upscale", "preview", "info", "bench", "evaluate", "plan", "train teach"])
def test_every_command_completes_the_names_of_models(words: str) -> None:
    context, command = click.Context(cli), click.Command("none")
    for word in words.split():
        group = cli if context.command is cli else context.command
        assert isinstance(group, click.Group)
        found = group.get_command(context, word)
        assert found is not None
        command, context = found, click.Context(found)
    option = next(one for one in command.params if "--model" in one.opts)
    assert "repvsr.real" in [item.value for item in option.shell_complete(context, "repv")]


def test_the_help_names_all_images_that_are_written() -> None:
    shown = CliRunner().invoke(upscale.command, ["--help"]).output
    assert ", ".join(WRITABLE_IMAGES) in " ".join(shown.split())


def test_every_option_has_a_help_text_and_no_others_exist() -> None:
    assert set(params.SHOWN) == {field.name for record in (Options, ShardOptions) for field in fields(record)}


def test_the_help_tells_the_encoders_defaults() -> None:
    crf, preset = params.SHOWN["crf"].help, params.SHOWN["preset"].help
    known = {name: default for name, default in DEFAULTS.items() if default[0] is not None}
    assert set(re.findall(r"(\w+) (\d+)", crf)) == {(name, f"{default:g}") for name, (default, _) in known.items()}
    said = preset.partition("[default: ")[2]
    assert all(re.search(rf"{name}\b.*? {DEFAULTS[name][1]}\b", said) for name in (*known, "prores"))


def test_choices_agree_with_the_lower_layers() -> None:
    assert set(get_args(Precision)) == {"auto", *PRECISIONS}
    assert set(get_args(Codec)) == set(ENCODERS) - set(INNER)


TYPED: dict[str, tuple[str, Any]] = {
    "model": ("edvr", "edvr"),
    "content": ("Film", "film"),
    "scale": ("2.5", 2.5),
    "height": ("96", 96),
    "size": ("128x96", (128, 96)),
    "fit": ("320x240", (320, 240)),
    "max_height": ("400", 400),
    "square_pixels": ("1", True),
    "repeats": ("near", "near"),
    "crop": ("64:48:0:0", "64:48:0:0"),
    "skip_above": ("720", 720),
    "device": ("cpu", "cpu"),
    "precision": ("fp32", "fp32"),
    "propagation": ("window", "window"),
    "window": ("4", 4),
    "lookahead": ("0", 0),
    "horizon": ("none", None),
    "keyframe_interval": ("0", 0),
    "tile": ("64x32", (64, 32)),
    "memory": ("1GiB", 1 << 30),
    "threads": ("1", 1),
    "compile": ("1", True),
    "deinterlace": ("double", "double"),
    "detelecine": ("1", True),
    "codec": ("ffv1", "ffv1"),
    "crf": ("18", 18.0),
    "preset": ("slow", "slow"),
    "tune": ("film", "film"),
    "encoder_opt": ("aq-mode=2", ("aq-mode=2",)),
    "pix_fmt": ("yuv444p", "yuv444p"),
    "audio": ("AAC", "aac"),
    "fps": ("2X", "2x"),
    "slow": ("2x", Fraction(2)),
    "rate": ("30000/1001", Fraction(30000, 1001)),
    "start": ("0:01", 1.0),
    "end": ("2.5", 2.5),
    "new_date": ("1", True),
    "pad": ("1", True),
    "hwaccel": ("cuda:1", "cuda:1"),
    "work_dir": ("work", "work"),
    "bitrate": ("5M", 5_000_000),
    "target_size": ("1.5GiB", 3 << 29),
    "overwrite": ("1", True),
    "restart": ("yes", True),
}


def test_environment_variables_set_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []

    def prepare(source: Path, output: Path | None, options: Options, *rest: Any, **how: Any) -> None:
        seen.append(options)
        raise click.exceptions.Exit(0)

    monkeypatch.setattr(job, "prepare", prepare)
    monkeypatch.setattr(Options, "check", lambda options: None)  # all at once contradict each other
    assert set(TYPED) == {one.name for one in options_of(Options)}
    environment = {"VSR_UPSCALE_" + n.upper(): text for n, (text, _) in TYPED.items()}
    done = CliRunner().invoke(cli, ["upscale", "in.mp4"], env=environment, auto_envvar_prefix="VSR")
    assert done.exit_code == 0, done.output
    assert seen == [Options(**{name: value for name, (_, value) in TYPED.items()})]
    arguments = [f"--{n.replace('_', '-')}={t}" for n, (t, v) in TYPED.items() if v is not True]
    assert (
        CliRunner()
        .invoke(
            cli,
            [
                *(
                    "upscale",
                    "in.mp4",
                    "-y",
                    "--restart",
                    "--square-pixels",
                    "--pad",
                    "--new-date",
                    "--detelecine",
                    "--compile",
                ),
                *arguments,
            ],
        )
        .exit_code
        == 0
    )
    assert seen[1] == seen[0]
    assert CliRunner().invoke(cli, ["upscale", "in.mp4"]).exit_code == 0
    assert seen[2] == Options()
