"""Elementary functions that compile to vector instructions, equal on every lane.

The functions of libm are called one number at a time. These are plain arithmetic, so a loop
over lanes vectorises, and a number's result does not depend on the lane that it sits in.
"""

from typing import Any

from numba import njit, types
from numba.extending import intrinsic

JIT = {"cache": True, "nogil": True, "error_model": "numpy"}
"""Settings of every kernel. No fastmath: sums keep their order on every machine."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # 33 bits of log 2, so that k * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to a whole number


@intrinsic
def _bits(typing_context: Any, value: Any) -> Any:
    """Return the bits of a double as a 64-bit integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic
def _double(typing_context: Any, value: Any) -> Any:
    """Return the double with these bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


@njit(**JIT)
def exp_minus(x: float) -> float:
    """Return exp(-x) for x >= 0, to about one unit in the last place; 0 beyond x = 708."""
    y = -min(x, 708.0)
    rounded = y * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    # Taylor series of exp(r), |r| <= log(2) / 2
    s = 1.6059043836821613e-10
    s = s * r + 2.08767569878681e-09
    s = s * r + 2.505210838544172e-08
    s = s * r + 2.755731922398589e-07
    s = s * r + 2.7557319223985893e-06
    s = s * r + 2.48015873015873e-05
    s = s * r + 0.0001984126984126984
    s = s * r + 0.001388888888888889
    s = s * r + 0.008333333333333333
    s = s * r + 0.041666666666666664
    s = s * r + 0.16666666666666666
    s = s * r + 0.5
    s = s * r + 1.0
    s = s * r + 1.0
    return s * _double((_bits(rounded) << 52) + (1023 << 52))


@njit(**JIT)
def log1p_unit(u: float) -> float:
    """Return log(1 + u) for 0 <= u <= 1, absolute error below 1e-15."""
    # log(1 + u) = 2 artanh(u / (2 + u)); the argument is at most 1/3
    s = u / (2.0 + u)
    q = s * s
    p = 1.0 / 31.0
    for n in range(29, 0, -2):
        p = p * q + 1.0 / n
    return 2.0 * s * p


@njit(**JIT)
def softplus(x: float) -> float:
    """Return log(1 + exp(x))."""
    return max(x, 0.0) + log1p_unit(exp_minus(abs(x)))
