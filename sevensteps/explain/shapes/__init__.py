"""The forward pass as shapes, axis by axis."""
