"""Who comes in for whom under every other assumption that was tried: one table."""

import json
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.conventions import Side
from pdsim.reports.study.view import SEPARATOR, SIDES, labels
from pdsim.terms.estimands import ESTIMANDS

_REFITS: Final = {
    "case_correlation": "case_correlation",
    "priors_scaled": "prior_factor",
    "design_effect": "design_effect",
    "suppressed": "suppressed",
}
_FACTORS: Final = ("normalisation", "aggregation", "left_out")
_LARGEST_SHARE: Final = 0.1
"""Share of all weight that may be meant otherwise: what counts as plausible by default."""


def changes_group(tree: xr.DataTree, *, weight_share: float = _LARGEST_SHARE) -> xr.Dataset:
    """Return every single departure from the analysis with whom it brings in for whom.

    Each departure is one assumption, definition, scale, left-out indicator or rule changed
    alone; and for each end the nearest weights that change it.

    Parameters
    ----------
    tree : DataTree
        From `gather`, with the refits of `analyse` where there are any.
    weight_share : float
        Share of the total weight that may plausibly change hands.

    Returns
    -------
    Dataset (change)
        ``cause`` (``"definition"``, ``"priors_scaled"``, ``"weights"``...), ``value`` (which, as
        text), ``side``, ``leaves`` and ``enters`` (names, joined; empty where the choice stays),
        ``size`` (of ``weights``: the share of the total weight that must change hands, infinite
        where none would do), and ``plausible``.
    """
    ranking = tree["ranking"].to_dataset()
    rows: list[dict[str, Any]] = []
    for side in SIDES:
        tied = bool(ranking[f"tied_{side}"].any())
        names = np.array(labels(ranking["facility"]))
        base = set(names[ranking[f"selected_{side}"].to_numpy().astype(bool)].tolist())
        if tied or not base:
            continue
        rows += _weights(tree, side, base, weight_share)
        rows += _refits(tree, side, base)
        rows += _table(tree, "estimands", "estimand", "definition", side, base)
        rows += _universe(tree, side, base)
        rows += _table(tree, "rules", "rule", "rule", side, base)
    columns = ("cause", "value", "side", "leaves", "enters", "size", "plausible")
    frame = pd.DataFrame(rows, columns=columns)
    texts = {name: ("change", frame[name].astype(str).to_numpy(np.str_)) for name in columns[:5]}
    return xr.Dataset(
        texts
        | {
            "size": ("change", frame["size"].to_numpy(float)),
            "plausible": ("change", frame["plausible"].to_numpy(bool)),
        },
        attrs={"weight_share": weight_share},
    )


def _row(
    cause: str, value: str, side: Side, gone: set[str], new: set[str], size: float = float("nan")
) -> dict[str, Any]:
    return {
        "cause": cause,
        "value": value,
        "side": side,
        "leaves": SEPARATOR.join(sorted(gone)),
        "enters": SEPARATOR.join(sorted(new)),
        "size": size,
        "plausible": True,
    }


def _weights(tree: xr.DataTree, side: Side, base: set[str], share: float) -> list[dict[str, Any]]:
    name = f"weights_flip_{side}"
    if name not in tree.children:
        return []
    group = tree[name].to_dataset()
    size = float(group["mean_distance"]) / 2.0
    leaves, enters = str(group["mean_leaves"].item()), str(group["mean_enters"].item())
    if leaves not in base or enters in base:
        # posterior means already choose another set than memberships do
        return []
    row = _row("weights", "", side, {leaves}, {enters}, size)
    return [row | {"plausible": size <= share}]


def _refits(tree: xr.DataTree, side: Side, base: set[str]) -> list[dict[str, Any]]:
    return [
        row
        for name, dim in _REFITS.items()
        if name in tree.children
        for row in _table(tree, name, dim, name, side, base)
    ]


def _table(
    tree: xr.DataTree, name: str, dim: str, cause: str, side: Side, base: set[str]
) -> list[dict[str, Any]]:
    """Return a row for each level of a table of selections that is not the analysis itself."""
    if name not in tree.children:
        return []
    group = tree[name].to_dataset()
    names = np.array(labels(group["facility"]))
    own = {
        "estimand": tree.attrs["estimand"],
        "rule": "p_top",
        "prior_factor": 1.0,
        "case_correlation": tree.attrs.get("case_correlation"),
        "design_effect": json.loads(tree.attrs.get("design_effect", "1.0")),
        "suppressed": "missing",
    }[dim]
    rows = []
    for value in group[dim].to_numpy().tolist():
        if value == own or _asks_otherwise(dim, value):
            continue
        failed = "convergence" in group and "FAILED" in str(
            group["convergence"].sel({dim: value}).item()
        )
        chosen = group[f"selected_{side}"].sel({dim: value}).to_numpy().astype(bool)
        new = set(names[chosen].tolist())
        if failed or len(new) < len(base):
            continue
        text = value if isinstance(value, str) else f"{value:g}"
        rows.append(_row(cause, text, side, base - new, new - base))
    return rows


def _asks_otherwise(dim: str, value: str) -> bool:
    """Tell whether an estimand asks another question: who ends best is not who improved most."""
    return dim == "estimand" and ESTIMANDS[value].null is None


def _universe(tree: xr.DataTree, side: Side, base: set[str]) -> list[dict[str, Any]]:
    """Return the choices of method that depart from the reference in one factor alone."""
    name = f"weights_multiverse_{side}"
    if name not in tree.children:
        return []
    group = tree[name].to_dataset()
    names = labels(group["facility"])
    factors = [str(key) for key in group.coords if group[key].dims == ("choice",)]
    columns = {key: group[key].to_numpy().astype(str) for key in factors if key != "choice"}
    departs = {key: column != column[0] for key, column in columns.items()}
    alone = np.sum(list(departs.values()), axis=0) == 1
    table = group["selected"].transpose("choice", "facility").to_numpy()
    rows = []
    for factor in _FACTORS:
        for at in np.flatnonzero(alone & departs[factor]).tolist():
            gone = {n for n, a, b in zip(names, table[0], table[at], strict=True) if b < a - 1e-9}
            new = {n for n, a, b in zip(names, table[0], table[at], strict=True) if b > a + 1e-9}
            # the grid has fewer draws, which may choose otherwise at a close cut
            if gone <= base and not new & base:
                rows.append(_row(factor, str(columns[factor][at]), side, gone, new))
    return rows
