"""Names and languages of tracks, which containers write differently or not at all."""

from pathlib import Path

from av.stream import Disposition, Stream

from vsrcli.media.containers import Placement, container_of, describe, open_container

# QuickTime numbers languages; ffmpeg knows each number by one code alone, of ISO 639's two or of its own.
QUICKTIME = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq", "fre": "fra", "hye": "arm",
    "isl": "ice", "kat": "geo", "mkd": "mac", "msa": "may", "mya": "bur", "nld": "dut", "rum": "ron", "slo": "slk",
    "sqi": "alb", "swe": "sve", "zho": "chi",
}  # fmt: skip


def label_arguments(stream: Stream, number: int, output: Path) -> list[str]:
    """Return ffmpeg's arguments that keep the labels of a source's track for track `number` of the output."""
    arguments: list[str] = []
    name = stream.metadata.get("name")
    # ffmpeg reads MP4's track names as `name`, but writes only `title`
    if name is not None and "title" not in stream.metadata:
        arguments += [f"-metadata:s:{number}", f"title={name}", f"-metadata:s:{number}", "name="]
    if container_of(output).muxer == "mov" and stream.language in QUICKTIME:
        arguments += [f"-metadata:s:{number}", f"language={QUICKTIME[stream.language]}"]
    return arguments


def lost_labels(source: Path, placements: list[Placement], written: Path) -> list[str]:
    """Return a line for each track of sound or subtitles whose language, name or mark is not in the written file."""
    notes = []
    with open_container(source) as old, open_container(written) as new:
        for kind in ("audio", "subtitle"):
            kept = [p.stream for p in placements if p.codec and p.stream.kind == kind]
            made = [stream for stream in new.streams if stream.type == kind]
            for stream, track in zip(kept, made, strict=False):
                had, has = _labels(old.streams[stream.index]), _labels(track)
                if lost := [label for label in had if label not in has]:
                    notes.append(f"{written.suffix} cannot hold the {' and the '.join(lost)} of {describe(stream)}")
    return notes


def _labels(stream: Stream) -> list[str]:
    """Return the labels of a track."""
    there = {
        "language": stream.language not in (None, "und"),
        "name": "title" in stream.metadata or "name" in stream.metadata,
        "forced flag": bool(stream.disposition & Disposition.forced),
        "mark for the hard of hearing": bool(stream.disposition & Disposition.hearing_impaired),
        "mark for the visually impaired": bool(stream.disposition & Disposition.visual_impaired),
    }
    return [label for label, present in there.items() if present]
