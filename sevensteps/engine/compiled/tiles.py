"""The innermost loops of matrix products, in vector instructions.

A tile is `rows` x `lanes` of the product; its sums stay in the processor's registers while the loop
goes over what is summed. It is written in LLVM's own terms, as no compiler of loops finds it: the
rest of this folder is plain Python. Source: Goto, van de Geijn 2008, Anatomy of High-Performance
Matrix Multiplication.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FEATURES = llvm.get_host_cpu_features()
# bytes of a vector register, and how many rows of two vectors the registers hold
VECTOR, ROWS = (64, 8) if FEATURES.get("avx512f") else (32, 4) if FEATURES.get("avx") else (16, 4)


def _tile(rows: int, vectors: int) -> Any:
    """`tile(c, i, j, a, b, start)`: c[i + r, j + l] = start[i + r] + Σₖ a[i + r, k] b[k, j + l] for
    r < rows and l < lanes of `vectors` registers.

    `b` and `c` have their columns side by side; `a` may lie in any way.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(typingctx: Any, c: Any, i: Any, j: Any, a: Any, b: Any, start: Any) -> tuple[Any, Any]:
        signature = types.void(c, i, j, a, b, start)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = context.get_data_type(c.dtype)
            bytes_each = 4 if c.dtype == types.float32 else 8
            width = VECTOR // bytes_each
            vector = ir.VectorType(number, width)
            word = ir.IntType(64)
            arrays = [
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(
                    (c, a, b, start), (arguments[0], *arguments[3:6]), strict=True
                )
            ]
            row, column = arguments[1], arguments[2]

            def address(array: Any, first: Any, second: Any | None) -> Any:
                """Of array[first, second], from the array's own strides."""
                strides = cgutils.unpack_tuple(builder, array.strides)
                offset = builder.mul(first, strides[0])
                if second is not None:
                    offset = builder.add(offset, builder.mul(second, strides[1]))
                start_of = builder.ptrtoint(array.data, word)
                return builder.inttoptr(builder.add(start_of, offset), number.as_pointer())

            def lanes(pointer: Any, index: int) -> Any:
                moved = builder.gep(pointer, [ir.Constant(word, index * width)])
                return builder.bitcast(moved, vector.as_pointer())

            def everywhere(value: Any) -> Any:
                """One number in all lanes."""
                one = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
                )
                mask = ir.Constant(ir.VectorType(ir.IntType(32), width), None)
                return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

            goal, left, right, begin = arrays
            row_of = [builder.add(row, ir.Constant(word, r)) for r in range(rows)]
            sums = []
            for r in range(rows):
                value = everywhere(builder.load(address(begin, row_of[r], None)))
                for _ in range(vectors):
                    sums.append(cgutils.alloca_once_value(builder, value))
            depth = cgutils.unpack_tuple(builder, left.shape)[1]
            with cgutils.for_range(builder, depth) as loop:
                source = address(right, loop.index, column)
                values = [builder.load(lanes(source, v), align=bytes_each) for v in range(vectors)]
                for r in range(rows):
                    factor = everywhere(builder.load(address(left, row_of[r], loop.index)))
                    for v in range(vectors):
                        total = sums[r * vectors + v]
                        product = builder.fmul(factor, values[v], flags=("contract",))
                        builder.store(
                            builder.fadd(builder.load(total), product, flags=("contract",)), total
                        )
            for r in range(rows):
                target = address(goal, row_of[r], column)
                for v in range(vectors):
                    builder.store(
                        builder.load(sums[r * vectors + v]), lanes(target, v), align=bytes_each
                    )
            return context.get_dummy_value()

        return signature, generate

    return tile


wide = _tile(ROWS, 2)
narrow = _tile(ROWS, 1)
one_wide = _tile(1, 2)
one_narrow = _tile(1, 1)
