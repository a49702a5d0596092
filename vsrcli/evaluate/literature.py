"""What papers report of nets on the usual test sets, as data: their quality, size and speed, to stand beside results.

Figures are for x4, PSNR in dB and SSIM, of whole clips. On which channels they are is said by `SETS` in `published.py`.
Hu and Yu (REPVSR) say BD and RGB of all their figures, but in the papers that they come from those of BasicVSR are of
BI, those of FRVSR of BD, and both of luma: their rows stand with both degradations.
Frames a second are those of frames of 320x180, made 720p, and of 480x270, made 1080p; Hu and Yu's are on a GTX 2080 Ti.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from vsrcli.zoo.catalogue import Figures

SURVEY, REPVSR = "survey", "Hu and Yu"
"""The survey's rows are those of BasicVSR's table 2, with TDAN and BasicVSR++."""

CITATIONS = {
    SURVEY: "Zirui Liu, Recent Advances on Video Super Resolution, table 1",
    REPVSR: "KunLei Hu and Dahai Yu, REPVSR: Efficient Video Super-Resolution via Structural Re-Parameterization, "
    "tables 1 and 2",
}
"""The papers, by the words that stand for them in tables."""


@dataclass(frozen=True)
class Reported:
    """One net's row in one paper; None where the paper leaves it blank. `parameters` in millions."""

    net: str
    paper: str
    parameters: float | None = None
    fps_720p: float | None = None
    fps_1080p: float | None = None
    figures: dict[str, Figures] = field(default_factory=dict)
    """By "test-degradation", with the tests' keys of `published.py`."""

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.net} ({self.paper})"


_ORDER = ("reds4-bi", "vimeo90k-t-bi", "vid4-bi", "udm10-bd", "vimeo90k-t-bd", "vid4-bd")


def _survey(net: str, parameters: float | None, milliseconds: float | None, *cells: str) -> Reported:
    fps = None if milliseconds is None else round(1000 / milliseconds, 1)
    return Reported(net, SURVEY, parameters, fps, None, _figures(_ORDER, cells))


def _hu_and_yu(net: str, parameters: float | None, fps: tuple[float | None, float | None], *cells: str) -> Reported:
    keys = [(f"vid4-{degradation}", f"vimeo90k-t-{degradation}") for degradation in ("bi", "bd")]
    return Reported(net, REPVSR, parameters, *fps, _figures(keys[0], cells) | _figures(keys[1], cells))


def _figures(keys: tuple[str, ...], cells: tuple[str, ...]) -> dict[str, Figures]:
    pairs = {key: cell.split("/") for key, cell in zip(keys, cells, strict=True) if cell != "-"}
    return {key: Figures(float(psnr), float(ssim)) for key, (psnr, ssim) in pairs.items()}


# fmt: off
REPORTED = (
    _survey("Bicubic", None, None,
            "26.14/0.7292", "31.32/0.8684", "23.78/0.6347", "28.47/0.8253", "31.30/0.8687", "21.80/0.5246"),
    _survey("FRVSR", 5.1, 137, "-", "-", "-", "37.09/0.9522", "35.64/0.9319", "26.69/0.8103"),
    _survey("DUF", 5.8, 974, "28.63/0.8251", "-", "-", "38.48/0.9605", "36.87/0.9447", "27.38/0.8329"),
    _survey("RBPN", 12.2, 1507, "30.09/0.8590", "37.07/0.9435", "27.12/0.8180", "38.66/0.9596", "37.20/0.9458", "-"),
    _survey("TDAN", None, None, "-", "-", "26.42/0.789", "-", "-", "26.86/0.814"),
    _survey("EDVR-M", 3.3, 118,
            "30.53/0.8699", "37.09/0.9446", "27.10/0.8186", "39.40/0.9663", "37.33/0.9484", "27.45/0.8406"),
    _survey("EDVR", 20.6, 378,
            "31.09/0.8800", "37.61/0.9489", "27.35/0.8264", "39.89/0.9686", "37.81/0.9523", "27.85/0.8503"),
    _survey("MuCAN", None, None, "30.88/0.8750", "37.32/0.9465", "-", "-", "-", "-"),
    _survey("RSDN", 6.2, 94, "-", "-", "-", "39.35/0.9653", "37.23/0.9471", "27.92/0.8505"),
    _survey("RRN", 3.4, 45, "-", "-", "-", "38.96/0.9644", "-", "27.69/0.8488"),
    _survey("BasicVSR", 6.3, 63,
            "31.42/0.8909", "37.18/0.9450", "27.24/0.8251", "39.96/0.9694", "37.53/0.9498", "27.96/0.8553"),
    _survey("IconVSR", 8.7, 70,
            "31.67/0.8948", "37.47/0.9476", "27.39/0.8279", "40.03/0.9694", "37.84/0.9524", "28.04/0.8570"),
    _survey("BasicVSR++", 7.3, 77,
            "32.39/0.9069", "37.79/0.9500", "27.79/0.8400", "40.72/0.9722", "38.21/0.9550", "29.04/0.8753"),
    _hu_and_yu("Bicubic", None, (None, None), "23.53/0.628", "31.32/0.868"),
    _hu_and_yu("VESPCN", 0.879, (48.48, 24.76), "25.35/0.756", "33.55/0.907"),
    _hu_and_yu("SOFVSR", 1.640, (13.31, 5.993), "26.01/0.772", "34.89/0.923"),
    _hu_and_yu("FRVSR", 2.589, (31.16, 15.10), "26.69/0.822", "35.64/0.932"),
    _hu_and_yu("TecoGAN", 2.589, (31.15, 15.05), "25.89/0.737", "34.27/0.925"),
    _hu_and_yu("BasicVSR", None, (None, None), "27.24/0.825", "37.18/0.945"),
    _hu_and_yu("REPVSR", 0.274, (96.76, 37.52), "26.85/0.817", "35.62/0.928"),
)
# fmt: on
"""All rows, in the papers' order."""


def reported(test: str, degradation: str) -> Iterator[tuple[Reported, Figures]]:
    """Yield the rows that have figures for a test (its key) and a degradation, with these."""
    for row in REPORTED:
        if (figures := row.figures.get(f"{test}-{degradation}")) is not None:
            yield row, figures
