"""One training as it runs: its recipe, the choices for it, its state, the loop of seven steps."""
