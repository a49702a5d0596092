"""Decoded pictures: planes to RGB and back, transparency, tints, chroma location, padding."""
