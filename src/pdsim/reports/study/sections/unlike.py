"""Who is unlike the rest by Student-t effects, and what normal effects would choose."""

import pandas as pd

from pdsim.reports.formats.document import (
    Column,
    Name,
    Piece,
    Table,
    Text,
    fill,
    listing,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.tables import bound_names, shown_rows
from pdsim.reports.study.view import SIDES, Results

_LIMIT = 0.05
"""P(as extreme by chance) below which a facility is called an outlier."""


def unlike_table(results: Results) -> Table:
    """Return every facility's factor, and its chances with either kind of effects."""
    group = results.group("t_effects").sel(facility=results.order)
    low, high = bound_names(results)
    frame = pd.DataFrame({"facility": results.order}, index=results.order)
    frame["factor"] = group["factor"].to_numpy()
    frame[low], frame[high] = group["interval"].transpose("ci_bound", "facility").to_numpy()
    kinds: dict[str, NumberKind] = dict.fromkeys(("factor", low, high), "d2")
    columns = [
        Column(header="Facility", keys=("facility",), layout="name"),
        Column(header="Own spread, times the common one", keys=("factor",)),
        Column(header=f"{results.interval_percent} interval", keys=(low, high), layout="interval"),
    ]
    for side in SIDES:
        for effects in group["effects"].to_numpy().tolist():
            name, one = f"{effects}_{side}", group.sel(effects=effects)
            frame[name] = one[f"p_{side}"].to_numpy()
            frame[f"{name}_mcse"] = one[f"p_{side}_mcse"].to_numpy()
            kinds |= {name: "probability", f"{name}_mcse": "mcse"}
            header = f"P({side} {results.m}), {effects} effects (MCSE)"
            keys = (name, f"{name}_mcse")
            columns.append(Column(header=header, keys=keys, layout="probability"))
    frame["p_extreme"] = float(group.attrs.get("p_extreme", float("nan")))
    frame["p_extreme_mcse"] = float(group.attrs.get("p_extreme_mcse", float("nan")))
    kinds |= {"p_extreme": "probability", "p_extreme_mcse": "mcse"}
    return Table(
        key="t_effects",
        title="Student-t and normal effects of the facilities",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        shown=shown_rows(results),
    )


def unlike_words(results: Results, table: Table) -> list[Text]:
    """Say who is least like the rest, whether by chance, and whether the choice depends on it."""
    attrs = results.group("t_effects").attrs
    name = str(attrs["unlike"])
    low, high = bound_names(results)
    parts: dict[str, Piece | Text] = {
        "name": Name(name),
        "df": f"{attrs['facility_df']:g}",
        "factor": table.number(name, "factor"),
        "interval": table.interval(name, low, high),
        "count": str(len(results.order)),
    }
    text = (
        "Facilities may be unlike the rest here (Student-t effects, {df} degrees of freedom). The "
        "least like the others is {name}, with a spread of its own {factor} times the common one "
        "({interval})."
    )
    if "p_extreme" in attrs:
        parts["p"] = table.probability(name, "p_extreme")
        outlier = float(attrs["p_extreme"]) < _LIMIT
        text += " That is more than" if outlier else " That may be"
        text += (
            " the end of a spread: the most extreme of {count} facilities like the others would "
            "be as far away with probability {p}."
        )
    return [fill(text, parts), _choice_words(results)]


def _choice_words(results: Results) -> Text:
    """Say whom normal effects would name instead."""
    group = results.group("t_effects")
    if "normal" not in group["effects"].to_numpy().tolist():
        return ("A fit with normal effects failed its checks: what it would choose is not said.",)
    said: list[Text] = []
    for side in SIDES:
        chosen = {
            effects: {
                str(name)
                for name in group["facility"].to_numpy()[
                    group[f"selected_{side}"].sel(effects=effects).to_numpy().astype(bool)
                ]
            }
            for effects in ("t", "normal")
        }
        come = [name for name in results.order if name in chosen["normal"] - chosen["t"]]
        go = [name for name in results.order if name in chosen["t"] - chosen["normal"]]
        parts: dict[str, Piece | Text] = {
            "end": f"{side} {results.m}",
            "come": listing([Name(name) for name in come]) if come else "nobody",
            "go": listing([Name(name) for name in go]) if go else "nobody",
        }
        text = "the same {end}" if not come and not go else "{come} in place of {go} as {end}"
        said.append(fill(text, parts))
    first, second = said
    return ("Normal effects name ", *first, ", and ", *second, ".")
