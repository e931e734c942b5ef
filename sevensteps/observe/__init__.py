"""Read-only observation of any network in any training loop."""
