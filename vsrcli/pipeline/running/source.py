"""The frames of a job's source, decoded as the job's options say, whole or from a moment on."""

from collections.abc import Callable, Iterator, Sequence

from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.decode import decode
from vsrcli.media.read.joins import Join
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.options import Options


def source_frames(job: Job, findings: Findings, warn: Callable[[str], None], *, skip: int = 0) -> Iterator[Frame]:
    """Yield the frames of a job's source from number `skip` on. `findings` is filled once all of it is decoded.

    Raises InputError.
    """

    def tell(damage: Damage) -> None:
        findings.damage = damage

    def joined(joins: Sequence[Join]) -> None:
        findings.joins = tuple(joins)

    return decoded(job.info, job.options, warn, start=job.options.start, skip=skip, tell=tell, joined=joined)


def decoded(
    info: VideoInfo,
    options: Options,
    warn: Callable[[str], None],
    *,
    start: float | None,
    skip: int = 0,
    tell: Callable[[Damage], None] = lambda damage: None,
    joined: Callable[[Sequence[Join]], None] = lambda joins: None,
) -> Iterator[Frame]:
    """Decode from time `start`, in seconds, by a job's options, without the first `skip` frames: see `decode`."""
    return decode(
        info,
        start=start,
        end=options.end,
        deinterlace=options.deinterlace,
        detelecine=options.detelecine,
        hwaccel=options.hwaccel,
        skip=skip,
        part_tint=True,
        warn=warn,
        tell=tell,
        joined=joined,
    )
