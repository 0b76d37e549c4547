r"""A smooth curve through simulated points, with its band and where it crosses a level.

The measure g at size n is modelled on the scale of a link l as

.. math:: l(g(n)) = a + b x + \tau \int_{x_0}^{x} W(s)\,ds , \qquad x = \log n ,

a straight line with an integrated Wiener process for its bends (a cubic smoothing spline; Wahba
1978, doi 10.1111/j.2517-6161.1978.tb01050.x), so that far points say less about the level near
the root than near ones. tau is about `BEND` times the mean slope of the points, each weighted by
its information: the slope may change by that share of itself over one unit of log n. It is chosen
by restricted likelihood under a lognormal prior around that, since a curve near its ceiling bends
more. Points enter by quasi-likelihood (Wedderburn 1974, doi 10.1093/biomet/61.3.439): variance
phi V(mean) / replicates, phi estimated, for means other than probabilities as a line in log n.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr, ndtri

from pdsim.arraytypes import Floats

type Link = Literal["probit", "log", "identity"]

BEND: Final = 0.6
"""Standard deviation of the relative change of slope over one unit of log n."""

_BEND_SPREAD: Final = 0.7
_SHARES: Final = BEND * np.exp(_BEND_SPREAD * np.linspace(-1.5, 4.0, 12))
_GRID: Final = 2001
_ROUNDS: Final = 12
_STEPS: Final = 50
_TOLERANCE: Final = 1e-3
_EDGE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A fitted curve; J points.

    Attributes
    ----------
    link : {"probit", "log", "identity"}
    x : ndarray (J,)
        Logarithms of the sizes.
    response : ndarray (J,)
        Working responses on the link's scale.
    origin : float
        x_0: logarithm of the smallest size that will be asked for.
    bend : float
        tau.
    inverse : ndarray (J, J)
        Inverse covariance of the working responses, without the line.
    line : ndarray (2,)
        a and b.
    line_covariance : ndarray (2, 2)
    """

    link: Link
    x: Floats
    response: Floats
    origin: float
    bend: float
    inverse: Floats
    line: Floats
    line_covariance: Floats

    def at(self, size: ArrayLike) -> tuple[Floats, Floats]:
        """Return mean and standard deviation on the link's scale at some sizes."""
        x = np.log(np.asarray(size, dtype=float))
        basis = np.stack([np.ones_like(x), x], axis=-1)
        cross = self.bend**2 * _wiener(x[:, None] - self.origin, self.x[None, :] - self.origin)
        own = self.bend**2 * _wiener(x - self.origin, x - self.origin)
        points = np.stack([np.ones_like(self.x), self.x], axis=-1)
        weight = cross @ self.inverse
        mean = basis @ self.line + weight @ (self.response - points @ self.line)
        rest = basis - weight @ points
        variance = own - (weight * cross).sum(axis=1)
        variance += np.einsum("ij,jk,ik->i", rest, self.line_covariance, rest)
        return mean, np.sqrt(np.maximum(variance, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where a curve crosses a level.

    Attributes
    ----------
    n, low, high : float
        Point and interval; ``low`` is 0 and ``high`` infinite where the band does not cross the
        level inside the range. ``n`` is NaN where the curve does not cross.
    """

    n: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval of log n, infinite where it is open."""
        if not (np.isfinite(self.n) and self.low > 0 and np.isfinite(self.high)):
            return np.inf
        return float(0.5 * np.log(self.high / self.low))


def to_link(value: ArrayLike, link: Link) -> Floats:
    """Return values on the link's scale."""
    value = np.asarray(value, dtype=float)
    if link == "probit":
        return np.asarray(ndtri(np.clip(value, _EDGE, 1 - _EDGE)))
    return np.log(np.maximum(value, _EDGE)) if link == "log" else value


def from_link(value: ArrayLike, link: Link) -> Floats:
    """Return values on the measure's own scale."""
    value = np.asarray(value, dtype=float)
    if link == "probit":
        return np.asarray(ndtr(value))
    return np.exp(value) if link == "log" else value


def fit_curve(
    size: ArrayLike,
    value: ArrayLike,
    error: ArrayLike,
    replicates: ArrayLike,
    *,
    link: Link,
    low: float,
) -> Curve:
    """Fit the curve to simulated points.

    Parameters
    ----------
    size, value, error, replicates : array_like (point,)
        Sizes n (at least two different ones), estimates, their standard errors, and replicates.
    link : {"probit", "log", "identity"}
    low : float
        The smallest size that will be asked for.

    Examples
    --------
    >>> curve = fit_curve([20, 40], [0.5, 0.8], [0.05, 0.04], [100, 100], link="probit", low=10)
    >>> crossing(curve, 0.7, low=10, high=100, at_least=True, rising=True, prob=0.95).n.__round__()
    31
    """
    x = np.log(np.asarray(size, dtype=float))
    given, spread = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    count = np.asarray(replicates, dtype=float)
    if link == "probit":
        # a control variate can carry an estimate a little beyond 0 or 1
        given = np.clip(given, 0.0, 1.0)
    origin = min(float(np.log(low)), float(x.min()))
    kernel = _wiener(x[:, None] - origin, x[None, :] - origin)
    points = np.stack([np.ones_like(x), x], axis=-1)
    weight = count / _dispersion(x, given, spread, count, link)
    current = to_link((given * count + 0.5) / (count + 1) if link == "probit" else given, link)
    bend = 0.0
    for _ in range(_ROUNDS):
        current = _most_likely(current, points, bend, kernel, given, weight, link)
        _, score, information = _likelihood(current, given, weight, link)
        response, noise = current + score / information, 1 / information
        centre = x - (information * x).sum() / information.sum()
        slope = abs((information * centre * current).sum() / (information * centre**2).sum())
        previous, bend = (
            bend,
            max(
                (slope * share for share in _SHARES),
                key=lambda bend: _evidence(bend, slope, points, kernel, response, noise),
            ),
        )
        if abs(bend - previous) < _TOLERANCE * bend:
            break
    line, covariance, inverse = _line(bend, points, kernel, response, noise)
    return Curve(
        link=link,
        x=x,
        response=response,
        origin=origin,
        bend=bend,
        inverse=inverse,
        line=line,
        line_covariance=covariance,
    )


def _line(
    bend: float, points: Floats, kernel: Floats, response: Floats, noise: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return a and b, their covariance, and the inverse covariance of the responses."""
    inverse = np.linalg.inv(bend**2 * kernel + np.diag(noise))
    covariance = np.linalg.inv(points.T @ inverse @ points)
    return covariance @ points.T @ inverse @ response, covariance, inverse


def _evidence(
    bend: float, slope: float, points: Floats, kernel: Floats, response: Floats, noise: Floats
) -> float:
    """Return the restricted log likelihood of tau, plus the logarithm of its prior."""
    line, covariance, inverse = _line(bend, points, kernel, response, noise)
    rest = response - points @ line
    fit = np.linalg.slogdet(inverse)[1] + np.linalg.slogdet(covariance)[1] - rest @ inverse @ rest
    apart = (np.log(bend) - np.log(BEND * slope)) / _BEND_SPREAD
    return float(0.5 * fit - 0.5 * apart**2)


def _dispersion(x: Floats, value: Floats, error: Floats, count: Floats, link: Link) -> Floats:
    """Return phi in each point: the variance of a replicate over the variance function."""
    if link == "probit":
        unit = value * (1 - value)
        pooled = (count**2 * error**2).sum() / max((count * unit).sum(), _EDGE)
        return np.full_like(value, max(pooled, _EDGE))
    # a mean loss is rarely zero in small studies and mostly zero in large ones, so that its
    # relative variance changes with the size: one phi for all would be wrong at the root
    unit = value**2 if link == "log" else np.ones_like(value)
    own = np.log(np.maximum(count * error**2, _EDGE) / np.maximum(unit, _EDGE))
    centre = x - (count * x).sum() / count.sum()
    slope = (count * centre * own).sum() / (count * centre**2).sum()
    return np.asarray(np.exp((count * own).sum() / count.sum() + slope * centre))


def _most_likely(
    start: Floats,
    points: Floats,
    bend: float,
    kernel: Floats,
    value: Floats,
    weight: Floats,
    link: Link,
) -> Floats:
    """Return the curve at the points that maximises the penalised quasi-likelihood."""
    scale, vectors = np.linalg.eigh(kernel)
    design = np.hstack([points, bend * vectors * np.sqrt(np.maximum(scale, 0.0))])
    penalty = np.ones(design.shape[1])
    penalty[:2] = 0.0
    ridge = np.diag(np.maximum(penalty, _EDGE))
    theta = np.linalg.solve(design.T @ design + ridge, design.T @ start)

    def objective(theta: Floats) -> float:
        fit, _, _ = _likelihood(design @ theta, value, weight, link)
        return float(fit - 0.5 * (penalty * theta**2).sum())

    best = objective(theta)
    for _ in range(_STEPS):
        _, score, information = _likelihood(design @ theta, value, weight, link)
        gradient = design.T @ score - penalty * theta
        step = np.linalg.solve(design.T @ (information[:, None] * design) + ridge, gradient)
        share = 1.0
        while share > _EDGE and not (trial := objective(theta + share * step)) >= best:
            share /= 2
        if share <= _EDGE:
            break
        theta = theta + share * step
        if trial - best < _TOLERANCE**2:
            break
        best = trial
    return design @ theta


def _likelihood(
    u: Floats, value: Floats, weight: Floats, link: Link
) -> tuple[float, Floats, Floats]:
    """Return the quasi-likelihood, its slope and its expected curvature in each point."""
    if link == "probit":
        density = -0.5 * u**2 - 0.5 * np.log(2 * np.pi)
        inside, outside = log_ndtr(u), log_ndtr(-u)
        fit = value * inside + (1 - value) * outside
        score = value * np.exp(density - inside) - (1 - value) * np.exp(density - outside)
        information = np.exp(2 * density - inside - outside)
    elif link == "log":
        fit = -u - value * np.exp(-u)
        score, information = value * np.exp(-u) - 1, np.ones_like(u)
    else:
        fit, score, information = -0.5 * (value - u) ** 2, value - u, np.ones_like(u)
    return float((weight * fit).sum()), weight * score, np.maximum(weight * information, _EDGE)


def crossing(
    curve: Curve,
    level: float,
    *,
    low: float,
    high: float,
    at_least: bool,
    rising: bool,
    prob: float,
) -> Crossing:
    """Return where the curve and its band cross `level` between two sizes.

    Parameters
    ----------
    curve : Curve
    level : float
        On the measure's own scale.
    low, high : float
        Range of sizes.
    at_least : bool
        Whether the target asks for more than the level.
    rising : bool
        Whether larger sizes do better.
    prob : float
        Of the interval.
    """
    size = np.exp(np.linspace(np.log(low), np.log(high), _GRID))
    lead, sd = lead_of(curve, level, size, at_least=at_least)
    if not rising:
        # read from the far end, where the target is missed
        size, lead, sd = size[::-1], lead[::-1], sd[::-1]
    ups = np.flatnonzero((lead[:-1] < 0) & (lead[1:] >= 0))
    if ups.size:
        # of several crossings, the one that the points know best
        middle = int(ups[np.argmin(sd[ups])])
        root = _between(size, lead, middle)
    else:
        middle, root = (0 if lead[0] >= 0 else size.size - 1), np.nan
    half = ndtri(0.5 + prob / 2) * sd
    missed = np.flatnonzero((lead + half)[: middle + 1] < 0)
    reached = np.flatnonzero((lead - half)[middle:] > 0) + middle
    first = _between(size, lead + half, missed[-1]) if missed.size else None
    last = _between(size, lead - half, max(reached[0] - 1, 0)) if reached.size else None
    if rising:
        return Crossing(n=root, low=first or 0.0, high=last or np.inf)
    return Crossing(n=root, low=last or 0.0, high=first or np.inf)


def lead_of(
    curve: Curve, level: float, size: ArrayLike, *, at_least: bool
) -> tuple[Floats, Floats]:
    """Return by how much the curve is on the right side of `level`, and the standard deviation.

    Both on the link's scale, so that P(target reached) is Phi(lead / sd).
    """
    mean, sd = curve.at(size)
    sign = 1.0 if at_least else -1.0
    return sign * (mean - to_link(level, curve.link)), sd


def _between(size: Floats, lead: Floats, i: int) -> float:
    """Return the size at which the lead is zero, between the grid points i and i + 1."""
    if i + 1 == size.size:
        return float(size[i])
    share = np.clip(lead[i] / (lead[i] - lead[i + 1]), 0.0, 1.0) if lead[i] < 0 else 0.0
    return float(size[i] * (size[i + 1] / size[i]) ** share)


def _wiener(a: Floats, b: Floats) -> Floats:
    """Return the covariance of the integrated Wiener process started at 0."""
    near, far = np.minimum(a, b), np.maximum(a, b)
    return near**2 * (3 * far - near) / 6
