"""Trials: a remedy is proven by training again with it."""
