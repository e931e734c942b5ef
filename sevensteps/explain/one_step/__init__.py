"""What happened in one training step, 1 to 7."""
