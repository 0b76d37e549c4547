"""The answers of a plan, one after the other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from pdsim.planning.answers import root_dataset, value_at
from pdsim.planning.budget import (
    DROPOUT,
    budget_dataset,
    certain_size,
    cost_of,
    price_dataset,
    visit_dataset,
    worth_dataset,
)
from pdsim.planning.control_arms import control_dataset
from pdsim.planning.designs import design_table, frontier, grid_of, race
from pdsim.planning.dropout import dropout_dataset
from pdsim.planning.plan_settings import ANALYSED_RULE, PlanSettings, stands_in
from pdsim.planning.question import DrawFor, Question, answer, replicates_per_row
from pdsim.planning.root_search import Root
from pdsim.planning.sensitivity import tornado
from pdsim.planning.sizes import Costs, mean_trials, periods_of, resize, visits_of
from pdsim.planning.stand_in import compare_rules
from pdsim.planning.start import signal_of
from pdsim.planning.uncertain import Range, drawn

_CONDITIONAL: Final = 1
_ASSURANCE: Final = 2


def answers_of(
    settings: PlanSettings,
    question: Question,
    ranges: Mapping[str, Range],
    draw_for: DrawFor | None,
) -> dict[str, xr.Dataset]:
    """Return the parts of a plan by name.

    Parameters
    ----------
    settings : PlanSettings
    question : Question
    ranges : mapping of str to Range
    draw_for : callable or None
        What the assurance averages over.

    Returns
    -------
    dict of str to Dataset
        ``answer``: n with its interval and the curve, for the scenario as stated (see
        `pdsim.planning.root_dataset`), ``cost``, ``cases``, ``visits``, ``reliability`` at n, and
        ``n_certain`` with ``cost_certain``, the size that reaches the target with 95 % certainty.
        ``assurance``: the same, averaged over the draws, and ``at_n`` with ``at_n_low`` and
        ``at_n_high``, the average at the answer's n, and over ``parameter`` what was drawn:
        ``drawn_low``, ``drawn_median``, ``drawn_high``. ``rules``: see
        `pdsim.planning.stand_in.compare_rules`. With costs ``visits``, ``prices``,
        ``controls`` (see `pdsim.planning.control_design`) and ``dropout`` (see
        `pdsim.planning.dropout`), with a budget ``budget``, with a cost of wrong names ``worth``
        (see `pdsim.planning.budget`). ``sensitivity``, ``designs``, ``frontier`` where asked for.
    """
    parts: dict[str, xr.Dataset] = {}
    costs, planned = settings.costs, question
    if settings.over == "cost" and costs is not None:
        raced = race(question, grid_of(question.scenario, settings.grid), costs)
        parts["designs"] = design_table(raced, costs)
        chosen = raced.cheapest or 0
        root = raced.roots[chosen]
        planned = replace(question, scenario=raced.scenarios[chosen])
    else:
        root = answer(question, stream=_CONDITIONAL, stage="the scenario as stated")
    parts["answer"] = _answer_dataset(planned, root, costs)
    n = float(parts["answer"]["n"])
    headline = root
    if draw_for is not None:
        averaged, parts["assurance"] = _assurance(planned, root, costs, draw_for, n=n)
        if settings.assurance in ("pilot", "priors"):
            headline = averaged
    quoted = float(headline.n) if headline.n is not None else n
    if np.isfinite(quoted):
        parts |= _at_answer(settings, planned, n=quoted)
    if ranges and settings.sensitivity and np.isfinite(root.crossing.n):
        parts["sensitivity"] = tornado(planned, ranges, found=root.crossing)
    if costs is not None and settings.budget is not None:
        named = np.nan if headline.n is None else float(headline.n)
        parts["budget"] = budget_dataset(
            planned, headline, costs, n=named, budget=settings.budget,
            draw_for=draw_for if headline is not root else None,
        )  # fmt: skip
        designs = grid_of(question.scenario, settings.grid)
        parts["frontier"] = frontier(planned, designs, costs, budget=settings.budget)
    return parts


def _at_answer(settings: PlanSettings, question: Question, *, n: float) -> dict[str, xr.Dataset]:
    """Return what is said of a study of the size that is quoted."""
    parts: dict[str, xr.Dataset] = {}
    costs, scenario = settings.costs, question.scenario
    if costs is not None:
        parts["visits"] = visit_dataset(question, costs, n=n)
        if question.over == "trials":
            parts["prices"] = price_dataset(question, costs, n=n)
            parts["controls"] = control_dataset(question, costs, n=n)
            dropout = dropout_dataset(question, n=n, share=DROPOUT)
            if dropout is not None:
                parts["dropout"] = dropout
        if costs.per_wrong > 0:
            parts["worth"] = worth_dataset(question, costs, n=n)
    if settings.stand_in and stands_in(scenario, question.target.measure):
        parts["rules"] = compare_rules(
            question, n=n, rule=ANALYSED_RULE, replicates=settings.stand_in
        )
    return parts


def _assurance(
    question: Question, root: Root, costs: Costs | None, draw_for: DrawFor, *, n: float
) -> tuple[Root, xr.Dataset]:
    """Return the answer averaged over uncertain parameters."""
    averaged = answer(
        question,
        stream=_ASSURANCE,
        stage="averaged over uncertain parameters",
        draw_for=draw_for,
        start=root.crossing.n if np.isfinite(root.crossing.n) else None,
        also=(int(n),) if np.isfinite(n) else (),
    )
    rows = replicates_per_row(question.scenario, draw_for)
    dataset = _answer_dataset(question, averaged, costs, replicates_per_row=rows)
    at_n = value_at(averaged, n) if np.isfinite(n) else (np.nan, np.nan, np.nan)
    names = ("at_n", "at_n_low", "at_n_high")
    dataset = dataset.assign(dict(zip(names, at_n, strict=True)))
    return averaged, dataset.merge(drawn(draw_for(question.scenario)))


def _answer_dataset(
    question: Question, root: Root, costs: Costs | None, *, replicates_per_row: int = 1
) -> xr.Dataset:
    """Return the answer with what the study at n amounts to."""
    dataset = root_dataset(
        root,
        measure=question.target.measure,
        over=question.over,
        replicates_per_row=replicates_per_row,
    )
    n = float(dataset["n"])
    found = dict.fromkeys(
        ("cost", "cases", "visits", "reliability", "n_certain", "cost_certain"), np.nan
    )
    if not np.isfinite(n):
        return dataset.assign(found)
    sized = resize(question.scenario, question.over, int(n))
    trials = mean_trials(sized)
    visits = int(n) if question.over == "rounds" else visits_of(sized)
    certain = n if root.status == "always_reached" else certain_size(root)
    found |= {
        "cases": trials * sized.observed_facilities * periods_of(sized),
        "visits": float(visits * sized.observed_facilities * periods_of(sized)),
        "reliability": signal_of(sized, seed=question.seed).reliability(trials),
        "n_certain": certain,
    }
    if costs is not None:
        found["cost"] = cost_of(question, costs, int(n))
        if np.isfinite(certain):
            found["cost_certain"] = cost_of(question, costs, int(certain))
    return dataset.assign(found)
