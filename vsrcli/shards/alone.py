"""Complete a job that was begun in shards, on one machine and without a scheduler."""

import threading

from vsrcli import __version__
from vsrcli.pipeline.events import OnEvent
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.running.run import Result, run
from vsrcli.shards.joining import join, lacking_error
from vsrcli.shards.making import planned_before
from vsrcli.shards.plan import ShardPlan, SourcePlan
from vsrcli.shards.running import joining_begun, run_shard
from vsrcli.zoo.loading import Loader


def run_or_finish(
    job: Job,
    on_event: OnEvent = lambda event: None,
    *,
    cancel: threading.Event | None = None,
    load: Loader | None = None,
) -> Result:
    """Run a job, or the rest of it, even if it was begun in shards. Raises as `run` does."""
    planned = None if job.options.restart else planned_before(job)
    if planned is None:
        return run(job, on_event, cancel=cancel)
    return finish_alone(planned, on_event, cancel=cancel, load=load)


def finish_alone(
    source: SourcePlan, on_event: OnEvent, *, cancel: threading.Event | None = None, load: Loader | None = None
) -> Result:
    """Run the unfinished shards in the order of time and join them. Raises as `run_shard` and `join`."""
    plan = ShardPlan(__version__, (source,))
    for place in [] if joining_begun(source) else plan.places_of(source):
        run_shard(plan, place, on_event, cancel=cancel, load=load)
    result = join(plan, source, on_event, cancel=cancel, load=load)
    if isinstance(result, list):
        raise lacking_error(plan, result)
    return result
