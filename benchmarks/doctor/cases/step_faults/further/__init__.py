"""Faults of the seven steps on other data, networks and optimizers: a file a step. All of them are
kept back.
"""
