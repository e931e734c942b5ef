"""The words of the field, each with the run's own example."""
