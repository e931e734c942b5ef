"""How trainings and races are shown while they run."""
