"""How often the doctor is right, and how often it cries wolf: faulty, cured and healthy trainings
in plain PyTorch loops.
"""
