"""The live lines of trainings and races on a terminal."""
