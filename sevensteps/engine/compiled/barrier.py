"""How threads that share a step wait for each other, without Python: they look, and then sleep.

`state` = [how many have arrived, how often all have, whether to give up], shared by the threads.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sevensteps.engine.compiled.machine_code import Array, kernel
from sevensteps.engine.compiled.program import ARRIVED, GIVEN_UP, ROUND

# looks, some hundred microseconds in all: longer than one thread is behind another where both
# have a processor. Then the other one waits for its own, and looking would only take it from others
SPINS = 100_000
MICROSECONDS = 10

if sys.platform == "win32":

    @kernel
    def give_way() -> None:
        """Nothing: the threads of Windows share as they are."""
else:
    _usleep = types.ExternalFunction("usleep", types.int32(types.uint32))

    @kernel
    def give_way() -> None:
        """Sleep for a moment: whoever has slept is let in first, before those that kept a processor
        busy. To offer it with `sched_yield` was measured to cost 30 times beside a busy training,
        which keeps it until its time is up.
        """
        _usleep(MICROSECONDS)


@intrinsic  # type: ignore[untyped-decorator]
def _add(typingctx: Any, array: Any, index: Any, amount: Any) -> tuple[Any, Any]:
    """array[index] += amount, seen whole by all threads; what was there before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(_data(context, builder, signature, arguments), [arguments[1]])
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _read(typingctx: Any, array: Any, index: Any) -> tuple[Any, Any]:
    """array[index] as the other threads have left it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(_data(context, builder, signature, arguments), [arguments[1]])
        return builder.load_atomic(pointer, "seq_cst", 8)

    return types.int64(array, types.int64), generate


def _data(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(array.data, ir.IntType(64).as_pointer())


@kernel
def wait_for_all(state: Array, threads: int) -> bool:
    """Wait until all `threads` are here; False where one of them gave up."""
    if threads == 1:
        return True
    round_before = _read(state, ROUND)
    if _add(state, ARRIVED, 1) == threads - 1:
        _add(state, ARRIVED, -threads)
        _add(state, ROUND, 1)
        return bool(_read(state, GIVEN_UP) == 0)
    looks = 0
    while _read(state, ROUND) == round_before:
        if _read(state, GIVEN_UP) != 0:
            return False
        looks += 1
        if looks > SPINS:
            give_way()
    return True
