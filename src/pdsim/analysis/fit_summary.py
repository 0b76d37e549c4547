"""What a fit says before anything is ranked: every facility's value, and the checks."""

import pandas as pd
import xarray as xr

from pdsim.analysis.summaries import mean_and_interval
from pdsim.model import composite
from pdsim.reports.formats.document import (
    Column,
    Document,
    Element,
    Name,
    Paragraph,
    Section,
    Table,
    fill,
)
from pdsim.reports.formats.numbers import kind_for
from pdsim.reports.study.sections.fit_check import gates_table
from pdsim.reports.study.tables import with_unit
from pdsim.reports.study.view import Results, labels, words

_ENGINES = {"laplace": "the fast engine", "nuts": "NUTS"}


def fit_document(fit: xr.DataTree) -> Document:
    """Return the summary of a fit.

    Parameters
    ----------
    fit : DataTree
        From `pdsim.fit`.
    """
    failed = "" if fit.attrs["convergence"] == "passed" else str(fit.attrs["convergence"])
    engine = str(fit.attrs["engine"])
    text = fill(
        "Fitted by {engine} with seed {seed}: {checks}.",
        {
            "engine": _ENGINES.get(engine, engine),
            "seed": str(fit.attrs["seed"]),
            "checks": Name(failed or "all checks passed"),
        },
    )
    blocks: list[Element] = [Paragraph(text=text), _values(fit, marked=bool(failed))]
    if fit.attrs.get("gates"):
        blocks.append(gates_table(Results(fit)))
    return Document(
        title=("Fit",),
        subtitle=(),
        sections=(Section(key="fit", title="Fit", blocks=tuple(blocks)),),
        failed=failed,
    )


def _values(fit: xr.DataTree, *, marked: bool) -> Table:
    score = composite(fit)
    group = mean_and_interval(score)
    bounds = group["interval"].transpose("facility", "ci_bound").to_numpy()
    names = labels(group["facility"])
    kind = kind_for(float(score.std(("chain", "draw")).median()))
    said = words(score.attrs["estimand"])
    return Table(
        key="fit",
        title=f"{said.column} of every facility",
        frame=pd.DataFrame(
            {"facility": names, "mean": group["mean"].to_numpy(), "low": bounds[:, 0],
             "high": bounds[:, 1]},
            index=names,
        ),
        kinds={"mean": kind, "low": kind, "high": kind},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header=with_unit(said.column, score.attrs["units"]), keys=("mean",)),
            Column(header="95 % interval", keys=("low", "high"), layout="interval"),
        ),
        marked=marked,
    )  # fmt: skip
