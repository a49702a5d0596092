"""Properties of a source that are known only after decoding it, stored for the run that joins its segments."""

from dataclasses import astuple, dataclass
from typing import Any

from vsrcli.media.read.damage import Damage
from vsrcli.media.read.joins import Join


@dataclass
class Findings:
    """The source's `damage` (None: no damage) and the `joins` at which its clock jumps back."""

    damage: Damage | None = None
    joins: tuple[Join, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        damage = None if self.damage is None else self.damage.plain()
        return {"damage": damage, "joins": [list(astuple(join)) for join in self.joins]}

    @classmethod
    def from_plain(cls, data: Any) -> "Findings":
        """Return the findings from the data of `plain`; empty ones for any other data."""
        try:
            damage = None if data["damage"] is None else Damage.from_plain(data["damage"])
            return cls(damage, tuple(Join(int(pts), int(moved)) for pts, moved in data["joins"]))
        except (KeyError, TypeError, ValueError):
            return cls()
