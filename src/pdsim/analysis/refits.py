"""Does the choice survive? One study selected again under other assumptions.

A refit that the fast engine cannot vouch for is no evidence either way. It is handed over to NUTS,
which may take minutes, only where that is asked for; else it is blank in the table, with its reason
in the attribute `refused`. The study as it stands is not fitted again where its score is given
(`own`).
"""

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import nan, prod
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
from pdsim.priors import Priors
from pdsim.ranking import select, top_probability
from pdsim.study import Study
from pdsim.study.options import Engine
from pdsim.study.problems import listed
from pdsim.terms.estimands import estimands_of

CORRELATED: Final = "the fast engine takes the errors of scores as independent"
"""Why a study with errors that correlate is not fitted again."""
_SIDE_BY_SIDE: Final = 100_000
"""Cells of a study of which several fits are in memory at once."""

type Variants = Mapping[Any, tuple[Study, Priors | None] | None]
"""What is changed for each label of a table; None is the study as it stands."""

type Again = Callable[[Study, Priors | None], xr.DataArray | str]
"""One more fit: its score, or why it cannot be vouched for."""


def side_by_side(study: Study) -> bool:
    """Return whether several fits of a study may be in memory at once."""
    return prod(study.data.sizes.values()) <= _SIDE_BY_SIDE


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
    hand_over: bool = False,
    seed: int = 1,
    own: xr.DataArray | None = None,
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
    hand_over : bool
        Whether refits that the fast engine cannot vouch for are handed over to NUTS.
    seed : int
    own : DataArray (chain, draw, facility), optional
        Score of the study as it stands, which is otherwise fitted once more; so it is for the
        functions below.
    tell : callable
        Called after each refit; so is that of the functions below.

    Returns
    -------
    xarray.Dataset (prior_factor, facility)
        See `compare_selections`; refits that failed their gates are blank (NaN, nobody selected),
        and there is no table where all did. The attribute ``refused`` is a JSON object of these
        and what failed of each.

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
    known = own is not None and priors is None
    variants = {
        factor: None if known and factor == 1.0 else (study, base.scaled(factor))
        for factor in factors
    }
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted("prior_factor", variants, study.m, again, own=own, tell=tell)


def _refitted(
    dim: str,
    variants: Variants,
    m: int,
    again: Again,
    *,
    tell: Callable[[], None],
    own: xr.DataArray | None = None,
    with_intervals: bool = False,
) -> xr.Dataset:
    """Return the selections, blank where a variant cannot be vouched for; empty if none can."""
    from pdsim.analysis.summaries import interval

    found = dict(_scores(variants, own, again, tell))
    refused = {str(label): one for label, one in found.items() if isinstance(one, str)}
    passed = {label: one for label, one in found.items() if not isinstance(one, str)}
    if not passed:
        return xr.Dataset(attrs={"refused": json.dumps(refused)})
    table = compare_selections(passed, dim=dim, m=m)
    if with_intervals:
        index = pd.Index(list(passed), name=dim)
        means = [score.mean(("chain", "draw")) for score in passed.values()]
        intervals = [interval(score) for score in passed.values()]
        table = table.assign(
            mean=xr.concat(means, index, combine_attrs="drop"),
            interval=xr.concat(intervals, index, combine_attrs="drop"),
        )
    blank: dict[Any, Any] = {
        name: False for name, column in table.items() if column.dtype == bool
    } | {"convergence": "not fitted"}
    table = table.reindex({dim: list(found)}, fill_value={**dict.fromkeys(table, nan), **blank})
    return table.assign_attrs(refused=json.dumps(refused))


def _scores(
    variants: Variants, own: xr.DataArray | None, again: Again, tell: Callable[[], None]
) -> Iterator[tuple[Any, xr.DataArray | str]]:
    """Yield the score under each variant, fitted side by side where memory is no question."""
    changed = [pair for pair in variants.values() if pair is not None]
    threads = (os.cpu_count() or 1) if all(side_by_side(study) for study, _ in changed) else 1
    with labelled_not_warned(), ThreadPoolExecutor(threads) as pool:
        fitted = pool.map(lambda pair: again(*pair), changed)
        for label, pair in variants.items():
            if pair is not None:
                yield label, next(fitted)
            elif own is not None:
                yield label, own
            tell()


@contextmanager
def labelled_not_warned() -> Iterator[None]:
    """Let no refit warn of its gates: its label says what failed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def refit(
    study: Study, priors: Priors | None, *, engine: Engine, seed: int, hand_over: bool = False
) -> xr.DataArray | str:
    """Return the score of one more fit, or why it cannot be vouched for."""
    tree = refitted_tree(study, priors, engine=engine, seed=seed, hand_over=hand_over)
    if isinstance(tree, str):
        return tree
    return exchanged(composite(tree), identical_facilities(study))


def refitted_tree(
    study: Study, priors: Priors | None, *, engine: Engine, seed: int, hand_over: bool = False
) -> xr.DataTree | str:
    """Return one more fit, or why it cannot be vouched for."""
    if engine == "laplace" and not hand_over and study.error_correlation is not None:
        return CORRELATED
    tree = fit(study, engine=engine, priors=priors, seed=seed, hand_over=hand_over)
    label = str(tree.attrs["convergence"])
    return tree if label == "passed" else label


def suppressed_sensitivity(
    study: Study,
    *,
    engine: Engine = "laplace",
    hand_over: bool = False,
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
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted("suppressed", variants, study.m, again, tell=tell)


def suppressed_sentences(table: xr.Dataset, ranking: xr.Dataset) -> tuple[str, ...]:
    """Say who would be chosen at either end of the suppressed counts."""
    words = {"low": "lowest", "high": "highest"}
    sentences = []
    for end in table["suppressed"].to_numpy().tolist() if "suppressed" in table else ():
        if table["convergence"].sel(suppressed=end) != "passed":
            continue
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
    hand_over: bool = False,
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
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted("case_correlation", variants, study.m, again, tell=tell, with_intervals=True)


def design_effect_sensitivity(
    study: Study,
    *,
    engine: Engine = "laplace",
    hand_over: bool = False,
    seed: int = 1,
    own: xr.DataArray | None = None,
    tell: Callable[[], None] = nothing,
) -> xr.Dataset:
    """Return the selection under other design effects.

    Where none is known those of the study's ``[robustness]``, where one is stated its factors
    times it, where visits tell the limits of their estimates.

    Returns
    -------
    xarray.Dataset (design_effect, facility)
        See `compare_selections`; ``design_effect`` is that of an average cell.
    """
    stands = study.design_effect if study.design_effect_source != "estimated" else None
    variants = {
        effect: None if own is not None and effect == stands else (other, None)
        for effect, other in clustered(study).items()
    }
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted("design_effect", variants, study.m, again, own=own, tell=tell)


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
