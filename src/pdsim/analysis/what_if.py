"""Who comes in for whom under every other assumption that was tried: one table."""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.conventions import Side
from pdsim.ranking.selection import FLIP_ERRORS
from pdsim.reports.study.view import SEPARATOR, SIDES, labels
from pdsim.study.plausible import Robustness
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.kinds import KINDS

_REFITS: Final = {
    "case_correlation": "case_correlation",
    "priors_scaled": "prior_factor",
    "design_effect": "design_effect",
    "suppressed": "suppressed",
}
_FACTORS: Final = ("weighting", "normalisation", "aggregation", "left_out")


def changes_group(
    tree: xr.DataTree, *, weight_share: float = Robustness().weight_share
) -> xr.Dataset:
    """Return every single departure from the analysis with whom it brings in for whom.

    Each departure is one assumption, definition, scale, left-out indicator or rule changed
    alone; and for each end the nearest weights that change it.

    Parameters
    ----------
    tree : DataTree
        From `gather`, with the refits of `analyse` where there are any.
    weight_share : float
        Share of the total weight that may plausibly change hands; which other departures are
        plausible was decided before they were tried (`pdsim.study.plausible.Robustness`).

    Returns
    -------
    Dataset (change)
        ``cause`` (``"definition"``, ``"priors_scaled"``, ``"weights"``...), ``value`` (which, as
        text), ``side``, ``leaves`` and ``enters`` (names, joined; empty where the choice stays),
        ``size`` (of ``weights``: the share of the total weight that must change hands, infinite
        where none would do), ``plausible``; ``p_in`` and ``p_out``, the least membership of
        who enters and the largest of who leaves, NaN where there is none; ``decided``, whether
        that difference is beyond Monte Carlo error; and ``observed``: of definitions, whom the
        observed values alone name, joined, or empty.
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
    frame = pd.DataFrame(rows, columns=(*_TEXTS, *_NUMBERS, *_FLAGS))
    kinds = {**dict.fromkeys(_TEXTS, np.str_), **dict.fromkeys(_NUMBERS, float),
             **dict.fromkeys(_FLAGS, bool)}  # fmt: skip
    return xr.Dataset(
        {
            name: ("change", frame[name].astype(str if kind is np.str_ else kind).to_numpy(kind))
            for name, kind in kinds.items()
        },
        attrs={"weight_share": weight_share},
    )


_TEXTS: Final = ("cause", "value", "side", "leaves", "enters", "observed")
_NUMBERS: Final = ("size", "p_in", "p_out")
_FLAGS: Final = ("plausible", "decided")


def _row(
    cause: str,
    value: str,
    side: Side,
    gone: set[str],
    new: set[str],
    p: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    nothing = float("nan")
    return {
        "cause": cause,
        "value": value,
        "side": side,
        "leaves": SEPARATOR.join(sorted(gone)),
        "enters": SEPARATOR.join(sorted(new)),
        "observed": "",
        "size": nothing,
        "p_in": min(p[name] for name in new) if p and new else nothing,
        "p_out": max(p[name] for name in gone) if p and gone else nothing,
        "plausible": True,
        "decided": True,
    }


def _weights(tree: xr.DataTree, side: Side, base: set[str], share: float) -> list[dict[str, Any]]:
    name = f"weights_flip_{side}"
    if name not in tree.children:
        return []
    group = tree[name].to_dataset()
    size = float(group["mean_distance"]) / 2.0
    leaves, enters = str(group["mean_leaves"].item()), str(group["mean_enters"].item())
    if set(np.atleast_1d(group.attrs["mean_selected"]).tolist()) != base:
        # posterior means already choose another set than memberships do
        return []
    gone, new = ({leaves}, {enters}) if enters else (set(), set())
    return [_row("weights", "", side, gone, new) | {"size": size, "plausible": size <= share}]


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
        one = group.sel({dim: value})
        chosen = one[f"selected_{side}"].to_numpy().astype(bool)
        new = set(names[chosen].tolist())
        if failed or len(new) < len(base):
            continue
        text = value if isinstance(value, str) else f"{value:g}"
        p = None
        if f"p_{side}" in one:
            p = dict(zip(names.tolist(), one[f"p_{side}"].to_numpy().tolist(), strict=True))
        row = _row(cause, text, side, base - new, new - base, p)
        if f"could_flip_{side}" in one and new != base:
            close = set(names[one[f"could_flip_{side}"].to_numpy().astype(bool)].tolist())
            row["decided"] = not (close & (new - base) and close & (base - new))
        if dim == "estimand":
            row["observed"] = SEPARATOR.join(_observed(tree, value, side, len(base)))
        rows.append(row)
    return rows


def _observed(tree: xr.DataTree, estimand: str, side: Side, m: int) -> list[str]:
    """Return the m whom the observed values of a definition name; nobody where they do not."""
    group = tree["improvement"].to_dataset()
    term = ESTIMANDS[estimand]
    if term.net or not {"observed_baseline", "observed_endline"} <= set(group):
        return []
    factor = KINDS[str(tree.attrs.get("kind", "counts"))].factor
    first, last = (group[f"observed_{t}"].to_numpy() / factor for t in ("baseline", "endline"))
    value = term.value(first, last, factor=factor)
    value = value if side == "top" else -value
    order = np.argsort(-value, kind="stable")
    if not np.isfinite(value).all() or value[order[m - 1]] == value[order[m]]:
        return []
    return np.array(labels(group["facility"]))[np.sort(order[:m])].tolist()


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
    chances = group["probability"].transpose("choice", "facility").to_numpy()
    rows = []
    for factor in _FACTORS:
        for at in np.flatnonzero(alone & departs[factor]).tolist():
            gone = {n for n, a, b in zip(names, table[0], table[at], strict=True) if b < a - 1e-9}
            new = {n for n, a, b in zip(names, table[0], table[at], strict=True) if b > a + 1e-9}
            # the grid has fewer draws, which may choose otherwise at a close cut
            if gone <= base and not new & base:
                p = dict(zip(names, chances[at].tolist(), strict=True))
                row = _row(factor, str(columns[factor][at]), side, gone, new, p)
                if gone or new:
                    gap = row["p_in"] - row["p_out"]
                    error = np.sqrt((row["p_in"] + row["p_out"] - gap**2) / group.attrs["ess"])
                    row["decided"] = bool(gap >= FLIP_ERRORS * error)
                rows.append(row)
    return rows
