"""The questions that readers of a run are likely to ask, answered with its own numbers."""
