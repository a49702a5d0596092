"""Chooses among an architecture's weights by what the source is: how strongly compressed, filmed or drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsrcli.zoo.catalogue import Catalogue, Entry

if TYPE_CHECKING:  # the list of models is shown without opening what decodes
    from vsrcli.media.compression import Compression

CLEAN_CRF = 12.0
"""Up to this CRF of libx264 a source counts as clean, above it as compressed. TABLE"""

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


def is_clean(source: "Compression") -> bool:
    """Whether weights that were trained on uncompressed frames fit: lossless, or hardly compressed."""
    return source.lossless or (source.crf is not None and source.crf <= CLEAN_CRF)


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
    entry = best(catalogue, found, clean=is_clean(source), at_hand=at_hand)
    reason = _reason(source)
    if drawn and entry.content == "anime":
        reason += ", and drawn"
    elif (entry.degradation == "real") == is_clean(source):
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


def _reason(source: "Compression") -> str:
    if source.lossless:
        return f"the source is lossless ({source})"
    return f"the source is {'hardly ' if is_clean(source) else ''}compressed ({source})"
