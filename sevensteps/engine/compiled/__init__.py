"""Dense networks as machine code, whole stretches of steps at once."""

from sevensteps.engine.compiled.engine import Compiled
from sevensteps.engine.compiled.network_tables import missing_compiled
from sevensteps.engine.compiled.optimizers import CompiledUpdate, compiled_update

__all__ = ["Compiled", "CompiledUpdate", "compiled_update", "missing_compiled"]
