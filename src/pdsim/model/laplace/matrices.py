"""Small dense matrices in lanes: factors, solves, inverses; sizes are even, work is in 2 x 2."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.elementary import log
from pdsim.model.laplace.lanes import Lanes, choose, fill, fma, load, square_root, store


@kernel
def _root(pivot: Lanes) -> tuple[Lanes, Lanes]:
    """Return the square root of a pivot and its inverse, zeros where it is not positive."""
    root = square_root(choose(pivot, pivot, 0.0))
    return root, choose(pivot, 1.0 / root, 0.0)


@kernel
def cholesky(a: Floats, inverses: Floats) -> Lanes:
    """Factor the lower triangles of `a` (n, n, lane) in place and return log |a|.

    `inverses` (n, lane) gets the inverse pivots. A pivot that is not positive gives a zero column,
    so that a singular covariance stays usable, and counts as 1 in the determinant.
    """
    logdet = fill(0.0)
    for c in range(0, a.shape[0], 2):
        a00, a10, a11 = load(a, (c, c)), load(a, (c + 1, c)), load(a, (c + 1, c + 1))
        for s in range(c):
            x0, x1 = load(a, (c, s)), load(a, (c + 1, s))
            a00 = fma(-x0, x0, a00)
            a10 = fma(-x1, x0, a10)
            a11 = fma(-x1, x1, a11)
        l00, i0 = _root(a00)
        l10 = a10 * i0
        a11 = fma(-l10, l10, a11)
        l11, i1 = _root(a11)
        logdet = logdet + log(choose(a00, a00, 1.0) * choose(a11, a11, 1.0))
        store(a, (c, c), l00)
        store(a, (c + 1, c), l10)
        store(a, (c + 1, c + 1), l11)
        store(inverses, (c,), i0)
        store(inverses, (c + 1,), i1)
        for r in range(c + 2, a.shape[0], 2):
            b00, b01 = load(a, (r, c)), load(a, (r, c + 1))
            b10, b11 = load(a, (r + 1, c)), load(a, (r + 1, c + 1))
            for s in range(c):
                x0, x1 = load(a, (c, s)), load(a, (c + 1, s))
                y0, y1 = load(a, (r, s)), load(a, (r + 1, s))
                b00, b01 = fma(-y0, x0, b00), fma(-y0, x1, b01)
                b10, b11 = fma(-y1, x0, b10), fma(-y1, x1, b11)
            b00, b10 = b00 * i0, b10 * i0
            store(a, (r, c), b00)
            store(a, (r + 1, c), b10)
            store(a, (r, c + 1), fma(-b00, l10, b01) * i1)
            store(a, (r + 1, c + 1), fma(-b10, l10, b11) * i1)
    return logdet


@kernel
def forward(lower: Floats, inverses: Floats, x: Floats) -> None:
    """Solve L x = right in place; x (n, lane)."""
    for a in range(x.shape[0]):
        value = load(x, (a,))
        for b in range(a):
            value = fma(-load(lower, (a, b)), load(x, (b,)), value)
        store(x, (a,), value * load(inverses, (a,)))


@kernel
def backward(lower: Floats, inverses: Floats, x: Floats) -> None:
    """Solve L' x = right in place; x (n, lane)."""
    size = x.shape[0]
    for a in range(size - 1, -1, -1):
        value = load(x, (a,))
        for b in range(a + 1, size):
            value = fma(-load(lower, (b, a)), load(x, (b,)), value)
        store(x, (a,), value * load(inverses, (a,)))


@kernel
def inverse_lower(lower: Floats, inverses: Floats) -> Floats:
    """Return the inverse of the lower factor (n, n, lane)."""
    out = np.zeros(lower.shape)
    for c in range(0, lower.shape[0], 2):
        i0, i1 = load(inverses, (c,)), load(inverses, (c + 1,))
        store(out, (c, c), i0)
        store(out, (c + 1, c), -load(lower, (c + 1, c)) * i0 * i1)
        store(out, (c + 1, c + 1), i1)
        for r in range(c + 2, lower.shape[0], 2):
            v00, v01, v10, v11 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
            for s in range(c, r):
                x0, x1 = load(lower, (r, s)), load(lower, (r + 1, s))
                y0, y1 = load(out, (s, c)), load(out, (s, c + 1))
                v00, v01 = fma(-x0, y0, v00), fma(-x0, y1, v01)
                v10, v11 = fma(-x1, y0, v10), fma(-x1, y1, v11)
            i0, i1, below = load(inverses, (r,)), load(inverses, (r + 1,)), load(lower, (r + 1, r))
            v00, v01 = v00 * i0, v01 * i0
            store(out, (r, c), v00)
            store(out, (r, c + 1), v01)
            store(out, (r + 1, c), fma(-below, v00, v10) * i1)
            store(out, (r + 1, c + 1), fma(-below, v01, v11) * i1)
    return out
