"""Plans and results as plain data, for JSON and for the screen."""

from collections.abc import Iterable
from typing import Any

import torch

from vsrcli.engine.device import precision_name
from vsrcli.errors import Remark
from vsrcli.pipeline.ahead.forecast import Forecast
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.running.run import Result
from vsrcli.pipeline.timing import bottleneck


def plan_report(job: Job, forecast: Forecast | None = None) -> dict[str, Any]:
    """Return the plan of a job, with the forecast if there is one."""
    info, plan = job.info, job.plan
    return {
        "status": "planned",
        "input": str(info.path),
        "output": str(job.sink.output),
        "source": {
            "width": info.width,
            "height": info.height,
            "shown": list(info.shown),
            "frames": job.frames,
            "rate": float(info.rate),
            "codec": info.codec,
            "pix_fmt": info.pix_fmt,
            "interlaced": info.interlaced,
        },
        "size": list(job.size),
        "shown": list(job.sink.shown),
        "model": job.model.name,
        "picked": job.picked,
        "weights": {"source": job.model.source, "sha256": job.model.sha256},
        "device": str(job.device),
        "threads": torch.get_num_threads() if job.device.type == "cpu" else None,
        "precision": precision_name(job.dtype),
        "window": plan.window,
        "exact": plan.exact,
        "lookahead": plan.lookahead,
        "horizon": None if plan.horizon is None else plan.horizon.frames,
        "tile": None if plan.tile is None else list(plan.tile),
        "memory_bytes": job.memory,
        "disk_bytes_per_frame": job.disk,
        "forecast": None if forecast is None else forecast_report(forecast),
        "encode": job.sink.settings(),
        "options": job.options.plain(),
        **told(job.warnings),
    }


def told(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return the warnings, and apart from them the notes, of a job's lines."""
    lines = list(lines)
    return {
        "warnings": [line for line in lines if not isinstance(line, Remark)],
        "notes": [line for line in lines if isinstance(line, Remark)],
    }


def forecast_report(forecast: Forecast) -> dict[str, Any]:
    """Return the estimated time and size of a job; null where the source's length is unknown."""
    return {
        "seconds": None if forecast.seconds is None else round(forecast.seconds, 3),
        "bytes": forecast.bytes,
        "fps": round(1 / forecast.seconds_per_frame, 3) if forecast.seconds_per_frame else None,
        "bytes_per_frame": round(forecast.bytes_per_frame),
        "sampled_frames": forecast.sampled,
        "timed": forecast.timed,
        "kept_frames": forecast.kept,
        "free_bytes": forecast.free,
    }


def result_report(result: Result) -> dict[str, Any]:
    """Return the result of a job."""
    return {
        "status": "done",
        "input": str(result.input),
        "output": str(result.output),
        "frames": result.frames,
        "frames_made": result.made,
        "frames_repeated": result.repeated,
        "seconds": round(result.seconds, 3),
        "fps": round(result.made / result.seconds, 3) if result.seconds else None,
        "stages": {stage: round(share, 3) for stage, share in result.stages.items()},
        "bottleneck": bottleneck(result.stages),
        "size": list(result.size),
        "shown": list(result.shown),
        "codec": result.codec,
        "source_codec": result.source_codec,
        "model": result.model,
        "picked": result.picked,
        "weights_sha256": result.weights,
        "precision": result.precision,
        "damage": None if result.damage is None else result.damage.plain(),
        **told(result.warnings),
    }
