"""Which operation first gave a number that is not finite, for which sample, and why."""
