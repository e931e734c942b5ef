"""The cases: every file here has a list CASES; a case's name is its own. `atlas`, `field_faults`,
`injected` and `step_faults` are examinations and stand apart.
"""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.doctor.loop import Case

EXAMINATIONS = {"atlas", "field_faults", "injected", "step_faults"}
CASES: dict[str, Case] = {}
FILES: dict[str, str] = {}  # case -> the file that it stands in
for _file in sorted({part.name for part in pkgutil.iter_modules(__path__)} - EXAMINATIONS):
    for _case in importlib.import_module(f"{__name__}.{_file}").CASES:
        if _case.name in CASES:
            raise ValueError(
                f"two cases are called {_case.name!r}: in {FILES[_case.name]}.py and {_file}.py"
            )
        CASES[_case.name], FILES[_case.name] = _case, _file
