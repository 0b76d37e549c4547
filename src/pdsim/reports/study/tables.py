"""The tables of one study's report."""

import numpy as np
import pandas as pd

from pdsim.conventions import Side
from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import SIDES, Results, labels, members, words

LONGEST = 400
"""Rows that a table prints; the CSV files hold all."""


def bound_names(results: Results) -> tuple[str, str]:
    """Return the column names of the interval's bounds, such as ``q2.5`` and ``q97.5``."""
    low, high = results.bounds
    return f"q{100 * low:.4g}", f"q{100 * high:.4g}"


def selection_table(results: Results) -> Table:
    """Return ranks and memberships, one row per facility, the most improved first."""
    ranking = results.group("ranking").sel(facility=results.order)
    low, high = bound_names(results)
    frame = pd.DataFrame({"facility": results.order}, index=results.order)
    kinds: dict[str, NumberKind] = {}
    for key in ("p_top", "p_bottom"):
        frame[key], frame[f"{key}_mcse"] = (
            ranking[key].to_numpy(),
            ranking[f"{key}_mcse"].to_numpy(),
        )
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
    frame["expected_rank"] = ranking["expected_rank"].to_numpy()
    frame["expected_rank_mcse"] = ranking["expected_rank_mcse"].to_numpy()
    kinds |= {"expected_rank": "rank", "expected_rank_mcse": "mcse"}
    interval = ranking["rank_interval"].transpose("facility", "ci_bound").to_numpy()
    frame[f"rank_{low}"], frame[f"rank_{high}"] = interval.T
    kinds |= {f"rank_{low}": "whole", f"rank_{high}": "whole"}
    for side in SIDES:
        for name in ("selected", "tied", "could_flip"):
            frame[f"{name}_{side}"] = ranking[f"{name}_{side}"].to_numpy().astype(bool)
    m, m_words = results.m, results.words
    extra: list[Column] = []
    if "sucra" in ranking:
        frame["sucra"] = ranking["sucra"].to_numpy()
        kinds["sucra"] = "ratio"
    if "grade" in ranking:
        frame["grade"] = ranking["grade"].to_numpy()
        kinds["grade"] = "whole"
        extra.append(Column(header="Grade", keys=("grade",)))
    frame["choice"] = [
        _choice(frame.loc[name].to_dict(), m_words.top, m_words.bottom) for name in frame.index
    ]
    return Table(
        key="selection",
        title=f"Who is {results.place('top')} and {results.place('bottom')}",
        frame=frame,
        kinds=kinds,
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header=f"P(top {m}) (MCSE)", keys=("p_top", "p_top_mcse"), layout="probability"),
            Column(
                header=f"P(bottom {m}) (MCSE)",
                keys=("p_bottom", "p_bottom_mcse"),
                layout="probability",
            ),
            Column(header="Expected rank", keys=("expected_rank",)),
            Column(
                header=f"Rank, {results.interval_percent} interval",
                keys=(f"rank_{low}", f"rank_{high}"),
                layout="interval",
            ),
            *extra,
            Column(header="Selected", keys=("choice",), layout="text"),
        ),
        marked=bool(results.failed),
        notes=(
            (
                f"Rank 1 {m_words.best}. P(top {m}) is the posterior probability of a rank among "
                f"the first {m}; over all facilities it sums to {m}. "
                "MCSE is the Monte Carlo standard error: computation error only, not uncertainty "
                "about the facility.",
            ),
        ),
        shown=shown_rows(results),
    )


def _choice(row: dict[str, object], top: str, bottom: str) -> str:
    texts = []
    for side, label in (("top", top), ("bottom", bottom)):
        flip = " (could flip under another seed)" if row[f"could_flip_{side}"] else ""
        if row[f"selected_{side}"]:
            texts.append(f"{label}{', tied' if row[f'tied_{side}'] else ''}{flip}")
        elif row[f"tied_{side}"]:
            texts.append(f"tied for {label}{flip}")
        elif flip:
            texts.append(f"just not {label}{flip}")
    return "; ".join(texts)


def improvement_table(results: Results) -> Table:
    """Return the improvement of every facility, the largest first."""
    group = results.improvement.sel(facility=results.order)
    low, high = bound_names(results)
    value = results.value_kind
    frame = pd.DataFrame({"facility": results.order}, index=results.order)
    kinds: dict[str, NumberKind] = {}
    for key in ("mean", "median", "sd"):
        frame[key] = group[key].to_numpy()
        kinds[key] = value
    frame[low], frame[high] = group["interval"].transpose("facility", "ci_bound").to_numpy().T
    kinds |= {low: value, high: value}
    columns = [
        Column(header="Facility", keys=("facility",), layout="name"),
        Column(header=f"{with_unit(results.words.column, results.units)}, mean", keys=("mean",)),
        Column(header=f"{results.interval_percent} interval", keys=(low, high), layout="interval"),
    ]
    change = not results.is_level
    for key, header in (
        ("p_positive", "P(improved) (MCSE)"),
        ("p_above_delta", f"P(above {results.attr('delta', 0):g} {results.units}) (MCSE)"),
    ):
        wanted = key == "p_positive" or float(results.attr("delta", 0.0)) > 0.0
        if change and wanted and key in group:
            frame[key] = group[key].to_numpy()
            frame[f"{key}_mcse"] = group[f"{key}_mcse"].to_numpy()
            kinds |= {key: "probability", f"{key}_mcse": "mcse"}
            columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    for key, header in (
        ("observed_baseline", f"Observed, {results.period_label('baseline')}"),
        ("observed_endline", f"Observed, {results.period_label('endline')}"),
        ("observed", "Observed change" if change else "Observed"),
    ):
        if key in group and np.isfinite(group[key].to_numpy()).any():
            if key == "observed_endline" and "observed_baseline" not in frame:
                continue
            seen = observed_shown(results).sel(facility=results.order).to_numpy()
            frame[key] = np.where(seen, group[key].to_numpy(), np.nan)
            kinds[key] = value
            unit = "%" if results.units == "pp" and key != "observed" else results.units
            columns.append(Column(header=f"{header} ({unit})", keys=(key,)))
    return Table(
        key="improvement",
        title=f"{results.words.column} of every facility",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        exact=frozenset({"observed", "observed_baseline", "observed_endline"}),
        notes=_improvement_notes(results, frame),
        shown=shown_rows(results),
    )


def with_unit(text: str, units: str) -> str:
    """Return a header with the unit behind it, where there is one."""
    return f"{text} ({units})" if units else text


def _improvement_notes(results: Results, frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    notes = [results.summary_words]
    if "observed" in frame:
        notes.append(
            "Observed values describe the data; posterior means are drawn towards the other "
            "facilities, the more so the fewer cases a facility has."
        )
    if results.suppress_below is not None:
        notes.append(
            "An en dash stands where a value is undefined, or would disclose a count below "
            f"{results.suppress_below}."
        )
    return tuple((note,) for note in notes)


def shown_rows(results: Results) -> tuple[str, ...] | None:
    """Return the rows that a long table prints: both ends, and whoever may belong there."""
    order = results.order
    if len(order) <= LONGEST:
        return None
    ranking = results.group("ranking").sel(facility=order)
    near = np.maximum(ranking["p_top"].to_numpy(), ranking["p_bottom"].to_numpy()) >= 0.01
    ends = np.zeros(len(order), dtype=bool)
    ends[:20], ends[-20:] = True, True
    kept = np.flatnonzero(near | ends)
    if kept.size > LONGEST:
        kept = np.flatnonzero(ends)
    return tuple(order[i] for i in kept)


def sets_table(results: Results, side: Side, *, most: int = 8) -> Table:
    """Return the likeliest sets of a side."""
    group = results.group(f"sets_{side}").isel(set=slice(most))
    rows = [f"set {n + 1}" for n in range(group.sizes["set"])]
    names = [members(text) for text in labels(group["members"])]
    p, error = (
        group["probability"].to_numpy().tolist(),
        group["probability_mcse"].to_numpy().tolist(),
    )
    chosen = results.selected(side)
    if "p_selected_set" in group.attrs and len(chosen) == results.m:
        place = next((n for n, row in enumerate(names) if set(row) == set(chosen)), None)
        if place is None:
            rows.insert(0, "selected")
            names.insert(0, tuple(chosen))
            p.insert(0, float(group.attrs["p_selected_set"]))
            error.insert(0, float(group.attrs["p_selected_set_mcse"]))
        else:
            rows[place] += ", selected"
    frame = pd.DataFrame(
        {"which": rows, "members": names, "probability": p, "probability_mcse": error}, index=rows
    )
    return Table(
        key=f"sets_{side}",
        title=f"Likeliest sets: {results.named(side)}",
        frame=frame,
        kinds={"probability": "probability", "probability_mcse": "mcse"},
        columns=(
            Column(header="Set", keys=("which",), layout="text"),
            Column(header="Facilities", keys=("members",), layout="names"),
            Column(
                header="Probability (MCSE)",
                keys=("probability", "probability_mcse"),
                layout="probability",
            ),
        ),
        marked=bool(results.failed),
    )


def estimands_table(results: Results) -> Table:
    """Return who is selected by each estimand."""
    group = results.group("estimands")
    names = labels(group["estimand"])
    facilities = labels(group["facility"])
    frame = pd.DataFrame({"estimand": [words(name).column for name in names]}, index=names)
    columns = [Column(header="Estimand", keys=("estimand",), layout="text")]
    for side in SIDES:
        chosen = group[f"selected_{side}"].transpose("estimand", "facility").to_numpy().astype(bool)
        p = group[f"p_{side}"].transpose("estimand", "facility").to_numpy()
        frame[side] = [
            tuple(facilities[i] for i in np.argsort(-p[e], kind="stable") if chosen[e, i])
            for e in range(len(names))
        ]
        columns.append(
            Column(header=f"{side.capitalize()} {results.m}", keys=(side,), layout="names")
        )
    return Table(
        key="estimands",
        title="Who is selected by other definitions of improvement",
        frame=frame,
        kinds={},
        columns=tuple(columns),
        marked=bool(results.failed),
    )
