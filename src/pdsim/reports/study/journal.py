"""The table of a paper: cases, levels, change and chances of every facility, with footnotes."""

import numpy as np
import pandas as pd

from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.suppress import observed_shown, small_counts
from pdsim.reports.study.tables import bound_names, with_unit
from pdsim.reports.study.view import Results, labels


def journal_table(results: Results) -> Table:
    """Return the table of a paper, the facilities in the order of the report."""
    order, m = results.order, results.m
    low, high = bound_names(results)
    improvement = results.improvement.sel(facility=order)
    ranking = results.group("ranking").sel(facility=order)
    frame = pd.DataFrame({"facility": order}, index=order)
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    kinds: dict[str, NumberKind] = {}
    for period, cases in _cases(results).items():
        frame[f"cases_{period}"] = [cases[name] for name in order]
        header = f"Cases, {results.period_label(period)}"
        columns.append(Column(header=header, keys=(f"cases_{period}",), layout="text"))
    if results.has("levels"):
        levels = results.group("levels")["mean"].sel(facility=order)
        for period in labels(levels["period"]):
            frame[period] = levels.sel(period=period).to_numpy()
            kinds[period] = results.level_kind
            header = with_unit(f"Level, {results.period_label(period)}", results.level_unit)
            columns.append(Column(header=header, keys=(period,)))
    frame["value"] = improvement["mean"].to_numpy()
    frame[low], frame[high] = improvement["interval"].transpose("facility", "ci_bound").to_numpy().T
    kinds |= dict.fromkeys(("value", low, high), results.value_kind)
    for side in ("top", "bottom"):
        frame[f"p_{side}"] = ranking[f"p_{side}"].to_numpy()
        kinds[f"p_{side}"] = "p2"
    frame["expected_rank"] = ranking["expected_rank"].to_numpy()
    kinds["expected_rank"] = "d1"
    columns += [
        Column(header=with_unit(results.words.column, results.units), keys=("value",)),
        Column(header=f"{results.interval_percent} CrI", keys=(low, high), layout="interval"),
        Column(header=f"P(top {m})", keys=("p_top",)),
        Column(header=f"P(bottom {m})", keys=("p_bottom",)),
        Column(header="Expected rank", keys=("expected_rank",)),
    ]
    return Table(
        key="journal",
        title=f"{results.words.column} of every facility, and its chances at both ends",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (f"CrI: credible interval. {results.summary_words}",),
            (
                f"P(top {m}), P(bottom {m}): posterior probability of a rank among the first or "
                f"the last {m}. Rank 1 {results.words.best}.",
            ),
        ),
    )


def _cases(results: Results) -> dict[str, dict[str, str]]:
    """Return the cases behind a facility's cells in each period, fewest to most."""
    if not results.has("study") or "trials" not in results.group("study"):
        return {}
    trials = results.group("study")["trials"]
    shown = observed_shown(results)
    items = int(results.study_settings.get("items") or 1)
    found: dict[str, dict[str, str]] = {}
    for period in labels(trials["period"]):
        found[period] = {}
        for name in results.facilities:
            cells = trials.sel(facility=name, period=period).to_numpy() / items
            seen = cells[cells > 0]
            limit = results.suppress_below
            hidden = limit is not None and bool(small_counts(trials, limit).any())
            if not seen.size or not bool(shown.sel(facility=name)) or hidden:
                found[period][name] = "\u2013"
                continue
            few, most = int(np.rint(seen.min())), int(np.rint(seen.max()))
            found[period][name] = f"{few:,}" if few == most else f"{few:,} to {most:,}"
    return found
