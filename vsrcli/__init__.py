"""vsr upscales real videos with recurrent video super-resolution."""

__version__ = "0.1.0"
