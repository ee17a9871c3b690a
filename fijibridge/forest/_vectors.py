"""The three vector instructions that the evaluator is built on, which no compiler finds in a plain loop.

A set of 64 voxels ("lanes") is one 64-bit mask. The code is portable LLVM: a processor without wide vectors runs it in
narrower steps, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic as numba_intrinsic


def intrinsic(function: Callable[..., Any]) -> Any:
    """Make a function of a typing context and types into one of values, as kernels call it."""
    return numba_intrinsic(function)


_BYTE, _WORD, _INT, _LONG = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)


@intrinsic
def lanes_at_most(typing_context: Any, row: Any, offset: Any, limit: Any) -> Any:
    """Compare 64 bytes with a limit: a mask of the lanes where ``row[offset + lane] <= limit``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, at, top = arguments
        kind = ir.VectorType(_BYTE, 64)
        address = _address(context, builder, signature.args[0], data, at, kind)
        few = builder.icmp_unsigned("<=", builder.load(address, align=1), _splat(builder, top, kind))
        return builder.bitcast(few, _LONG)

    return types.uint64(row, types.intp, types.uint8), build


@intrinsic
def add_to_lanes(typing_context: Any, sums: Any, offset: Any, lanes: Any, value: Any) -> Any:
    """Add a value to ``sums[offset + lane]`` (uint16) of the 64 lanes that a mask names."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, at, mask, amount = arguments
        kind = ir.VectorType(_WORD, 16)
        first = _address(context, builder, signature.args[0], data, at, kind)
        bits = ir.Constant(kind, [1 << lane for lane in range(16)])
        amounts = _splat(builder, amount, kind)
        for part in range(4):
            sixteen = builder.trunc(builder.lshr(mask, ir.Constant(_LONG, 16 * part)), _WORD)
            named = builder.icmp_unsigned("==", builder.and_(_splat(builder, sixteen, kind), bits), bits)
            address = builder.gep(first, [ir.Constant(_INT, part)])
            more = builder.select(named, amounts, ir.Constant(kind, [0] * 16))
            builder.store(builder.add(builder.load(address, align=2), more), address, align=2)
        return context.get_dummy_value()

    return types.void(sums, types.intp, types.uint64, types.uint16), build


@intrinsic
def first_lane(typing_context: Any, lanes: Any) -> Any:
    """Give the number of the lowest lane in a mask that names at least one."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_LONG, [_LONG, ir.IntType(1)])
        count = get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(count, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.uint64), build


def _address(context: Any, builder: Any, array: Any, data: Any, at: Any, kind: Any) -> Any:
    start = context.make_array(array)(context, builder, data).data
    return builder.bitcast(builder.gep(start, [at]), kind.as_pointer())


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_INT, 0))
    lanes = ir.Constant(ir.VectorType(_INT, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), lanes)
