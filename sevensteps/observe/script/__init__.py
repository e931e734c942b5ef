"""Somebody's training script, run unchanged: what it trains is found, and watched."""
