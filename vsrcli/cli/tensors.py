"""What `vsr info` shows of files of tensors: checkpoints and packs of training clips."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vsrcli.words import counted, labelled, size_text
from vsrcli.zoo.catalogue import CHECKPOINT_SUFFIXES

if TYPE_CHECKING:
    from vsrcli.pipeline.ahead.checkpoint import Checkpoint
    from vsrcli.training.data.contents import Contents

_LONGEST = 100  # characters of a value that a file declares of itself


def holds_tensors(path: Path) -> bool:
    """Return whether a file is a checkpoint or a pack by its name."""
    return path.suffix.lower() in CHECKPOINT_SUFFIXES and not path.is_dir()


def look_into(path: Path, *, verbose: bool = False) -> "tuple[Checkpoint | Contents, list[str]]":
    """Return what a file of tensors holds, and the same as lines; `verbose` adds the names of all clips.

    Raises WeightsError or InputError.
    """
    from vsrcli.pipeline.ahead.checkpoint import examine
    from vsrcli.training.data.contents import contents

    if pack := contents(path):
        return pack, pack_lines(pack, verbose=verbose)
    checkpoint = examine(path)
    return checkpoint, checkpoint_lines(checkpoint)


def checkpoint_lines(found: "Checkpoint") -> list[str]:
    """Return a checkpoint's properties as lines of text."""
    from vsrcli.cli.models import MEANING

    degradation = found.degradation or "not declared"
    meaning = f" ({MEANING[degradation]})" if degradation in MEANING else ""
    millions = f"{found.parameters / 1e6:.3f} million parameters"
    rows = [
        ("file", f"{found.path}: checkpoint, {size_text(found.bytes)}"),
        *([("model", f"{found.entry.name} of the catalogue, {found.entry.licence}")] if found.entry else []),
        ("net", f"{found.architecture} x{found.scale}, {millions}, {found.gflop:.4g} GFLOP for 320x180"),
        ("degraded", f"{degradation}{meaning}"),
        *((_short(key), _short(value)) for key, value in found.declared.items()),
        ("int8", _int8(found)),
        ("sha256", found.sha256),
    ]
    return labelled(rows)


def pack_lines(found: "Contents", *, verbose: bool = False) -> list[str]:
    """Return what a pack holds as lines of text; `verbose` adds the names of all clips."""
    train, validation = (found.of(part) for part in ("train", "validation"))
    lengths = Counter(clip.frames for clip in found.clips)
    sizes = Counter("{}x{}".format(*clip.size) for clip in found.clips if clip.size)
    kinds = [f"{size} ({number})" if len(sizes) > 1 else size for size, number in sizes.most_common()]
    kinds += [f"compressed ({found.compressed})"] if found.compressed else []
    frames = [f"{length} ({number})" if len(lengths) > 1 else str(length) for length, number in lengths.most_common()]
    rows = [
        ("file", f"{found.path}: pack of training clips, {size_text(found.bytes)}"),
        ("clips", f"{len(train)} to train on, {len(validation)} for validation"),
        ("frames", f"{', '.join(frames)} a clip, {sum(clip.frames for clip in found.clips)} in all"),
        ("size", ", ".join(kinds)),
        ("lr", f"of {counted(found.with_lr, 'clip')}, compressed by a codec" if found.with_lr else "made in training"),
        ("answers", _answers(found)),
        *([("trained on", _listed(found.origins.sources))] if found.origins.sources else []),
        *([("held out", _listed(found.origins.held_out))] if found.origins.held_out else []),
        *(("clip", f"{clip.part}/{clip.name}") for clip in found.clips if verbose),
    ]
    return labelled(rows)


def _int8(found: "Checkpoint") -> str:
    if found.ranges:
        return f"ranges in {found.ranges}"
    if found.unfit_ranges:
        return f"{found.unfit_ranges} was made for other weights"
    return "no ranges beside it (vsr weights calibrate makes them)"


def _answers(found: "Contents") -> str:
    if not found.with_answers:
        return "none (vsr train teach adds them)"
    return (
        f"of {', '.join(map(_short, found.origins.teachers)) or 'a teacher'} for {counted(found.with_answers, 'clip')}"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(_short, names))


def _short(value: object) -> str:
    """Return a value from a file as a short text; lists and tables are joined."""
    parts = [f"{key} {one}" for key, one in value.items()] if isinstance(value, dict) else value
    text = ", ".join(map(str, parts)) if isinstance(parts, list) else str(parts)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
