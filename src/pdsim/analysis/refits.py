"""Does the choice survive? One study selected again under other assumptions.

A refit that the fast engine cannot vouch for is no evidence either way. It is handed over to NUTS,
which may take minutes, only where that is asked for; else it is blank in the table, with its reason
in the attribute `refused`. The study as it stands is not fitted again where its score is given
(`own`).

What is tried (`Variation`) is known before the study itself is fitted, so that an analysis begins
its refits at once: a fit is compiled code and needs the interpreter little.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import nan, prod
from typing import Any, Final, Literal

import pandas as pd
import xarray as xr

from pdsim.analysis.exchange import exchanged, identical_facilities
from pdsim.analysis.rank_groups import one_end_each
from pdsim.analysis.stages import nothing
from pdsim.analysis.summaries import SAMPLE, interval
from pdsim.conventions import Side
from pdsim.model import composite, fit
from pdsim.model.composites import has_controls
from pdsim.model.data import stated_priors
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

type Again = Callable[[Study, Priors | None], xr.DataArray | str]
"""One more fit: its score, or why it cannot be vouched for."""

type Refitted = Future[xr.DataArray | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One thing that is changed, and how: the rows of one table.

    Attributes
    ----------
    dim : str
        What is changed.
    variants : mapping of label to (Study, Priors or None)
        None is the study as it stands.
    with_intervals : bool
        Whether the table has mean and interval of every score, too.
    """

    dim: str
    variants: Mapping[Any, tuple[Study, Priors | None] | None]
    with_intervals: bool = False

    def begin(self, again: Again, pool: ThreadPoolExecutor) -> dict[Any, Refitted | None]:
        """Begin to fit every variant, and say which one is not to be fitted."""
        return {
            label: None if pair is None else pool.submit(again, *pair)
            for label, pair in self.variants.items()
        }


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
    varied = prior_scales(study, priors=priors, factors=factors, known=own is not None)
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted(varied, study, again, own=own, tell=tell)


def prior_scales(
    study: Study,
    *,
    priors: Priors | None = None,
    factors: tuple[float, ...] | None = None,
    known: bool = True,
) -> Variation:
    """Return the study under scaled priors, see `prior_sensitivity`; `known` as it stands."""
    if factors is None:
        factors = tuple(sorted({1.0, *study.options.robustness.prior_factors}))
    base, known = stated_priors(study, priors), known and priors is None
    return Variation(
        dim="prior_factor",
        variants={
            factor: None if known and factor == 1.0 else (study, base.scaled(factor))
            for factor in factors
        },
    )


def _refitted(
    varied: Variation,
    study: Study,
    again: Again,
    *,
    own: xr.DataArray | None = None,
    tell: Callable[[], None],
) -> xr.Dataset:
    """Return the table of a variation, fitted side by side where memory is no question."""
    with refit_pool(study) as pool:
        return selections(varied, varied.begin(again, pool), study.m, own, tell)


@contextmanager
def refit_pool(study: Study) -> Iterator[ThreadPoolExecutor]:
    """Fit in threads of their own, one for each core; at its end nothing more is begun."""
    pool = ThreadPoolExecutor((os.cpu_count() or 1) if side_by_side(study) else 1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def selections(
    varied: Variation,
    begun: Mapping[Any, Refitted | None],
    m: int,
    own: xr.DataArray | None,
    tell: Callable[[], None],
) -> xr.Dataset:
    """Return who is chosen under every variant once it is fitted.

    A variant that cannot be vouched for is blank; the table is empty if none can.
    """
    found: dict[Any, xr.DataArray | str] = {}
    for label, one in begun.items():
        if one is not None:
            found[label] = one.result()
        elif own is not None:
            found[label] = own
        tell()
    refused = {str(label): one for label, one in found.items() if isinstance(one, str)}
    passed = {label: one for label, one in found.items() if not isinstance(one, str)}
    if not passed:
        return xr.Dataset(attrs={"refused": json.dumps(refused)})
    table = compare_selections(passed, dim=varied.dim, m=m)
    if varied.with_intervals:
        index = pd.Index(list(passed), name=varied.dim)
        means = [score.mean(SAMPLE) for score in passed.values()]
        intervals = [interval(score) for score in passed.values()]
        table = table.assign(
            mean=xr.concat(means, index, combine_attrs="drop"),
            interval=xr.concat(intervals, index, combine_attrs="drop"),
        )
    blank: dict[Any, Any] = {
        name: False for name, column in table.items() if column.dtype == bool
    } | {"convergence": "not fitted"}
    fill = {**dict.fromkeys(table, nan), **blank}
    table = table.reindex({varied.dim: list(found)}, fill_value=fill)
    return table.assign_attrs(refused=json.dumps(refused))


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
    # its label says what failed
    tree = fit(study, engine=engine, priors=priors, seed=seed, hand_over=hand_over, warn=False)
    label = str(tree.attrs["convergence"])
    return tree if label == "passed" else label


def suppressed_ends(study: Study) -> Variation:
    """Return the study with all suppressed counts at their lowest and at their highest."""
    ends: tuple[Literal["low", "high"], ...] = ("low", "high")
    variants = {end: (study.with_suppressed(end), None) for end in ends}
    return Variation(dim="suppressed", variants=variants)


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
    varied = case_correlations(study, correlations=correlations, priors=priors, known=False)
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    return _refitted(varied, study, again, tell=tell)


def case_correlations(
    study: Study,
    *,
    correlations: tuple[float, ...] | None = None,
    priors: Priors | None = None,
    known: bool = True,
) -> Variation:
    """Return the study under assumed case correlations; one that is not stated counts as 0."""
    tried = correlations or study.options.robustness.case_correlations
    unset = known and priors is None and study.case_correlation is None
    variants = {
        r: None if unset and r == 0.0 else (study.with_case_correlation(r), priors) for r in tried
    }
    return Variation(dim="case_correlation", variants=variants, with_intervals=True)


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
    again = partial(refit, engine=engine, seed=seed, hand_over=hand_over)
    varied = design_effects(study, known=own is not None)
    return _refitted(varied, study, again, own=own, tell=tell)


def design_effects(study: Study, *, known: bool = True) -> Variation:
    """Return the study under other design effects, see above; `known` as it stands."""
    stands = study.design_effect if study.design_effect_source != "estimated" else None
    variants = {
        effect: None if known and effect == stands else (other, None)
        for effect, other in clustered(study).items()
    }
    return Variation(dim="design_effect", variants=variants)


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
