"""Checks of the model that can fail: the data beside data of new facilities from the same fit.

A replicate draws the hyperparameters from the posterior, then new effects for every facility, then
counts: a mixed predictive check (Gelman, Meng, Stern 1996, Statistica Sinica 6, 733-760). Effects
kept from the fit would follow the data wherever they go and could not show that they are unlike
what the model says effects are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData, fitted_data
from pdsim.model.predictive import Parameters, draw_eta, draw_proportion
from pdsim.study import study_from_dataset

REPLICATES: Final = 1000
FALSE_ALARMS: Final = 0.05
"""At most, in one study: shared evenly over the kinds of check."""

_MOST_CELLS: Final = 30_000_000
"""Of all replicates: of thousands of facilities fewer are drawn."""
_FEWEST: Final = 300

_TOGETHER: Final = 250_000
"""Cells of replicates in one call."""

_TO_BOTH_SIDES: Final = ("spread", "baseline spread")

ADVICE: Final = {
    "zeros": "check the cells in which all or none of the cases were met",
    "extreme": "check the data of the facility with the largest change",
    "tails": "check the data of the facilities with the largest changes",
    "facility": "check its data, since one that is unlike the others moves the estimates of all",
    "correlation": "put indicators that measure one thing into one domain",
}
"""Where other checks fail, what to do depends on the study, and on the side."""


def model_checks(fit: xr.DataTree, *, replicates: int = REPLICATES, seed: int = 1) -> xr.Dataset:
    """Compare what the data look like with what the fitted model says new data look like.

    Parameters
    ----------
    fit : xarray.DataTree
        Of two periods.
    replicates, seed : int
        At most so many replicates; fewer, though 300, where cells are many.

    Returns
    -------
    xarray.Dataset (check)
        ``statistic``: ``spread`` (SD over facilities of an indicator's observed change),
        ``baseline spread``, ``unequal spreads`` (coefficient of variation, in percent, of the
        indicators' SDs of the change in empirical logits), ``zeros`` (cells where all or none of
        the cases were met), ``extreme`` (largest deviation of a change from the indicator's mean),
        ``tails`` (kurtosis of the changes in empirical logits, standardised by indicator),
        ``facility`` (mean absolute standardised change of its indicators), ``facility mean`` (how
        far the mean of its standardised changes in empirical logits lies from that of all, in
        SDs), ``correlation`` (with how many others an indicator moves: the sum of its squared
        positive correlations, of changes in empirical logits beyond the effects of facility and
        domain, each times the root of the two indicators' reliabilities). ``of``: the indicator
        or facility, empty where it is the study.
        ``observed``, ``expected`` (median of the replicates), ``p_value``, ``flagged``
        and ``advice``. Changes are in pp, or standardised scores. Empty where there is one period
        or there are fewer than three facilities.

    Notes
    -----
    Statistics of one kind are standardised by their replicates, spreads on the log scale;
    ``p_value`` is the share of replicates whose largest deviation over all indicators (facilities)
    is as large as the observed one here [1]_: of spreads to either side, of the others upwards.
    A kind of check is flagged below ``FALSE_ALARMS`` over the number of kinds, so that a study for
    which the model is right is flagged at all with at most that probability, and less often in
    fact, since the data are used twice.

    ``correlation`` is made of scores: with changes c of a facility about the indicators' means,
    their covariance S in the replicates, and SDs t_k of the indicators' own effects, the slope of
    the normal log likelihood in a correlation of the own effects of k and l is
    t_k t_l (u_k u_l - [S^-1]_kl), u = S^-1 c, summed over facilities [2]_. Its size is
    the correlation of u_k and u_l times the root of t_k^2 [S^-1]_kk and t_l^2 [S^-1]_ll, the
    shares of what is left of a change that is no error.

    References
    ----------
    .. [1] Westfall PH, Young SS (1993), Resampling-Based Multiple Testing, section 2.3
       (single-step maxT).
    .. [2] Cox DR, Hinkley DV (1974), Theoretical Statistics, section 4.8 (locally most powerful
       tests).

    Examples
    --------
    >>> import pdsim
    >>> fit = pdsim.fit(pdsim.load_example("safe_surgery_like"), engine="laplace", draws=250)
    >>> checks = model_checks(fit, replicates=100)
    >>> checks["of"].to_numpy()[checks["statistic"].to_numpy() == "unequal spreads"].tolist()
    ['']
    """
    study = study_from_dataset(fit["constant_data"].to_dataset())
    data = fitted_data(fit)
    rng = np.random.default_rng(seed)
    if data.shape[2] == 1 or data.shape[0] < 3:
        return xr.Dataset(coords={"check": np.arange(0)})
    number = min(replicates, max(_FEWEST, _MOST_CELLS // data.observed.size))
    seen = np.where(data.size > 0, data.observed, np.nan)
    if data.kind == "counts":
        seen = seen / np.where(data.size > 0, data.size, 1.0)
    found: list[dict[str, Floats]] = []
    parameters = drawn_parameters(fit, data, number, rng)
    while some := list(islice(parameters, max(1, _TOGETHER // data.observed.size))):
        shares = np.array([draw_proportion(draw_eta(one, data, rng)[0], data, rng) for one in some])
        if not found:
            alone = _alone(shares, some, data) if data.shape[1] > 1 else None
            found.append(_statistics(seen[None], data, alone))
        found.append(_statistics(shares, data, alone))
    facilities = study.data["facility"].to_numpy().astype(str)
    whole = np.array([""])
    labels = {
        "facility": facilities,
        "facility mean": facilities,
        "tails": whole,
        "unequal spreads": whole,
    }
    indicators = study.data["indicator"].to_numpy().astype(str)
    rows = []
    limit = FALSE_ALARMS / len(found[0])
    for name in found[0]:
        values = np.concatenate([some[name] for some in found])  # the observed ones first
        known = np.flatnonzero(np.isfinite(values).all(axis=0))
        if not known.size:
            continue
        values = values[:, known]
        both = name in _TO_BOTH_SIDES
        p = _adjusted(np.log(np.maximum(values, 1e-6)) if both else values, upwards=not both)
        middle, of = np.median(values[1:], axis=0), labels.get(name, indicators)
        rows += [
            (name, of[at], values[0, n], middle[n], p[n], p[n] < limit,
             _advice(name, data, more=values[0, n] > middle[n]) if p[n] < limit else "")
            for n, at in enumerate(known.tolist())
        ]  # fmt: skip
    names = ("statistic", "of", "observed", "expected", "p_value", "flagged", "advice")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return xr.Dataset(
        {name: ("check", np.array(part)) for name, part in columns},
        coords={"check": np.arange(len(rows))},
        attrs={"false_alarms": FALSE_ALARMS, "replicates": number},
    )


def _advice(name: str, data: ModelData, *, more: bool) -> str:
    """Say what to do where a check fails; `more` where there is more than the model expects."""
    if name in ADVICE:
        return ADVICE[name]
    if name == "facility mean":
        cure = "fit it with facility_df = 4, by which it moves the others less"
        return "check its data" if data.facility_df is not None else f"check its data, or {cure}"
    if "indicator" in data.levels and not data.own_spread:
        return "fit it with indicator_spread = 'own'"
    if more:
        return "fit it with a wider prior of the standard deviations"
    return "check how it was recorded, or fit it with a narrower prior of the standard deviations"


def _adjusted(values: Floats, *, upwards: bool) -> Floats:
    """Return for each column of row 0 the share of rows with a largest deviation as large."""
    sd = values.std(axis=0)
    z = (values - values.mean(axis=0)) / np.where(sd > 0, sd, np.inf)
    z = np.maximum(z, 0.0) if upwards else np.abs(z)
    # sums of the same numbers in another order are one figure
    return np.asarray((z.max(axis=1)[:, None] >= z[0] * (1.0 - 1e-9)).mean(axis=0))


def drawn_parameters(
    fit: xr.DataTree, data: ModelData, number: int, rng: np.random.Generator
) -> Iterator[Parameters]:
    """Yield so many draws of the parameters from a posterior, taken at random."""
    posterior = fit["posterior"].to_dataset()
    rows = rng.choice(posterior.sizes["chain"] * posterior.sizes["draw"], number)
    drawn = {
        str(name): value.to_numpy().reshape(-1, value[0, 0].size)[rows]
        for name, value in posterior.data_vars.items()
        if not str(name).startswith("eta")
    }
    # one period has no change
    nothing = np.zeros((number, data.shape[1]))

    def part(stem: str, n: int) -> dict[str, Floats]:
        none = nothing[:, :1]
        return {level: drawn.get(f"{stem}_{level}", none)[n] for level in data.levels}

    for n in range(number):
        yield Parameters(
            alpha=drawn["alpha"][n],
            beta=drawn.get("beta", nothing)[n],
            sd_baseline=part("sd_baseline", n),
            sd_change=part("sd_change", n),
            corr=part("corr", n),
            imbalance=drawn["imbalance"][n] if data.arms == 2 else None,
            arm_effect=drawn["arm_effect"][n] if data.arms == 2 else None,
            covariate_level=None if data.covariates is None else drawn["covariate_level"][n],
            covariate_change=drawn["covariate_change"][n] if "covariate_change" in drawn else None,
        )


@dataclass(frozen=True, slots=True)
class _Alone:
    """What tells an indicator's own part of a change from what indicators have in common."""

    precision: Floats
    """Inverse covariance of the indicators' changes (K, K)."""
    reliability: Floats
    """Share of the own part that is no error (K,)."""


def _alone(shares: Floats, parameters: Sequence[Parameters], data: ModelData) -> _Alone:
    """Return it of replicates (B, F, K, T) and the parameters that they were drawn with."""
    evidence = _evidence(shares, data)
    change = np.nan_to_num(_standardised(evidence[..., 1] - evidence[..., 0])[0])
    rows = change.reshape(-1, change.shape[-1])
    free = len(change) * (data.shape[0] - 1)
    precision = np.linalg.pinv(rows.T @ rows / free, hermitian=True)
    own = np.median([one.sd_change["indicator"] for one in parameters], axis=0)
    return _Alone(precision, own**2 * np.diag(precision))


def _evidence(share: Floats, data: ModelData) -> Floats:
    """Return empirical logits of proportions, which do not end where proportions do, or scores."""
    if data.kind != "counts":
        return share
    met = share * data.size
    # half a case more of both kinds
    return np.asarray(np.log((met + 0.5) / (data.size - met + 0.5)))


def _statistics(share: Floats, data: ModelData, alone: _Alone | None) -> dict[str, Floats]:
    """Return the statistics of proportions, or standardised means (..., F, K, T): (..., part)."""
    factor = 100.0 if data.kind == "counts" else 1.0
    change = factor * (share[..., 1] - share[..., 0])
    centered, spread, standard = _standardised(change)
    evidence = _evidence(share, data)
    centered_evidence, spread_of_evidence, standard_evidence = _standardised(
        evidence[..., 1] - evidence[..., 0]
    )
    overall = _mean(standard_evidence, axis=-1)
    largest = np.where(np.isnan(centered), -1.0, np.abs(centered)).max(axis=-2)
    found = {
        "spread": spread,
        "baseline spread": _standardised(factor * share[..., 0])[1],
        "extreme": np.where(largest < 0.0, np.nan, largest),
        "tails": _mean(_mean(standard_evidence**4, axis=-1), axis=-1)[..., None],
        "facility": _mean(np.abs(standard), axis=-1),
        "facility mean": np.abs(_standardised(overall[..., None])[2][..., 0]),
    }
    if data.kind == "counts":
        ends = (share == 0.0) | (share == 1.0)
        found["zeros"] = ends.sum(axis=(-3, -1)).astype(float)
    if alone is not None:
        middle = _mean(spread_of_evidence, axis=-1)[..., None]
        apart = np.sqrt(_mean((spread_of_evidence - middle) ** 2, axis=-1)[..., None])
        found["unequal spreads"] = 100.0 * apart / np.maximum(middle, 1e-12)
        found["correlation"] = _moved_with(centered_evidence, alone)
    return found


def _standardised(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return values (..., F, K) less their mean over facilities, the SD, and their ratio."""
    centered = values - _mean(values, axis=-2)[..., None, :]
    spread = np.sqrt(_mean(centered**2, axis=-2))
    varies = np.where(spread > 0, spread, np.where(np.isnan(spread), np.nan, np.inf))
    return centered, spread, centered / varies[..., None, :]


def _moved_with(centered: Floats, alone: _Alone) -> Floats:
    """Return with how many others each indicator moves, of changes about their mean (..., F, K)."""
    rest = np.nan_to_num(centered) @ alone.precision
    rest *= np.sqrt(alone.reliability / np.maximum((rest**2).sum(axis=-2), 1e-12))[..., None, :]
    shared = np.maximum(np.swapaxes(rest, -1, -2) @ rest, 0.0)
    diagonal = np.arange(shared.shape[-1])
    shared[..., diagonal, diagonal] = 0.0
    return np.asarray((shared**2).sum(axis=-1))


def _mean(values: Floats, axis: int) -> Floats:
    """Return the mean of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    number = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(number > 0, total / np.maximum(number, 1), np.nan))
