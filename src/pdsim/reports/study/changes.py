"""What would change the choice, and what would not: the table of changes in words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pdsim.reports.formats.document import Column, Name, Piece, Table, Text, fill, listing
from pdsim.reports.formats.numbers import in_words
from pdsim.reports.study.view import SIDES, Results, labels, members, words
from pdsim.terms.rules import RULES

_SAID: Final = 2
"""Swaps that page one tells of; the table has all."""

_CAUSES_SAID: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A kind of departure from the analysis.

    Attributes
    ----------
    name : str
        Of the whole kind, behind "nothing changes with": "other priors".
    one : callable
        The words for one departure, from the results and its value.
    joined : bool
        Whether its values may be said together: "a design effect of 1.5 or 2".
    """

    name: str
    one: Callable[[Results, str], Text]
    joined: bool = False


def _plain(text: str) -> Callable[[Results, str], Text]:
    return lambda results, value: (text.format(value=value),)


def _indicator(results: Results, value: str) -> Text:
    names = {}
    if results.has("study"):
        study = results.group("study")
        names = dict(zip(labels(study["indicator"]), labels(study["label"]), strict=True))
    return ("without ", Name(names.get(value) or value))


def _rule(results: Results, value: str) -> Text:
    label = RULES[value].label if value in RULES else value.replace("_", " ")
    return (f"by {label}",)


_PRIORS: Final = {"0.5": "narrower priors", "2": "wider priors"}
_SCALES: Final = {
    "z": "on z scores",
    "min_max": "on a min-max scale",
    "rank": "on ranks",
    "logit": "on logits",
    "pp": "in percentage points",
}
_AGGREGATIONS: Final = {
    "geometric": "by the geometric mean",
    "opportunity": "by opportunities instead of weights",
    "arithmetic": "by the weighted mean",
}

CAUSES: Final[dict[str, Cause]] = {
    "case_correlation": Cause(
        name="a correlation within cases",
        one=_plain("with a within-case correlation of {value}"),
        joined=True,
    ),
    "design_effect": Cause(
        name="clustered cases", one=_plain("with a design effect of {value}"), joined=True
    ),
    "suppressed": Cause(
        name="the suppressed counts", one=_plain("with the suppressed counts at their {value} end")
    ),
    "priors_scaled": Cause(
        name="other priors",
        one=lambda results, value: (f"with {_PRIORS.get(value, f'priors {value} times as wide')}",),
    ),
    "weights": Cause(name="other weights", one=_plain("with other weights")),
    "weighting": Cause(
        name="other weights that somebody holds right",
        one=lambda results, value: ("with the weights of ", Name(value)),
    ),
    "definition": Cause(
        name="other definitions of improvement",
        one=lambda results, value: (f"by the {words(value).column.lower()}",),
    ),
    "normalisation": Cause(
        name="other scales", one=lambda results, value: (_SCALES.get(value, f"on {value}"),)
    ),
    "aggregation": Cause(
        name="other means of the indicators",
        one=lambda results, value: (_AGGREGATIONS.get(value, f"by {value}"),),
    ),
    "left_out": Cause(name="any one indicator left out", one=_indicator),
    "rule": Cause(name="other selection rules", one=_rule),
}
"""The gravest first: assumptions about the data, then choices of method."""


def changes_table(results: Results) -> Table:
    """Return every departure that changes the choice, and the nearest weights."""
    group = results.group("changes")
    rows = []
    for at in range(group.sizes["change"]):
        one = group.isel(change=at)
        cause, value = str(one["cause"].item()), str(one["value"].item())
        enters = str(one["enters"].item())
        if cause in CAUSES and (enters or cause == "weights"):
            rows.append(
                {
                    "cause": cause,
                    "value": value,
                    "side": str(one["side"].item()),
                    "end": f"{one['side'].item()} {results.m}",
                    "words": CAUSES[cause].one(results, value),
                    "leaves": members(str(one["leaves"].item())),
                    "enters": members(enters),
                    "observed": members(str(one["observed"].item())),
                    "percent": 100.0 * float(one["size"]),
                    "p_in": float(one["p_in"]),
                    "p_out": float(one["p_out"]),
                    "plausible": bool(one["plausible"]),
                    "decided": bool(one["decided"]),
                }
            )
    order = list(CAUSES)
    rows.sort(key=lambda row: (SIDES.index(row["side"]), order.index(str(row["cause"]))))
    frame = pd.DataFrame(rows, columns=_COLUMNS, index=[f"change {n}" for n in range(len(rows))])
    frame.loc[np.isinf(frame["percent"].to_numpy(float)), "percent"] = np.nan
    return Table(
        key="changes",
        title="What changes the choice, each taken alone",
        frame=frame,
        kinds={"percent": "d1", "p_in": "p2", "p_out": "p2"},
        columns=(
            Column(header="List", keys=("end",), layout="text"),
            Column(header="If ranked", keys=("words",), layout="words"),
            Column(header="Out", keys=("leaves",), layout="names"),
            Column(header="In", keys=("enters",), layout="names"),
            Column(header="Named by observed values alone", keys=("observed",), layout="names"),
            Column(header="P of who comes in", keys=("p_in",)),
            Column(header="P of who goes out", keys=("p_out",)),
            Column(header="Weight that must move (%)", keys=("percent",)),
        ),
        marked=bool(results.failed),
        notes=() if frame["decided"].all() else (
            ("Where both are equally likely, computation error alone decides who is in.",),
        ),
    )  # fmt: skip


_COLUMNS: Final = (
    "cause", "value", "side", "end", "words", "leaves", "enters", "observed", "percent", "p_in",
    "p_out", "plausible", "decided",
)  # fmt: skip


def change_sentence(results: Results, table: Table | None) -> Text:
    """Return what would change the choice, the gravest first, and what changes nothing."""
    if table is None:
        return ("Other assumptions were not tried.",)
    tried = set(labels(results.group("changes")["cause"]))
    if not tried:
        return ("Nothing was tried: there is no choice to change.",)
    swaps = _swaps(table)
    texts = [_swap(results, table, rows) for rows in swaps[:_SAID]]
    more = len(swaps) - len(texts)
    if more > 0:
        texts.append((f"{in_words(more).capitalize()} further "
                      f"{'swap is' if more == 1 else 'swaps are'} listed below.",))  # fmt: skip
    nearest = _nearest(results, table)
    if nearest:
        texts.append(nearest)
    still = calm_causes(results, table)
    if still:
        said = listing([(CAUSES[cause].name,) for cause in still[:4]], last=" or ")
        sides = set(labels(results.group("changes")["side"]))
        where = f" at the {sides.pop()}" if len(sides) == 1 else ""
        texts.append((f"Nothing{where} changes with ", *said, "."))
    return tuple(piece for n, text in enumerate(texts) for piece in ((" ",) if n else ()) + text)


def calm_causes(results: Results, table: Table) -> list[str]:
    """Return the kinds of departure that were tried, each whole, and change nothing plausible."""
    tried = set(labels(results.group("changes")["cause"])) - set(
        results.loads("refused_refits", {})
    )
    moved = set(table.frame.loc[table.frame["plausible"].to_numpy(bool), "cause"])
    return [cause for cause in CAUSES if cause in tried - moved and cause != "weights"]


def moving_causes(table: Table) -> list[str]:
    """Return the kinds of departure that change the choice."""
    frame = table.frame[table.frame["plausible"].to_numpy(bool)]
    return [cause for cause in CAUSES if cause in set(frame["cause"])]


def _swaps(table: Table) -> list[list[str]]:
    """Return rows that swap the same facilities, those with the most causes first."""
    found: dict[tuple[object, ...], list[str]] = {}
    for row in table.positions:
        if table.value(row, "cause") in ("weights", "rule") or not table.value(row, "plausible"):
            continue
        key = tuple(table.value(row, name) for name in ("side", "leaves", "enters", "decided"))
        found.setdefault(key, []).append(row)
    # an assumption about the data weighs more than a choice of method, a swap more than a tie
    order = list(CAUSES)
    gravest = {key: min(order.index(table.value(row, "cause")) for row in rows)
               for key, rows in found.items()}  # fmt: skip
    return [
        found[key]
        for key in sorted(found, key=lambda key: (not key[-1], gravest[key], -len(found[key])))
    ]


def _swap(results: Results, table: Table, rows: list[str]) -> Text:
    first = rows[0]
    ways = _ways(results, table, rows)
    causes, others = ways[:_CAUSES_SAID], len(ways) - _CAUSES_SAID
    if others > 0:
        causes.append((f"in {in_words(others)} more {'way' if others == 1 else 'ways'}",))
    enters = [results.called(name) for name in table.value(first, "enters")]
    parts: dict[str, Piece | Text] = {
        "in": _upper(listing(enters)),
        "verb": "replaces" if len(enters) == 1 else "replace",
        "out": listing(results.called(name) for name in table.value(first, "leaves")),
        "end": "at the top" if table.value(first, "side") == "top" else "at the bottom",
        "causes": listing(causes, last=" or "),
    }
    if not table.value(first, "decided"):
        verb = "is" if len(enters) == 1 else "are"
        return fill(f"{{in}} {verb} level with {{out}} {{end}} if ranked {{causes}}.", parts)
    one = len(rows) == len(enters) == 1
    if one and np.isfinite(float(table.value(first, "p_in"))):
        parts |= {"p": table.number(first, "p_in"), "q": table.number(first, "p_out")}
        parts["how"] = fill(" (chances {p} against {q})", parts)
    parts.setdefault("how", "")
    return fill("{in} {verb} {out} {end} if ranked {causes}{how}.", parts)


def _ways(results: Results, table: Table, rows: list[str]) -> list[Text]:
    """Return the words for each departure; values of one assumption are said together."""
    found: dict[str, Text] = {}
    for row in rows:
        cause = table.value(row, "cause")
        if CAUSES[cause].joined:
            values = [table.value(r, "value") for r in rows if table.value(r, "cause") == cause]
            found[cause] = CAUSES[cause].one(results, " or ".join(values))
        else:
            found[row] = tuple(table.value(row, "words"))
    return list(found.values())


def _upper(text: Text) -> Text:
    head = text[0]
    if isinstance(head, Name) and head.text.startswith("facility "):
        return (Name(head.text.capitalize()), *text[1:])
    return text


def _nearest(results: Results, table: Table) -> Text:
    """Return the smallest change of weights that swaps anybody, as a share of all weight."""
    frame = table.frame[table.frame["cause"] == "weights"]
    frame = frame[np.isfinite(frame["percent"].to_numpy(float))]
    if frame.empty:
        tried = "weights" in set(labels(results.group("changes")["cause"]))
        return ("No weights at all would change a name.",) if tried else ()
    row = str(frame["percent"].idxmin())
    return fill(
        "The nearest weights that change a name move {n} % of the total; {in} then replaces {out}.",
        {
            "n": table.number(row, "percent"),
            "in": results.called(table.value(row, "enters")[0]),
            "out": results.called(table.value(row, "leaves")[0]),
        },
    )
