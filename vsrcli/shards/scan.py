"""One pass over a source, before it is cut: the times of its frames, its scene cuts, and what is wrong with it."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from vsrcli.engine.scenes import SceneDetector
from vsrcli.frame import Frame
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.job import Job
from vsrcli.pipeline.source import source_frames


@dataclass
class Scan:
    """What is known of a source once it is decoded: of each frame its pts and a checksum, and where scenes start."""

    pts: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def scan(job: Job, on_event: OnEvent, *, warn: Callable[[str], None]) -> Scan:
    """Decode all of a job's source, as the job would. Raises InputError."""
    found, detector = Scan(), SceneDetector()
    on_event(Event("start", "scanning", total=job.frames))
    for frame in source_frames(job, found.findings, warn):
        found.pts.append(frame.pts)
        found.sums.append(checksum(frame))
        found.cuts += [decided.number for decided, cut in detector.push(frame) if cut]
        on_event(Event("frame", "scanning", done=frame.number + 1, total=job.frames))
    found.cuts += [decided.number for decided, cut in detector.flush() if cut]
    return found


def checksum(frame: Frame) -> int:
    """Return the CRC-32 of a frame's levels."""
    return zlib.crc32(frame.data.tobytes())
