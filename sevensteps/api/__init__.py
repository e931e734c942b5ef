"""The public functions, one file each: train, resume, load, race, find_learning_rate, heal,
diagnose, explain, watch.
"""
