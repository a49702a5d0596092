"""What a job's work consists of: its engine, the pipes between its stages, and what makes its new frames."""

import threading
from collections.abc import Callable, Mapping

from torch import Tensor

from vsrcli.engine.between import Between
from vsrcli.engine.engine import Engine, FrameStore, Store
from vsrcli.engine.plan import QUEUED_FRAMES, Plan, waiting_frames
from vsrcli.engine.scenes import SceneDetector
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.jobs.motion import make_between
from vsrcli.pipeline.running.stages import Pipe
from vsrcli.pipeline.timing import StageClock


def engine_for(
    job: Job,
    plan: Plan,
    between: Between | None,
    say: Callable[[str], None],
    frames: FrameStore,
    states: Store,
    swept: Callable[[int, int, int], None],
) -> Engine:
    """Return a job's engine, which keeps a scene's `frames` and `states` there, as exact propagation needs."""
    return Engine(
        job.model.net,
        plan,
        job.device,
        detector=SceneDetector() if between is None else between.known,
        say=say,
        frame_store=frames,
        state_store=states,
        swept=swept,
    )


def pipes_for(job: Job, stop: threading.Event, clock: StageClock) -> tuple[Pipe, Pipe]:
    """Return the pipes between a job's stages: for decoded frames, and for as many results as may wait."""
    pixels = job.info.height * job.info.width * job.model.net.scale**2
    ahead = waiting_frames(pixels, job.info.bit_depth)
    return (
        Pipe(QUEUED_FRAMES, stop, clock=clock, giver="decode", taker="upscale"),
        Pipe(ahead, stop, clock=clock, giver="upscale", taker="encode"),
    )


def resumed_between(job: Job, state: Mapping[str, Tensor] | None, warn: Callable[[str], None]) -> Between:
    """Return what makes a job's new frames, from where the engine's state was taken, or from the beginning.

    Raises KeyError, ValueError or TypeError for a state that does not say where that was.
    """
    start = 0 if state is None else int(state["next_frame"])
    assert job.flow is not None
    paired = job.model.net.between
    return make_between(job.flow, job.info, job.factor, job.device, start=start, paired=paired, say=warn)
