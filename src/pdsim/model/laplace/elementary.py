"""Elementary functions of eight numbers at once, and their Gauss-Hermite rules.

Plain arithmetic rather than the machine's libm: the same on every lane and every machine.
"""

import math
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import compiled, kernel
from pdsim.model.laplace.lanes import (
    LANES,
    Lanes,
    choose,
    exponent,
    fill,
    fma,
    load,
    magnitude,
    mantissa,
    power_of_two,
    smaller,
    square_root,
    store,
)

_LOG2_E: Final = 1.0 / math.log(2.0)
_LN2_HIGH: Final = 0.6931471803691238  # 33 bits of log 2, so that k * _LN2_HIGH is exact
_LN2_LOW: Final = 1.9082149292705877e-10
_ROUND: Final = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to a whole number
_EXP: Final = tuple(1.0 / math.factorial(n) for n in range(11, -1, -1))
_ARTANH: Final = tuple(1.0 / n for n in range(21, 0, -2))
_EIGHTH: Final = math.pi / 4.0
_SINE: Final = tuple((-1) ** n / math.factorial(2 * n + 1) for n in range(5, -1, -1))
_COSINE: Final = tuple((-1) ** n / math.factorial(2 * n) for n in range(5, -1, -1))
_SQRT2: Final = math.sqrt(2.0)


@kernel
def exp_minus(x: Lanes) -> Lanes:
    """Return exp(-x) for x >= 0, relative error below 1e-14; exp(-708) beyond 708."""
    y = -smaller(x, fill(708.0))
    rounded = fma(y, _LOG2_E, _ROUND)
    k = rounded - _ROUND
    r = fma(k, -_LN2_LOW, fma(k, -_LN2_HIGH, y))
    s = fill(_EXP[0])
    for n in range(1, len(_EXP)):
        s = fma(s, r, _EXP[n])
    return s * power_of_two(rounded)


@kernel
def log1p_unit(u: Lanes) -> Lanes:
    """Return log(1 + u) for 0 <= u <= 1, relative error below 1e-12."""
    # log(1 + u) = 2 artanh(u / (2 + u)); the argument is at most 1/3
    s = u / (u + 2.0)
    q = s * s
    p = fill(_ARTANH[0])
    for n in range(1, len(_ARTANH)):
        p = fma(p, q, _ARTANH[n])
    return 2.0 * s * p


@kernel
def log(x: Lanes) -> Lanes:
    """Return log x for normal x > 0; NaN otherwise."""
    m = mantissa(x)
    k = exponent(x)
    large = m - _SQRT2
    m = choose(large, 0.5 * m, m)
    k = choose(large, k + 1.0, k)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    p = fill(_ARTANH[0])
    for n in range(1, len(_ARTANH)):
        p = fma(p, q, _ARTANH[n])
    value = fma(k, _LN2_HIGH, fma(2.0 * s, p, k * _LN2_LOW))
    return choose(x, value, math.nan)


@kernel
def softplus(x: Lanes) -> Lanes:
    """Return log(1 + exp(x))."""
    return choose(x, x, 0.0) + log1p_unit(exp_minus(magnitude(x)))


@kernel
def logistic(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return p = 1 / (1 + exp(-x)) and p (1 - p), without loss in the tails."""
    e = exp_minus(magnitude(x))
    d = 1.0 / (e + 1.0)
    q = e * d
    return choose(x, d, q), q * d


@kernel
def sine_cosine(turns: Lanes) -> tuple[Lanes, Lanes]:
    """Return sine and cosine of 2 pi x for 0 <= x <= 1, absolute error below 1e-12."""
    # an eighth of the angle, from -pi/8 to pi/8, doubled three times
    x = (turns - 0.5) * _EIGHTH
    square = x * x
    s, c = fill(_SINE[0]), fill(_COSINE[0])
    for n in range(1, len(_SINE)):
        s, c = fma(s, square, _SINE[n]), fma(c, square, _COSINE[n])
    s = s * x
    for _ in range(3):
        s, c = 2.0 * s * c, 1.0 - 2.0 * s * s
    return -s, -c  # half a turn was taken off


@kernel
def to_normals(values: Floats) -> None:
    """Turn uniforms (n, lane), n even, into standard normals in place (Box and Muller 1958)."""
    for n in range(0, values.shape[0], 2):
        radius = square_root(-2.0 * log(1.0 - load(values, (n,))))
        s, c = sine_cosine(load(values, (n + 1,)))
        store(values, (n,), radius * c)
        store(values, (n + 1,), radius * s)


@compiled
def _to_probabilities(values: Floats) -> None:
    """Turn logits (n, lane) into probabilities in place."""
    for n in range(len(values)):
        p, _ = logistic(load(values, (n,)))
        store(values, (n,), p)


def probabilities(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) of an array of any shape."""
    padded = np.zeros((-(-logits.size // LANES), LANES))
    padded.reshape(-1)[: logits.size] = logits.reshape(-1)
    _to_probabilities(padded)
    return padded.reshape(-1)[: logits.size].reshape(logits.shape)


def gauss_hermite(size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes and weights of the rule for a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(size)
    return tuple(nodes.tolist()), tuple((weights / weights.sum()).tolist())
