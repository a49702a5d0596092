"""Text, lines and plots drawn with numpy alone: no fonts or drawing library need be on the machine."""
