"""Refits of an analysis: what is tried is known before the fit, so they may begin beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import xarray as xr

from pdsim.analysis.effect_priors import effects_again, effects_under, prior_variants
from pdsim.analysis.refits import (
    Variation,
    case_correlations,
    design_effects,
    prior_scales,
    refit,
    selections,
    suppressed_ends,
)
from pdsim.study import Study
from pdsim.study.options import SamplerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A table whose refits have been begun.

    Attributes
    ----------
    rows : int
    finish : callable
        Waits for the refits and returns the table, given the score of the study as it stands and
        what to call after each row.
    """

    rows: int
    finish: Callable[[xr.DataArray, Callable[[], None]], xr.Dataset]


def begin_refits(
    study: Study, chosen: SamplerSettings, pool: ThreadPoolExecutor
) -> dict[str, Pending]:
    """Begin all refits of a study, whose tables have names; `chosen` says with which seed."""
    # the fast engine makes refits; what it cannot vouch for is worth minutes only if NUTS was asked
    hand_over = chosen.engine == "nuts"
    again = partial(refit, engine="laplace", seed=chosen.seed, hand_over=hand_over)
    effects = partial(effects_again, engine="laplace", seed=chosen.seed, hand_over=hand_over)
    stated = study.options.robustness

    def begun(varied: Variation) -> Pending:
        fits = varied.begin(again, pool)
        finish = partial(selections, varied, fits, study.m)
        return Pending(rows=len(fits), finish=finish)

    pending: dict[str, Pending] = {}
    # a case correlation is not tried where it is known, or has no meaning
    if study.case_correlation is None and study.shares_cases and stated.case_correlations:
        pending["case_correlation"] = begun(case_correlations(study))
    if stated.prior_factors:
        pending["priors_scaled"] = begun(prior_scales(study))
    if study.kind == "counts" and (varied := design_effects(study)).variants:
        pending["design_effect"] = begun(varied)
    if study.control is not None and stated.prior_factors:
        tried = {
            label: pool.submit(effects, study, priors)
            for label, priors in prior_variants(study).items()
        }
        pending["effect_priors"] = Pending(
            rows=len(tried), finish=lambda own, tell: effects_under(tried, tell)
        )
    if "of" in study.data:
        pending["suppressed"] = begun(suppressed_ends(study))
    return pending
