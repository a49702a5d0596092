"""`vsr evaluate`: the papers' tables, and with --ablate the price of every shortcut."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vsrcli.cli import echo
from vsrcli.cli.params import Kind, choice, read_record, record_options
from vsrcli.engine.options import LEAST_TILE, EngineOptions, Precision, Propagation
from vsrcli.errors import UsageError
from vsrcli.records import option

if TYPE_CHECKING:
    from vsrcli.evaluate.datasets import Clip
    from vsrcli.quality.report import Table, Value
    from vsrcli.zoo import LoadedModel

FLOW_MODEL = "basicvsr.vimeo90k-bi"
"""Whose SPyNet finds the motion for the temporal figures: one for all methods, so that they can be compared."""


@dataclass(frozen=True)
class PaperOptions(EngineOptions):
    """The engine's options, by default as the papers have them."""

    propagation: Propagation = option("clip")
    precision: Precision = option("fp32", kept="resolved")
    tile: tuple[int, int] | Literal["auto"] | None = option(None, least=LEAST_TILE)


@dataclass(frozen=True)
class Output:
    """What the results are printed as."""

    kind: Literal["markdown", "csv", "json"]

    def show(self, table: "Table", settings: dict[str, Any]) -> None:
        """Print a table; JSON is an object of the settings and the rows."""
        if self.kind == "json":
            click.echo(json.dumps({"settings": settings, "results": json.loads(table.json())}, indent=2))
        else:
            echo(table.csv() if self.kind == "csv" else table.markdown(), err=False)


class Crfs(Kind[tuple[int, ...]]):
    """CRFs of x264, e.g. 18,23,28."""

    name = "CRF,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """ "18,23" -> (18, 23)."""
        if isinstance(value, tuple):
            return value
        crfs = tuple(int(part) if part.strip().isdecimal() else -1 for part in str(value).split(","))
        if not all(0 <= crf <= 51 for crf in crfs):
            self.fail(f"{value} is no CRF: write 0 to 51, or several like 18,23,28", param, ctx)
        return crfs


def names(text: str | None) -> list[str] | None:
    """ "a,b" -> ["a", "b"]; None stays."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


@click.command("evaluate", context_settings={"show_default": True})
@click.option("-m", "--model", "models", multiple=True, help="A model or a checkpoint's path; repeat for several.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of clips (frames in PNG, or videos), a video, or Vimeo-90K's list.",
)
@click.option(
    "--degradation",
    default="bi",
    type=choice("bi", "bd", "none"),
    help="How LR frames are made: MATLAB's bicubic, Gaussian blur and decimation, or none: those in LR/ are taken.",
)
@click.option("--crf", type=Crfs(), help="Compress LR frames by x264 first, as videos in life are: at one CRF or each.")
@click.option("-s", "--scale", type=click.IntRange(2, 4), help="[default: the models' own]")
@click.option("--clips", help="Only these clips, e.g. calendar,city.")
@click.option("--frames", type=click.IntRange(1), help="Only the first so many frames of each clip.")
@click.option("--channels", default="y", type=choice("y", "rgb"), help="PSNR, SSIM and MSE on luma or on RGB.")
@click.option("--mse", "with_mse", is_flag=True, help="Show the mean squared error too.")
@click.option(
    "--temporal",
    is_flag=True,
    help="Warping error (Lai et al. 2018), the share of change that motion does not explain, tOF (Chu et al. 2020).",
)
@click.option("--colour", is_flag=True, help="How much brighter R, G and B are than in the LR frames.")
@click.option("--lines", is_flag=True, help="Energy of thin lines, and of those that the truth does not have.")
@click.option("--lpips", "with_lpips", is_flag=True, help="LPIPS; needs `pip install lpips`.")
@click.option("--vmaf", is_flag=True, help="VMAF, by ffmpeg's libvmaf.")
@record_options(
    PaperOptions,
    propagation="Whole clips as in the papers, or another way of `vsr upscale` (exact keeps its states in memory).",
    memory="Budget for --tile auto, e.g. 6GiB.",
)
@click.option("--scenes", is_flag=True, help="Start afresh at scene cuts, as vsr upscale does.")
@click.option(
    "--ablate",
    metavar="AXES",
    help="Instead: what choices cost against whole-clip fp32 without a horizon; of window,lookahead,horizon,tile,"
    "precision,keyframe-interval,warmup.",
)
@click.option("--save", type=click.Path(path_type=Path), help="Write results to DIR/METHOD/CLIP/*.png.")
@click.option("--markdown", "kind", flag_value="markdown", default="markdown", help="A table (this is the default).")
@click.option("--csv", "kind", flag_value="csv", help="CSV.")
@click.option("--json", "kind", flag_value="json", help="JSON: the settings and all rows.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(kind: Literal["markdown", "csv", "json"], quiet: bool, debug: bool, **asked: Any) -> None:
    """Measure quality on clips with ground truth: the papers' tables.

    \b
    vsr evaluate -m basicvsr.vimeo90k-bi --data vid4 --degradation bi
    vsr evaluate -m basicvsr -m my.pth --data clips --frames 10 --temporal --vmaf
    vsr evaluate -m basicvsr --data vid4 --ablate window,lookahead,tile,precision

    LR frames are made from the ground truth with 8 bits, results rounded to 8 bits, and scored whole, without cutting
    borders; a clip's figure is the mean over its frames, "mean" the mean over clips. Bicubic is MATLAB's on the same
    frames. Published figures are of the whole test set; what was not run is blank.
    """
    from vsrcli.cli.progress import Display

    display = Display(quiet=quiet, verbose=False)
    if asked["ablate"]:
        _ablate(asked, Output(kind), display)
    else:
        _evaluate(asked, Output(kind), display)


def _load(asked: dict[str, Any], display: Any) -> "dict[str, LoadedModel]":
    """The models by the names that the tables give them: a checkpoint's path as typed where file names coincide."""
    from vsrcli import zoo
    from vsrcli.pipeline.events import Event
    from vsrcli.zoo.options import set_option

    loaded: dict[str, LoadedModel] = {}
    for name in asked["models"]:
        model = zoo.load(
            name,
            scale=asked["scale"],
            say=display.line,
            progress=lambda done, total: display.event(Event("download", done=done, total=total)),
        )
        loaded[name if model.name in loaded else model.name] = model
    scales = {m.scale for m in loaded.values()}
    if len(scales) > 1:
        raise UsageError(f"the models upscale by {', '.join(f'x{s}' for s in sorted(scales))}: give one --scale")
    if asked["keyframe_interval"] is not None:
        set_option(list(loaded.values()), "keyframe_interval", asked["keyframe_interval"])
    return loaded


def _clips(asked: dict[str, Any]) -> "list[Clip]":
    from vsrcli.evaluate.clips import choose_clips

    return choose_clips(asked["data"], names(asked["clips"]))


def _frames(clips: "Sequence[Clip]", limit: int | None) -> int | None:
    """Frames of all clips together, if known."""
    from vsrcli.evaluate.clips import length

    counts = [length(c, limit) for c in clips]
    return None if None in counts else sum(c for c in counts if c is not None)


class _Counter:
    """Turns frames made into progress events."""

    def __init__(self, display: Any, total: int | None) -> None:
        from vsrcli.pipeline.events import Event

        self._event, self._show, self._total, self._done = Event, display.event, total, 0
        self._show(Event("start", "evaluating", total=total))

    def __call__(self, clip: str, method: str) -> None:
        self._done += 1
        self._show(self._event("frame", "evaluating", done=self._done, total=self._total))


def _evaluate(asked: dict[str, Any], output: Output, display: Any) -> None:
    from vsrcli.engine.device import pick_device, pick_precision, place
    from vsrcli.engine.planning import make_plan
    from vsrcli.evaluate.evaluation import Setting, beside, evaluate, table
    from vsrcli.evaluate.methods import Bicubic, Method, Model
    from vsrcli.evaluate.scoring import Measures, load_lpips

    clips = _clips(asked)
    device = pick_device(asked["device"])
    dtype = pick_precision(asked["precision"], device)
    loaded = _load(asked, display)
    scale = next((m.scale for m in loaded.values()), asked["scale"] or 4)
    options = read_record(PaperOptions, asked)
    methods: list[Method] = [Bicubic(scale)]
    for name, model in loaded.items():
        net = place(model.net, device, dtype)
        planner = partial(make_plan, options)
        methods.append(Model(name, net, device, dtype, planner, scenes=asked["scenes"], say=display.line))
    measures = Measures(
        channels=asked["channels"],
        flow=_flow(device, display) if asked["temporal"] else None,
        lpips=load_lpips(device) if asked["with_lpips"] else None,
        vmaf=asked["vmaf"],
        colour=asked["colour"],
        lines=asked["lines"],
        save=asked["save"],
        device=device,
    )
    crfs = asked["crf"] or (None,)
    total = _frames(clips, asked["frames"])
    rows: list[dict[str, Value]] = []
    with display.job("evaluate"):
        counter = _Counter(display, total and total * len(methods) * len(crfs))
        for crf in crfs:
            setting = Setting(asked["degradation"], scale, asked["frames"], crf)
            several = {"crf": crf} if len(crfs) > 1 else {}
            own = replace(measures, save=measures.save / f"crf{crf}") if several and measures.save else measures
            tell = partial(_tell, display)
            rows += [several | row for row in evaluate(clips, methods, setting, own, on_frame=counter, on_row=tell)]
    rows = beside(rows, _published(asked, scale, len(clips), display))
    output.show(
        table(rows, asked["channels"], with_mse=asked["with_mse"]), _settings(asked, loaded, scale, device, dtype)
    )


def _ablate(asked: dict[str, Any], output: Output, display: Any) -> None:
    import torch

    from vsrcli.engine.device import pick_device
    from vsrcli.evaluate import ablation
    from vsrcli.evaluate.evaluation import Setting

    clips = _clips(asked)
    device = pick_device(asked["device"])
    axes = names(asked["ablate"]) or []
    loaded = _load(asked, display)
    if not loaded:
        raise UsageError("--ablate: give a model with -m")
    rows: list[dict[str, Value]] = []
    total = _frames(clips, asked["frames"])
    if asked["crf"] and len(asked["crf"]) > 1:
        raise UsageError("--ablate: give one --crf")
    crf = asked["crf"][0] if asked["crf"] else None
    for name, model in loaded.items():
        grid = ablation.choices(axes, model.net, device)
        setting = Setting(asked["degradation"], model.scale, asked["frames"], crf)
        with display.job("ablate"):
            counter = _Counter(display, total and total * (len(grid) + 1))
            found = ablation.ablate(
                clips, model.net, grid, setting, device, channels=asked["channels"], on_frame=counter
            )
        rows += [{"model": name, **row} for row in found]
    scale = next(iter(loaded.values())).scale
    output.show(ablation.table(rows), _settings(asked, loaded, scale, device, torch.float32))


def _flow(device: Any, display: Any) -> Any:
    """Optical flow by the SPyNet of FLOW_MODEL."""
    import torch

    from vsrcli import zoo

    net = zoo.load(FLOW_MODEL, device=device, say=display.line).net

    def flow(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return net.flow(a, b)

    return flow


def _published(asked: dict[str, Any], scale: int, clips: int, display: Any) -> Any:
    """Published figures that may stand beside these results, with a line where not all of their clips were run."""
    from vsrcli.evaluate.published import published, recognise

    test = None if asked["crf"] else recognise(asked["data"])
    found = published(test, asked["degradation"], scale) if test else {}
    if test is None or not found:
        return {}
    if test.channels != asked["channels"]:
        display.line(f"published figures of {test.title} are with --channels {test.channels}")
        return {}
    if clips != test.clips:
        display.line(f"published figures are of all {test.clips} clips of {test.title}; {clips} were run")
    if asked["frames"]:
        display.line("published figures are of whole clips, not of their first frames")
    return found


def _settings(asked: dict[str, Any], loaded: "dict[str, LoadedModel]", scale: int, device: Any, dtype: Any) -> Any:
    return {
        "data": str(asked["data"]),
        "scale": scale,
        **read_record(PaperOptions, asked).plain(),
        "device": str(device),
        "precision": str(dtype).removeprefix("torch."),
        "flow": FLOW_MODEL if asked["temporal"] else None,
        **{key: asked[key] for key in ("degradation", "channels", "frames", "scenes", "ablate")},
        "crf": asked["crf"][0] if asked["crf"] and len(asked["crf"]) == 1 else asked["crf"],
        "models": [{"name": n, "weights": m.source, "sha256": m.sha256} for n, m in loaded.items()],
    }


def _tell(display: Any, row: "dict[str, Value]") -> None:
    display.line(
        f"{row['clip']}: {row['method']} {row['psnr']:.3f} dB, SSIM {row['ssim']:.4f}, "
        f"{row['seconds_per_frame']:.3f} s/frame"
    )
