"""Chooses among an architecture's weights by what the source is: how strongly compressed, filmed or drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsrcli.zoo.catalogue import Catalogue, Entry

if TYPE_CHECKING:  # the list of models is shown without opening what decodes
    from vsrcli.media.compression import Compression

MILD_CRF = 21.0
"""From this CRF of libx264 on a source counts as compressed, where the weights do not say it (`Entry.from_crf`).

Measured by `vsr evaluate -m repvsr.bi -m repvsr.real --data Vid4 --clips calendar,city --frames 8 --propagation auto
--crf 18,20,22`: repvsr.bi's PSNR-Y less that of repvsr.real is 0.28, 0.20 and 0.11 dB on calendar, 0.19, 0.07 and 0.01
on city, its SSIM 0.017, 0.010 and 0.002, 0.013, 0.003 and -0.002 (calendar at 24: 0.02 dB and -0.006). They meet at 22
to 23; a little less, since measuring a source errs by one, and a softer picture is the smaller harm.
"""

AtHand = Callable[[Entry], bool]
"""Whether a model's weights are on this machine."""

_FOR_CLEAN = ("bi", "bd", "real")
_FOR_COMPRESSED = ("real", "bi", "bd")


@dataclass(frozen=True)
class Pick:
    """The model chosen and why; `lacking` is a line on what was asked for and is not to be had, or None."""

    entry: Entry
    reason: str
    lacking: str | None = None


def is_clean(source: "Compression", entries: Sequence[Entry] = ()) -> bool:
    """Whether weights for clean frames fit: the source is lossless, or compressed so little that no others are better.

    By the `from_crf` of those among `entries` that are for compressed sources, else by MILD_CRF.
    """
    measured = [e.from_crf for e in entries if e.degradation == "real" and e.from_crf is not None]
    return source.lossless or (source.crf is not None and source.crf < min(measured, default=MILD_CRF))


def pick(
    catalogue: Catalogue,
    name: str | None,
    source: "Compression",
    *,
    drawn: bool = False,
    scale: int | None = None,
    at_hand: AtHand = lambda entry: True,
) -> Pick:
    """Choose weights for a source by a name that leaves them open. Raises UsageError as `Catalogue.resolve` does."""
    found, lacking = choices(catalogue, name, drawn=drawn, scale=scale)
    clean = is_clean(source, found)
    entry = best(catalogue, found, clean=clean, at_hand=at_hand)
    reason = f"the source is {_strength(source, clean=clean)} ({source})"
    if drawn and entry.content == "anime":
        reason += ", and drawn"
    elif (entry.degradation == "real") == clean:
        reason += f"; {entry.arch} has no weights here for such a source"
    return Pick(entry, reason, lacking)


def best(catalogue: Catalogue, entries: Sequence[Entry], *, clean: bool, at_hand: AtHand = lambda entry: True) -> Entry:
    """Return the first of the entries that are at hand, if any are, and made for such sources, if any are.

    Of equals a default model goes first, then the catalogue's order.
    """
    wanted = _FOR_CLEAN if clean else _FOR_COMPRESSED

    def rank(entry: Entry) -> tuple[bool, int, bool]:
        fit = wanted.index(entry.degradation) if entry.degradation in wanted else len(wanted)
        return not at_hand(entry), fit, entry.name not in catalogue.default

    return min(entries, key=rank)


def choices(
    catalogue: Catalogue, name: str | None, *, drawn: bool = False, scale: int | None = None
) -> tuple[list[Entry], str | None]:
    """The models that a name leaves open, in the catalogue's order, and a line on what is lacking, or None.

    That is all of an architecture (None: of the default model's); for drawn content, its models for that, or without
    a name all models for that. Raises UsageError as `Catalogue.resolve` does.
    """
    drawings = [e for e in catalogue.models.values() if e.content == "anime" and scale in (None, e.scale)]
    if name is None and drawn and drawings:
        return drawings, None
    arch = catalogue.resolve(name, scale=scale).arch
    found = [e for e in catalogue.models.values() if e.arch == arch and scale in (None, e.scale)]
    fitting = [e for e in found if (e.content == "anime") == drawn]
    lacking = f"{name or 'the catalogue'} has no weights for drawn content" if drawn and not fitting else None
    return fitting or found, lacking


def _strength(source: "Compression", *, clean: bool) -> str:
    if source.lossless:
        return "lossless"
    if not clean:
        return "compressed"
    return "hardly compressed" if source.crf is not None and source.crf < MILD_CRF else "mildly compressed"
