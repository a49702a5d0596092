"""Plans and results as plain data, for JSON and for the screen."""

from typing import Any

from vsrcli.pipeline.run import Result
from vsrcli.pipeline.task import Task


def plan_report(task: Task) -> dict[str, Any]:
    """What a job will do, before it begins."""
    info, plan = task.info, task.plan
    return {
        "status": "planned",
        "input": str(info.path),
        "output": str(task.sink.output),
        "source": {
            "width": info.width,
            "height": info.height,
            "frames": task.frames,
            "rate": float(info.rate),
            "codec": info.codec,
            "pix_fmt": info.pix_fmt,
            "interlaced": info.interlaced,
        },
        "size": list(task.size),
        "model": task.model.name,
        "picked": task.picked,
        "weights": {"source": task.model.source, "sha256": task.model.sha256},
        "device": str(task.device),
        "precision": str(task.dtype).removeprefix("torch."),
        "window": plan.window,
        "exact": plan.exact,
        "lookahead": plan.lookahead,
        "horizon": None if plan.horizon is None else plan.horizon.frames,
        "tile": None if plan.tile is None else list(plan.tile),
        "memory_bytes": task.memory,
        "disk_bytes_per_frame": task.disk,
        "encode": task.sink.settings(),
        "options": task.options.plain(),
        "warnings": task.warnings,
    }


def result_report(result: Result) -> dict[str, Any]:
    """What a job did."""
    return {
        "status": "done",
        "input": str(result.input),
        "output": str(result.output),
        "frames": result.frames,
        "frames_made": result.made,
        "seconds": round(result.seconds, 3),
        "fps": round(result.made / result.seconds, 3) if result.seconds else None,
        "size": list(result.size),
        "model": result.model,
        "picked": result.picked,
        "weights_sha256": result.weights,
        "damage": None if result.damage is None else result.damage.plain(),
        "warnings": list(result.warnings),
    }
