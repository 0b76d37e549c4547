"""Normal quantile and logistic function as plain arithmetic that vectorises."""

import math
from typing import Any, Final

from numba import types

from pdsim.arraytypes import Floats, Ints
from pdsim.jit import compiled, native

_LOG2_E: Final = 1.0 / math.log(2.0)
_LN2_HIGH: Final = 0.6931471803691238  # 33 bits of log 2, so that k * _LN2_HIGH is exact
_LN2_LOW: Final = 1.9082149292705877e-10
_ROUND: Final = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to a whole number
_EXP: Final = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
_FAR: Final = 1.4e-11  # just above exp(-25), where the formula of the tails changes
CENTRAL: Final = 0.425
"""Half width of the region of p - 0.5 in which `central_quantile` holds."""


@compiled
def central_quantile(p: float) -> float:
    """Return the standard normal quantile for abs(p - 0.5) <= 0.425.

    Rational approximation of Wichura (1988), Algorithm AS 241, doi 10.2307/2347330, about 1e-16
    relative; without branches, so that a loop over it vectorises.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    top = 2.5090809287301226727e3
    top = top * r + 3.3430575583588128105e4
    top = top * r + 6.7265770927008700853e4
    top = top * r + 4.5921953931549871457e4
    top = top * r + 1.3731693765509461125e4
    top = top * r + 1.9715909503065514427e3
    top = top * r + 1.3314166789178437745e2
    top = top * r + 3.3871328727963666080e0
    bottom = 5.2264952788528545610e3
    bottom = bottom * r + 2.8729085735721942674e4
    bottom = bottom * r + 3.9307895800092710610e4
    bottom = bottom * r + 2.1213794301586595867e4
    bottom = bottom * r + 5.3941960214247511077e3
    bottom = bottom * r + 6.8718700749205790830e2
    bottom = bottom * r + 4.2313330701600911252e1
    bottom = bottom * r + 1.0
    return q * top / bottom


@compiled
def _near_tail(r: float) -> float:
    """Return the upper quantile of the probability exp(-r^2), r <= 5, without branches."""
    r -= 1.6
    top = 7.74545014278341407640e-4
    top = top * r + 2.27238449892691845833e-2
    top = top * r + 2.41780725177450611770e-1
    top = top * r + 1.27045825245236838258e0
    top = top * r + 3.64784832476320460504e0
    top = top * r + 5.76949722146069140550e0
    top = top * r + 4.63033784615654529590e0
    top = top * r + 1.42343711074968357734e0
    bottom = 1.05075007164441684324e-9
    bottom = bottom * r + 5.47593808499534494600e-4
    bottom = bottom * r + 1.51986665636164571966e-2
    bottom = bottom * r + 1.48103976427480074590e-1
    bottom = bottom * r + 6.89767334985100004550e-1
    bottom = bottom * r + 1.67638483018380384940e0
    bottom = bottom * r + 2.05319162663775882187e0
    bottom = bottom * r + 1.0
    return top / bottom


@compiled
def _far_tail(r: float) -> float:
    """Return the upper quantile of the probability exp(-r^2), r > 5."""
    r -= 5.0
    top = 2.01033439929228813265e-7
    top = top * r + 2.71155556874348757815e-5
    top = top * r + 1.24266094738807843860e-3
    top = top * r + 2.65321895265761230930e-2
    top = top * r + 2.96560571828504891230e-1
    top = top * r + 1.78482653991729133580e0
    top = top * r + 5.46378491116411436990e0
    top = top * r + 6.65790464350110377720e0
    bottom = 2.04426310338993978564e-15
    bottom = bottom * r + 1.42151175831644588870e-7
    bottom = bottom * r + 1.84631831751005468180e-5
    bottom = bottom * r + 7.86869131145613259100e-4
    bottom = bottom * r + 1.48753612908506148525e-2
    bottom = bottom * r + 1.36929880922735805310e-1
    bottom = bottom * r + 5.99832206555887937690e-1
    bottom = bottom * r + 1.0
    return top / bottom


@compiled
def tail_quantile(p: float) -> float:
    """Return the standard normal quantile for abs(p - 0.5) > 0.425 (the same source)."""
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    return math.copysign(_near_tail(r) if r <= 5.0 else _far_tail(r), p - 0.5)


@compiled
def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of 0 < p < 1."""
    return central_quantile(p) if abs(p - 0.5) <= CENTRAL else tail_quantile(p)


@native
def _power_of_two(typing_context: Any, rounded: Any) -> Any:
    """Return 2^k from k + 1.5 * 2^52, k a whole number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = context.get_value_type(types.int64)
        bits = builder.shl(builder.bitcast(args[0], word), word(52))
        return builder.bitcast(builder.add(bits, word(1023 << 52)), args[0].type)

    return types.float64(types.float64), generate


@compiled
def exp_minus(x: float) -> float:
    """Return exp(-x) for x >= 0, relative error below 1e-14; exp(-708) beyond 708.

    Plain arithmetic: the C library's exp may differ in the last place between machines.
    """
    y = -min(x, 708.0)
    rounded = y * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    s = _EXP[0]
    for n in range(1, len(_EXP)):
        s = s * r + _EXP[n]
    power: float = _power_of_two(rounded)
    return s * power


@compiled
def expit(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without loss in the tails."""
    e = exp_minus(abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@compiled
def to_normal(uniform: Floats, work: Floats, tails: Ints) -> None:
    """Turn the 1-D array `uniform` into standard normals in place.

    All are treated as central first, since that vectorises, then those in the tails, gathered, and
    the few that are far out again. `work` (2, size) and `tails` (size,) are scratch of at least
    the same size.
    """
    kept, scaled = work[0], work[1]
    count = 0
    for i in range(uniform.size):
        kept[i] = uniform[i]
    for i in range(uniform.size):
        uniform[i] = central_quantile(kept[i])
    for i in range(uniform.size):
        # no branch: which uniforms lie in the tails cannot be predicted
        tails[count] = i
        count += abs(kept[i] - 0.5) > CENTRAL
    for j in range(count):
        # tails[j] >= j, so nothing is lost
        kept[j] = kept[tails[j]]
        scaled[j] = math.sqrt(-math.log(min(kept[j], 1.0 - kept[j])))
    for j in range(count):
        scaled[j] = math.copysign(_near_tail(scaled[j]), kept[j] - 0.5)
    for j in range(count):
        far = min(kept[j], 1.0 - kept[j]) < _FAR
        uniform[tails[j]] = tail_quantile(kept[j]) if far else scaled[j]
