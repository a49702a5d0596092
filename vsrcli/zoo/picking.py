"""Choose among an architecture's weights by the source: how strongly it is compressed, filmed or drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsrcli.zoo.catalogue import Catalogue, Entry

if TYPE_CHECKING:  # the list of models is shown without opening what decodes
    from vsrcli.media.strength.compression import Compression

MILD_CRF = 21.0
"""CRF of libx264 from which a source counts as compressed, where the weights do not declare it (`Entry.from_crf`).

Measured by `vsr evaluate -m repvsr.bi -m repvsr.real --data Vid4 --clips calendar,city --frames 8 --propagation auto
--crf 18,20,22`: the PSNR-Y of repvsr.bi minus that of repvsr.real is 0.28, 0.20 and 0.11 dB on calendar, 0.19, 0.07 and
0.01 on city; the difference in SSIM is 0.017, 0.010 and 0.002, and 0.013, 0.003 and -0.002 (calendar at 24: 0.02 dB and
-0.006). They are equal at 22 to 23. The threshold is a little lower, since the measured CRF of a source is off by up to
one, and a softer picture is the smaller harm."""

NOISY = {"mild": 1.75, "real": 3.5}
"""Least noise of a source, in levels, for which weights for compressed frames are better, by their degradation.

With noise of 0, 1.5, 2, 3, 4 and 6 levels on the LR frames of four clips, PSNR-Y of repvsr.mild minus that of repvsr.bi
is -0.15, 0.10, 0.27, 0.64, 0.91 and 1.17 dB (`vsr evaluate --noise`; the table is in weights/README.md), that of
repvsr.real minus that of repvsr.mild -0.03 at 3 levels and 0.21 at 4. On Vid4, which has more texture than most videos,
mild and bi are level at 3, real and mild at 6."""

AtHand = Callable[[Entry], bool]
"""Returns whether a model's weights are on this machine."""

_STRENGTHS = ("bi", "mild", "real")
_ORDERS = {
    "bi": ("bi", "bd", "mild", "real"),
    "mild": ("mild", "real", "bi", "bd"),
    "real": ("real", "mild", "bi", "bd"),
}
"""Degradations by how well their weights fit a source, by the one that fits best."""


@dataclass(frozen=True)
class Pick:
    """The chosen model and the reason; `lacking` is a line on what was requested and is not available, or None."""

    entry: Entry
    reason: str
    lacking: str | None = None


def wanted(source: "Compression", entries: Sequence[Entry] = ()) -> str:
    """Return the degradation whose weights fit a source best: "bi" for clean frames, "mild" or "real".

    Weights for compressed frames fit from their `from_crf` on, or from MILD_CRF where they do not declare it, and for
    noisy frames as NOISY says.
    """
    return max(by_compression(source, entries), by_noise(source), key=_STRENGTHS.index)


def by_noise(source: "Compression") -> str:
    """Return the degradation whose weights fit a source's noise."""
    return max((one for one in NOISY if source.noise >= NOISY[one]), key=_STRENGTHS.index, default="bi")


def by_compression(source: "Compression", entries: Sequence[Entry]) -> str:
    """Return the degradation whose weights fit a source's compression."""
    if source.lossless:
        return "bi"
    if source.crf is None:
        return "real"
    lossy = [entry for entry in entries if entry.degradation in ("mild", "real")]
    starts = [(MILD_CRF if e.from_crf is None else e.from_crf, e.degradation) for e in lossy] or [(MILD_CRF, "real")]
    return max((start for start in starts if start[0] <= source.crf), default=(0.0, "bi"))[1]


def pick(
    catalogue: Catalogue,
    name: str | None,
    source: "Compression",
    *,
    drawn: bool = False,
    at_hand: AtHand = lambda entry: True,
) -> Pick:
    """Choose weights for a source by a name that leaves them open. Raises UsageError as `Catalogue.resolve` does."""
    found, lacking = choices(catalogue, name, drawn=drawn)
    degradation = wanted(source, found)
    entry = best(catalogue, found, degradation, at_hand=at_hand)
    reason = f"the source is {_strength(source, by_compression(source, found))} ({source})"
    if degradation != by_compression(source, found):
        reason = f"the source has noise of about {source.noise:.0f} levels ({source})"
    if drawn and entry.content == "anime":
        reason += ", and drawn"
    elif (entry.degradation in _ORDERS["bi"][:2]) != (degradation == "bi"):
        reason += f"; {entry.arch} has no weights here for such a source"
    return Pick(entry, reason, lacking)


def best(
    catalogue: Catalogue, entries: Sequence[Entry], degradation: str, *, at_hand: AtHand = lambda entry: True
) -> Entry:
    """Return the best entry for a source that `wanted` has judged: local weights are preferred, then fitting ones.

    Among equals a default model comes first, then the order of the catalogue.
    """
    order = _ORDERS[degradation]

    def rank(entry: Entry) -> tuple[bool, int, bool]:
        fit = order.index(entry.degradation) if entry.degradation in order else len(order)
        return not at_hand(entry), fit, entry.name not in catalogue.default

    return min(entries, key=rank)


def choices(catalogue: Catalogue, name: str | None, *, drawn: bool = False) -> tuple[list[Entry], str | None]:
    """Return the models that a name allows, in the catalogue's order, and a line on what is lacking, or None.

    These are all models of an architecture (None: of the default model's). For drawn content they are its models for
    drawn content, or without a name all such models. Models of a smaller factor than the architecture's largest are
    quick but less good, and left to those who name them. Raises UsageError as `Catalogue.resolve` does.
    """
    drawings = [e for e in catalogue.models.values() if e.content == "anime"]
    if name is None and drawn and drawings:
        return drawings, None
    arch = catalogue.resolve(name).arch
    models = [e for e in catalogue.models.values() if e.arch == arch]
    found = [e for e in models if e.scale == max(model.scale for model in models)]
    fitting = [e for e in found if (e.content == "anime") == drawn]
    lacking = f"{name or 'the catalogue'} has no weights for drawn content" if drawn and not fitting else None
    return fitting or found, lacking


def _strength(source: "Compression", degradation: str) -> str:
    if source.lossless:
        return "lossless"
    if degradation == "real":
        return "compressed"
    return "mildly compressed" if degradation == "mild" or (source.crf or 0) >= MILD_CRF else "hardly compressed"
