"""The words of the field, each with the run's own example."""

from sevensteps.explain.words import text

__all__ = ["text"]  # how the answers look: registers them
