"""Correlated normal scores: exact where a few common factors explain the correlation."""

from dataclasses import replace

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import named_twice
from pdsim.ranking.marginals import Marginals, as_components, normal_scores
from pdsim.terms.stepdown import draw_normal

_FIT = 1e-9
"""Largest covariance that factors may leave unexplained, relative to the largest variance."""

_MOST_FACTORS = 2

_MOST_NODES = 10_000
"""Nodes that the factors may take together; where more are needed, draws are counted."""

_OWN_SHARE = 0.3

_MOST_FACTORED = 60
"""Facilities up to which factors are looked for."""


def as_covariance(estimate: xr.DataArray, covariance: xr.DataArray | Floats) -> Floats:
    """Check a covariance matrix of estimates over ``facility``.

    Parameters
    ----------
    estimate : DataArray
        Over ``facility``.
    covariance : DataArray or ndarray
        Over ``facility`` and one more dimension with the same labels; over ``facility`` alone,
        the variances of independent estimates.

    Returns
    -------
    ndarray (facility, facility)

    Raises
    ------
    InputError
        If it has another shape or other labels, or is not symmetric with variances above 0 and
        no negative eigenvalue.
    """
    if estimate.dims != ("facility",) or estimate.size < 2 or not np.isfinite(estimate).all():
        raise InputError(
            Problem(
                rule="estimates are finite and lie over the one dimension facility, two or more"
            )
        )
    if named_twice(estimate):
        raise InputError(Problem(rule="a facility is named twice", cure="give each its own name"))
    size = estimate.size
    if isinstance(covariance, xr.DataArray):
        covariance = _aligned(estimate, covariance)
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape == (size,):
        matrix = np.diag(matrix)
    if matrix.shape != (size, size):
        raise InputError(
            Problem(rule=f"{size} estimates come with a covariance of shape {matrix.shape}")
        )
    if not np.isfinite(matrix).all():
        raise InputError(Problem(rule="a covariance is not a number"))
    scale = np.abs(np.diag(matrix)).max()
    rules = {
        "a variance is not positive": (np.diag(matrix) > 0).all(),
        "the covariance is not symmetric": np.allclose(matrix, matrix.T, atol=1e-9 * scale),
    }
    problems = [Problem(rule=rule) for rule, holds in rules.items() if not holds]
    if not problems and np.linalg.eigvalsh(matrix).min() < -1e-8 * scale:
        problems = [Problem(rule="the covariance has a negative eigenvalue")]
    if problems:
        raise InputError(problems)
    return 0.5 * (matrix + matrix.T)


def _aligned(estimate: xr.DataArray, covariance: xr.DataArray) -> xr.DataArray:
    """Order rows and columns like the estimates."""
    names = estimate.coords.get("facility")
    others = [dim for dim in covariance.dims if dim != "facility"]
    if "facility" not in covariance.dims or len(others) > 1:
        raise InputError(
            Problem(rule=f"a covariance lies over facility and one more, not {covariance.dims}")
        )
    covariance = covariance.transpose("facility", *others)
    if names is None:
        return covariance
    labels = {str(dim): names.values for dim in covariance.dims if dim in covariance.coords}
    try:
        return covariance.sel(labels)
    except KeyError as error:
        raise InputError(Problem(rule=f"the covariance lacks facility {error}")) from error


def correlated_scores(
    estimate: xr.DataArray,
    covariance: xr.DataArray | Floats,
    *,
    draws: int = 100_000,
    seed: int | None = None,
) -> Marginals | xr.DataArray:
    """Return correlated normal scores: as distributions where ranks are exact, else as draws.

    Ranks depend on differences only. If the covariance is, but for terms u_i + u_j that cancel in
    differences, a diagonal plus at most two common factors, the scores are independent given
    the factors, which are integrated by Gauss-Hermite quadrature.

    Parameters
    ----------
    estimate : DataArray
        Over ``facility``, larger is better.
    covariance : DataArray or ndarray
        Over ``facility`` and one more dimension; over ``facility`` alone, variances.
    draws : int
        How many to draw where the exact way is closed.
    seed : int, optional
        Needed there.

    Returns
    -------
    Marginals or DataArray
        Draws lie over (``sample``, ``facility``). Both are scores to all ranking functions. The
        means of `Marginals` are those of the scores, their spread is right for differences only.

    Raises
    ------
    InputError
        If the covariance is none, or a seed is needed and missing.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> estimate = xr.DataArray([0.0, 1.0], dims="facility", coords={"facility": ["A", "B"]})
    >>> type(correlated_scores(estimate, np.array([[1.0, 0.5], [0.5, 1.0]]))).__name__
    'Marginals'
    """
    matrix = as_covariance(estimate, covariance)
    factored = factors(matrix)
    if factored is not None:
        loadings, variances = factored
        given = _given_factors(estimate, loadings, variances)
        whole = np.allclose(np.diag(variances), matrix, rtol=1e-12, atol=0.0)
        return replace(given, differences_only=not whole)
    if seed is None:
        raise InputError(
            Problem(
                rule="this covariance is no diagonal plus at most two common factors, so ranks are "
                "counted from draws",
                cure="give a seed",
            )
        )
    values = draw_normal(matrix, draws, np.random.default_rng(seed)) + estimate.values
    return xr.DataArray(
        values, dims=("sample", "facility"), coords=estimate.coords, attrs=estimate.attrs
    )


def factors(covariance: Floats) -> tuple[Floats, Floats] | None:
    """Return loadings (facility, factor) and variances (facility,) that give the same differences.

    None if there are no such with at most two factors.
    """
    size = len(covariance)
    off = ~np.eye(size, dtype=bool)
    scale = np.diag(covariance).max()
    if size == 2:
        # of two, only the variance of the one difference counts
        half = 0.5 * (covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
        return (np.zeros((2, 0)), np.full(2, half)) if half > _FIT * scale else None
    shift = _common_shift(covariance)
    centred = covariance - shift[:, np.newaxis] - shift
    if np.abs(centred[off]).max() <= _FIT * scale and np.diag(centred).min() > _FIT * scale:
        return np.zeros((size, 0)), np.diag(centred)
    if size > _MOST_FACTORED:
        return None
    for number in range(1, _MOST_FACTORS + 1):
        loadings = _fit_factors(covariance, number)
        rest = covariance - loadings @ loadings.T
        if np.abs(rest[off]).max() <= _FIT * scale and np.diag(rest).min() > _FIT * scale:
            # what a factor adds to all scores alike cancels in differences; on principal axes
            # the second factor needs the fewest nodes
            vectors, values, _ = np.linalg.svd(loadings - loadings.mean(axis=0), False)
            loadings, variances = vectors * values, np.diag(rest)
            few = np.prod(_nodes(loadings, variances)) <= _MOST_NODES
            return (loadings, variances) if few else None
    return None


def _nodes(loadings: Floats, variances: Floats) -> list[int]:
    """Return how many nodes each factor needs.

    Given the factor, a probability changes over a standard deviation of the scores; nodes lie
    about pi / sqrt(nodes) apart, and must not step over that.
    """
    steepest = np.abs(loadings).max(axis=0) / np.sqrt(variances.min())
    return [max(30, int(np.ceil(10.0 * slope**2))) for slope in steepest]


def _common_shift(covariance: Floats) -> Floats:
    """Return u that makes covariance_ij - u_i - u_j smallest off the diagonal (least squares)."""
    size = len(covariance)
    sums = covariance.sum(axis=1) - np.diag(covariance)
    # the normal equations are (size - 2) u_i + sum(u) = sums_i
    total = sums.sum() / (2.0 * (size - 1.0))
    return np.asarray((sums - total) / (size - 2.0))


def _fit_factors(covariance: Floats, number: int) -> Floats:
    """Return the loadings of that many factors that explain best what is off the diagonal."""
    from scipy.optimize import least_squares

    size = len(covariance)
    rows, columns = np.triu_indices(size, 1)
    scale = float(np.sqrt(np.diag(covariance).max()))
    target = covariance[rows, columns] / scale**2

    def residual(flat: Floats) -> Floats:
        loadings = flat.reshape(size, number)
        return np.asarray((loadings[rows] * loadings[columns]).sum(axis=1) - target)

    def jacobian(flat: Floats) -> Floats:
        loadings = flat.reshape(size, number)
        result = np.zeros((len(rows), size, number))
        pairs = np.arange(len(rows))
        result[pairs, rows] = loadings[columns]
        result[pairs, columns] = loadings[rows]
        return result.reshape(len(rows), -1)

    # start from the principal factors, with a part of each variance left to the facility
    reduced = (covariance - _OWN_SHARE * np.diag(np.diag(covariance))) / scale**2
    values, vectors = np.linalg.eigh(reduced)
    start = vectors[:, -number:] * np.sqrt(np.clip(values[-number:], 1e-6, None))
    fit = least_squares(
        residual, start.ravel(), jac=jacobian, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    return np.asarray(fit.x.reshape(size, number) * scale)


def _given_factors(estimate: xr.DataArray, loadings: Floats, variances: Floats) -> Marginals:
    """Return scores that are independent given the nodes of the factors."""
    sd = estimate.copy(data=np.sqrt(variances))
    count = loadings.shape[1]
    if count == 0:
        return normal_scores(estimate, sd)
    rules = [np.polynomial.hermite_e.hermegauss(n) for n in _nodes(loadings, variances)]
    axes = np.meshgrid(*[nodes for nodes, _ in rules], indexing="ij")
    points = np.stack(axes, axis=-1).reshape(-1, count)
    weight = np.prod(np.meshgrid(*[w for _, w in rules], indexing="ij"), axis=0).ravel()
    keep = weight > 1e-17 * weight.max()
    mean = estimate + xr.DataArray(points[keep] @ loadings.T, dims=("sample", "facility"))
    mean = mean.transpose("sample", "facility").assign_attrs(estimate.attrs)
    first = as_components(mean)
    second = as_components(sd.expand_dims(sample=mean.sizes["sample"]))
    return Marginals(family="normal", first=first, second=second, weight=weight[keep])
