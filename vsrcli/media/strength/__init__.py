"""Measure how strongly a source is compressed, and compress frames for tests and training."""
