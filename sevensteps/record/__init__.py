"""The run folder: what is written while a training runs, and how it is read back."""
