"""Distillation from larger nets: their packed answers, their features in training, their trunk's weights."""
