"""Where selection rules disagree on who is ahead: a table of criteria, and sentences from it."""

from dataclasses import dataclass

import pandas as pd

from pdsim.conventions import Side
from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import Results, labels
from pdsim.terms.rules import RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCriterion:
    """What a rule looks at.

    Attributes
    ----------
    key : str
        Column of the criteria table.
    label : str
    kind : Kind
    smaller : bool
        Whether a smaller value is nearer to the side.
    """

    key: str
    label: str
    kind: NumberKind
    smaller: bool


def criteria(results: Results, side: Side) -> list[RuleCriterion]:
    """Return the criteria of the rules in the results, and P(first) or P(last).

    Rules that read observed values are left out where small counts must not be printed.
    """
    end = "first" if side == "top" else "last"
    found = [RuleCriterion(key="p_end", label=f"P({end})", kind="probability", smaller=False)]
    hidden = not bool(observed_shown(results).all())
    for name in labels(results.group("rules")["rule"]):
        rule = RULES[name]
        if rule.unit == "set" or (hidden and not rule.needs_posterior):
            continue
        kind = results.value_kind if rule.unit == "value" else rule.unit
        smaller = rule.smaller_is_better(side)
        label = rule.heading(side, results.m)
        found.append(RuleCriterion(key=name, label=label, kind=kind, smaller=smaller))
    return found


def criteria_table(results: Results, side: Side) -> Table:
    """Return every criterion of everyone whom some rule selects."""
    group = results.group("rules")
    chosen = group[f"selected_{side}"].astype(bool).any("rule")
    names = [name for name in results.order if bool(chosen.sel(facility=name))]
    names = names if side == "top" else names[::-1]
    used = criteria(results, side)
    ranking = results.group("ranking").sel(facility=names)
    frame = pd.DataFrame({"facility": names}, index=names)
    for criterion in used:
        if criterion.key == "p_end":
            end = 0 if side == "top" else -1
            frame["p_end"] = ranking["rank_probability"].isel(rank=end).to_numpy()
            frame["p_end_mcse"] = ranking["rank_probability_mcse"].isel(rank=end).to_numpy()
            continue
        column = group[f"criterion_{side}"].sel(rule=criterion.key, facility=names)
        frame[criterion.key] = column.to_numpy()
        if criterion.key == "p_top":
            frame["p_top_mcse"] = ranking[f"p_{side}_mcse"].to_numpy()
    return Table(
        key=f"criteria_{side}",
        title=f"What the rules look at, {side} {results.m}",
        frame=frame,
        kinds={criterion.key: criterion.kind for criterion in used}
        | {key: "mcse" for key in ("p_end_mcse", "p_top_mcse") if key in frame},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            *(
                Column(header=one.label[:1].upper() + one.label[1:], keys=(one.key,))
                for one in used
            ),
        ),
        marked=bool(results.failed),
        exact=frozenset(
            one.key for one in used if one.key in RULES and not RULES[one.key].needs_posterior
        ),
    )
