"""What the diagnosis at the end of a script imports is waited for by its user."""

from __future__ import annotations

import subprocess
import sys


def test_the_diagnosis_leaves_out_what_is_slow_to_import() -> None:
    program = """
import sys
from sevensteps.doctor.conditions import condition, condition_names
import sevensteps.doctor.diagnosis
for name in condition_names():
    condition(name)
print(*({"scipy.stats", "sklearn", "pandas", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
