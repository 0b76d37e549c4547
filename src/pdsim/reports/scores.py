"""Draws of a score made elsewhere: read from a file, ranked like any other."""

import math
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.ranking import (
    expected_rank,
    pairwise_probability,
    rank_interval,
    rank_probability,
    select,
    set_probability,
    top_probability,
)
from pdsim.reports.view import SEPARATOR, SIDES, labels

_SAMPLING: Final = ({"chain", "draw"}, {"draw"}, {"sample"})
_HIDDEN: Final = ("chain", "draw", "sample", "Unnamed: 0")
LISTED_SETS: Final = 20
NORMAL_DRAWS: Final = 100_000


def read_scores(
    path: str | Path, *, variable: str | None = None, seed: int = 1, draws: int = NORMAL_DRAWS
) -> xr.DataArray:
    """Read draws of a score, or estimates with standard errors.

    Parameters
    ----------
    path : str or Path
        netCDF (also of ArviZ: the group ``posterior`` is looked at) with a variable over
        ``facility`` and (``chain``, ``draw``) or ``sample``; or CSV with one column for each
        facility and one row for each independent draw (columns ``chain`` and ``draw`` say
        otherwise); or CSV with the columns ``facility``, ``estimate`` and ``se``.
    variable : str, optional
        Which variable of a netCDF file; needed where several fit.
    seed, draws : int
        Of the normal draws that stand for estimates with standard errors, taken as independent.

    Returns
    -------
    xr.DataArray
        (chain, draw, facility) or (sample, facility); larger is better.

    Raises
    ------
    InputError
        If the file cannot be read or holds no score.
    """
    source = Path(path)
    try:
        if source.suffix.lower() in {".nc", ".netcdf", ".h5", ".hdf5"}:
            return _from_netcdf(source, variable)
        return _from_csv(source, seed, draws)
    except FileNotFoundError:
        problem = Problem(file=source.name, rule="does not exist", cure="check the path")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        problem = Problem(
            file=source.name,
            rule=f"cannot be read ({str(error).splitlines()[0]:.120})",
            cure="give netCDF, or CSV as UTF-8 text with commas",
        )
    raise InputError(problem)


def _from_netcdf(path: Path, variable: str | None) -> xr.DataArray:
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        found: dict[str, xr.DataArray] = {}
        for group in ("/", "/posterior"):
            if group != "/" and group.strip("/") not in tree.children:
                continue
            for name, array in tree[group].to_dataset().data_vars.items():
                others = {str(dim) for dim in array.dims} - {"facility"}
                if "facility" in array.dims and others in _SAMPLING:
                    found[str(name)] = array
        if variable is not None:
            found = {name: array for name, array in found.items() if name == variable}
        if len(found) != 1:
            names = ", ".join(map(repr, found)) or "none"
            raise InputError(
                Problem(
                    file=path.name,
                    rule="one variable over facility and (chain, draw) or sample is needed; "
                    f"those that fit: {names}",
                    cure="name one with --variable" if found else "rename its dimensions",
                )
            )
        (score,) = found.values()
        return score.load().astype(np.float64)


def _from_csv(path: Path, seed: int, draws: int) -> xr.DataArray:
    table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    table.columns = [str(name).strip() for name in table.columns]
    if {"facility", "estimate", "se"} <= set(table.columns):
        return _from_estimates(path, table, seed, draws)
    names = [name for name in table.columns if name not in _HIDDEN]
    values = table[names].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    problems = _broken_cells(path, table, names, values)
    if len(names) < 2 or len(values) < 2:
        problems.append(
            Problem(
                file=path.name,
                rule=f"draws need two columns and two rows or more; there are {len(names)} and "
                f"{len(values)}",
                cure="give a column for each facility and a row for each draw, or the columns "
                "facility, estimate and se",
            )
        )
    if problems:
        raise InputError(problems)
    if "chain" not in table.columns:
        return xr.DataArray(
            values, dims=("sample", "facility"), coords={"facility": names}, name="score"
        )
    chains = table["chain"].to_numpy()
    parts = [values[chains == chain] for chain in dict.fromkeys(chains.tolist())]
    if len({len(part) for part in parts}) > 1:
        raise InputError(
            Problem(
                file=path.name,
                rule="the chains differ in length",
                cure="give every chain the same number of draws",
            )
        )
    return xr.DataArray(
        np.stack(parts), dims=("chain", "draw", "facility"), coords={"facility": names}
    )


def _broken_cells(
    path: Path, table: pd.DataFrame, names: list[str], values: np.ndarray
) -> list[Problem]:
    bad = np.argwhere(~np.isfinite(values))
    return [
        Problem(
            file=path.name,
            row=int(row) + 2,
            facility=names[column],
            rule=f"a draw must be a finite number, got {table[names[column]].iloc[row]!r:.60}",
            cure="leave the facility out or draw it again",
        )
        for row, column in bad[:20]
    ]


def _from_estimates(path: Path, table: pd.DataFrame, seed: int, draws: int) -> xr.DataArray:
    values = table[["estimate", "se"]].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    problems = [
        Problem(
            file=path.name,
            row=int(row) + 2,
            facility=str(table["facility"].iloc[row]),
            rule="estimate must be a number and se a positive one",
            cure="correct the row or leave the facility out",
        )
        for row in np.flatnonzero(~(np.isfinite(values).all(axis=1) & (values[:, 1] > 0)))[:20]
    ]
    if problems:
        raise InputError(problems)
    noise = np.random.default_rng(seed).standard_normal((draws, len(values)))
    return xr.DataArray(
        values[:, 0] + values[:, 1] * noise,
        dims=("sample", "facility"),
        coords={"facility": table["facility"].to_list()},
        name="score",
    )


def rank_results(
    score: xr.DataArray, *, m: int, name: str = "scores", estimand: str = "score", units: str = ""
) -> xr.DataTree:
    """Return the ranking tables of a score, laid out for `write_report`.

    Parameters
    ----------
    score : xr.DataArray
        (chain, draw, facility) or (sample, facility); larger is better.
    m : int
        Facilities to name at each end.
    name, estimand, units : str
        What the report calls them.

    Returns
    -------
    xr.DataTree
        Groups ``improvement``, ``ranking``, ``pairs``, ``sets_top`` and ``sets_bottom``.
    """
    score = score.assign_attrs(estimand=estimand)
    groups = {"improvement": _summary(score), "ranking": ranking_group(score, m=m)}
    if score.sizes["facility"] <= 60:
        groups["pairs"] = pairwise_probability(score).rename(
            pairwise_probability="p_above", pairwise_probability_mcse="p_above_mcse"
        )
    groups |= {f"sets_{side}": sets_group(score, m=m, side=side) for side in SIDES}
    tree = xr.DataTree.from_dict({f"/{key}": group for key, group in groups.items()})
    tree.attrs = {
        "name": name,
        "m": m,
        "estimand": estimand,
        "units": units,
        "engine": "draws",
        "kind": "scores",
        "convergence": "passed",
    }
    return tree


def _summary(score: xr.DataArray) -> xr.Dataset:
    sample = [dim for dim in ("chain", "draw", "sample") if dim in score.dims]
    bounds = [(1.0 - CI_PROB) / 2.0, (1.0 + CI_PROB) / 2.0]
    interval = score.quantile(bounds, dim=sample).rename(quantile="ci_bound")
    return xr.Dataset(
        {
            "mean": score.mean(sample),
            "median": score.median(sample),
            "sd": score.std(sample),
            "interval": interval.assign_coords(ci_bound=np.round(bounds, 10)),
        }
    )


def ranking_group(score: xr.DataArray, *, m: int) -> xr.Dataset:
    """Return ranks, memberships and the choice at both ends, over facility."""
    table = xr.merge([rank_probability(score), expected_rank(score)], combine_attrs="drop")
    table["rank_interval"] = rank_interval(score, prob=CI_PROB)["rank_interval"]
    for side in SIDES:
        probability = top_probability(score, m=m, side=side)
        table[f"p_{side}"] = probability["top_probability"]
        table[f"p_{side}_mcse"] = probability["top_probability_mcse"]
        chosen = select(score, m=m, side=side)
        for key in ("selected", "tied", "could_flip"):
            table[f"{key}_{side}"] = chosen[key]
    return table


def sets_group(score: xr.DataArray, *, m: int, side: str) -> xr.Dataset:
    """Return the likeliest sets of one end, and the probability of the selected one."""
    end = "top" if side == "top" else "bottom"
    table = set_probability(score, m=m, side=end)  # type: ignore[arg-type]
    chosen = select(score, m=m, side=end)["selected"].to_numpy()  # type: ignore[arg-type]
    member = table["member"].transpose("set", "facility").to_numpy()
    p, error = table["set_probability"].to_numpy(), table["set_probability_mcse"].to_numpy()
    match = (member == chosen).all(axis=1)
    names = np.array(labels(table["facility"]), dtype=object)
    ess = float(table.attrs.get("ess", math.nan))
    return xr.Dataset(
        {
            "members": (
                "set",
                np.array([SEPARATOR.join(names[row]) for row in member[:LISTED_SETS]], dtype=str),
            ),
            "probability": ("set", p[:LISTED_SETS]),
            "probability_mcse": ("set", error[:LISTED_SETS]),
        },
        attrs={
            "p_selected_set": float(p[match].sum()),
            "p_selected_set_mcse": float(error[match][0]) if match.any() else 1.0 / ess,
        },
    )
