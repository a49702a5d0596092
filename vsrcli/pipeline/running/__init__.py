"""Run a job: its stages, live outputs, parts, joined sources and batches."""
