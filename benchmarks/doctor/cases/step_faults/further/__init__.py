"""Faults of the seven steps on other data, networks and optimizers: a file a step. They
were kept back until 2026-11-30, and are open.
"""
