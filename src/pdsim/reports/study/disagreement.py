"""Where selection rules disagree on who is ahead: a table of criteria, and sentences from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from pdsim.conventions import Side
from pdsim.ranking import RULES
from pdsim.reports.formats.document import Column, Piece, Table, Text, fill, listing, sentence
from pdsim.reports.formats.numbers import Kind, write
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import Results, labels

_MOST_PAIRS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
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
    kind: Kind
    smaller: bool


def criteria(results: Results, side: Side) -> list[Criterion]:
    """Return the criteria of the rules in the results, and P(first) or P(last).

    Rules that read observed values are left out where small counts must not be printed.
    """
    end = "first" if side == "top" else "last"
    found = [Criterion(key="p_end", label=f"P({end})", kind="probability", smaller=False)]
    hidden = not bool(observed_shown(results).all())
    for name in labels(results.group("rules")["rule"]):
        rule = RULES[name]
        if rule.unit == "set" or (hidden and not rule.needs_posterior):
            continue
        kind = results.value_kind if rule.unit == "value" else rule.unit
        smaller = rule.smaller_is_better(side)
        label = rule.heading(side, results.m)
        found.append(Criterion(key=name, label=label, kind=kind, smaller=smaller))
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


def disagreement_sentences(results: Results, side: Side, table: Table) -> list[Text]:
    """Return one sentence for each pair that the criteria order differently."""
    used = criteria(results, side)
    texts: list[Text] = []
    for first, second in combinations(table.rows, 2):
        leads = {one.key: _lead(table, one, first, second) for one in used}
        ahead = [one for one in used if leads[one.key] > 0]
        behind = [one for one in used if leads[one.key] < 0]
        if ahead and behind and len(texts) < _MOST_PAIRS:
            texts.append(_sentence(results, table, side, (first, second), (ahead, behind)))
    return texts


def _lead(table: Table, one: Criterion, first: str, second: str) -> int:
    """Return 1, -1 or 0 as the first is nearer to the side; 0 where both print the same."""
    a, b = float(table.value(first, one.key)), float(table.value(second, one.key))
    if write(a, one.kind) == write(b, one.kind):
        return 0
    return 1 if (a < b) == one.smaller else -1


def _sentence(
    results: Results,
    table: Table,
    side: Side,
    pair: tuple[str, str],
    split: tuple[list[Criterion], list[Criterion]],
) -> Text:
    first, second = pair
    parts: Mapping[str, Piece | Text] = {
        "a": results.called(first),
        "b": results.called(second),
        "end": side,
        "for_a": _reasons(table, split[0], first, second),
        "for_b": _reasons(table, split[1], second, first),
    }
    text = "{a} is nearer to the {end} than {b} by {for_a}, but {b} by {for_b}."
    return sentence(fill(text, parts))


def _reasons(table: Table, used: list[Criterion], first: str, second: str) -> Text:
    return listing(
        fill(
            "{label} ({x} against {y})",
            {
                "label": one.label,
                "x": table.number(first, one.key),
                "y": table.number(second, one.key),
            },
        )
        for one in used
    )
