"""Tables on whether the choice survives: other assumptions, priors, rules, definitions, pairs."""

import numpy as np
import pandas as pd

from pdsim.conventions import CERTAIN, Side
from pdsim.reports.formats.document import Column, Table, Text, fill
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.tables import LONGEST
from pdsim.reports.study.view import SIDES, Results, labels
from pdsim.terms.rules import RULES


def varied_table(results: Results, group: str, dim: str, side: Side, *, symbol: str) -> Table:
    """Return P(top m) of everyone who is selected under some value of an assumption.

    Parameters
    ----------
    results : Results
    group, dim : str
        Group of the results and its dimension that varies.
    side : {"top", "bottom"}
    symbol : str
        Of the assumption in the headers, such as ``r = {value}``.
    """
    data = results.varied(group, dim)
    values = data[dim].to_numpy().tolist()
    written = [value if isinstance(value, str) else f"{value:g}" for value in values]
    refused = results.loads("refused_refits", {}).get(group, {})
    reasons = [refused.get(str(value)) for value in values]
    tested = [shown for shown, reason in zip(written, reasons, strict=True) if reason is None]
    names = [name for name in results.order if name in labels(data["facility"])]
    data = data.sel(facility=names)
    chosen = data[f"selected_{side}"].transpose(dim, "facility").to_numpy().astype(bool)
    kept = [name for name, flag in zip(names, chosen.any(axis=0), strict=True) if flag]
    kept = kept if side == "top" else kept[::-1]
    data = data.sel(facility=kept)
    frame = pd.DataFrame({"facility": kept}, index=kept)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    notes: list[Text] = []
    for value, shown, reason in zip(values, written, reasons, strict=True):
        key = f"p_{shown}"
        row = data.sel({dim: value})
        if reason is not None:
            frame[f"not_tested_{shown}"] = reason
            notes.append((f"{symbol.format(value=shown)}: not tested ({reason}).",))
        frame[key] = row[f"p_{side}"].to_numpy()
        frame[f"{key}_mcse"] = row[f"p_{side}_mcse"].to_numpy()
        frame[f"selected_{shown}"] = row[f"selected_{side}"].to_numpy().astype(bool)
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
        header = f"P({side} {results.m}), {symbol.format(value=shown)} (MCSE)"
        columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    frame["selected"] = [
        ("always" if tested == written else "wherever tested")
        if all(frame.at[name, f"selected_{shown}"] for shown in tested)
        else "only at "
        + ", ".join(shown for shown in tested if frame.at[name, f"selected_{shown}"])
        for name in kept
    ]
    columns.append(Column(header="Selected", keys=("selected",), layout="text"))
    named = results.named(side)
    return Table(
        key=f"{group}_{side}",
        title=f"{named[0].upper()}{named[1:]} under other values of the {_WHAT[group]}",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=tuple(notes),
    )


_WHAT = {
    "case_correlation": "within-case correlation",
    "priors_scaled": "priors' scales",
    "design_effect": "design effect",
    "suppressed": "suppressed counts",
}


def rules_table(results: Results) -> Table:
    """Return who is selected by each selection rule."""
    group = results.group("rules")
    rules = labels(group["rule"])
    frame = pd.DataFrame({"rule": [_rule_words(rule, results.m) for rule in rules]}, index=rules)
    columns = [Column(header="Rule", keys=("rule",), layout="text")]
    for side in SIDES:
        ordered = results.order if side == "top" else results.order[::-1]
        part = group[f"selected_{side}"].sel(facility=ordered).transpose("rule", "facility")
        names = np.array(ordered, dtype=object)
        frame[side] = [tuple(names[row].tolist()) for row in part.to_numpy().astype(bool)]
        columns.append(
            Column(header=f"{side.capitalize()} {results.m}", keys=(side,), layout="names")
        )
    return Table(
        key="rules",
        title="Who is selected by other rules",
        frame=frame,
        kinds={},
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def _rule_words(rule: str, m: int) -> str:
    return ", ".join(dict.fromkeys(RULES[rule].heading(side, m) for side in SIDES))


def pairs_table(results: Results) -> Table:
    """Return for every facility whom it is certainly ahead of and behind."""
    order = results.order
    pairs = results.group("pairs").sel(facility=order, facility_2=order)
    above = pairs["p_above"].transpose("facility", "facility_2").to_numpy().copy()
    np.fill_diagonal(above, 0.5)
    ahead, behind = above >= CERTAIN, above <= 1.0 - CERTAIN
    open_ = ~(ahead | behind)
    np.fill_diagonal(open_, False)
    frame = pd.DataFrame(
        {
            "facility": order,
            "ahead": ahead.sum(axis=1),
            "behind": behind.sum(axis=1),
            "undecided": open_.sum(axis=1),
            "undecided_against": [tuple(order[j] for j in np.flatnonzero(row)) for row in open_],
        },
        index=order,
    )
    few = len(order) <= 30
    more = results.words.more
    return Table(
        key="pairs",
        title="Which pairs are certain",
        frame=frame,
        kinds={"ahead": "whole", "behind": "whole", "undecided": "whole"},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header="Certainly ahead of", keys=("ahead",)),
            Column(header="Certainly behind", keys=("behind",)),
            Column(header="Undecided", keys=("undecided",)),
            *((Column(header="Undecided against", keys=("undecided_against",), layout="names"),)
              if few else ()),
        ),
        marked=bool(results.failed),
        notes=((f"Certainly ahead: it {more} the other with probability {CERTAIN:g} or more.",),),
        shown=None if len(order) <= LONGEST else tuple(order[:20] + order[-20:]),
    )  # fmt: skip


def cuts(results: Results) -> dict[Side, tuple[str, str]]:
    """Return the pair at each cut: who is ahead and who follows, one of them selected."""
    pairs: dict[Side, tuple[str, str]] = {}
    top, bottom = results.selected("top"), results.selected("bottom")
    above = [name for name in results.order if name not in bottom]
    below = [name for name in results.order if name not in top]
    if top and below:
        pairs["top"] = (top[-1], below[0])
    if bottom and above:
        pairs["bottom"] = (above[-1], bottom[-1])
    return pairs


def cut_sentences(results: Results, table: Table) -> list[Text]:
    """Return one sentence for the pair at each cut."""
    return [
        fill(
            "At the {side} cut, {a} {more} {b} with probability {p}.",
            {
                "side": "upper" if side == "top" else "lower",
                "a": results.called(first),
                "b": results.called(second),
                "more": results.words.more,
                "p": table.probability(side, "p"),
            },
        )
        for side, (first, second) in cuts(results).items()
    ]


def cut_table(results: Results) -> Table:
    """Return P(first ahead of second) of the pair at each cut."""
    pairs = cuts(results)
    above = results.group("pairs")
    cells = [above.sel(facility=a, facility_2=b) for a, b in pairs.values()]
    return Table(
        key="cut",
        title="The pairs at the cuts",
        frame=pd.DataFrame(
            {
                "first": [pair[0] for pair in pairs.values()],
                "second": [pair[1] for pair in pairs.values()],
                "p": [float(cell["p_above"]) for cell in cells],
                "p_mcse": [float(cell["p_above_mcse"]) for cell in cells],
            },
            index=list(pairs),
        ),
        kinds={"p": "probability", "p_mcse": "mcse"},
        columns=(
            Column(header="Facility", keys=("first",), layout="name"),
            Column(header="Against", keys=("second",), layout="name"),
            Column(header="P(ahead) (MCSE)", keys=("p", "p_mcse"), layout="probability"),
        ),
        marked=bool(results.failed),
    )
