"""How a training is shown."""
