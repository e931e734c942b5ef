"""Faults that are brought into healthy trainings from outside: a file a step, each fault an
operator that any training of `cases/field` can be given.
"""

from __future__ import annotations

from benchmarks.doctor.cases.injected import (
    gradient,
    initialize,
    loss,
    predict,
    repeat,
    step,
    stop,
)
from benchmarks.doctor.cases.injected.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in (initialize, predict, loss, gradient, step, repeat, stop)
    for fault in module.FAULTS
}
