"""Photographs and image sequences: files, EXIF, colour profiles and other metadata."""
