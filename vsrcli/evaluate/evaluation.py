"""The papers' table: every method on every clip, the means, and the published figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from vsrcli.evaluate.clips import Degradation, Pair, pairs
from vsrcli.evaluate.datasets import Clip
from vsrcli.evaluate.literature import reported
from vsrcli.evaluate.methods import Method
from vsrcli.evaluate.scoring import Measures, score_clip
from vsrcli.quality.iqa import Iqa
from vsrcli.quality.metrics import Channels
from vsrcli.quality.report import Column, Table, Value, mean_row
from vsrcli.zoo.catalogue import Figures

Row = dict[str, Value]
OnFrame = Callable[[str, str], None]
"""Called with the clip's and the method's name for each finished frame."""

OnRow = Callable[[Row], None]

MEAN = "mean"
"""Name of the clip in rows of means over clips."""


@dataclass(frozen=True)
class Setting:
    """Common input of all methods: degradation, scale, frame limit of a clip, x264's CRF or None, levels of noise."""

    degradation: Degradation
    scale: int
    limit: int | None = None
    crf: int | None = None
    noise: float = 0.0

    def pairs(self, clip: Clip) -> Iterator[Pair]:
        """Yield the frames of a clip. Raises as `clips.pairs` does."""
        return pairs(clip, self.degradation, self.scale, limit=self.limit, noise=self.noise, crf=self.crf)


def evaluate(
    clips: Sequence[Clip],
    methods: Sequence[Method],
    setting: Setting,
    measures: Measures,
    *,
    on_frame: OnFrame = lambda clip, method: None,
    on_row: OnRow = lambda row: None,
) -> list[Row]:
    """Return a row for each clip and method (`on_row` gets it at once), then a row of means for each method.

    Keys: clip, method, frames (number of scored ones), psnr (dB), ssim, mse (levels squared), seconds_per_frame, and on
    request warping_error (levels squared), unexplained change (per cent), the truth's own of both, tof (pixels),
    red_shift, green_shift and blue_shift (levels), lines, the truth's own and invented_lines (levels squared), lpips,
    vmaf, and pyiqa_NAME of each of pyiqa's. Means are over clips, as in the papers.
    """
    rows: list[Row] = []
    for clip in clips:
        frames = setting.pairs(clip)
        tell = partial(on_frame, clip.name)
        scores = score_clip(clip.name, frames, methods, measures, scored=clip.scored, on_frame=tell)
        for name, score in scores.items():
            rows.append({"clip": clip.name, "method": name, "frames": len(score.values["psnr"]), **score.means()})
            on_row(rows[-1])
    return rows + [_mean([r for r in rows if r["method"] == m.name]) for m in methods]


def _mean(rows: Sequence[Row]) -> Row:
    frames = sum(row["frames"] for row in rows if isinstance(row["frames"], int))
    return mean_row(rows, clip=MEAN, method=rows[0]["method"], frames=frames)


def beside(rows: Sequence[Row], published: dict[str, Figures]) -> list[Row]:
    """Return the rows, with a model's own published figures in its row of means."""
    out: list[Row] = []
    for row in rows:
        figures = published.get(str(row["method"])) if row["clip"] == MEAN else None
        out.append({**row, **_published(figures)} if figures else row)
    return out


def with_literature(rows: Sequence[Row], test: str, degradation: str) -> list[Row]:
    """Return the rows, then what papers report of nets on a test (its key): quality, parameters, speed."""
    told: list[Row] = [
        {
            "clip": MEAN,
            "method": row.name,
            **_published(figures),
            "published_parameters": row.parameters,
            "published_fps_720p": row.fps_720p,
            "published_fps_1080p": row.fps_1080p,
        }
        for row, figures in reported(test, degradation)
    ]
    return [*rows, *told]


def _published(figures: Figures) -> Row:
    return {"published_psnr": figures.psnr, "published_ssim": figures.ssim}


def table(
    rows: Sequence[Row],
    channels: Channels,
    *,
    with_mse: bool = False,
    iqa: Sequence[Iqa] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Return the rows as a table without empty columns."""
    plane = channels.upper()
    columns = [
        Column("crf", "CRF"),
        Column("clip", "clip"),
        Column("method", "method"),
        Column("frames", "frames"),
        Column("psnr", f"PSNR-{plane} (dB)", 3),
        Column("ssim", f"SSIM-{plane}", 4),
        Column("mse", f"MSE-{plane}", 2),
        Column("warping_error", "warping error (levels²)", 2),
        Column("truth_warping_error", "of the truth", 2),
        Column("unexplained", "unexplained change (%)", 1),
        Column("truth_unexplained", "of the truth", 1),
        Column("tof", "tOF (px)", 3),
        Column("red_shift", "red (levels)", 3),
        Column("green_shift", "green (levels)", 3),
        Column("blue_shift", "blue (levels)", 3),
        Column("lines", "lines (levels²)", 1),
        Column("truth_lines", "of the truth", 1),
        Column("invented_lines", "invented lines (levels²)", 3),
        Column("lpips", "LPIPS", 4),
        *(Column(measure.key, measure.title, 4) for measure in iqa),
        Column("vmaf", "VMAF", 2),
        Column("seconds_per_frame", "s/frame", 3),
        Column("published_psnr", "published PSNR", 2),
        Column("published_ssim", "published SSIM", 4),
        Column("published_parameters", "published parameters (M)", 2),
        Column("published_fps_720p", "published fps, 720p", 1),
        Column("published_fps_1080p", "published fps, 1080p", 1),
    ]
    shown = [c for c in columns if any(c.key in row for row in rows) and (with_mse or c.key != "mse")]
    return Table(shown, rows, notes)
