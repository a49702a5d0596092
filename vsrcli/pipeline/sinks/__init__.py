"""Destinations of HR frames: videos, images, and the size that they may take."""
