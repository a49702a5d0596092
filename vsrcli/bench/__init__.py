"""Speed of models on this machine: the engine over synthetic frames, each model in its own process."""

from vsrcli.bench.case import Case, Measurement, resolve
from vsrcli.bench.run import benchmark

__all__ = ["Case", "Measurement", "benchmark", "resolve"]
