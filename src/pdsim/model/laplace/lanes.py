"""Eight numbers side by side: a vector type for kernels, one hyperparameter point a lane.

A kernel reads like one for single numbers. Its arrays end in an axis of eight lanes; `load` and
`store` move the eight numbers at an index, and arithmetic acts on all of them at once, in vector
registers. Lanes never mix, so the result of a point does not depend on its neighbours.
"""

import operator
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from pdsim.jit import kernel

LANES = 8
"""Points worked at side by side."""

type Lanes = Any
"""Eight numbers, as the kernels see them."""

_DOUBLE, _INT = ir.DoubleType(), ir.IntType(64)
_VECTOR, _INTS = ir.VectorType(_DOUBLE, LANES), ir.VectorType(_INT, LANES)


class LanesType(types.Type):  # type: ignore[misc]
    """Numba's type of eight numbers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES_TYPE = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _vector(builder: Any, value: Any, kind: Any) -> Any:
    """Return `value` as a vector, a single number in every lane."""
    if isinstance(kind, LanesType):
        return value
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, mask)


def _constant(kind: Any, value: Any) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Return where the eight numbers at an index stand; few instructions make compiling quick."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    place = builder.bitcast(array.data, cgutils.voidptr_t)
    strides, given = array.strides, signature.args[1]
    for axis, kind in enumerate(given):
        index = builder.extract_value(args[1], axis)
        index = context.cast(builder, index, kind, types.intp)
        offset = builder.mul(index, builder.extract_value(strides, axis))
        place = builder.gep(place, [offset], inbounds=True)
    return builder.bitcast(place, _VECTOR.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the eight numbers at array[index]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, signature, args))
        value.align = 8
        return value

    return LANES_TYPE(array, index), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Set array[index] to eight numbers, or to one in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(builder, args[2], signature.args[2])
        written = builder.store(vector, _address(context, builder, signature, args))
        written.align = 8
        return context.get_dummy_value()

    return types.none(array, index, value), generate


def _call(builder: Any, name: str, args: list[Any]) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
    return builder.call(function, args)


@intrinsic
def fill(typing_context: Any, x: Any) -> Any:
    """Return one number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _vector(builder, args[0], signature.args[0])

    return LANES_TYPE(types.float64), generate


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once, whatever the machine."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(args, signature.args, strict=True)
        return _call(builder, "fma", [_vector(builder, *pair) for pair in pairs])

    return LANES_TYPE(a, b, c), generate


@intrinsic
def square_root(typing_context: Any, x: Any) -> Any:
    """Return the square roots."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "sqrt", list(args))

    return LANES_TYPE(x), generate


@intrinsic
def magnitude(typing_context: Any, x: Any) -> Any:
    """Return the absolute values."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "fabs", list(args))

    return LANES_TYPE(x), generate


@intrinsic
def choose(typing_context: Any, x: Any, positive: Any, other: Any) -> Any:
    """Return `positive` where x > 0, else `other`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = (_vector(builder, args[n], signature.args[n]) for n in (1, 2))
        mask = builder.fcmp_ordered(">", args[0], _constant(_VECTOR, 0.0))
        return builder.select(mask, first, second)

    return LANES_TYPE(x, positive, other), generate


@intrinsic
def power_of_two(typing_context: Any, rounded: Any) -> Any:
    """Return 2^k from k + 1.5 * 2^52, k a whole number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.shl(builder.bitcast(args[0], _INTS), _constant(_INTS, 52))
        return builder.bitcast(builder.add(bits, _constant(_INTS, 1023 << 52)), _VECTOR)

    return LANES_TYPE(rounded), generate


@intrinsic
def exponent(typing_context: Any, x: Any) -> Any:
    """Return floor(log2 x) for x > 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.lshr(builder.bitcast(args[0], _INTS), _constant(_INTS, 52))
        return builder.sitofp(builder.sub(bits, _constant(_INTS, 1023)), _VECTOR)

    return LANES_TYPE(x), generate


@intrinsic
def mantissa(typing_context: Any, x: Any) -> Any:
    """Return x / 2^exponent, from 1 up to 2."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.and_(builder.bitcast(args[0], _INTS), _constant(_INTS, (1 << 52) - 1))
        return builder.bitcast(builder.or_(bits, _constant(_INTS, 1023 << 52)), _VECTOR)

    return LANES_TYPE(x), generate


def _define(function: Any, instruction: str) -> None:
    """Let `function` act on lanes, and on lanes and single numbers."""

    @type_callable(function)
    def typed(context: Any) -> Any:
        def resolve(a: Any, b: Any) -> Any:
            if isinstance(a, LanesType) or isinstance(b, LanesType):
                return LANES_TYPE
            return None

        return resolve

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(args, signature.args, strict=True)
        return getattr(builder, instruction)(*(_vector(builder, *pair) for pair in pairs))

    for kinds in (
        (LANES_TYPE, LANES_TYPE),
        (LANES_TYPE, types.float64),
        (types.float64, LANES_TYPE),
    ):
        lower_builtin(function, *kinds)(generate)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_function, _instruction)


@type_callable(operator.neg)
def _typed_negative(context: Any) -> Any:
    def resolve(a: Any) -> Any:
        return LANES_TYPE if isinstance(a, LanesType) else None

    return resolve


@lower_builtin(operator.neg, LANES_TYPE)
def _negative(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fsub(_constant(_VECTOR, -0.0), args[0])


@intrinsic
def add(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Add to the eight numbers at array[index]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature, args)
        before = builder.load(address)
        vector = _vector(builder, args[2], signature.args[2])
        written = builder.store(builder.fadd(before, vector), address)
        before.align = written.align = 8
        return context.get_dummy_value()

    return types.none(array, index, value), generate


@intrinsic
def larger(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the larger of two, lane by lane; b where one of them is not a number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return LANES_TYPE(LANES_TYPE, LANES_TYPE), generate


@intrinsic
def smaller(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the smaller of two, lane by lane; a where one of them is not a number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), args[1], args[0])

    return LANES_TYPE(LANES_TYPE, LANES_TYPE), generate


@kernel
def clear(array: Any) -> None:
    """Set an array to zero."""
    flat = array.reshape(array.size)
    for n in range(flat.size):
        flat[n] = 0.0
