"""Packs of training clips: made from videos and photographs, read, and drawn from in batches."""
