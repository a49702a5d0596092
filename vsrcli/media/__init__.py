"""PyAV and ffmpeg: probe, decode, colour, encode, assemble. No torch."""
