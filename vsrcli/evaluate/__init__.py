"""Models measured on clips with ground truth, the price of each shortcut, and videos set side by side. Never prints."""
