"""The questions that readers of a run are likely to ask, answered with its own numbers."""

from sevensteps.explain.why import figure, text

__all__ = ["figure", "text"]  # how the answers look: registers them
