"""Recipes: small TOML files with all settings of a training run except the data and the time."""

import math
import re
import tomllib
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from vsrcli.errors import UsageError
from vsrcli.quality.degrade import BD_SIGMA

T = TypeVar("T")

DEGRADATIONS = ("bi", "bd", "real", "mild")
TAUGHT = ("output", "space", "time", "flow_teaching", "features")
"""The terms of the loss that need a teacher."""
STRETCHES = {"warmup": 0, "flow_iterations": 0, "frozen_iterations": 1, "step": 1}
"""Keys of [optimiser] that count iterations, and the least that each may be in a short run if it is in the recipe: 0
of the last two would mean never."""
SECTIONS = ("net", "data", "loss", "optimiser")
EXAMPLES = {"arch": '"repvsr"', "degradation": '"bi"', "iterations": "4000"}
"""A value for each key that has no default, as TOML."""
WORDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
    dict: "a table, { key = value }",
}
"""What a value of each type is called in messages."""


@dataclass(frozen=True)
class NetRecipe:
    """The net: an architecture of the zoo, the arguments of its constructor, and its initial weights.

    `start` is a model's name or path whose weights are reused wherever key and shape agree, or only those whose keys
    begin with one of `start_parts`, such as "spynet.".
    """

    arch: str
    config: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    start_parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataRecipe:
    """The batches.

    Attributes:
        degradation: "bi", "bd", "real", or "mild": real video that is hardly compressed.
        patch: height and width of a crop in LR pixels.
        frames: frames of a clip.
        batch: clips of a batch.
        still: share of clips that repeat one frame, so that a recurrent net does not add detail to still scenes without
            end.
        answers: weight, 0 to 1, of a packed teacher's answer in the target (answers.py); the rest is the truth.
        sigma: standard deviation of BD's Gaussian in HR pixels: 1.6 of the BasicVSR papers, REPVSR's is 1.5.
        mirrored: whether each clip is followed by its own frames in reverse, as BasicVSR extends Vimeo-90K's 7 to 14;
            the net sees 2 * `frames`.
    """

    degradation: str
    patch: int = 32
    frames: int = 8
    batch: int = 4
    still: float = 0.0
    answers: float = 0.0
    sigma: float = BD_SIGMA
    mirrored: bool = False


@dataclass(frozen=True)
class LossRecipe:
    """The terms of the loss. The numbers are weights; 0 leaves a term out.

    Attributes:
        kind: distance of frames, "charbonnier" or "l2" (eq. 8 of REPVSR).
        epsilon: where Charbonnier's distance sqrt(d^2 + epsilon^2) turns from a square to |d|; BasicVSR's is 1e-8.
        flow: warping loss (eq. 9).
        flow_frames: the frames that it compares, "hr" (losses.py says why) or "lr", as the paper has it.
        teacher: the model that is distilled.
        output: the teacher's frames as a second target.
        space: space-time distillation, attention in space.
        time: space-time distillation, memory in time.
        flow_teaching: the teacher's flow as a target (per pixel), while only the flow net is trained.
        features: IconVSR is fitted to the features of BasicVSR as the teacher (refit.py), without the other terms.
        steady: change of the net's frames in clips that stand still (see `DataRecipe.still`).
    """

    kind: str = "charbonnier"
    epsilon: float = 1e-3
    flow: float = 0.0
    flow_frames: str = "hr"
    teacher: str = ""
    output: float = 0.0
    space: float = 0.0
    time: float = 0.0
    flow_teaching: float = 0.0
    features: float = 0.0
    steady: float = 0.0


@dataclass(frozen=True)
class OptimiserRecipe:
    """The optimiser and its schedule.

    Attributes:
        iterations: length of the run.
        rate: learning rate after the warm-up.
        final_rate: learning rate at the end of the schedule "cosine".
        schedule: "cosine", or "step", which halves the learning rate.
        step: iterations between halvings.
        warmup: iterations of the linear warm-up.
        flow_iterations: iterations at the start that train only the flow net, by the warping loss.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights per iteration.
        precision: type of the convolutions.
        frozen: prefixes of parameters that are not trained.
        frozen_iterations: iterations after which they are trained like the others; 0 means never.
        slow: prefixes of parameters that learn at a tenth of the rate.
        rates: factors of the rate by prefix; where several fit a parameter, the longest counts.
        seed: of all random choices.
        method: "adam" or "muon" (muon.py), which needs half the iterations.
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
    frozen_iterations: int = 0
    slow: tuple[str, ...] = ()
    rates: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    method: str = "adam"

    def of_length(self, iterations: int) -> "OptimiserRecipe":
        """Return the schedule of a run of so many iterations.

        If it is shorter, warm-up, flow_iterations, frozen_iterations and step are shortened in proportion, as otherwise
        the flow net's own iterations could be all there are. In a longer one they stay: they were enough.
        """
        own = {key: getattr(self, key) for key in STRETCHES} if iterations < self.iterations else {}
        parts = {k: max(STRETCHES[k], v * iterations // self.iterations) for k, v in own.items() if v}
        return replace(self, iterations=iterations, **parts)

    def is_frozen(self, name: str) -> bool:
        """Return whether a parameter is one of those that are frozen."""
        return bool(self.frozen) and name.startswith(self.frozen)

    def factor_of(self, name: str) -> float:
        """Return the factor of a parameter's rate."""
        known = dict.fromkeys(self.slow, 0.1) | self.rates
        fitting = [prefix for prefix in known if name.startswith(prefix)]
        return known[max(fitting, key=len)] if fitting else 1.0

    def rate_at(self, iteration: int) -> float:
        """Return the learning rate: linear warm-up, then cosine decay to `final_rate` or halving every `step`."""
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
        """Return the recipe with another length (`of_length`), seed or start; None keeps the recipe's own."""
        own = self.optimiser if iterations is None else self.optimiser.of_length(iterations)
        changed = own if seed is None else replace(own, seed=seed)
        return replace(self, optimiser=changed, net=self.net if start is None else replace(self.net, start=start))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for checkpoints and cards."""
        return asdict(self)


def known() -> list[str]:
    """Return the names of the recipes that ship with vsr."""
    return sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name.endswith(".toml"))


def about(name: str) -> str:
    """Return in a sentence what a recipe that comes with vsr is for: the first one of its file."""
    lines = (_folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    text = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
    return re.split(r"(?<=[.?]) |: ", text, maxsplit=1)[0].rstrip(".:")


def text_of(name: str) -> str:
    """Return the TOML of a recipe that comes with vsr. Raises UsageError if there is none of that name."""
    bundled = _folder() / f"{name}.toml"
    if not bundled.is_file():
        raise UsageError(f"no recipe called {name}: choose {', '.join(known())}")
    return str(bundled.read_text("utf-8"))


def load(name: str) -> Recipe:
    """Return a recipe by its name or by the path of a TOML file. Raises UsageError if it is unknown or invalid."""
    path = Path(name)
    if name in known():
        return parse(text_of(name), name)
    if not path.is_file():
        raise UsageError(f"no recipe called {name}: choose {', '.join(known())}, or give the path of a .toml file")
    try:
        return parse(path.read_text("utf-8-sig"), path.stem, file=path.name)
    except UnicodeDecodeError:
        raise UsageError(f"recipe {path.name}: not TOML: its text is not UTF-8") from None


def parse(text: str, name: str, *, file: str | None = None) -> Recipe:
    """Return a recipe from TOML, with that name. Messages speak of `file`, if it comes from one.

    Raises UsageError for unknown or lacking sections, keys and values.
    """
    shown = file or name
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"recipe {shown}: not TOML: {error}") from None
    unknown = set(table) - set(SECTIONS)
    if unknown:
        listed = ", ".join(f"[{section}]" for section in SECTIONS)
        raise UsageError(f"recipe {shown}: unknown section [{min(unknown)}]: the sections are {listed}")
    recipe = Recipe(
        name,
        _section(NetRecipe, table, "net", shown),
        _section(DataRecipe, table, "data", shown),
        _section(LossRecipe, table, "loss", shown),
        _section(OptimiserRecipe, table, "optimiser", shown),
    )
    choices = [
        ("degradation", recipe.data.degradation, DEGRADATIONS),
        ("kind", recipe.loss.kind, ("charbonnier", "l2")),
        ("flow_frames", recipe.loss.flow_frames, ("hr", "lr")),
        ("method", recipe.optimiser.method, ("adam", "muon")),
        ("schedule", recipe.optimiser.schedule, ("cosine", "step")),
        ("precision", recipe.optimiser.precision, ("fp32", "bf16")),
    ]
    for key, value, allowed in choices:
        if value not in allowed:
            raise UsageError(f"recipe {shown}: {key} is {value!r}, not one of {', '.join(allowed)}")
    if recipe.optimiser.schedule == "step" and recipe.optimiser.step < 1:
        raise UsageError(f"recipe {shown}: the step schedule needs a step, the iterations after which the rate halves")
    if not recipe.data.sigma > 0 or not recipe.loss.epsilon > 0:
        raise UsageError(f"recipe {shown}: sigma and epsilon must be above 0")
    if any(not isinstance(rate, int | float) or rate < 0 for rate in recipe.optimiser.rates.values()):
        raise UsageError(f"recipe {shown}: rates are factors, 0 or more, of the rate")
    if recipe.optimiser.frozen_iterations and not recipe.optimiser.frozen:
        raise UsageError(f"recipe {shown}: frozen_iterations needs frozen, the prefixes of what is frozen")
    if not 0 <= recipe.data.answers <= 1:
        raise UsageError(f"recipe {shown}: answers is a share, from 0 to 1, not {recipe.data.answers}")
    taught = [key for key in TAUGHT if getattr(recipe.loss, key)]
    if taught and not recipe.loss.teacher:
        raise UsageError(f"recipe {shown}: {taught[0]} needs a teacher")
    if recipe.loss.features and recipe.net.arch != "iconvsr":
        raise UsageError(f"recipe {shown}: features are fitted in iconvsr alone")
    return recipe


def _section(kind: type[T], table: dict[str, Any], section: str, shown: str) -> T:
    given = table.get(section, {})
    if not isinstance(given, dict):
        raise UsageError(f"recipe {shown}: {section} is a section, [{section}]")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    known_keys = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in sorted(set(values) - set(known_keys)):
        raise UsageError(f"recipe {shown}: [{section}] has no {key}: its keys are {', '.join(known_keys)}")
    for key, one in known_keys.items():
        if key not in values and one.default is MISSING and one.default_factory is MISSING:
            raise UsageError(f"recipe {shown}: [{section}] needs {key}, e.g. {key} = {EXAMPLES[key]}")
    kinds = get_type_hints(kind)
    for key, value in values.items():
        if not _fits(value, get_origin(kinds[key]) or kinds[key]):
            raise UsageError(f"recipe {shown}: {key} is {value!r}, not {WORDS[get_origin(kinds[key]) or kinds[key]]}")
    return kind(**values)


def _fits(value: Any, kind: type) -> bool:
    """Return whether a value of TOML is of a field's type; whole numbers are numbers, booleans are not."""
    if isinstance(value, bool):
        return kind is bool
    if kind is tuple:
        return isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return isinstance(value, int | float if kind is float else kind)


def _folder() -> Any:
    return files("vsrcli.training") / "recipes"
