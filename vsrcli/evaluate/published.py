"""Published figures to compare a result with: the test set in a folder, and its figures in the catalogue."""

import re
from dataclasses import dataclass
from pathlib import Path

from vsrcli.quality.metrics import Channels
from vsrcli.zoo.catalogue import Entry, Figures, catalogue, channels_of


@dataclass(frozen=True)
class Benchmark:
    """A test set of the papers: its key in the catalogue, title and number of clips."""

    key: str
    title: str
    clips: int

    @property
    def channels(self) -> Channels:
        """The channels of its published figures."""
        return channels_of(self.key)


SETS = {
    "vid4": Benchmark("vid4", "Vid4", 4),
    "reds4": Benchmark("reds4", "REDS4", 4),
    "udm10": Benchmark("udm10", "UDM10", 10),
    "spmcs": Benchmark("spmcs", "SPMCS", 30),
    "vimeo90k": Benchmark("vimeo90k-t", "Vimeo-90K-T", 7824),
}


def recognise(root: Path) -> Benchmark | None:
    """Return the test set in `root`, by the nearest folder with its name; None if there is none."""
    if root.name == "sep_testlist.txt" or (root / "sep_testlist.txt").is_file():
        return SETS["vimeo90k"]
    for part in reversed(root.resolve().parts):
        name = re.sub(r"[^a-z0-9]", "", part.lower())
        for key, found in SETS.items():
            if key in name:
                return found
    return None


def published(test: Benchmark, degradation: str, scale: int) -> dict[str, Figures]:
    """Return the figures of the catalogue's models for this test, by the model's name."""

    def figures(entry: Entry) -> Figures | None:
        return entry.published.get(f"{test.key}-{degradation}") if entry.scale == scale else None

    return {name: found for name, entry in catalogue().models.items() if (found := figures(entry))}
