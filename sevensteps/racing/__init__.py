"""Many recipes trained at once and compared, here or on a Ray cluster."""
