"""`vsr bench`: measure models on this machine and print a table or JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from vsrcli.bench.case import RESOLUTIONS
from vsrcli.cli import say
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.lines import Lines
from vsrcli.cli.param_types import Resolution
from vsrcli.cli.params import models_option, record_options, words_of
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError
from vsrcli.words import counted, padded

if TYPE_CHECKING:
    from vsrcli.bench import Measurement


@click.command("bench", context_settings={"show_default": True})
@models_option("Model to measure. Repeatable.  [default: that of vsr upscale]")
@click.option(
    "--res",
    type=Resolution(RESOLUTIONS),
    default="720p",
    metavar="TEXT",
    help="Size of the output: 720p, 1080p, 1440p, 4k or WxH.",
)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    help="Measure on this video in its own size, not on synthetic frames.",
)
@click.option(
    "--precision",
    "precisions",
    type=words_of(EngineOptions, "precision"),
    multiple=True,
    default=("auto",),
    metavar="TEXT",
    help="Data type: auto, fp32, fp16, bf16, int8. Repeatable, or a list.",
)
@record_options(EngineOptions, "device", "compile")
@click.option(
    "--threads", type=click.IntRange(1, 1024), multiple=True, help="CPU threads. Repeatable, to measure scaling."
)
@click.option("--frames", type=click.IntRange(1), help="Frames to time.  [default: 30, on accelerators 120]")
@record_options(EngineOptions, "window", window="Frames per window, as in vsr upscale.  [default: 30]")
@click.option(
    "--memory", is_flag=True, help="Print the least memory for sources of 1080p and 4K, of every net or of -m."
)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@display_options
@quiet_option("Print only the results.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    models: tuple[str, ...],
    res: tuple[int, int],
    source: Path | None,
    precisions: tuple[tuple[str, ...], ...],
    device: str,
    compile: bool,
    threads: tuple[int, ...],
    frames: int | None,
    window: int | None,
    memory: bool,
    as_json: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Measure the speed of models on this machine.

    \b
    vsr bench --model repvsr --res 1080p
    vsr bench -m basicvsr -m repvsr --precision fp32,bf16 --json
    vsr bench --input in.mp4
    vsr bench -m basicvsr --threads 1 --threads 2 --threads 4
    vsr bench --memory

    Runs the engine over synthetic moving frames, or those of --input. Decoding and encoding are not timed. Each
    model runs in its own process; if its weights are not here, random ones are used, with the same speed. `fps` is that
    of the median frame. A bidirectional net runs in windows, and the time of its lookahead counts. `peak` is the share
    of the speed of a large matrix product in that precision, which is measured again where a net is faster.

    --json gives a list with, for each model and precision: model, architecture, scale, parameters, weights, precision,
    device, threads, torch, input_width, input_height, output_width, output_height, window, lookahead, tile, frames,
    fps, ms_median, ms_p95 (per frame), realtime_24, realtime_30, peak_memory_bytes, gflop (per frame), gflops (per
    second), gemm_gflops, gemm_share, stages (shares of the time: flow, encode, warp, propagate, reconstruct, other),
    compiled, speedup (over the first). With --compile a step is one stage: its warps count as its own.
    """
    from vsrcli.bench import Case, benchmark, resolve
    from vsrcli.cli.unused import typed_beside

    lines = Lines(progress, log_file, quiet=quiet)
    if memory:
        if idle := typed_beside(("models", "memory", "as_json", "progress", "log_file", "quiet", "debug")):
            lines.line(f"--memory runs nothing: {', '.join(idle)} not used")
        click.echo(least(models, as_json=as_json))
        return
    if source is not None and click.get_current_context().get_parameter_source("res") is ParameterSource.COMMANDLINE:
        raise UsageError("--res and --input exclude each other: the file has its own size")
    wanted = [name for group in precisions for name in group]
    cases, film = [], None if source is None else str(source)
    for model in models or (None,):
        name, random = resolve(picked(model, source, lines.line))
        if random:
            lines.line(f"{name}: its weights are not here, random ones are used")
        cases += [
            Case(name, random, one, device, res, frames, window, film, count, compile)
            for one in wanted
            for count in threads or (None,)
        ]

    def tell(one: "Measurement") -> None:
        """Print what a case came to, before the table that needs all of them."""
        if len(cases) > 1:
            lines.clear()
            threads_of = f" x{one.threads}" if len(threads) > 1 else ""
            lines.line(f"{one.model} {one.precision}{threads_of}: {one.fps:.3g} fps, {one.ms_median:.4g} ms")

    found = benchmark(
        cases, lambda case, text: lines.step(f"{case.model} {case.precision}", text, first=text == "loading"), tell
    )
    lines.clear()
    for name in dict.fromkeys(one.model for one in found if window is not None and one.window is None):
        lines.line(f"the window changes nothing: {name} runs frame by frame")
    for doubt in doubts(found):
        lines.line(doubt)
    click.echo(json.dumps([asdict(one) for one in found], indent=1) if as_json else report(found))


def doubts(found: Sequence["Measurement"]) -> list[str]:
    """Return a sentence for each net that was faster than the matrix product."""
    return [
        f"{one.model} {one.precision}: {one.gemm_share:.0%} of the matrix product's speed, which was measured several "
        "times: is this machine busy? measure again"
        for one in found
        if one.gemm_share > 1
    ]


LEGEND = (
    "fps, ms: of the median frame; p95 ms: 95 of 100 frames take no longer. x 24fps, x 30fps: how many times as fast",
    "as a video of that rate is shown (1 keeps up). GFLOP: of a frame. peak: share of the matrix product's speed.",
)


def least(models: Sequence[str], *, as_json: bool) -> str:
    """Return the least memory of models, by default of every net, as a table or as JSON."""
    from vsrcli.bench.least import SOURCES, least_memory, nets

    found = [one for model in models or nets() for one in least_memory(model)]
    if as_json:
        return json.dumps([asdict(one) for one in found], indent=1)

    def gib(size: int) -> str:
        return f"{size / 2**30:.1f}"

    rows = [["model", *(f"{name} {what}" for name in SOURCES for what in ("least", "tiles", "whole", "encoder"))]]
    for first in range(0, len(found), len(SOURCES)):
        row = [found[first].model]
        for one in found[first : first + len(SOURCES)]:
            tile = "-" if one.tile is None else "{}x{}".format(*one.tile)
            row += [gib(one.memory_bytes), tile, gib(one.whole_bytes), gib(one.encoder_bytes)]
        rows.append(row)
    notes = [
        "",
        "GiB on a CPU in fp32, for long videos of 8 bits at the model's own factor: `least` with tiles that still pay,",
        "`whole` without tiles and short windows. `encoder` is the part of both that an HEVC encoder holds: a",
        "smaller output (--height 2160), FFV1 or images take less.",
    ]
    return "\n".join([*_aligned(rows, left=1), *notes])


def picked(model: str | None, source: Path | None, tell: Callable[[str], None] = say) -> str | None:
    """Return the model that vsr upscale picks for a file if the name leaves the weights open, else the name."""
    if source is None:
        return model
    from vsrcli.media.read.probe import probe
    from vsrcli.pipeline.ahead.sight import see
    from vsrcli.zoo.architectures import ARCHITECTURES
    from vsrcli.zoo.catalogue import catalogue
    from vsrcli.zoo.loading import is_open

    info = probe(source)
    listed = {entry.arch for entry in catalogue().models.values()}
    if not is_open(model) or (model is not None and model.lower() in set(ARCHITECTURES) - listed):
        return model
    choice = see(info, [] if model is None else [model]).choices[0]
    tell(f"using {choice.model}: {choice.reason}")
    return choice.model


def report(found: Sequence["Measurement"]) -> str:
    """Return the results as two tables, speed and time by stage, between what was run and what the columns mean."""
    first = found[0]
    scaling = len({one.threads for one in found}) > 1
    threads = f", {counted(first.threads, 'thread')}" if first.threads and not scaling else ""
    peaks = {one.precision: one.gemm_gflops for one in found}
    peak = ", ".join(f"{precision} {gflops:.0f}" for precision, gflops in peaks.items())
    inputs = " or ".join(dict.fromkeys(f"{one.input_width}x{one.input_height}" for one in found))
    lines = [
        f"{first.device}{threads}, torch {first.torch}. Input {inputs}, output {first.output_width}x"
        f"{first.output_height}. Matrix product peak in GFLOP/s: {peak}.",
        *_windows(found),
    ]
    head = "model|precision|fps|ms|p95 ms|x 24fps|x 30fps|memory|params|GFLOP|GFLOP/s|peak"
    speed = [head.split("|")]
    stages = [["model", "precision", *first.stages]]
    for one in found:
        way = " compiled" if one.compiled else ""
        name = [one.model, one.precision + way + (f" x{one.threads}" if scaling else "")]
        memory = f"{one.peak_memory_bytes / 2**20:.0f} MiB" if one.peak_memory_bytes is not None else "?"
        speed.append(
            [
                *name,
                f"{one.fps:.3g}",
                f"{one.ms_median:.4g}",
                f"{one.ms_p95:.4g}",
                f"{one.realtime_24:.2f}",
                f"{one.realtime_30:.2f}",
                memory,
                f"{one.parameters / 1e6:.3f} M",
                f"{one.gflop:.4g}",
                f"{one.gflops:.4g}",
                f"{one.gemm_share:.0%}",
            ]
        )
        stages.append([*name, *(f"{share:.1%}" for share in one.stages.values())])
    if len(found) > 1:
        for row, value in zip(speed, ["speedup", *(f"{one.speedup:.3g}x" for one in found)], strict=True):
            row.append(value)
    return "\n".join([*lines, "", *_aligned(speed), "", "Share of the time:", *_aligned(stages), "", *LEGEND])


def _windows(found: Sequence["Measurement"]) -> list[str]:
    """Return lines with the windows in which bidirectional nets ran; others run frame by frame."""
    ran: dict[tuple[int, int], list[str]] = {}
    for one in found:
        if one.window is not None:
            ran.setdefault((one.window, one.lookahead), []).append(one.model)
    return [
        f"Windows of {counted(window, 'frame')}, lookahead {lookahead}: {', '.join(dict.fromkeys(models))}."
        for (window, lookahead), models in ran.items()
    ]


def _aligned(rows: Sequence[Sequence[str]], *, left: int = 2) -> list[str]:
    """Return rows as lines: names, in the first `left` columns, on the left, figures on the right."""
    return ["  ".join(row) for row in padded(rows, [i >= left for i in range(len(rows[0]))])]
