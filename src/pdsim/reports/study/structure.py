"""Tables on what lies behind the composite: levels, domains, indicators, fit of the model."""

import numpy as np
import pandas as pd

from pdsim.reports.formats.document import Column, Name, Table, Text, fill
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.tables import bound_names, shown_rows
from pdsim.reports.study.view import Results, labels


def levels_table(results: Results) -> Table:
    """Return the composite level of every facility in every period."""
    order = results.order
    group = results.group("levels").sel(facility=order)
    low, high = bound_names(results)
    unit, kind = results.level_unit, results.level_kind
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for period in labels(group["period"]):
        part = group.sel(period=period)
        frame[period] = part["mean"].to_numpy()
        bounds = part["interval"].transpose("facility", "ci_bound").to_numpy().T
        frame[f"{period}_{low}"], frame[f"{period}_{high}"] = bounds
        kinds |= dict.fromkeys((period, f"{period}_{low}", f"{period}_{high}"), kind)
        columns += [
            Column(header=_level_header(results, period, unit), keys=(period,)),
            Column(
                header=f"{results.interval_percent} interval",
                keys=(f"{period}_{low}", f"{period}_{high}"),
                layout="interval",
            ),
        ]
    return Table(
        key="levels",
        title="Composite level in every period",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        shown=shown_rows(results),
    )


def _level_header(results: Results, period: str, unit: str) -> Text:
    return (Name(results.period_label(period)), f" ({unit})")


def case_mix_table(results: Results) -> Table:
    """Return observed over expected of every facility beside its level at the reference mix."""
    order = results.order
    group = results.group("case_mix").sel(facility=order)
    level = results.group("levels").sel(facility=order)
    hidden = ~observed_shown(results).sel(facility=order).to_numpy()
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for period in labels(group["period"]):
        part = group.sel(period=period)
        name = Name(results.period_label(period))
        for key, header, kind in (
            ("observed", "{p}, observed (%)", results.level_kind),
            ("expected", "expected (%)", results.level_kind),
            ("ratio", "O/E", "ratio"),
        ):
            keys = (f"{period} {key}",)
            value = part[key].to_numpy()
            frame[keys[0]] = value if key == "expected" else np.where(hidden, np.nan, value)
            kinds[keys[0]] = kind
            columns.append(Column(header=fill(header, {"p": name}), keys=keys))
        keys = (f"{period} level",)
        frame[keys[0]] = level["mean"].sel(period=period).to_numpy()
        kinds[keys[0]] = results.level_kind
        columns.append(Column(header="level, reference cases (%)", keys=keys))
    return Table(
        key="case_mix",
        title="Observed over expected, and the level with the cases of reference",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "O/E above 1: better than the facility's own mix of cases leads one to expect; it "
                "is observed, nothing is shrunk. All else in this report is about the level that "
                "a facility would have with the cases of reference, by the model.",
            ),
        ),
        shown=shown_rows(results),
    )


def domains_table(results: Results) -> Table:
    """Return the improvement of every facility in every domain."""
    order = results.order
    group = results.group("domains").sel(facility=order)
    low, high = bound_names(results)
    kind = results.value_kind
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for domain in labels(group["domain"]):
        part = group.sel(domain=domain)
        keys = (f"mean {domain}", f"{low} {domain}", f"{high} {domain}")
        frame[keys[0]] = part["mean"].to_numpy()
        bounds = part["interval"].transpose("facility", "ci_bound").to_numpy().T
        frame[keys[1]], frame[keys[2]] = bounds
        kinds |= dict.fromkeys(keys, kind)
        columns += [
            Column(header=fill("{d}, mean", {"d": Name(domain)}), keys=keys[:1]),
            Column(
                header=fill("{d}, interval", {"d": Name(domain)}), keys=keys[1:], layout="interval"
            ),
        ]
    return Table(
        key="domains",
        title=f"Change by domain ({results.units}), with {results.interval_percent} intervals",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        shown=shown_rows(results),
    )


def influence_table(results: Results) -> Table:
    """Return how much each indicator moves the composite, beside its nominal weight."""
    group = results.group("variance_share")
    names = labels(group["indicator"])
    texts = dict(zip(names, names, strict=True))
    if results.has("study") and "label" in results.group("study").coords:
        study = results.group("study")
        texts |= dict(zip(labels(study["indicator"]), labels(study["label"]), strict=True))
    frame = pd.DataFrame(
        {
            "indicator": names,
            "label": [texts[name] or name for name in names],
            "nominal": group["nominal"].to_numpy(),
            "share": group["share"].to_numpy(),
            "sd": group["sd"].to_numpy(),
            "spread": group["spread"].to_numpy(),
            "spread_lower": group["spread_lower"].to_numpy(),
            "spread_upper": group["spread_upper"].to_numpy(),
        },
        index=names,
    ).sort_values("share", ascending=False, kind="stable")
    frame["nominal_percent"] = 100.0 * frame["nominal"]
    frame["share_percent"] = 100.0 * frame["share"]
    return Table(
        key="variance_share",
        title="Nominal weight and influence of every indicator",
        frame=frame,
        kinds={
            "nominal": "ratio",
            "share": "ratio",
            "sd": "ratio",
            "spread": "ratio",
            "spread_lower": "ratio",
            "spread_upper": "ratio",
            "nominal_percent": "percent",
            "share_percent": "percent",
        },
        columns=(
            Column(header="Indicator", keys=("label",), layout="name"),
            Column(header="Nominal weight (%)", keys=("nominal_percent",)),
            Column(header="Share of the composite's variance (%)", keys=("share_percent",)),
            Column(header=f"SD of its part ({results.units})", keys=("sd",)),
            Column(header=f"SD between facilities ({results.units})", keys=("spread",)),
            Column(
                header=f"{results.interval_percent} interval",
                keys=("spread_lower", "spread_upper"),
                layout="interval",
            ),
        ),
        marked=bool(results.failed),
        exact=frozenset({"nominal", "nominal_percent"}),
        notes=(
            (
                "Share of the variance of the composite improvement between facilities; shares "
                "sum to 100 % and may be negative. The SD between facilities is that of the "
                "indicator's own change, before its weight.",
            ),
        ),
    )


def predictive_table(results: Results) -> Table:
    """Return observed composites beside those that the model would produce."""
    names = results.order
    group = results.group("predictive").sel(facility=names)
    low, high = bound_names(results)
    shown = observed_shown(results).sel(facility=names)
    kind = results.level_kind
    frames = []
    for period in labels(group["period"]):
        part = group.sel(period=period)
        bounds = part["replicate_interval"].transpose("facility", "ci_bound").to_numpy()
        frames.append(
            pd.DataFrame(
                {
                    "facility": names,
                    "period": period,
                    "observed": part["observed"].where(shown).to_numpy(),
                    "mean": part["replicate_mean"].to_numpy(),
                    low: bounds[:, 0],
                    high: bounds[:, 1],
                    "p_value": part["p_value"].to_numpy(),
                },
                index=[f"{name}\x1f{period}" for name in names],
            )
        )
    frame = pd.concat(frames)
    long_rows = shown_rows(results)
    rows = None
    if long_rows is not None:
        rows = tuple(row for row in frame.index if row.split("\x1f")[0] in set(long_rows))
    return Table(
        key="predictive",
        title="Observed composites and those that the model would produce",
        frame=frame,
        kinds={"observed": kind, "mean": kind, low: kind, high: kind, "p_value": "probability"},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header="Period", keys=("period",), layout="text"),
            Column(header="Observed", keys=("observed",)),
            Column(header="Replicated, mean", keys=("mean",)),
            Column(
                header=f"{results.interval_percent} of replicates",
                keys=(low, high),
                layout="interval",
            ),
            Column(header="P(replicated above observed)", keys=("p_value",)),
        ),
        marked=bool(results.failed),
        exact=frozenset({"observed"}),
        notes=(
            (
                "Posterior predictive check: values of the last column near 0 or 1 show what the "
                "model does not reproduce.",
            ),
        ),
        shown=rows,
    )
