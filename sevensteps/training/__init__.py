"""One training: its recipe, what was left out chosen, its state, and the loop of seven steps."""
