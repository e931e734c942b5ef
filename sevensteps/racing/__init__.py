"""Many recipes trained at once and compared, on this machine or on a Ray cluster."""
