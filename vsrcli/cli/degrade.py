"""`vsr degrade`: make the LR frames of clips by the papers' degradations."""

from itertools import count
from pathlib import Path
from typing import Any

import click

from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.param_types import choice
from vsrcli.errors import UsageError
from vsrcli.words import counted


@click.command("degrade", context_settings={"show_default": True})
@click.argument("sources", nargs=-1, required=True, metavar="HR...", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the LR frames.")
@click.option(
    "--degradation",
    default="bi",
    type=choice("bi", "bd"),
    help="bi: MATLAB's bicubic. bd: Gaussian blur and decimation.",
)
@click.option("-s", "--scale", default=4, type=click.IntRange(2, 4), help="Factor by which HR is reduced.")
@click.option(
    "--noise",
    type=click.FloatRange(0, 100),
    default=0.0,
    help="Add Gaussian noise of so many levels to LR frames first.",
)
@click.option("--crf", type=click.IntRange(0, 51), help="Compress LR frames by x264 at this CRF.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Write the HR frames to this folder too, as PNG, cropped to a multiple of the scale.",
)
@click.option("-y", "--overwrite", is_flag=True, help="Write into folders that hold files.")
@display_options
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    sources: tuple[Path, ...],
    output: Path,
    degradation: Any,
    scale: int,
    noise: float,
    crf: int | None,
    truth: Path | None,
    overwrite: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Make the LR frames of clips, to test any model on them.

    \b
    vsr degrade Vid4/GT -o Vid4/LR                       the frames that vsr evaluate makes, as PNG
    vsr evaluate --data Vid4 --degradation none          reads them
    vsr degrade film.mp4 -o film/LR --truth film/GT      of a video: with its frames as ground truth

    HR is what `vsr evaluate --data` takes: a folder of PNG frames, a folder of such folders or of videos, or a video.
    LR has the same folders below it; each of several HR gets one. Frames have 8 bits. --crf compresses as in vsr
    evaluate.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.evaluate.clips import total_length
    from vsrcli.evaluate.lr_frames import check_folder, place_clips, write_lr_frames

    if truth is not None and truth.resolve() == output.resolve():
        raise UsageError("-o and --truth name one folder: give each its own")
    placed = place_clips(sources)
    for folder in (output, truth):
        if folder is not None:
            check_folder(folder, placed, overwrite=overwrite)
    display, made = Display(quiet=quiet, verbose=False, way=progress, log=log_file), count(1)
    with display.job("degrade"):
        tell = display.count("degrading", total_length([one.clip for one in placed]))
        frames = write_lr_frames(
            placed, output, degradation, scale, noise=noise, crf=crf, truth=truth, on_frame=lambda: tell(next(made))
        )
    display.line(f"{output}: {counted(frames, 'frame')} of {counted(len(placed), 'clip')}", style="green")
