"""Evaluation of models on clips with ground truth, and ablation of the engine's shortcuts. It never prints."""
