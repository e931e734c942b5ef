"""Faults of the seven steps in loops as people write them, on data that is drawn for them: a file a
step.
"""
