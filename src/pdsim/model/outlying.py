"""An outlier, or just the end of a spread: a facility beside what the others say of new ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.model.adequacy import drawn_parameters
from pdsim.model.data import ModelData, Visits, fitted_data, model_data
from pdsim.model.fit import fit
from pdsim.model.predictive import draw_eta, draw_proportion
from pdsim.priors import Priors
from pdsim.study import Study
from pdsim.study.options import Engine

FEWEST: Final = 4
"""Facilities: three others say next to nothing of their spread."""


def outlying(
    study: Study,
    *,
    facilities: Sequence[str] | None = None,
    engine: Engine = "laplace",
    priors: Priors | None = None,
    hand_over: bool = True,
    replicates: int = 4000,
    seed: int = 1,
) -> xr.Dataset:
    """Tell outliers from the ends of a spread: each facility against a fit of all others.

    The model is fitted without the facility; parameters drawn from that fit give new facilities,
    observed with the cases of the one that was left out.

    Parameters
    ----------
    study : Study
        Of four facilities or more.
    facilities : sequence of str, optional
        Those to ask about, one fit each; default: all.
    engine, priors, hand_over : optional
        As for `pdsim.fit`.
    replicates, seed : int

    Returns
    -------
    xarray.Dataset (facility)
        ``observed``: the composite change (at one period: level), in pp or standardised scores;
        ``expected`` and ``sd`` of a new facility; ``p_alone``: probability that a new facility
        would be as far from the expected value, on either side [1]_; ``p_extreme``: that the most
        extreme of as many new ones as the study has would be, 1 - (1 - p_alone)^F [2]_. An outlier
        has a small ``p_extreme``: a small ``p_alone`` is what the end of a spread looks like. The
        attribute ``convergence`` is ``passed``, or what failed of the first fit that failed.

    Raises
    ------
    InputError
        If a facility is unknown or there are fewer than four.

    References
    ----------
    .. [1] Marshall EC, Spiegelhalter DJ (2007), Bayesian Analysis 2, 409-444,
       doi:10.1214/07-BA218
    .. [2] Sidak Z (1967), JASA 62, 626-633, doi:10.1080/01621459.1967.10482935

    Examples
    --------
    >>> import pdsim
    >>> found = outlying(pdsim.load_example("surgical"), facilities=["H", "A"], replicates=1000)
    >>> bool(found["p_extreme"].sel(facility="H") < found["p_extreme"].sel(facility="A"))
    True
    """
    names = study.data["facility"].to_numpy().astype(str).tolist()
    asked = names if facilities is None else list(facilities)
    unknown = [name for name in asked if name not in names]
    if unknown:
        rule = f"there is no facility {unknown[0]!r:.80}"
        raise InputError(Problem(rule=rule, cure=f"give some of: {', '.join(names[:20])}"))
    if len(names) < FEWEST:
        rule = f"{len(names)} facilities do not tell an outlier from a spread"
        raise InputError(Problem(rule=rule, cure=f"that takes {FEWEST} or more"))
    rows, labels = [], []
    for name in asked:
        others = [other for other in names if other != name]
        rest = fit(
            replace(study, data=study.data.sel(facility=others)),
            engine=engine,
            priors=priors,
            seed=seed,
            hand_over=hand_over,
        )
        labels.append(str(rest.attrs["convergence"]))
        rows.append(_against(study, names.index(name), rest, replicates, seed))
    observed, expected, sd, p = np.array(rows).reshape(-1, 4).T
    error = np.sqrt(p * (1.0 - p) / replicates)
    size = len(names)
    found = {
        "observed": observed,
        "expected": expected,
        "sd": sd,
        "p_alone": p,
        "p_alone_mcse": error,
        "p_extreme": as_extreme(p, size),
        "p_extreme_mcse": size * (1.0 - p) ** (size - 1) * error,
    }
    return xr.Dataset(
        {name: ("facility", values) for name, values in found.items()},
        coords={"facility": asked},
        attrs={
            "replicates": replicates,
            "facilities": size,
            "convergence": next((label for label in labels if label != "passed"), "passed"),
        },
    )


def as_extreme(p: Floats, number: int) -> Floats:
    """Return how surely the most extreme of so many exchangeable facilities is as far away.

    `p` is the probability that one of them is.
    """
    return np.asarray(1.0 - (1.0 - p) ** number)


def _against(
    study: Study, at: int, rest: xr.DataTree, replicates: int, seed: int
) -> tuple[float, float, float, float]:
    """Return observed, expected, its SD and the two-sided p of facility `at`, given the others."""
    rng = np.random.default_rng([seed, at])
    others, data = fitted_data(rest), model_data(study)
    observed, size = data.observed[at : at + 1], data.size[at : at + 1]
    if data.kind == "scores":
        # in the standard deviations of the others, about their mean
        scale, center = others.scale[:, None], others.center[:, None]
        turned = data.center[:, None] + data.scale[:, None] * observed
        observed = np.where(size > 0, (turned - center) / scale, 0.0)
        size = size * (scale / data.scale[:, None]) ** 2
    visits = data.visits
    if visits is not None:
        inflation, variance = visits.inflation[at : at + 1], visits.variance[at : at + 1]
        visits = Visits(inflation=inflation, variance=variance)
    errors = None if data.error_correlation is None else data.error_correlation[at : at + 1]
    one = replace(data, observed=observed, size=size, visits=visits, error_correlation=errors)
    seen = np.where(size > 0, observed, np.nan)
    if data.kind == "counts":
        seen = seen / np.where(size > 0, size, 1.0)
    new = np.array([
        _score(draw_proportion(draw_eta(drawn, one, rng)[0], one, rng), one)
        for drawn in drawn_parameters(rest, one, replicates, rng)
    ])  # fmt: skip
    score = _score(seen, one)
    below = (new < score).mean() + 0.5 * (new == score).mean()
    p = 2.0 * min(below, 1.0 - below)
    return score, float(new.mean()), float(new.std()), max(p, 1.0 / (replicates + 1.0))


def _score(share: Floats, data: ModelData) -> float:
    """Return the composite change of one facility over the cells seen in all periods."""
    value = share[0, :, -1] - (share[0, :, 0] if share.shape[2] == 2 else 0.0)
    weight = np.where(np.isnan(value), 0.0, data.weight)
    factor = 100.0 if data.kind == "counts" else 1.0
    return float(factor * np.nansum(value * weight) / weight.sum()) if weight.sum() else np.nan
