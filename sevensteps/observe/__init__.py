"""Read-only looks into any network, in any training loop."""
