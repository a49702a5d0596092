"""The engine runs a net over video of any length: scenes, windows, streaming, tiles, precision, memory. No file I/O."""
