"""Scan a source once before it is cut: times and checksums of its frames, scene cuts, and damage."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from vsrcli.engine.repeats import steadied
from vsrcli.engine.scenes import SceneDetector
from vsrcli.frame import Frame
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.running.source import source_frames


@dataclass
class Scan:
    """The result of decoding a source: pts and checksum of each frame, first frames of scenes, and findings."""

    pts: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def scan(job: Job, on_event: OnEvent, *, warn: Callable[[str], None]) -> Scan:
    """Decode all of a job's source as the job does. Raises InputError."""
    found, detector = Scan(), SceneDetector()
    on_event(Event("start", "scanning", total=job.frames))
    for frame in steadied(source_frames(job, found.findings, warn), job.plan.near):
        found.pts.append(frame.pts)
        found.sums.append(checksum(frame))
        found.cuts += [decided.number for decided, cut in detector.push(frame) if cut]
        on_event(Event("frame", "scanning", done=frame.number + 1, total=job.frames))
    found.cuts += [decided.number for decided, cut in detector.flush() if cut]
    return found


def checksum(frame: Frame) -> int:
    """Return the CRC-32 of a frame's levels."""
    return zlib.crc32(frame.data.tobytes())
