"""Trials of a script: it is run again, unchanged, with one thing altered from outside."""
