"""Runs a net over endless video: scenes, time windows, streaming, tiles, precision, memory. Knows nothing of files."""
