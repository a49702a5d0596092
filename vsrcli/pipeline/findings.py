"""What is known of a source only once all of it is decoded, kept with the job for the run that joins its segments."""

from dataclasses import astuple, dataclass
from typing import Any

from vsrcli.media.damage import Damage
from vsrcli.media.joins import Join


@dataclass
class Findings:
    """The source's `damage` (None: there is none) and the `joins` at which its clock jumps back."""

    damage: Damage | None = None
    joins: tuple[Join, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        damage = None if self.damage is None else self.damage.plain()
        return {"damage": damage, "joins": [list(astuple(join)) for join in self.joins]}

    @classmethod
    def from_plain(cls, data: Any) -> "Findings":
        """Return what `plain` gave; nothing for any other data."""
        try:
            damage = None if data["damage"] is None else Damage.from_plain(data["damage"])
            return cls(damage, tuple(Join(int(pts), int(moved)) for pts, moved in data["joins"]))
        except (KeyError, TypeError, ValueError):
            return cls()
