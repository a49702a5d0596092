"""The work of `vsr evaluate` after its options are read: load models, measure with progress, make the table."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vsrcli import __version__, zoo
from vsrcli.cli.evaluate_published import PAPERS_SCALE, literature_of, own_figures
from vsrcli.cli.progress import Display
from vsrcli.cli.unused import typed_beside, typed_of
from vsrcli.compare.plot_file import save
from vsrcli.engine.compiled import compile_steps
from vsrcli.engine.device import pick_device, pick_precision, place, use_threads
from vsrcli.engine.options import EngineOptions
from vsrcli.engine.planning import make_plan
from vsrcli.errors import UsageError
from vsrcli.evaluate import ablation, new_frames
from vsrcli.evaluate.ablation import Curve
from vsrcli.evaluate.ablation_plot import KEYFRAMES, frame_panels, keyframe_panels
from vsrcli.evaluate.clips import X264, choose_clips, length, total_length
from vsrcli.evaluate.datasets import Clip
from vsrcli.evaluate.evaluation import Setting, beside, evaluate, table, with_literature
from vsrcli.evaluate.literature import CITATIONS
from vsrcli.evaluate.methods import Bicubic, Method, Model
from vsrcli.evaluate.scoring import Measures, load_lpips
from vsrcli.media.strength.compress import FORMAT
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.ignored import ignored_by_net
from vsrcli.quality.iqa import load_iqa
from vsrcli.quality.report import Table, Value
from vsrcli.quality.temporal import Flow
from vsrcli.words import counted
from vsrcli.zoo import LoadedModel
from vsrcli.zoo.options import set_option

FLOW_MODEL = "basicvsr.vimeo90k-bi"
"""The model whose SPyNet estimates motion for the temporal figures of all methods, so that they are comparable."""


def names(text: str | None) -> list[str] | None:
    """Split "a,b" to ["a", "b"]; None is unchanged."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _load(asked: dict[str, Any], display: Display) -> dict[str, LoadedModel]:
    """Return the models by their names in the tables: a checkpoint's path as typed if file names coincide."""
    loaded: dict[str, LoadedModel] = {}
    for name in asked["models"]:
        if name.lower() == Bicubic.name:  # always a row
            continue
        if Path(name).is_dir():
            raise UsageError(f"{name} is a folder, no model: finished frames are scored by `vsr compare --reference`")
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


def _clips(asked: dict[str, Any]) -> list[Clip]:
    return choose_clips(asked["data"], names(asked["clips"]))


def _counter(display: Display, total: int | None) -> Callable[[str, str], None]:
    """Return a callback that shows each frame that a method has made."""
    show, done = display.count("evaluating", total), itertools.count(1)
    return lambda clip, method: show(next(done))


def measure(asked: dict[str, Any], options: EngineOptions, display: Display) -> tuple[Table, dict[str, Any]]:
    """Return the table of the methods' quality, and the settings under which it was measured."""
    if asked["plot"] is not None:
        raise UsageError("--plot shows what --ablate finds: give its axes, e.g. --ablate segments")
    clips = _clips(asked)
    if asked["with_published"]:
        literature_of(asked, asked["scale"] or PAPERS_SCALE)
    device = pick_device(asked["device"])
    use_threads(options.threads)
    loaded = _load(asked, display)
    scale = next((m.scale for m in loaded.values()), asked["scale"] or 4)
    methods: list[Method] = [Bicubic(scale)]
    for name, model in loaded.items():
        exact = options.propagation == "exact"
        dtype = pick_precision(asked["precision"], device, model.net, exact=exact)
        net = place(model.net, device, dtype)
        if options.compile:
            compile_steps(net, device, display.line)
        planner = partial(make_plan, options)
        methods.append(Model(name, net, device, dtype, planner, scenes=asked["scenes"], say=display.line))
        for line in ignored_by_net(options, net, name):
            display.line(line)
    if options.tile != "auto" and typed_of(("memory",)):
        display.line("the memory changes nothing: it is for --tile auto")
    iqa = tuple(load_iqa(name, device) for name in dict.fromkeys(names(asked["iqa"]) or ()))
    measures = Measures(
        channels=asked["channels"],
        border=asked["crop_border"],
        flow=_flow(device, display) if asked["temporal"] else None,
        lpips=load_lpips(device) if asked["with_lpips"] else None,
        iqa=iqa,
        vmaf=asked["vmaf"],
        colour=asked["colour"],
        lines=asked["lines"],
        save=asked["save"],
        device=device,
    )
    crfs = asked["crf"] or (None,)
    total = total_length(clips, asked["frames"])
    rows: list[dict[str, Value]] = []
    with display.job("evaluate"):
        counter = _counter(display, total and total * len(methods) * len(crfs))
        for crf in crfs:
            setting = Setting(asked["degradation"], scale, asked["frames"], crf, asked["noise"])
            several = {"crf": crf} if len(crfs) > 1 else {}
            own = replace(measures, save=measures.save / f"crf{crf}") if several and measures.save else measures
            tell = partial(_tell, display, f", CRF {crf}" if several else "")
            rows += [several | row for row in evaluate(clips, methods, setting, own, on_frame=counter, on_row=tell)]
    figures, remarks = own_figures(asked, scale, loaded, len(clips))
    rows = beside(rows, figures)
    if asked["with_published"]:
        rows = with_literature(rows, literature_of(asked, scale), asked["degradation"])
        remarks += [f"{paper}: {citation}." for paper, citation in CITATIONS.items()]
    if asked["crop_border"]:
        pixels = counted(asked["crop_border"], "pixel")
        remarks.insert(0, f"PSNR, SSIM and MSE are of frames without {pixels} at each border (--crop-border).")
    made = table(rows, asked["channels"], with_mse=asked["with_mse"], iqa=iqa, notes=remarks)
    return made, _settings(asked, options, loaded, scale, device)


OF_ABLATION = frozenset(
    (  # noqa: SIM905
        "models data degradation noise crf scale clips frames channels device threads keyframe_interval"
        " ablate plot as_markdown as_csv as_json progress log_file quiet debug"
    ).split()
)
"""The parameters that count with --ablate; it runs each model in ways of its own."""


def ablate(asked: dict[str, Any], options: EngineOptions, display: Display) -> tuple[Table, dict[str, Any]]:
    """Return the table of each choice's loss, and the settings under which it was measured."""
    axes = names(asked["ablate"]) or []
    ablation.check_axes(axes)
    clips = _clips(asked)
    device = pick_device(asked["device"])
    use_threads(options.threads)
    loaded = _load(asked, display)
    if not loaded:
        raise UsageError("--ablate: give a model with -m")
    idle = typed_beside(OF_ABLATION)
    if idle:
        display.line(f"--ablate compares choices of its own with the whole clip: {', '.join(idle)} not used")
    if set(axes) & set(new_frames.AXES):
        return _new_frames(asked, options, display, axes, clips, loaded, device)
    plot, curves = _plot(asked["plot"], axes), dict[str, list[Curve]]()
    rows: list[dict[str, Value]] = []
    remarks: list[str] = []
    total = total_length(clips, asked["frames"])
    if asked["crf"] and len(asked["crf"]) > 1:
        raise UsageError("--ablate: give one --crf")
    crf = asked["crf"][0] if asked["crf"] else None
    for name, model in loaded.items():
        grid = ablation.choices(axes, model.net, device)
        lengths = [length(clip, asked["frames"]) for clip in clips]
        remarks += [f"{name}: {note}" for note in ablation.notes(axes, grid, model.net, device, lengths)]
        covering = ablation.covering(grid, lengths)
        grid = [choice for choice in grid if choice not in covering]
        setting = Setting(asked["degradation"], model.scale, asked["frames"], crf, asked["noise"])
        with display.job("ablate"):
            counter = _counter(display, total and total * (len(grid) + 1))
            found = ablation.ablate(
                clips,
                model.net,
                grid,
                setting,
                device,
                channels=asked["channels"],
                on_frame=counter,
                on_curve=curves.setdefault(name, []).append,
            )
        rows += [{"model": name, **row} for row in found]
    scale = next(iter(loaded.values())).scale
    if plot is not None:
        if axes == [KEYFRAMES]:
            save(keyframe_panels(curves), plot, axis="keyframes of a clip")
        else:
            save(frame_panels(curves), plot)
        display.line(str(plot), style="green")
    return ablation.table(rows, remarks), _settings(asked, options, loaded, scale, device)


def _new_frames(
    asked: dict[str, Any],
    options: EngineOptions,
    display: Display,
    axes: Sequence[str],
    clips: Sequence[Clip],
    loaded: dict[str, LoadedModel],
    device: torch.device,
) -> tuple[Table, dict[str, Any]]:
    """Return the table of what frames between a clip's are worth, or frames shown twice, and its settings."""
    if not set(axes) <= set(new_frames.AXES) or asked["plot"] is not None or (asked["crf"] and len(asked["crf"]) > 1):
        raise UsageError(
            "--ablate: fps and twos have a table of their own: without other axes, --plot and several CRFs"
        )
    crf = asked["crf"][0] if asked["crf"] else None
    flow, rows = _flow(device, display), list[dict[str, Value]]()
    for name, model in loaded.items():
        setting = Setting(asked["degradation"], model.scale, asked["frames"], crf, asked["noise"])
        net = place(model.net, device, torch.float32)
        found: list[dict[str, Value]] = []
        with display.job("ablate"):
            counter, channels = _counter(display, None), asked["channels"]
            for axis in axes:
                found += new_frames.measure(
                    axis, clips, net, flow, setting, device, channels=channels, on_frame=counter
                )
        rows += [{"model": name, **row} for row in new_frames.with_means(found)]
    scale = next(iter(loaded.values())).scale
    return new_frames.table(rows), _settings(asked, options, loaded, scale, device)


def _plot(path: Path | None, axes: Sequence[str]) -> Path | None:
    """Return the file for the plot, if one is wanted. Raises UsageError for another kind, or for axes of two kinds."""
    if path is not None and path.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--plot {path}: name it .svg or .png")
    if path is not None and KEYFRAMES in axes and len(axes) > 1:
        raise UsageError(f"--plot: --ablate {KEYFRAMES} has a plot of its own, give it alone")
    return path


def _flow(device: torch.device, display: Display) -> Flow:
    """Return the optical flow of the SPyNet of FLOW_MODEL."""
    net = zoo.load(FLOW_MODEL, device=device, say=display.line).net

    def flow(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return net.flow(a, b)

    return flow


def _settings(
    asked: dict[str, Any],
    options: EngineOptions,
    loaded: dict[str, LoadedModel],
    scale: int,
    device: torch.device,
) -> dict[str, Any]:
    """Return the settings that `--json` prints beside the results; "precision" is None where that of models differs.

    "clips" is None for all, and "horizon" where none bounds a net: all run frame by frame, or in ways of --ablate.
    """
    kinds = {str(model.net.precision).removeprefix("torch.") for model in loaded.values()} or {"float32"}
    bounded = not asked["ablate"] and any(model.net.bidirectional for model in loaded.values())
    return {
        "vsr": __version__,
        "torch": torch.__version__,
        "data": str(asked["data"]),
        "clips": names(asked["clips"]),
        "scale": scale,
        **(options if bounded else replace(options, horizon=None)).plain(),
        "device": str(device),
        "precision": kinds.pop() if len(kinds) == 1 else None,
        "flow": FLOW_MODEL if asked["temporal"] else None,
        **{key: asked[key] for key in ("degradation", "noise", "channels", "crop_border")},
        **{key: asked[key] for key in ("frames", "scenes", "ablate")},
        "crf": asked["crf"][0] if asked["crf"] and len(asked["crf"]) == 1 else asked["crf"],
        "compression": {"encoder": "libx264", **X264, **FORMAT} if asked["crf"] else None,
        "models": [{"name": n, "weights": m.source, "sha256": m.sha256} for n, m in loaded.items()],
    }


def _tell(display: Display, how: str, row: dict[str, Value]) -> None:
    display.line(
        f"{row['clip']}{how}: {row['method']} {row['psnr']:.3f} dB, SSIM {row['ssim']:.4f}, "
        f"{row['seconds_per_frame']:.3f} s/frame"
    )
