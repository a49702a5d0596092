"""The models that exist and the sources of their weights: the catalogue, checkpoint formats, the store."""

from vsrcli.zoo.loading import LoadedModel, find, find_for, is_open, left_open, load

__all__ = ["LoadedModel", "find", "find_for", "is_open", "left_open", "load"]
