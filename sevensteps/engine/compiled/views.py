"""Views of an array that nobody checks, and reading ahead.

Numba's own slices and `reshape` check their numbers each time, which took a quarter of a step of
one sample: its arrays are small. What a view shows is the caller's to keep, and must lie within it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
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


@intrinsic  # type: ignore[untyped-decorator]
def fetch_ahead(typingctx: Any, array: Any, row: Any) -> tuple[Any, Any]:
    """Have array[row] of a C-contiguous [rows, columns] brought into the cache meanwhile: waiting
    for it took a tenth of a step of one sample.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(array)(context, builder, arguments[0])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        length = cgutils.unpack_tuple(builder, source.strides)[0]
        start = builder.gep(builder.bitcast(source.data, byte), [builder.mul(arguments[1], length)])
        line = ir.Constant(length.type, 64)
        with cgutils.for_range_slice(builder, line.type(0), length, line) as (offset, _):
            read, nearest, data = (ir.Constant(flag, value) for value in (0, 3, 1))
            builder.call(prefetch, [builder.gep(start, [offset]), read, nearest, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate
