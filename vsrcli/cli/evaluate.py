"""`vsr evaluate`: measure the papers' tables, and with --ablate the loss of every shortcut."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vsrcli.cli import echo
from vsrcli.cli.config import closest
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.param_types import Kind, choice
from vsrcli.cli.params import models_option, read_record, record_options
from vsrcli.engine.options import LEAST_TILE, EngineOptions, Precision, Propagation, Repeats
from vsrcli.errors import UsageError
from vsrcli.records import option

if TYPE_CHECKING:
    from vsrcli.quality.report import Table


@dataclass(frozen=True)
class PaperOptions(EngineOptions):
    """The engine's options, by default as the papers have them."""

    propagation: Propagation = option("clip")
    precision: Precision = option("fp32", kept="resolved")
    tile: tuple[int, int] | Literal["auto"] | None = option(None, least=LEAST_TILE)
    repeats: Repeats = option("off")


@dataclass(frozen=True)
class Output:
    """The format in which results are printed."""

    kind: Literal["markdown", "csv", "json"]

    def show(self, table: "Table", settings: dict[str, Any], say: Callable[[str], None]) -> None:
        """Print a table; JSON is an object of the settings, the rows and the notes, which are said beside CSV."""
        if self.kind == "json":
            results = json.loads(table.json())
            click.echo(json.dumps({"settings": settings, "results": results, "notes": table.notes}, indent=2))
        else:
            echo(table.csv() if self.kind == "csv" else table.markdown(), err=False)
            for note in table.notes if self.kind == "csv" else ():
                say(note)


ABLATE_HELP = (
    "Measure instead the loss of choices against whole-clip fp32 without a horizon, with commas alone between axes: "
    "window (8, 15, 30 frames), lookahead (0, 4, 8, 10, 16 in windows of 15), horizon (15, 30, 60), tile (half the "
    "frame, 96x96), precision (bf16, int8; on accelerators fp16), keyframe-interval (0, 3, 5, 10), warmup (0, 5, 10, "
    "15, 30 frames before shards of 15), segments (2, 4, 8). Or, without these: PSNR with every other frame made anew "
    "(fps) or frames shown twice (twos). A window that sees all of every clip loses nothing and is not run."
)
"""Its numbers are those of `evaluate/ablation.py`, which is not imported for the help's sake: torch takes seconds."""


class Crfs(Kind[tuple[int, ...]]):
    """CRFs of x264, e.g. 18,23,28."""

    name = "CRF,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Convert "18,23" to (18, 23)."""
        if isinstance(value, tuple):
            return value
        crfs = tuple(int(part) if part.strip().isdecimal() else -1 for part in str(value).split(","))
        if not all(0 <= crf <= 51 for crf in crfs):
            self.fail(f"{value} is no CRF: write 0 to 51, or several like 18,23,28", param, ctx)
        return crfs


@click.command("evaluate", context_settings={"show_default": True})
@models_option("A model, or a checkpoint's path. Repeatable. bicubic is always measured.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of clips (PNG frames or videos), a video, or the list of Vimeo-90K.",
)
@click.option(
    "--degradation",
    default="bi",
    type=choice("bi", "bd", "none"),
    help="LR frames by bi: MATLAB's bicubic; bd: Gaussian blur and decimation; none: as read from LR/, see above.",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 100),
    default=0.0,
    help="Add Gaussian noise of so many levels to LR frames first.",
)
@click.option("--crf", type=Crfs(), help="Compress LR frames by x264 at this CRF, or at each of several.")
@click.option("-s", "--scale", type=click.IntRange(2, 4), help="Upscaling factor.  [default: the models']")
@click.option("--clips", help="Run only these clips, e.g. calendar,city.")
@click.option("--frames", type=click.IntRange(1), help="Run only so many frames of each clip.")
@click.option(
    "--channels",
    default="y",
    type=choice("y", "rgb"),
    help="Measure PSNR, SSIM and MSE on luma (BT.601 in studio range, as MATLAB's rgb2ycbcr) or on RGB.",
)
@click.option(
    "--crop-border",
    default=0,
    type=click.IntRange(0),
    metavar="PIXELS",
    help="Leave out so many pixels at each border for PSNR, SSIM and MSE, as some papers do.",
)
@click.option("--mse", "with_mse", is_flag=True, help="Show the mean squared error too.")
@click.option(
    "--temporal",
    is_flag=True,
    help="Measure warping error (Lai et al. 2018), unexplained change, and tOF (Chu et al. 2020).",
)
@click.option("--colour", is_flag=True, help="Measure the shift of mean R, G and B against the LR frames.")
@click.option(
    "--lines", is_flag=True, help="Measure the energy of thin lines, and of those that the ground truth lacks."
)
@click.option("--lpips", "with_lpips", is_flag=True, help="Measure LPIPS; needs `pip install lpips`.")
@click.option(
    "--iqa",
    metavar="NAME,...",
    help="Measure by pyiqa's names, with or without a reference: lpips, dists, niqe, musiq, piqe, ... Needs "
    "`pip install 'vsrcli[iqa]'`; most download weights when first used; piqe, vif and fsim need none.",
)
@click.option("--vmaf", is_flag=True, help="Measure VMAF by ffmpeg's libvmaf.")
@record_options(
    PaperOptions,
    propagation="Whole clips as in the papers, or another way of `vsr upscale` (exact keeps its states in memory).",
    memory="Budget for --tile auto, in powers of 1024: 6GiB, 512M.",
)
@click.option("--scenes", is_flag=True, help="Reset the net at scene cuts, as vsr upscale does.")
@click.option(
    "--ablate",
    metavar="AXES",
    help=ABLATE_HELP,
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="With --ablate: plot the loss by frame, or by keyframe-interval PSNR by keyframes, as .svg or .png.",
)
@click.option(
    "--published",
    "with_published",
    is_flag=True,
    help="Show what papers report of all nets on this test set, and of their speed on the papers' machines.",
)
@click.option("--save", type=click.Path(path_type=Path), help="Write results to DIR/METHOD/CLIP/*.png.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table (the default).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the settings and all rows.")
@display_options
@quiet_option("Show no progress.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
    **asked: Any,
) -> None:
    """Measure quality on clips with ground truth: the papers' tables.

    \b
    vsr evaluate -m basicvsr.vimeo90k-bi --data vid4 --horizon none          a row of the papers' tables
    vsr evaluate -m repvsr.bd --data vid4 --degradation bd --published       beside what papers report
    vsr evaluate -m basicvsr -m my.pth --data clips --frames 10 --temporal --vmaf
    vsr evaluate -m basicvsr --data vid4 --ablate window,lookahead,tile,precision

    LR frames are made from the ground truth with 8 bits, results rounded to 8 bits, and scored whole unless
    --crop-border is given; a clip's figure is the mean over its frames, "mean" the mean over clips. Bicubic is MATLAB's
    on the same frames. Whole clips are run in fp32, as in the papers; but nets that see the future remember 60 frames,
    as in vsr upscale, unless --horizon none gives the papers' behaviour.

    --degradation none reads LR frames, e.g. those of `vsr degrade`, from a folder LR beside the ground truth:

    \b
    data/GT/CLIP/*.png  or  data/CLIP/GT/*.png
    data/LR/CLIP/*.png      data/CLIP/LR/*.png            with --data data

    Results of other tools are scored by `vsr compare RESULT... --reference GT/CLIP`, as videos or folders of frames.

    --crf compresses by x264's preset medium: yuv420p in limited range, 25 fps, keyframes at most 250 frames apart, 3
    B-frames.

    The published figures of an evaluated model stand beside its own in the row of means; --published adds rows of other
    nets. They are of the whole test set. A test set is recognised by a folder's name in the path of --data: the nearest
    that contains vid4, reds4, udm10, spmcs or vimeo90k, or by Vimeo-90K's list. "survey" is Zirui Liu, Recent Advances
    on Video Super Resolution. Rows of "Hu and Yu" (REPVSR) are shown with bi and bd: they say bd, but give BasicVSR's
    figures of bi.
    """
    kind = _kind(asked)
    from vsrcli.cli import evaluating
    from vsrcli.cli.progress import Display

    display = Display(quiet=quiet, verbose=False, way=progress, log=log_file)
    make = evaluating.ablate if asked["ablate"] else evaluating.measure
    Output(kind).show(*make(asked, read_record(PaperOptions, asked), display), display.line)


def _kind(asked: dict[str, Any]) -> Literal["markdown", "csv", "json"]:
    """Return the format that the options ask for. Raises UsageError for several."""
    asked = closest(click.get_current_context(), asked)
    formats: tuple[Literal["markdown", "csv", "json"], ...] = ("markdown", "csv", "json")
    kinds = [kind for kind in formats if asked[f"as_{kind}"]]
    if len(kinds) > 1:
        raise UsageError(f"{' and '.join(f'--{kind}' for kind in kinds)} exclude each other: give one")
    return kinds[0] if kinds else "markdown"
