"""Recipes: small TOML files that say everything a training run depends on but the data and the time."""

import math
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from vsrcli.errors import UsageError

T = TypeVar("T")

DEGRADATIONS = ("bi", "bd", "real")
TAUGHT = ("output", "space", "time", "flow_teaching", "features")
"""The terms of the loss that a teacher gives."""


@dataclass(frozen=True)
class NetRecipe:
    """Which net: an architecture of the zoo, the arguments of its constructor, and whence its first weights come.

    `start` is a model's name or path whose weights are taken over wherever key and shape agree.
    """

    arch: str
    config: dict[str, Any] = field(default_factory=dict)
    start: str = ""


@dataclass(frozen=True)
class DataRecipe:
    """Batches: `batch` clips of `frames` frames of `patch` x `patch` LR pixels. "real" needs a pack of pairs.

    The share `still` of the clips is one frame over and over, of which a recurrent net must not make ever more.
    `answers`, 0 to 1, is the part of a packed teacher's answer in the target (answers.py); the rest is the truth.
    """

    degradation: str
    patch: int = 32
    frames: int = 8
    batch: int = 4
    still: float = 0.0
    answers: float = 0.0


@dataclass(frozen=True)
class LossRecipe:
    """`kind` ("charbonnier" or "l2", eq. 8 of REPVSR) on frames; the others are weights, 0 leaves a term out.

    `flow`: the warping loss, eq. 9. `teacher` is the model that is distilled: `output` weighs its frames as a second
    target, `space` and `time` the two parts of space-time distillation, `flow_teaching` (per pixel) its flow as a
    target while only the flow net learns. With `features` the teacher is BasicVSR, and IconVSR is refitted to its
    features (refit.py); the other terms do not count then. `steady` weighs how much the net's frames of clips that
    stand still (see `still`) differ from each other.
    """

    kind: str = "charbonnier"
    flow: float = 0.0
    teacher: str = ""
    output: float = 0.0
    space: float = 0.0
    time: float = 0.0
    flow_teaching: float = 0.0
    features: float = 0.0
    steady: float = 0.0


@dataclass(frozen=True)
class OptimiserRecipe:
    """`rate` after `warmup` iterations, falling to `final_rate` ("cosine") or halving every `step` ("step").

    `method` is "adam" or "muon" (muon.py), which gets as far in half the iterations. The first `flow_iterations` train
    only the flow net by the warping loss. `frozen` names parameters (by prefix) that stay as they are; `slow` those
    that learn at a tenth of the rate. `ema` is the decay of the averaged weights per iteration, `clip` the largest
    gradient norm, `precision` the type of the convolutions.
    """

    iterations: int
    rate: float = 1e-3
    final_rate: float = 1e-6
    schedule: str = "cosine"
    step: int = 0
    warmup: int = 50
    flow_iterations: int = 0
    clip: float = 1.0
    ema: float = 0.999
    precision: str = "bf16"
    frozen: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    seed: int = 0
    method: str = "adam"

    def rate_at(self, iteration: int) -> float:
        """Linear warm-up, then a cosine fall to `final_rate` or a halving every `step` iterations."""
        if iteration < self.warmup:
            return self.rate * (iteration + 1) / self.warmup
        if self.schedule == "step":
            return float(self.rate * 0.5 ** (iteration // self.step))
        progress = min(1.0, (iteration - self.warmup) / max(1, self.iterations - self.warmup))
        return self.final_rate + (self.rate - self.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Recipe:
    """A recipe and its name."""

    name: str
    net: NetRecipe
    data: DataRecipe
    loss: LossRecipe
    optimiser: OptimiserRecipe

    def changed(self, *, iterations: int | None = None, seed: int | None = None, start: str | None = None) -> "Recipe":
        """The recipe with another length, seed or start where one is given."""
        own = self.optimiser
        changed = replace(
            own,
            iterations=own.iterations if iterations is None else iterations,
            seed=own.seed if seed is None else seed,
        )
        return replace(self, optimiser=changed, net=self.net if start is None else replace(self.net, start=start))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        return asdict(self)


def known() -> list[str]:
    """The names of the recipes that come with vsr."""
    return sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name.endswith(".toml"))


def about(name: str) -> str:
    """Return in a sentence what a recipe that comes with vsr is for: the first one of its file."""
    lines = (_folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    text = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
    return re.split(r"(?<=[.?]) |: ", text, maxsplit=1)[0].rstrip(".:")


def load(name: str) -> Recipe:
    """A recipe by its name or by the path of a TOML file. Raises UsageError where it is unknown or wrong."""
    bundled = _folder() / f"{name}.toml"
    path = Path(name)
    if bundled.is_file():
        text = bundled.read_text("utf-8")
    elif path.is_file():
        text = path.read_text("utf-8")
    else:
        raise UsageError(f"no recipe called {name}: choose {', '.join(known())}, or give the path of a .toml file")
    return parse(text, path.stem)


def parse(text: str, name: str) -> Recipe:
    """A recipe from TOML. Raises UsageError for anything it does not know."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"recipe {name}: not TOML: {error}") from None
    unknown = set(table) - {"net", "data", "loss", "optimiser"}
    if unknown:
        raise UsageError(f"recipe {name}: unknown section [{min(unknown)}]")
    recipe = Recipe(
        name,
        _section(NetRecipe, table, "net", name),
        _section(DataRecipe, table, "data", name),
        _section(LossRecipe, table, "loss", name),
        _section(OptimiserRecipe, table, "optimiser", name),
    )
    choices = [
        ("degradation", recipe.data.degradation, DEGRADATIONS),
        ("kind", recipe.loss.kind, ("charbonnier", "l2")),
        ("method", recipe.optimiser.method, ("adam", "muon")),
        ("schedule", recipe.optimiser.schedule, ("cosine", "step")),
        ("precision", recipe.optimiser.precision, ("fp32", "bf16")),
    ]
    for key, value, allowed in choices:
        if value not in allowed:
            raise UsageError(f"recipe {name}: {key} is {value!r}, not one of {', '.join(allowed)}")
    if recipe.optimiser.schedule == "step" and recipe.optimiser.step < 1:
        raise UsageError(f"recipe {name}: the step schedule needs a step, the iterations after which the rate halves")
    if not 0 <= recipe.data.answers <= 1:
        raise UsageError(f"recipe {name}: answers is a share, from 0 to 1, not {recipe.data.answers}")
    taught = [key for key in TAUGHT if getattr(recipe.loss, key)]
    if taught and not recipe.loss.teacher:
        raise UsageError(f"recipe {name}: {taught[0]} needs a teacher")
    if recipe.loss.features and recipe.net.arch != "iconvsr":
        raise UsageError(f"recipe {name}: features are fitted in iconvsr alone")
    return recipe


def _section(kind: type[T], table: dict[str, Any], section: str, recipe: str) -> T:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.get(section, {}).items()}
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if set(values) - names:
        raise UsageError(f"recipe {recipe}: [{section}] has no {min(set(values) - names)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"recipe {recipe}: [{section}] {str(error).split('()')[-1].strip()}") from None


def _folder() -> Any:
    return files("vsrcli.training") / "recipes"
