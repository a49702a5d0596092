"""`vsr upscale`: parse the options, run one job or a batch, show how it goes."""

import json
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from vsrcli.cli import debugging, unforeseen
from vsrcli.errors import InterruptedJobError, OutputExistsError, SomeFailedError, UsageError, VsrError


class Size(click.ParamType):
    """WxH in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """ "1920x1080" -> (1920, 1080)."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            self.fail(f"{value} is not a size: write it like 1920x1080", param, ctx)
        return int(width), int(height)


class Time(click.ParamType):
    """A time: seconds, or [HH:]MM:SS[.mmm] as ffmpeg writes it."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """ "1:02.5" -> 62.5."""
        seconds = 0.0
        try:
            for part in str(value).split(":"):
                seconds = seconds * 60 + float(part)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            self.fail(f"{value} is not a time: write seconds (62.5) or MM:SS (1:02.5)", param, ctx)
        return seconds


class Rate(click.ParamType):
    """Frames per second."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """ "30000/1001" -> Fraction(30000, 1001)."""
        try:
            rate = Fraction(value)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if rate <= 0:
            self.fail(f"{value} is not a frame rate: write it like 25, 23.976 or 30000/1001", param, ctx)
        return rate


def choice(*names: str) -> click.Choice[str]:
    """One of a few words, in any case."""
    return click.Choice(names, case_sensitive=False)


horizon_option = click.option(
    "--horizon",
    default="auto",
    metavar="FRAMES",
    help="How many frames back and ahead a net remembers that sees the future. none: for ever, as in the papers, which "
    "destroys long still scenes. auto: 60.",
)
"""Taken by `vsr evaluate` too."""


@click.command("upscale", context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File, pattern (out/%08d.png) or folder.  [default: NAME_x4.EXT beside the input]",
)
@click.option(
    "-m",
    "--model",
    help="A model of `vsr models`, or a checkpoint's path. An architecture alone picks its weights by the source: "
    "clean or compressed.  [default: the architecture marked * there]",
)
@click.option(
    "--content",
    default="auto",
    type=choice("auto", "film", "anime"),
    help="What the source shows, where --model leaves the weights open; auto is film.",
)
@click.option(
    "-s",
    "--scale",
    type=float,
    help="Factor; other than the model's own by Lanczos from its result.  [default: the model's]",
)
@click.option("--height", type=click.IntRange(16), help="Height of the output; the width follows.")
@click.option("--size", type=Size(), help="Size of the output.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--precision",
    default="auto",
    type=choice("auto", "fp32", "fp16", "bf16"),
    help="Type of the convolutions' arithmetic.",
)
@click.option(
    "--propagation",
    default="auto",
    type=choice("auto", "window", "exact", "clip", "stream"),
    help="How the net is strung over time. exact: as on whole scenes at once, in the memory of a window; it takes disk "
    "space and 1.3 times as long as clip (BasicVSR++: 2.5). auto: window, or stream where the net runs forward only.",
)
@click.option("--window", type=click.IntRange(1), help="Frames a window.  [default: 30]")
@click.option(
    "--lookahead", type=click.IntRange(0), help="Frames past a window that its backward pass sees.  [default: 10]"
)
@horizon_option
@click.option(
    "--keyframe-interval", type=click.IntRange(0), help="IconVSR: frames between refills, 0 for none.  [default: 5]"
)
@click.option("--tile", default="auto", help="auto, none, or WxH in source pixels.")
@click.option("--memory", metavar="SIZE", help="Budget, e.g. 6GiB.  [default: 60 % of free RAM, 85 % of a GPU's]")
@click.option(
    "--deinterlace",
    default="auto",
    type=choice("auto", "on", "off"),
    help="By ffmpeg's bwdif; auto where the source says it is interlaced.",
)
@click.option(
    "--codec",
    type=choice("h264", "hevc", "av1", "vp9", "prores", "ffv1"),
    help="[default: ProRes and FFV1 stay, else by container and depth]",
)
@click.option("--crf", type=float, help="Quality, lower is better, in the encoder's own scale.")
@click.option("--preset", help="The encoder's speed preset.")
@click.option("--pix-fmt", help="Pixel format, as ffmpeg names it.  [default: like the source]")
@click.option("--fps", type=Rate(), default="25", metavar="RATE", help="Frame rate of an image sequence.")
@click.option("--start", type=Time(), help="Begin here (a preview of a part, without chapters).")
@click.option("--end", type=Time(), help="Stop here.")
@click.option("-r", "--recursive", is_flag=True, help="Work through folders with all their subfolders.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--restart", is_flag=True, help="Start over instead of going on with an unfinished job.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done, and the memory it takes.")
@click.option("--json", "as_json", is_flag=True, help="Results as JSON on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Show the plan before the work.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    fps: Fraction,
    recursive: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **asked: Any,
) -> None:
    """Upscale videos, image sequences, or folders of videos.

    \b
    vsr upscale in.mp4                       to in_x4.mp4, with all sound and subtitles
    vsr upscale in.mkv -m basicvsr -o out.mkv --codec hevc
    vsr upscale frames/ -o out/%08d.png      image sequences (png, jpg)
    vsr upscale clips/ -o out/ --recursive   a whole tree; goes on after a bad file
    vsr upscale in.mp4 --start 1:00 --end 1:05 -o preview.mp4

    A job that stops (Ctrl-C, crash, power) goes on where it was when the same command is run again. Exit codes: 0 done,
    1 failed, 2 wrong usage, 3 some of several files failed, 130 interrupted.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.pipeline import Options, batch

    for name in ("SIGTERM", "SIGHUP"):  # the latter when its terminal is closed, and unknown to Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it: so be it
            signal.signal(number, signal.default_int_handler)
    options = Options(rate=fps, **asked)
    display = Display(quiet=quiet, verbose=verbose)
    if not batch.is_batch(inputs, recursive=recursive):
        source = inputs[0]
        if output is not None and source.is_file() and (output.is_dir() or not output.suffix):
            output = batch.target(output, Path(source.name))
        report = _one(source, output, options, display, dry_run=dry_run)
        if as_json:
            click.echo(json.dumps(report, indent=1))
        return
    reports = _many(batch.items(inputs, output, recursive=recursive), options, display, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(reports, indent=1))
    failed = [r for r in reports if r["status"] == "failed"]
    display.summary(reports)
    if failed:
        raise SomeFailedError(f"{len(failed)} of {len(reports)} files failed")


def _one(source: Path, output: Path | None, options: Any, display: Any, *, dry_run: bool) -> dict[str, Any]:
    from vsrcli.pipeline import prepare, run
    from vsrcli.pipeline.report import plan_report, result_report

    task = prepare(source, output, options, display.event)
    if dry_run:
        report = plan_report(task)
        display.plan(report, force=True)
        return report
    display.plan(plan_report(task))
    with display.job(source.name):
        result = run(task, display.event)
    report = result_report(result)
    display.result(report)
    return report


def _many(items: list[Any], options: Any, display: Any, *, dry_run: bool) -> list[dict[str, Any]]:
    """Each item in turn; a failure is shown and the next one begun. What is there already is not made again."""
    from vsrcli.pipeline import batch

    reports: list[dict[str, Any]] = []
    results: set[str] = set()
    for i, item in enumerate(items, 1):
        display.line(f"[{i}/{len(items)}] {item.source}")
        if str(item.source) in results:  # results beside their sources are found with them the next time
            display.line("  a result of this call: left out")
            continue
        if item.listed and batch.is_result(item.source):
            display.line("  made by vsr: left out (name the file itself to upscale it again)")
            continue
        try:
            reports.append(_one(item.source, item.output, options, display, dry_run=dry_run))
            results.add(reports[-1]["output"])
        except (InterruptedJobError, KeyboardInterrupt):
            raise
        except OutputExistsError as error:
            display.line(f"  {error.path} is there already: skipped")
            reports.append({"status": "skipped", "input": str(item.source), "output": str(error.path)})
            results.add(str(error.path))
        except UsageError as error:
            if i == 1 and len(items) == 1:
                raise
            _failed(reports, item, str(error), display.line)
        except VsrError as error:
            _failed(reports, item, str(error), display.line)
        except Exception as error:
            if debugging():
                raise
            _failed(reports, item, unforeseen(error), display.line)
    return reports


def _failed(reports: list[dict[str, Any]], item: Any, error: str, line: Callable[[str], None]) -> None:
    line(f"  failed: {error}")
    reports.append({"status": "failed", "input": str(item.source), "error": error})
