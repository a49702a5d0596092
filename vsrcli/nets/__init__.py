"""Torch modules, one architecture a file, and the layers they share."""
