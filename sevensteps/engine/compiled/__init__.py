"""Dense networks as machine code, whole stretches of steps at once."""

from sevensteps.engine.compiled.engine import Compiled
from sevensteps.engine.compiled.network_tables import (
    missing_compiled,
    numba_installed,
    seconds_saved,
)
from sevensteps.engine.compiled.optimizers import CompiledUpdate, compiled_update
from sevensteps.engine.compiled.sample_bytes import as_bytes

__all__ = [
    "Compiled",
    "CompiledUpdate",
    "as_bytes",
    "compiled_update",
    "missing_compiled",
    "numba_installed",
    "seconds_saved",
]
