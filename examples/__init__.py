"""Published figures, reproduced: each script reads from top to bottom and ends by asserting what it
found. `python -m examples`.
"""
