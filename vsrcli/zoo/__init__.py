"""Which models exist and where their weights come from: the catalogue, checkpoint formats, the store."""

from vsrcli.zoo.loading import LoadedModel, find, load

__all__ = ["LoadedModel", "find", "load"]
