"""The sentences of a plan: the budget first, then the answer, then what stands behind it."""

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports.formats.document import Column, Table, Text, fill
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.plan.plan_words import design_words, sized
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.measures import MEASURES

if TYPE_CHECKING:
    from pdsim.planning import FirstLook

STATED: Final = "as stated"
AVERAGED: Final = "averaged"

_MINUTES: Final = 120
_BUDGET: Final[dict[str, NumberKind]] = {
    "budget": "whole", "cost": "whole", "factor": "d1", "share": "d0", "size": "whole",
    "size_cost": "whole", "least_cost": "whole",
    "value": "d2", "value_low": "d2", "value_high": "d2",
}  # fmt: skip
_RULES: Final[dict[str, NumberKind]] = {
    "planned": "d2", "analysed": "d2", "difference": "d3", "difference_mcse": "mcse",
    "differ_high": "d2",
    "replicates": "whole",
}  # fmt: skip


def scenario_of(plan: xr.DataTree) -> dict[str, Any]:
    """Return the scenario of a plan, as plain values."""
    found: dict[str, Any] = json.loads(plan.attrs["configuration"])["scenario"]
    return found


def currency_of(plan: xr.DataTree) -> str:
    """Return the currency of a plan after a space, or nothing."""
    costs = json.loads(plan.attrs["configuration"]).get("costs") or {}
    return f" {costs['currency']}" if costs.get("currency") else ""


def level_of(plan: xr.DataTree) -> float:
    """Return the bound of the target."""
    return float(plan.attrs["target"].split()[-1])


def answer_sentence(plan: xr.DataTree, table: Table, row: str) -> Text:
    """Return the answer in words.

    Parameters
    ----------
    plan : xr.DataTree
    table : Table
        Of the answers, whose numbers are quoted.
    row : str
        Which of them.
    """
    name = "answer" if row == STATED else "assurance"
    answer = plan[name].to_dataset()
    over, rising = answer.attrs["over"], bool(answer.attrs["rising"])
    keys = (
        "n", "low", "high", "value", "cases", "visits", "cost", "ceiling", "ceiling_mcse",
        "ceiling_at", "n_certain",
    )  # fmt: skip
    parts: dict[str, Any] = {key: table.number(row, key) for key in keys}
    parts |= {
        "label": MEASURES[answer.attrs["measure"]].words,
        "size": sized(over, float(answer["n"])),
        "end": sized(over, float(answer["ceiling_at"])),
        "bound": "at least" if ">=" in plan.attrs["target"] else "at most",
        "level": f"{level_of(plan):g}{_unit(plan)}",
        "best": _best(plan, MEASURES[answer.attrs["measure"]].words),
        "visit": "visit" if float(answer["visits"]) == 1 else "visits",
        "whole": ""
        if over == "rounds" or scenario_of(plan).get("cases_per_visit")
        else " (one holds all cases of a period)",
        "who": _who(plan, rising=rising),
        "reach": "up to" if rising else "as few as",
        "held": "averaged over what is uncertain below"
        if row == AVERAGED
        else "if the assumptions below hold",
    }
    costed = math.isfinite(float(answer["cost"]))
    parts["cost"] = (
        fill(", {visits} {visit}{whole}, at a cost of {cost}" + currency_of(plan), parts)
        if costed
        else ()
    )
    certain = math.isfinite(float(answer["n_certain"])) and answer.attrs["status"] == "found"
    parts["sure"] = (
        fill(
            " To be 95 % certain that the target is reached, as far as the simulation tells, take "
            "{n_certain}.",
            parts,
        )
        if certain
        else ()
    )
    return fill(_ANSWERS[_key(answer)], parts)


_ANSWERS: Final = {
    "found": (
        "{who} {n} {size} (95 % interval of the simulation {low} to {high}), the {label} is about "
        "{level}, {held}.{best} That is {cases} cases in all{cost}.{sure}"
    ),
    "used up": (
        "{who} {n} {size} (95 % interval of the simulation {low} to {high}), the {label} is about "
        "{level}, {held}.{best} That is {cases} cases in all{cost}. The search used up its "
        "replicates before it was as precise as asked."
    ),
    "not_reachable": (
        "The target is not reachable with {reach} {ceiling_at} {end}: there the {label} is "
        "{ceiling} (MCSE {ceiling_mcse}), and {bound} {level} is asked for.{best} Small true "
        "differences, correlation within cases and visits, measurement error or weights other than "
        "the true ones hold it there; only a search of a wider range could tell whether going on "
        "helps."
    ),
    "always_reached": (
        "With {n} {size}, the end of the range that was searched, the {label} is already {bound} "
        "{level}, {held}. That is {cases} cases in all{cost}."
    ),
    "undecided": (
        "Too close to call: with {ceiling_at} {end} the {label} is {ceiling} (MCSE "
        "{ceiling_mcse}), and {bound} {level} is asked for."
    ),
    "nothing": (
        "The search for {bound} {level} used up its replicates before it had an answer."
    ),
}  # fmt: skip


def _key(answer: xr.Dataset) -> str:
    """Return which sentence an answer has."""
    status = str(answer.attrs["status"])
    if status == "replicates_used_up":
        return "used up" if math.isfinite(float(answer["n"])) else "nothing"
    return status


def headline_sentence(plan: xr.DataTree, table: Table) -> Text:
    """Return which of two answers to use, where there are two."""
    parts = {"stated": table.number(STATED, "n"), "averaged": table.number(AVERAGED, "n")}
    where = {"pilot": "the pilot", "priors": "the design priors"}[plan.attrs["assurance"]]
    if not math.isfinite(parts["stated"].value):
        return (
            f"The size is averaged over what {where} leaves open; at its middle values alone no "
            "size that was searched reaches the target.",
        )
    return fill(
        f"If the middle values of {where} were exactly true, {{stated}} would do. Quote the "
        f"averaged size, since {where} does not know the spreads and levels exactly; use the other "
        "only to compare with plans for one assumed truth.",
        parts,
    )


def budget_table(plan: xr.DataTree) -> Table:
    """Return the budget with what it buys and what the target takes."""
    found = plan["budget"].to_dataset()
    row = {name: float(found[name]) for name in _BUDGET if name in found}
    row["share"] = 100 * row["factor"]
    currency = currency_of(plan).strip()
    return Table(
        key="budget-table",
        title=f"The budget ({currency})" if currency else "The budget",
        frame=pd.DataFrame([row], index=pd.Index(["budget"])),
        kinds=_BUDGET,
        columns=(
            Column(header="Budget", keys=("budget",)),
            Column(header="The target takes", keys=("cost",)),
            Column(header="Times the budget", keys=("factor",)),
            Column(header="The budget buys", keys=("size",)),
            Column(header="Measure there", keys=("value",)),
            Column(header="95 % interval", keys=("value_low", "value_high"), layout="interval"),
        ),
    )


def budget_sentence(plan: xr.DataTree, table: Table) -> Text:
    """Return whether the budget is enough, what it buys, and what the target takes."""
    found = plan["budget"].to_dataset()
    answer = plan[plan.attrs["headline"]]
    over = answer.attrs["over"]
    parts: dict[str, Any] = {key: table.number("budget", key) for key in _BUDGET}
    visits = float(found["visits"])
    parts |= {
        "money": currency_of(plan),
        "label": MEASURES[answer.attrs["measure"]].words,
        "sized": sized(over, float(found["size"])),
        "visited": f", in {visits:.0f} visits each" if over == "trials" and visits > 1 else "",
    }
    if np.isnan(float(found["factor"])):
        text = "The budget of {budget}{money} cannot reach the target: no size searched does."
    elif float(found["over"]):
        text = (
            "The budget of {budget}{money} is not enough: the target takes {cost}{money}, "
            "{factor} times as much."
        )
    else:
        text = (
            "The budget of {budget}{money} is enough: the target takes {cost}{money}, {share} % "
            "of it."
        )
    if float(found["size"]) == 0:
        text += " It does not pay for the smallest study, which takes {least_cost}{money}."
    else:
        text += (
            " It buys {size} {sized}{visited}, with which the {label} is about {value} "
            "({value_low} to {value_high})."
        )
    return fill(text, parts)


def rules_table(plan: xr.DataTree) -> Table:
    """Return the planned rule beside that of the analysis."""
    found = plan["rules"].to_dataset()
    names = [str(name) for name in found["measure"].to_numpy()]
    frame = found.to_dataframe()[[name for name in _RULES if name != "replicates"]]
    frame["replicates"] = found.attrs["replicates"]
    frame.insert(0, "label", [MEASURES[name].words for name in names])
    return Table(
        key="rules",
        title="The rule of the plan beside that of the analysis",
        frame=frame,
        kinds=_RULES,
        columns=(
            Column(header="Measure", keys=("label",), layout="text"),
            Column(header=found.attrs["planned_rule"], keys=("planned",)),
            Column(header=found.attrs["analysed_rule"], keys=("analysed",)),
            Column(header="Difference", keys=("difference",)),
            Column(header="MCSE", keys=("difference_mcse",)),
            Column(header="Studies", keys=("replicates",)),
            Column(header="Share in which they differ, at most", keys=("differ_high",)),
        ),
    )


def rules_sentence(plan: xr.DataTree, table: Table) -> Text:
    """Return how far a rule that stands in is from that of the analysis."""
    found = plan["rules"].to_dataset()
    names = [str(name) for name in found["measure"].to_numpy()]
    parts: dict[str, Any] = {key: table.number(names[0], key) for key in _RULES}
    parts |= {
        "label": MEASURES[names[0]].words,
        "rule": found.attrs["analysed_rule"],
        "other": found.attrs["planned_rule"],
    }
    text = (
        "The plan names facilities by {other}, which stands in for the rule of pdsim analyse, "
        "{rule}. On {replicates} simulated studies of this size the {label} is {analysed} by "
        "{rule} and {planned} by {other}: "
    )
    if np.isnan(parts["difference_mcse"].value):
        text += (
            "no study tells them apart, so they differ in a share of at most {differ_high} of "
            "such studies (95 % interval)."
        )
    else:
        text += "a difference of {difference} (MCSE {difference_mcse})."
    return fill(text, parts)


def _unit(plan: xr.DataTree) -> str:
    """Return the unit of the target's bound, after a space."""
    scenario = scenario_of(plan)
    if MEASURES[plan["answer"].attrs["measure"]].unit != "estimand" or scenario["kind"] == "normal":
        return ""
    if ESTIMANDS[scenario["estimand"]].units:
        return ""
    return " percentage point" if level_of(plan) == 1 else " percentage points"


def _best(plan: xr.DataTree, label: str) -> str:
    """Return a sentence that says who the best are, where the measure speaks of them."""
    scenario = scenario_of(plan)
    ends = [end for end in ("best", "worst") if end in label]
    if not ends and "both ends" not in label:
        return ""
    name = "level" if scenario["kind"] == "normal" else scenario["estimand"]
    side = "smallest" if ends == ["worst"] else "largest"
    one = scenario["m"] == 1
    others = ""
    if len(ends) == 2 or not ends:
        others = "; the worst has the smallest" if one else "; the worst have the smallest"
    who = "is the facility" if one else f"are the {scenario['m']} facilities"
    word = ESTIMANDS[name].wording.true
    return f" The {ends[0] if ends else 'best'} {who} with the {side} true {word}{others}."


def _who(plan: xr.DataTree, *, rising: bool) -> str:
    if "designs" not in plan.children:
        return "With" if rising else "With at most"
    designs = plan["designs"].to_dataset()
    best = designs.isel(design=int(designs["cheapest"].to_numpy().argmax()))
    return f"The cheapest of {designs.sizes['design']} designs has {design_words(best)}: with"


def first_sentence(first: "FirstLook") -> str:
    """Return the first answer, by normal theory, in words.

    Parameters
    ----------
    first : FirstLook
        From `pdsim.planning.look_at_plan`.
    """
    n, cost, budget, over = first.n, first.cost, first.budget, first.over
    money = f" {first.currency}" if first.currency else ""
    if math.isnan(n):
        text = f"Normal theory has no first answer to {first.target}."
    else:
        text = f"First answer, by normal theory: about {n:,.0f} {sized(over, n)}"
        text += "." if math.isnan(cost) else f", at a cost of {cost:,.0f}{money}."
    if not math.isnan(budget):
        size = first.affordable
        text += f" The budget of {budget:,.0f}{money} buys {size:,.0f} {sized(over, size)}"
        if math.isnan(cost):
            text += "."
        elif cost > budget:
            text += f": it is not enough, by a factor of about {cost / budget:.1f}."
        else:
            text += ": it is enough."
    seconds, minutes = first.seconds, first.seconds / 60
    took = f"{seconds:.0f} seconds" if seconds < _MINUTES else f"{minutes:.0f} minutes"
    return f"{text} The plan takes about {took}, within a factor of three or so."
