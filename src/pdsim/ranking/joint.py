"""Several criteria at once, from joint draws of several scores."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.conventions import DEFAULT_M
from pdsim.errors import InputError, Problem
from pdsim.ranking.draws import ScoreDraws, as_draws, check_m, mean_and_error, never_seen
from pdsim.ranking.named_draws import known_scores, named_draws, smallest_size
from pdsim.ranking.steadiness import at_least
from pdsim.terms.criteria import Criterion, parse_criterion
from pdsim.terms.places import cut


def criteria(
    source: xr.DataTree | Mapping[str, xr.DataArray], texts: Sequence[str], *, m: int = DEFAULT_M
) -> xr.Dataset:
    """Return who meets several criteria at once, and how surely.

    Parameters
    ----------
    source : xarray.DataTree or mapping of str to DataArray
        A fit of `pdsim.fit`, whose scores have the names of `pdsim.model.named_score`; or scores
        by name, each as in `pdsim.ranking.top_probability`, whose draws belong together.
    texts : sequence of str
        Such as ``["top(change, 3)", "endline >= 60", "not bottom(ratio, 20 %)"]``, see
        `pdsim.terms.criteria.parse_criterion`; in the units of the scores.
    m : int
        Facilities to name.

    Returns
    -------
    Dataset
        Over ``facility``: ``all_probability``, P(it meets all of them); ``selected``, the m with
        the largest, which maximise the expected number of named facilities that meet all; ``tied``
        for the places that are left; ``excluded_by``, the criterion it is least likely to meet.
        Over (``criterion``, ``facility``): ``met_probability``, and ``only_probability``, P(it
        meets all but this one). Over ``number``: ``number_probability``, P(at least so many meet
        all). Each probability with its ``_mcse``. Ties at the cut of an end are settled by lot,
        for each criterion anew. The attribute ``expected`` is the expected number among the
        selected.

    Raises
    ------
    InputError
        If a criterion is none or names no score, or the scores do not belong together.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal([[9.0, 5.0, 0.0]] * 400, 1.0)
    >>> change = xr.DataArray(draws, dims=("sample", "facility"))
    >>> found = criteria({"change": change}, ["top(change, 2)", "change > 7"], m=1)
    >>> found.selected.values.tolist(), found.excluded_by.values.tolist()[1]
    ([True, False, False], 'change > 7')
    """
    if not texts:
        raise InputError(Problem(rule="there are no criteria", cure="state at least one"))
    known = known_scores(source)
    asked = [parse_criterion(text, known) for text in dict.fromkeys(texts)]
    return _dataset(asked, named_draws(source, dict.fromkeys(one.score for one in asked)), m)


def _dataset(asked: list[Criterion], draws: dict[str, ScoreDraws], m: int) -> xr.Dataset:
    first = next(iter(draws.values()))
    check_m(m, first.facilities)
    ess = smallest_size(draws.values())
    met = np.stack([one.met(draws[one.score].values) for one in asked])
    whole = met.prod(axis=0)
    # P(all but this one), from the products before and after it
    ones = np.ones_like(met[:1])
    before = np.concatenate([ones, met[:-1].cumprod(axis=0)])
    after = np.concatenate([met[:0:-1].cumprod(axis=0)[::-1], ones])
    only = before * after * (1.0 - met)
    number = _at_least(whole)
    found: dict[str, tuple[tuple[str, ...], Floats]] = {}
    for name, dims, series in (
        ("all_probability", ("facility",), whole),
        ("number_probability", ("number",), number),
        ("met_probability", ("criterion", "facility"), met[:, 0]),
        ("only_probability", ("criterion", "facility"), only[:, 0]),
    ):
        mean, error, size = mean_and_error(series, ess=ess)
        row = (0,) if len(dims) == 1 else ()
        found[name] = (dims, mean[row] if row else mean)
        error = never_seen(error, size)
        found[f"{name}_mcse"] = (dims, error[row] if row else error)
    probability = found["all_probability"][1]
    sure, tied = (part[0] for part in cut(probability[np.newaxis], m))
    texts = [one.text for one in asked]
    least = found["met_probability"][1].argmin(axis=0)
    expected = float(np.sort(probability)[::-1][:m].sum())
    return (
        xr.Dataset(found)
        .assign(
            selected=("facility", sure),
            tied=("facility", tied),
            excluded_by=("facility", np.array(texts)[least]),
            facility=first.template.coords["facility"].values,
            criterion=texts,
            number=np.arange(1, first.facilities + 1),
        )
        .assign_attrs({**first.origin, "m": m, "expected": expected})
    )


def _at_least(whole: Floats) -> Floats:
    """Return for each draw (..., facility) the share of lots with 1, 2, ... that meet all."""
    if np.isin(whole, (0.0, 1.0)).all():
        count = whole.sum(axis=-1, keepdims=True)
        return np.asarray(count >= np.arange(1, whole.shape[-1] + 1), dtype=np.float64)
    return np.moveaxis(at_least(np.moveaxis(whole, -1, 0)), 0, -1)


def undominated_probability(scores: xr.DataArray, *, dim: str = "domain") -> xr.Dataset:
    """Return the probability that no other facility is at least as good in all and better in one.

    Parameters
    ----------
    scores : DataArray
        Draws over `dim` and ``facility``, larger is better: the domains, indicators or estimands
        that count. No weights are needed.
    dim : str

    Returns
    -------
    Dataset (facility)
        ``undominated_probability`` (Pareto) and its ``_mcse``.

    Raises
    ------
    InputError
        If `dim` is missing.

    Examples
    --------
    >>> values = [[[3.0, 2.0, 1.0]], [[1.0, 2.0, 1.0]]]
    >>> scores = xr.DataArray(values, dims=("domain", "sample", "facility"))
    >>> undominated_probability(scores).undominated_probability.values.tolist()
    [1.0, 1.0, 0.0]
    """
    if dim not in scores.dims:
        raise InputError(Problem(rule=f"the scores have no dimension {dim!r}"))
    draws = as_draws(scores.transpose(dim, ...))
    values = draws.values
    free = np.empty(values.shape[1:])
    for i in range(draws.facilities):
        gap = values - values[..., i : i + 1]
        free[..., i] = ~((gap >= 0).all(axis=0) & (gap > 0).any(axis=0)).any(axis=-1)
    mean, error, size = mean_and_error(free[np.newaxis], ess=draws.ess)
    name = "undominated_probability"
    return xr.Dataset(
        {name: ("facility", mean[0]), f"{name}_mcse": ("facility", never_seen(error, size)[0])},
        coords={"facility": draws.template.coords["facility"].values},
        attrs=draws.origin,
    )
