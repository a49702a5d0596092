"""`vsr compare`: show videos side by side and measure their quality frame by frame."""

import json
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsrcli.cli import echo
from vsrcli.cli.display_options import quiet_option
from vsrcli.cli.param_types import Kind, Time, choice
from vsrcli.cli.params import TIME_FORM, rate_option
from vsrcli.errors import OutputError, UsageError
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.words import counted

if TYPE_CHECKING:
    from vsrcli.compare.quality import Quality
    from vsrcli.quality.report import Table


class Crop(Kind[tuple[int, ...]]):
    """X,Y,W,H in pixels."""

    name = "X,Y,W,H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Convert "10,20,64,48" to (10, 20, 64, 48)."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if len(parts) != 4 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value} is not a crop: write it like 120,80,96,64", param, ctx)
        return tuple(int(part) for part in parts)


@click.command("compare", context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a video, or a picture (.png, .jpg).")
@click.option(
    "--mode", default="side", type=choice("side", "wipe", "stack"), help="Layout: in a row, split, or in a column."
)
@click.option(
    "--labels", help="Labels, separated by commas.  [default: the files' names, and folders that tell them apart]"
)
@click.option("--zoom", type=Crop(), help="Enlarge this part of the largest video as well.")
@click.option("--at", type=Time(), help=f"Time to show in a picture: {TIME_FORM}.  [default: the first frame's]")
@click.option("--reference", type=click.Path(path_type=Path), help="Ground truth: print PSNR and SSIM against it.")
@click.option("--plot", type=click.Path(path_type=Path), help="Plot PSNR and SSIM of each frame to .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="Print PSNR and SSIM as JSON on stdout.")
@rate_option
@click.option("-y", "--overwrite", is_flag=True, help="Replace existing outputs.")
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    mode: Any,
    labels: str | None,
    zoom: Any,
    at: float | None,
    reference: Path | None,
    plot: Path | None,
    as_json: bool,
    rate: Fraction | None,
    overwrite: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Show videos or image sequences side by side.

    \b
    vsr compare in.mp4 in_x4.mp4 -o both.mp4
    vsr compare in.mp4 in_x4.mp4 -o look.png --at 0:02 --zoom 400,200,160,90
    vsr compare in.mp4 in_x4.mp4 -o wipe.mp4 --mode wipe
    vsr compare a.mp4 b.mp4 --reference truth.mp4 --plot quality.svg
    vsr compare tool-a/city tool-b/city --reference Vid4/GT/city --json   results of any tool, scored

    Frames of the same time are shown together. Smaller videos are enlarged to the largest by bicubic interpolation.
    Timing and sound are the first video's. In a video, the border of a wipe moves slowly back and forth. PSNR and SSIM
    are measured on luma.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.cli.unused import typed_of
    from vsrcli.compare.align import master
    from vsrcli.compare.quality import Quality, measure_quality
    from vsrcli.compare.video import Look, film, still
    from vsrcli.media.read.probe import probe
    from vsrcli.pipeline.events import Event

    if as_json and reference is None:
        raise UsageError("--json holds PSNR and SSIM: give the ground truth with --reference")
    _check(inputs, output, at=at, reference=reference, plot=plot, overwrite=overwrite)
    display = Display(quiet=quiet, verbose=False)
    infos = [probe(path, rate=rate) for path in inputs]
    if output is None and (idle := typed_of(("mode", "zoom"))):
        display.line(f"warning: {', '.join(idle)} not used: for what -o names", style="yellow")
    if typed_of(("rate",)) and not any(info.images for info in infos):
        display.line("warning: --rate not used: it is for image sequences", style="yellow")
    truth = probe(reference, rate=rate) if reference else None
    look = Look(_labels(labels, inputs), mode, zoom)
    quality = Quality(look.labels) if truth else None
    with display.job("compare"):
        tell = display.count("comparing", infos[master(infos)].frames)
        frames = None
        if output and output.suffix.lower() in WRITABLE_IMAGES:
            still(infos, output, look, at=at or 0.0)
        elif output:
            warn = lambda line: display.event(Event.of(line))  # noqa: E731
            frames = film(infos, output, look, warn=warn, on_frame=tell, reference=truth, quality=quality)
        if truth and quality and frames is None:
            measure_quality(infos, truth, quality, tell)
    if output:
        display.line(f"{output}" + (f": {counted(frames, 'frame')}" if frames else ""), style="green")
    if quality:
        table = _means(quality)
        if as_json:
            settings = {"reference": str(reference), "videos": [str(path) for path in inputs], "channels": "y"}
            click.echo(json.dumps({"settings": settings, "results": json.loads(table.json())}, indent=2))
        else:
            echo(table.markdown(), err=False)
        if plot:
            quality.save(plot)
            display.line(str(plot), style="green")


def _check(
    inputs: tuple[Path, ...],
    output: Path | None,
    *,
    at: float | None,
    reference: Path | None,
    plot: Path | None,
    overwrite: bool,
) -> None:
    """Raise early if the arguments are invalid or an output cannot be written."""
    if output is None and reference is None:
        raise UsageError("give -o for a video or picture, or --reference to measure against")
    if len(inputs) < 2 and output is not None:
        raise UsageError("name two videos or more to compare")
    if plot is not None and reference is None:
        raise UsageError("--plot shows PSNR and SSIM: give the ground truth with --reference")
    if plot is not None and plot.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--plot {plot}: name it .svg or .png")
    if at is not None and (output is None or output.suffix.lower() not in WRITABLE_IMAGES):
        raise UsageError("--at is for a picture: name the output .png")
    for path in (output, plot):
        if path is None:
            continue
        if path.exists() and not overwrite:
            raise UsageError(f"{path} exists: add -y to overwrite it, or give another name")
        if any(path.resolve() == other.resolve() for other in (*inputs, reference) if other is not None):
            raise UsageError(f"{path} is an input itself: give another name")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}")


def _labels(text: str | None, inputs: tuple[Path, ...]) -> list[str]:
    """Return the given labels, or the ends of the paths: their names, with as many folders as tell them apart."""
    if text is None:
        paths = [path.resolve() for path in inputs]
        parts = next(n for n in count(1) if len({path.parts[-n:] for path in paths}) == len(set(paths)))
        return [str(Path(*path.parts[-parts:])) for path in paths]
    labels = [part.strip() for part in text.split(",")]
    if len(labels) != len(inputs):
        raise UsageError(f"--labels: {len(labels)} for {len(inputs)} videos")
    return labels


def _means(quality: "Quality") -> "Table":
    from vsrcli.quality.report import Column, Table, Value

    def mean(rows: list[list[float]], i: int) -> float:
        return sum(row[i] for row in rows) / len(rows)

    columns = [Column("video", "video"), Column("frames", "frames")]
    columns += [Column("psnr", "PSNR-Y (dB)", 3), Column("ssim", "SSIM-Y", 4)]
    rows: list[dict[str, Value]] = [
        {"video": n, "frames": len(quality.psnr), "psnr": mean(quality.psnr, i), "ssim": mean(quality.ssim, i)}
        for i, n in enumerate(quality.labels)
    ]
    return Table(columns, rows)
