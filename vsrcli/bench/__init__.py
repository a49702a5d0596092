"""How fast models run on this machine: the engine over synthetic frames, each model in a process of its own."""

from vsrcli.bench.case import Case, Measurement, resolve
from vsrcli.bench.run import benchmark

__all__ = ["Case", "Measurement", "benchmark", "resolve"]
