"""One job: decode -> engine -> encode -> assemble, overlapped, resumable, cancellable. Emits events, draws nothing."""

from vsrcli.pipeline.events import Event
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.run import Result, run
from vsrcli.pipeline.task import prepare

__all__ = ["Event", "Options", "Result", "prepare", "run"]
