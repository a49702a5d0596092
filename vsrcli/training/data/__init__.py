"""Packs of training clips: made from videos and photographs, read, and sampled in batches."""
