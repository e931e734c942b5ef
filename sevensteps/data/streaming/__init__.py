"""Data larger than memory: read from disk in stretches and shuffled in windows."""
