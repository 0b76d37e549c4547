"""Does the choice survive? One study selected again under other assumptions.

A refit that fails its gates is no evidence either way: it is handed over to NUTS where that takes
no more than a minute, and left out of the table otherwise, with its reason in the attribute
`refused`.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

import pandas as pd
import xarray as xr

from pdsim.analysis.exchange import exchanged, identical_facilities
from pdsim.analysis.rank_groups import one_end_each
from pdsim.analysis.stages import nothing
from pdsim.conventions import Side
from pdsim.errors import ConvergenceWarning
from pdsim.model import composite, fit
from pdsim.model.composites import has_controls
from pdsim.model.cost import nuts_seconds
from pdsim.priors import Priors
from pdsim.ranking import select, top_probability
from pdsim.study import Study
from pdsim.study.options import Engine
from pdsim.study.problems import listed
from pdsim.terms.estimands import estimands_of

_LONGEST_HAND_OVER: Final = 60.0
"""Seconds of NUTS that one refit may take."""


def compare_selections(scores: Mapping[Any, xr.DataArray], *, dim: str, m: int) -> xr.Dataset:
    """Return who is selected at each end under each of several scores.

    Parameters
    ----------
    scores : mapping of label to DataArray (chain, draw, facility)
    dim : str
        Name of the new dimension; its labels are the keys of `scores`.
    m : int

    Returns
    -------
    xarray.Dataset (dim, facility)
        ``p_top``, ``p_bottom`` with ``_mcse``, ``selected_top``, ``selected_bottom``,
        ``could_flip_top``, ``could_flip_bottom`` (Monte Carlo error alone may decide), and
        ``convergence`` (dim).
    """
    parts = []
    sides: tuple[Side, Side] = ("top", "bottom")
    for score in scores.values():
        columns = {}
        for side in sides:
            probability = top_probability(score, m=m, side=side)
            columns[f"p_{side}"] = probability["top_probability"]
            columns[f"p_{side}_mcse"] = probability["top_probability_mcse"]
            chosen = select(score, m=m, side=side)
            columns[f"selected_{side}"] = chosen["selected"]
            columns[f"could_flip_{side}"] = chosen["could_flip"]
        part = one_end_each(xr.Dataset(columns)).drop_vars("either_end")
        parts.append(part.assign(convergence=str(score.attrs.get("convergence", ""))))
    return xr.concat(parts, pd.Index(list(scores), name=dim), combine_attrs="drop")


def fitted_estimands(tree: xr.DataTree) -> tuple[str, ...]:
    """Return the estimands that a fit has, the main one first."""
    controls = has_controls(tree)
    return estimands_of(tree.attrs["kind"], tree["posterior"].sizes["period"], controls=controls)


def prior_sensitivity(
    study: Study,
    *,
    priors: Priors | None = None,
    factors: tuple[float, ...] | None = None,
    engine: Engine = "laplace",
    seed: int = 1,
    tell: Callable[[], None] = nothing,
) -> xr.Dataset:
    """Return the selection with the scales of all sd priors multiplied by each factor.

    Parameters
    ----------
    study : Study
    priors : Priors, optional
        Default: the study's own, else ``Priors()``.
    factors : tuple of float, optional
        Default: 1, and those of the study's ``[robustness]``.
    engine : {"nuts", "laplace"}
    seed : int
    tell : callable
        Called after each refit; so is that of the functions below.

    Returns
    -------
    xarray.Dataset (prior_factor, facility)
        See `compare_selections`; only refits that passed their gates. The attribute ``refused``
        is a JSON object of the others and what failed of each.

    Examples
    --------
    >>> import pdsim
    >>> table = prior_sensitivity(pdsim.load_example("surgical"), factors=(0.5, 2.0))
    >>> table.sizes["prior_factor"]
    2
    """
    base = priors or study.options.priors or Priors()
    if factors is None:
        factors = tuple(sorted({1.0, *study.options.robustness.prior_factors}))
    variants = {factor: (study, base.scaled(factor)) for factor in factors}
    return _refitted("prior_factor", variants, engine=engine, seed=seed, tell=tell)


def _refitted(
    dim: str,
    variants: Mapping[Any, tuple[Study, Priors | None]],
    *,
    engine: Engine,
    seed: int,
    tell: Callable[[], None],
    with_intervals: bool = False,
) -> xr.Dataset:
    """Return the selections under the variants that can be vouched for; empty if none can."""
    from pdsim.analysis.summaries import interval

    scores: dict[Any, xr.DataArray] = {}
    refused: dict[str, str] = {}
    for label, (study, priors) in variants.items():
        score = refit(study, engine=engine, priors=priors, seed=seed)
        if score.attrs["convergence"] == "passed":
            scores[label] = score
        else:
            refused[str(label)] = score.attrs["convergence"]
        tell()
    table = xr.Dataset()
    if scores:
        table = compare_selections(scores, dim=dim, m=study.m)
    if scores and with_intervals:
        index = pd.Index(list(scores), name=dim)
        means = [score.mean(("chain", "draw")) for score in scores.values()]
        intervals = [interval(score) for score in scores.values()]
        table = table.assign(
            mean=xr.concat(means, index, combine_attrs="drop"),
            interval=xr.concat(intervals, index, combine_attrs="drop"),
        )
    return table.assign_attrs(refused=json.dumps(refused))


def refit(study: Study, *, engine: Engine, priors: Priors | None, seed: int) -> xr.DataArray:
    """Return the score of one more fit, with what failed in its label."""
    tree = refitted_tree(study, engine=engine, priors=priors, seed=seed)
    return exchanged(composite(tree), identical_facilities(study))


def refitted_tree(study: Study, *, engine: Engine, priors: Priors | None, seed: int) -> xr.DataTree:
    """Return one more fit; it is handed over to NUTS only where that does not take long."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        affordable = nuts_seconds(study) <= _LONGEST_HAND_OVER
        return fit(study, engine=engine, priors=priors, seed=seed, hand_over=affordable)


def suppressed_sensitivity(
    study: Study,
    *,
    engine: Engine = "laplace",
    seed: int = 1,
    tell: Callable[[], None] = nothing,
) -> xr.Dataset:
    """Return the selection with all suppressed counts at their lowest and at their highest.

    Returns
    -------
    xarray.Dataset (suppressed, facility)
        See `compare_selections`; ``suppressed`` is "low" and "high".
    """
    ends: tuple[Literal["low", "high"], ...] = ("low", "high")
    variants = {end: (study.with_suppressed(end), None) for end in ends}
    return _refitted("suppressed", variants, engine=engine, seed=seed, tell=tell)


def suppressed_sentences(table: xr.Dataset, ranking: xr.Dataset) -> tuple[str, ...]:
    """Say who would be chosen at either end of the suppressed counts."""
    words = {"low": "lowest", "high": "highest"}
    sentences = []
    for end in table["suppressed"].to_numpy().tolist() if "suppressed" in table else ():
        changes = []
        for side in ("top", "bottom"):
            key = f"selected_{side}"
            here = table[key].sel(suppressed=end).to_numpy().astype(bool)
            own = ranking[key].sel(facility=table["facility"]).to_numpy().astype(bool)
            names = table["facility"].to_numpy()
            gone, new = names[own & ~here].tolist(), names[here & ~own].tolist()
            if gone or new:
                changes.append(f"at the {side} {listed(new) or 'nobody'} for {listed(gone)}")
        result = "; ".join(changes) or "the same facilities are chosen"
        sentences.append(f"With the suppressed counts at their {words[end]}: {result}.")
    return tuple(sentences)


def case_correlation_sensitivity(
    study: Study,
    *,
    correlations: tuple[float, ...] | None = None,
    priors: Priors | None = None,
    engine: Engine = "laplace",
    seed: int = 1,
    tell: Callable[[], None] = nothing,
) -> xr.Dataset:
    """Return the selection under each assumed within-case correlation.

    By default those of the study's ``[robustness]``.

    Returns
    -------
    xarray.Dataset (case_correlation, facility)
        See `compare_selections`; also ``mean`` and ``interval`` (…, ci_bound) of the score.
    """
    tried = correlations or study.options.robustness.case_correlations
    variants = {r: (study.with_case_correlation(r), priors) for r in tried}
    return _refitted(
        "case_correlation", variants, engine=engine, seed=seed, tell=tell, with_intervals=True
    )


def design_effect_sensitivity(
    study: Study, *, engine: Engine = "laplace", seed: int = 1, tell: Callable[[], None] = nothing
) -> xr.Dataset:
    """Return the selection under other design effects.

    Where none is known those of the study's ``[robustness]``, where one is stated its factors
    times it, where visits tell the limits of their estimates.

    Returns
    -------
    xarray.Dataset (design_effect, facility)
        See `compare_selections`; ``design_effect`` is that of an average cell.
    """
    variants = {effect: (other, None) for effect, other in clustered(study).items()}
    return _refitted("design_effect", variants, engine=engine, seed=seed, tell=tell)


def clustered(study: Study) -> dict[float, Study]:
    """Return the study under every other design effect that is plausible."""
    source, stated = study.design_effect_source, study.options.robustness
    if source == "estimated":
        ends = (study.with_clustering("low"), study.with_clustering("high"))
        return {round(end.average_design_effect, 2): end for end in ends}
    own = study.design_effect
    factors = [factor * own for factor in stated.design_factors]
    return {
        effect: replace(study, options=replace(study.options, design_effect=effect))
        for effect in (stated.design_effects if source == "unset" else factors)
    }
