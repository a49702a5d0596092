"""Networks as torch modules, one architecture a file, and the layers that they share."""
