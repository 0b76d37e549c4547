"""The section on fit and computation: predictive check, engine, gates, hyperparameters."""

import pandas as pd

from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Element,
    Name,
    Paragraph,
    Picture,
    Piece,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.misfit import misfit_sentences
from pdsim.reports.study.structure import predictive_table
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.tables import bound_names
from pdsim.reports.study.view import Results, labels

_ENGINES = {
    "nuts": "the No-U-Turn sampler (PyMC, nutpie)",
    "laplace": "the fast engine (Laplace approximation and Hamiltonian Monte Carlo)",
    "draws": "counting draws that were made elsewhere",
    "estimates": "quadrature from estimates and standard errors, taken as independent and normal",
}


def check_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return what ran, which gates it passed, and what the model reproduces."""
    engine = str(results.attr("engine", "draws"))
    parts: dict[str, Piece | Text] = {
        "engine": _ENGINES.get(engine, engine),
        "what": Name(results.failed),
    }
    text = "Computed by {engine}. All convergence gates passed."
    if results.failed:
        text = "Computed by {engine}. Convergence {what}."
    elif not results.loads("gates", []):
        text = "Computed by {engine}. No convergence gates were checked here."
    blocks: list[Element] = [Paragraph(text=fill(text, parts))]
    filed: list[Table] = []
    if results.loads("gates", []):
        blocks, filed = (
            ([*blocks, gates_table(results)], [])
            if results.failed
            else (blocks, [gates_table(results)])
        )
    if results.has("second_opinion"):
        blocks.append(opinions_table(results))
    if results.has("hyper"):
        filed.append(hyper_table(results))
    if "model_checks" in tables:
        blocks += [Paragraph(text=text) for text in misfit_sentences(tables["model_checks"])]
        failed = bool(tables["model_checks"].frame["flagged"].any())
        (blocks if failed else filed).append(tables["model_checks"])
    if results.has("predictive"):
        blocks.append(_predictive(results))
        filed.append(predictive_table(results))
    title = "Does the model fit, and did the computation work"
    return Section(key="check", title=title, blocks=tuple(blocks), filed=tuple(filed))


def _predictive(results: Results) -> Picture:
    """Return the posterior predictive check."""
    group = results.group("predictive")
    shown = observed_shown(results).reindex(facility=group["facility"])
    figure, data = plots.predictive(
        group.assign(observed=group["observed"].where(shown)),
        unit=results.level_unit,
        failed=results.failed,
    )
    return Picture(
        key="predictive",
        caption=(
            "Observed composites (diamonds) and the range that holds "
            f"{results.interval_percent} of what the fitted model would produce (bars).",
        ),
        alt=(
            "Interval plot of the posterior predictive check; the values are in its file.",
            "check.",
        ),
        figure=figure,
        data=data,
    )


def opinions_table(results: Results) -> Table:
    """Return the second engine's values less the first's, beside their Monte Carlo errors."""
    order = results.order
    group = results.group("second_opinion").sel(facility=order)
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    headers = {"mean": results.words.column, "p_top": f"P(top {results.m})",
               "p_bottom": f"P(bottom {results.m})"}  # fmt: skip
    for key, header in headers.items():
        frame[key], frame[f"{key}_mcse"] = group[key].to_numpy(), group[f"{key}_mcse"].to_numpy()
        kinds |= {key: "d3", f"{key}_mcse": "d3"}
        columns += [
            Column(header=f"{header}, difference", keys=(key,)),
            Column(header="MCSE", keys=(f"{key}_mcse",)),
        ]
    return Table(
        key="second_opinion",
        title=f"Second opinion: {group.attrs['second']} less {group.attrs['first']}",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed) or str(group.attrs["convergence"]) != "passed",
        notes=(("Differences of more than three errors are not chance.",),),
    )


def gates_table(results: Results) -> Table:
    """Return the convergence gates with their figures and limits."""
    gates = results.loads("gates", [])
    frame = pd.DataFrame(
        {
            "gate": [gate["name"] for gate in gates],
            "value": [float(gate["value"]) for gate in gates],
            "limit": [float(gate["limit"]) for gate in gates],
            "worst": [gate.get("worst", "") for gate in gates],
            "passed": ["passed" if gate["passed"] else "FAILED" for gate in gates],
        },
        index=[f"{n}: {gate['name']}" for n, gate in enumerate(gates)],
    )
    return Table(
        key="gates",
        title="Convergence gates",
        frame=frame,
        kinds={"value": "figure", "limit": "figure"},
        columns=(
            Column(header="Gate", keys=("gate",), layout="text"),
            Column(header="Value", keys=("value",)),
            Column(header="Limit", keys=("limit",)),
            Column(header="Worst quantity", keys=("worst",), layout="name"),
            Column(header="Result", keys=("passed",), layout="text"),
        ),
    )


def hyper_table(results: Results) -> Table:
    """Return the hyperparameters with their intervals."""
    group = results.group("hyper")
    low, high = bound_names(results)
    names = labels(group["parameter"])
    bounds = group["interval"].transpose("parameter", "ci_bound").to_numpy()
    frame = pd.DataFrame({"parameter": names, "mean": group["mean"].to_numpy()}, index=names)
    frame[low], frame[high] = bounds.T
    kinds: dict[str, NumberKind] = {"mean": "ratio", low: "ratio", high: "ratio"}
    columns = [
        Column(header="Parameter", keys=("parameter",), layout="name"),
        Column(header="Mean", keys=("mean",)),
        Column(header=f"{results.interval_percent} interval", keys=(low, high), layout="interval"),
    ]
    others: tuple[tuple[str, str, NumberKind], ...] = (
        ("rhat", "R-hat", "d3"),
        ("ess_bulk", "Bulk ESS", "whole"),
    )
    for key, header, kind in others:
        if key in group:
            frame[key] = group[key].to_numpy()
            kinds[key] = kind
            columns.append(Column(header=header, keys=(key,)))
    scale = "logits" if results.attr("kind") == "counts" else "baseline standard deviations"
    return Table(
        key="hyper",
        title=f"Hyperparameters ({scale})",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "sd_baseline and sd_change are standard deviations of the effects on baseline and "
                "change at the levels facility, domain within facility and indicator within "
                "facility; corr is their correlation.",
            ),
        ),
    )
