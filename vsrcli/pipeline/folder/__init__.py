"""A job's folder on disk: its lock, records, segments' marks and stored tensors."""
