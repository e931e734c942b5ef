"""Views of an array that nobody checks.

Numba's own slices and `reshape` check their numbers each time, which took a quarter of a step of
one sample: its arrays are small. What a view shows is the caller's to keep, and must lie within it.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj


@intrinsic  # type: ignore[untyped-decorator]
def matrix_of(typingctx: Any, array: Any, first: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
    """The numbers of a C-contiguous `array` from the `first`, as [rows, columns]."""
    view = types.Array(array.dtype, 2, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _view(context, builder, signature, arguments, arguments[2:])

    return view(array, types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def vector_of(typingctx: Any, array: Any, first: Any, count: Any) -> tuple[Any, Any]:
    """The numbers of a C-contiguous `array` from the `first`, as [count]."""
    view = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _view(context, builder, signature, arguments, arguments[2:])

    return view(array, types.int64, types.int64), generate


def _view(context: Any, builder: Any, signature: Any, arguments: Any, shape: Any) -> Any:
    source = context.make_array(signature.args[0])(context, builder, arguments[0])
    view = context.make_array(signature.return_type)(context, builder)
    each = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(signature.return_type.dtype))
    )
    strides = [builder.mul(shape[1], each), each] if len(shape) == 2 else [each]
    arrayobj.populate_array(
        view,
        data=builder.gep(source.data, [arguments[1]]),
        shape=shape,
        strides=strides,
        itemsize=each,
        meminfo=None,
    )
    return view._getvalue()
