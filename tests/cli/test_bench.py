"""`vsr bench` answers with a table or JSON, on machines that have neither PyAV nor rich."""

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from vsrcli.bench import Measurement
from vsrcli.cli.bench import command, doubts, report
from vsrcli.errors import UsageError
from vsrcli.zoo.catalogue import catalogue


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run in an environment where importing av or rich fails, in the command and in the processes it starts."""
    folder = tmp_path_factory.mktemp("bench")
    for name in ("av", "rich"):
        (folder / f"{name}.py").write_text(f"raise ImportError('{name} is not here')")
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{root}", "VSR_HOME": str(folder)}
    environment["OMP_NUM_THREADS"] = "1"  # two that wait for each other on a busy machine take minutes
    models = ["-m", "nanovsr", "-m", "repvsr.bi"]
    options = ["--res", "32x32", "--precision", "FP32", "--device", "cpu", "--frames", "2", "--json"]
    return subprocess.run(
        [sys.executable, "-m", "vsrcli", "bench", *models, *options],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_json_has_the_documented_fields(answer: subprocess.CompletedProcess[str]) -> None:
    nano, rep = json.loads(answer.stdout)
    assert list(nano) == list(rep) == [field.name for field in fields(Measurement)]
    assert (nano["model"], nano["weights"], nano["window"], nano["lookahead"]) == ("nanovsr", "random", 2, 1)
    assert (rep["model"], rep["weights"], rep["window"], rep["lookahead"]) == ("repvsr.bi", "bundled", None, 0)
    assert rep["parameters"] == catalogue().models["repvsr.bi"].parameters
    assert nano["speedup"] == 1 and rep["speedup"] == pytest.approx(rep["fps"] / nano["fps"])
    assert rep["peak_memory_bytes"] > 4 * rep["parameters"] or sys.platform != "linux"
    for one in (nano, rep):
        assert one["fps"] == pytest.approx(1000 / one["ms_median"])
        assert list(one["stages"]) == ["flow", "encode", "warp", "propagate", "reconstruct", "other"]
        assert one["stages"]["propagate"] > 0 and one["stages"]["reconstruct"] > 0


def test_quiet_prints_the_results_alone() -> None:
    options = ["-m", "repvsr.bi", "--res", "32x32", "--precision", "fp32", "--device", "cpu", "--frames", "1", "-q"]
    done = CliRunner().invoke(command, options)
    assert done.exit_code == 0 and done.stderr == "" and "Share of the time" in done.stdout


def test_the_help_names_every_json_field() -> None:
    text = CliRunner().invoke(command, ["--help"]).stdout
    words = set(text.replace(",", " ").split())
    assert {field.name for field in fields(Measurement)} <= words


def test_missing_weights_and_progress_are_shown_on_stderr(answer: subprocess.CompletedProcess[str]) -> None:
    nano, rep = (f"{one['fps']:.3g} fps, {one['ms_median']:.4g} ms" for one in json.loads(answer.stdout))
    assert answer.stderr.splitlines() == [
        "nanovsr: its weights are not here, random ones are used",
        "nanovsr fp32",
        f"nanovsr fp32: {nano}",
        "repvsr.bi fp32",
        f"repvsr.bi fp32: {rep}",
    ]


def test_several_models_give_a_table_with_speedups(answer: subprocess.CompletedProcess[str]) -> None:
    first = Measurement(**json.loads(answer.stdout)[0])
    second = replace(first, precision="bf16", fps=2 * first.fps, speedup=2.0, peak_memory_bytes=None)
    lines = report([first, second]).splitlines()
    assert "Input 8x8, output 32x32." in lines[0]
    assert lines[1] == "Windows of 2 frames, lookahead 1: nanovsr."
    assert any("x 24fps, x 30fps: how many times as fast" in line for line in lines[-2:])
    head = next(i for i, line in enumerate(lines) if line.startswith("model"))
    assert lines[head].endswith("speedup") and lines[head + 1].endswith("1x") and lines[head + 2].endswith("2x")
    assert len({len(line) for line in lines[head : head + 3]}) == 1
    assert "speedup" not in report([first])
    streamed = Measurement(**json.loads(answer.stdout)[1])
    assert "Windows" not in report([streamed]) and "Input 8x8 or 16x16," in report(
        [streamed, replace(first, input_width=16, input_height=16)]
    )


def test_a_net_that_is_faster_than_the_product_is_told(answer: subprocess.CompletedProcess[str]) -> None:
    usual = replace(Measurement(**json.loads(answer.stdout)[0]), gemm_share=1.0)
    (said,) = doubts([usual, replace(usual, gemm_share=1.07)])
    assert said.startswith("nanovsr fp32: 107% of the matrix product's speed")


def test_scaling_is_printed_by_threads(answer: subprocess.CompletedProcess[str]) -> None:
    first = replace(Measurement(**json.loads(answer.stdout)[0]), threads=1)
    lines = report([first, replace(first, threads=2, fps=1.8 * first.fps, speedup=1.8)]).splitlines()
    assert "threads" not in lines[0]
    assert [line.split()[:3] for line in lines if line.startswith("nanovsr")][:2] == [
        ["nanovsr", "fp32", "x1"],
        ["nanovsr", "fp32", "x2"],
    ]
    assert any(line.endswith("1.8x") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--res", "8k"], "not a resolution: 8k"), (["--precision", "fp32,fp8"], "fp8")]
)
def test_invalid_values_are_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2 and message in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "nosuchnet"], "no model is called 'nosuchnet'"),
        (["-m", "repvsr", "--res", "130x96"], "130x96 is no multiple of that"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
