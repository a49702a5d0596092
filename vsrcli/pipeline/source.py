"""The frames of a job's source, decoded as the job's options say."""

from collections.abc import Callable, Iterator, Sequence

from vsrcli.frame import Frame
from vsrcli.media.damage import Damage
from vsrcli.media.decode import decode
from vsrcli.media.joins import Join
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.job import Job


def source_frames(job: Job, findings: Findings, warn: Callable[[str], None], *, skip: int = 0) -> Iterator[Frame]:
    """Yield the frames of a job's source from number `skip` on. `findings` is filled once all of it is decoded.

    Raises InputError.
    """

    def tell(damage: Damage) -> None:
        findings.damage = damage

    def joined(joins: Sequence[Join]) -> None:
        findings.joins = tuple(joins)

    asked = job.options
    return decode(
        job.info,
        start=asked.start,
        end=asked.end,
        deinterlace=asked.deinterlace,
        detelecine=asked.detelecine,
        hwaccel=asked.hwaccel,
        skip=skip,
        part_tint=True,
        warn=warn,
        tell=tell,
        joined=joined,
    )
