"""Read a source: examine it, decode it, repair its times, deinterlace, crop, and report damage."""
