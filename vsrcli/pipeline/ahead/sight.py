"""Properties of a source, and the weights that would be chosen for it: the record of `vsr info`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vsrcli import zoo
from vsrcli.errors import UsageError
from vsrcli.media.containers import describe, open_container, place_streams
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.combing import Weave
from vsrcli.media.read.fields import may_hide_fields, weave
from vsrcli.media.strength.compression import Compression, measure_compression
from vsrcli.media.unkept import CAPTIONS
from vsrcli.media.write.made import made_tags
from vsrcli.pipeline.jobs.places import choose_output
from vsrcli.pipeline.options import Options
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import catalogue

_FIELDS = {Weave.TOP_FIRST: "top first", Weave.BOTTOM_FIRST: "bottom first", Weave.WHOLE: "none"}
_UNSET = ("1904-01-01", "1970-01-01")  # where the clocks of QuickTime and Unix begin
_MATRICES = {0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020", 10: "BT.2020"}
_RANGES = {1: "limited", 2: "full"}
_PRIMARIES = {1: "BT.709", 5: "BT.601 (625)", 6: "BT.601 (525)", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_TRANSFERS = {1: "BT.709", 6: "BT.601", 8: "linear", 13: "sRGB", 14: "BT.2020", 15: "BT.2020", 16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Choice:
    """The model chosen for this source by a name that leaves it open, the reason, and whether its weights are here."""

    asked: str | None
    model: str
    reason: str
    here: bool


@dataclass(frozen=True)
class Sight:
    """A source as vsr sees it: `info`, how strongly it is compressed, and the models that would be chosen.

    `title` and `date` are those of its tags, None where there are none. `lost` names what a job without options would
    leave out of its result. `made` tells how vsr made it, None where it did not. `fields` is which field of a picture
    comes first, judged by the pictures of a source that is flagged as interlaced or can hide fields: "top first",
    "bottom first", "none" where they are whole; None where that is unknown or not looked for.
    """

    info: VideoInfo
    compression: Compression
    choices: tuple[Choice, ...]
    title: str | None = None
    date: str | None = None
    lost: tuple[str, ...] = ()
    made: str | None = None
    fields: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON; the names are stable."""
        info, compression = self.info, self.compression
        return {
            "input": str(info.path),
            "container": info.container,
            "images": len(info.images) or None,
            "codec": info.codec,
            "width": info.width,
            "height": info.height,
            "pix_fmt": info.pix_fmt,
            "bit_depth": info.bit_depth,
            "rate": str(info.rate),
            "frames": info.frames,
            "frames_estimated": info.estimated,
            "duration": info.duration,
            "start_time": info.start_time,
            "interlaced": info.interlaced,
            "fields": self.fields,
            "sample_aspect_ratio": str(info.sample_aspect_ratio) if info.sample_aspect_ratio else None,
            "rotation": quarter_turns(info),
            "colour": colour_names(info),
            "hdr": info.mastering_display is not None or info.content_light is not None,
            "compression": {
                "codec": compression.title,
                "lossless": compression.lossless,
                "like_x264_crf": None if compression.crf is None else round(compression.crf, 1),
                "found_by": compression.found,
                "noise_levels": round(compression.noise, 1),
            },
            "streams": [
                {name: getattr(s, name) for name in ("index", "kind", "codec", "language", "layout", "empty")}
                for s in info.streams
            ],
            "timecode": info.timecode,
            "reel": info.reel,
            "chapters": info.chapters,
            "captions": CAPTIONS in info.unkept,
            "title": self.title,
            "date": self.date,
            "made": self.made,
            "not_kept": list(self.lost),
            "notes": list(info.notes),
            "picks": [vars(choice) for choice in self.choices],
        }


def see(info: VideoInfo, models: Sequence[str] = (), *, drawn: bool = False, every: bool = False) -> Sight:
    """Examine a source, and choose weights for it by each name in `models`.

    Without `models` this is vsr's default, and with `every` also each architecture with several models here. Raises
    UsageError for an unknown name.
    """
    compression = measure_compression(info)
    names: list[str | None] = [*models] if models else [None, *(_open_architectures() if every else ())]
    found = []
    for name in names:
        if name is not None and not zoo.is_open(name):
            raise UsageError(f"{name} names its weights: nothing is picked there (give an architecture)")
        picked = zoo.find_for(compression, name, drawn=drawn)
        reason = picked.reason + (f"; {picked.lacking}" if picked.lacking else "")
        found.append(Choice(name, picked.entry.name, reason, store.locate(picked.entry) is not None))
    made = [] if info.images else made_tags(info.path)
    title, date = _title_and_date(info)
    return Sight(
        info=info,
        compression=compression,
        choices=tuple(found),
        title=title,
        date=date,
        lost=_lost(info),
        made=made[-1] if made else None,
        fields=_FIELDS.get(weave(info)) if info.interlaced or may_hide_fields(info) else None,
    )


def _title_and_date(info: VideoInfo) -> tuple[str | None, str | None]:
    """Return the title and the date of a video's tags; a date of a clock that was never set is none."""
    if info.images:
        return None, None
    with open_container(info.path) as container:
        tags = {key.lower(): value.strip() for key, value in container.metadata.items()}
    made = tags.get("creation_time", "")[:10]
    return tags.get("title") or None, tags.get("date") or (None if made.startswith(_UNSET) else made) or None


def _lost(info: VideoInfo) -> tuple[str, ...]:
    """Return the names of what a job without options would leave out."""
    lost = [name for name in info.unkept if name != CAPTIONS]
    if not info.images:
        output, _ = choose_output(None, info, Options(), 4)
        placed = place_streams(info, output)
        lost += [describe(one.stream) for one in placed if one.codec is None and not one.stream.empty]
    return tuple(lost)


def _open_architectures() -> list[str]:
    """Return the architectures with several models in the catalogue and with weights here."""
    entries = list(catalogue().models.values())
    archs = dict.fromkeys(entry.arch for entry in entries if store.locate(entry) is not None)
    return [arch for arch in archs if sum(entry.arch == arch for entry in entries) > 1]


def colour_names(info: VideoInfo) -> dict[str, str | None]:
    """Return the colours that the source declares, None where it does not; unknown ones as numbers of H.273."""
    c = info.colour
    return {
        "matrix": None if c.matrix == 2 else _MATRICES.get(c.matrix, str(c.matrix)),
        "range": _RANGES.get(c.range),
        "primaries": None if c.primaries == 2 else _PRIMARIES.get(c.primaries, str(c.primaries)),
        "transfer": None if c.transfer == 2 else _TRANSFERS.get(c.transfer, str(c.transfer)),
    }


def quarter_turns(info: VideoInfo) -> int:
    """Return the counter-clockwise rotation by players in degrees, to the nearest quarter turn."""
    if info.rotation is None:
        return 0
    a, b = info.rotation[:2]
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 180
    return 270 if b > 0 else 90
