"""Upscale from a pipe, or into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsrcli.cli.progress import Display
from vsrcli.cli.upscale import advised
from vsrcli.errors import UsageError
from vsrcli.media.once import is_stream
from vsrcli.pipeline.ahead.report import plan_report, result_report
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running import live
from vsrcli.pipeline.running.live import PipeFormat, prepare_live, run_live
from vsrcli.words import counted


@dataclass(frozen=True)
class Piping:
    """Which ends of a job are pipes; true if any is."""

    reads: bool
    writes: bool

    def __bool__(self) -> bool:
        """Return whether any end is a pipe."""
        return self.reads or self.writes


def piping(inputs: Sequence[Path | str], output: Path | str | None) -> Piping:
    """Return which ends of a command are pipes."""
    reads = any(isinstance(place, Path) and is_stream(place) for place in inputs)
    return Piping(reads, is_outlet(output))


def is_outlet(output: Path | str | None) -> bool:
    """Return whether an output is a pipe."""
    return isinstance(output, Path) and live.is_outlet(output)


def refuse_beside_pipes(*, join: bool, address: str | None, several: bool, as_json: bool) -> None:
    """Raise UsageError for what a pipe does not go with."""
    if join:
        raise UsageError("pipes are not joined: let ffmpeg join them before")
    if several:
        raise UsageError("a pipe holds one video: give one input")
    if address is not None:
        raise UsageError("a pipe is not for a cluster, whose machines each read a part: leave out --ray")
    if as_json:
        raise UsageError("standard output gets the video: leave out --json (--progress json tells all on stderr)")


def upscale_piped(
    source: Path, output: Path | None, options: Options, display: Display, form: PipeFormat | None, *, dry_run: bool
) -> dict[str, Any]:
    """Upscale one source from or into a pipe and return the report."""
    with prepare_live(source, output, options, display.event, form=form) as job:
        planned = advised(plan_report(job.job) | {"output": str(output)})
        display.plan(planned, force=dry_run)
        if dry_run:
            return planned
        with display.job(source.name):
            result, gone = run_live(job, display.event)
        if gone:
            display.line(f"the reader left after {counted(result.frames, 'frame')}: stopped", always=False)
    report = advised(result_report(result))
    display.result(report)
    return report
