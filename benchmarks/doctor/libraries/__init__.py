"""Healthy trainings in other libraries, as people write them: none may be accused.

.venv-integrations/bin/python -m benchmarks.doctor.libraries [LIBRARY …] [--seeds N]

Each module has `TRAININGS`: by name a function that trains with a callback, from a seed.
"""
