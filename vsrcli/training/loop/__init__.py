"""The training loop: start, optimiser, validation, checkpoints, log and card; and the soup of several runs."""
