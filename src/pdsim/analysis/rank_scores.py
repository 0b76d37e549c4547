"""Scores made elsewhere, draws or estimates: read from a file, ranked like any other."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from pdsim.analysis.rank_groups import pairs_group, ranking_group, rules_group, sets_group
from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.ranking import Score, normal_scores
from pdsim.ranking.draws import Draws
from pdsim.reports.study.view import SIDES

_SAMPLING: Final = ({"chain", "draw"}, {"draw"}, {"sample"})
_HIDDEN: Final = ("chain", "draw", "sample", "Unnamed: 0")
PAIRED: Final = 60
"""Facilities up to which all pairs, and confidence sets of ranks, are computed."""


def read_scores(path: str | Path, *, variable: str | None = None) -> Score:
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

    Returns
    -------
    xr.DataArray or pdsim.ranking.Marginals
        Draws (chain, draw, facility) or (sample, facility), larger is better; or, of estimates,
        independent normal scores, which are ranked exactly.

    Raises
    ------
    InputError
        If the file cannot be read or holds no score.
    """
    source = Path(path)
    try:
        if source.suffix.lower() in {".nc", ".netcdf", ".h5", ".hdf5"}:
            return _from_netcdf(source, variable)
        return _from_csv(source)
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


def _from_csv(path: Path) -> Score:
    table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    table.columns = [str(name).strip() for name in table.columns]
    if {"facility", "estimate", "se"} <= set(table.columns):
        return _from_estimates(path, table)
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


def _from_estimates(path: Path, table: pd.DataFrame) -> Score:
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
    names = [str(name).strip() for name in table["facility"]]
    columns = [
        xr.DataArray(values[:, n], dims="facility", coords={"facility": names}) for n in (0, 1)
    ]
    return normal_scores(*columns)


def turned(score: Score) -> Score:
    """Return the scores with smaller ones as the better."""
    if isinstance(score, xr.DataArray):
        return -score
    return normal_scores(-_row(score.first), _row(score.second))


def _row(draws: Draws) -> xr.DataArray:
    return draws.template.copy(data=draws.values.reshape(-1))


def rank_results(
    score: Score,
    *,
    m: int,
    name: str = "scores",
    estimand: str = "score",
    units: str = "",
    seed: int = 1,
) -> xr.DataTree:
    """Return the ranking tables of a score, laid out for `write_report`.

    Parameters
    ----------
    score : xr.DataArray or Marginals
        From `read_scores`; larger is better.
    m : int
        Facilities to name at each end.
    name, estimand, units : str
        What the report calls them.
    seed : int
        Of the confidence set of ranks, one of the selection rules for estimates.

    Returns
    -------
    xr.DataTree
        Groups ``improvement``, ``ranking``, ``pairs``, ``sets_top``, ``sets_bottom`` and ``rules``.
    """
    groups = {"improvement": _summary(score), "ranking": ranking_group(score, m=m)}
    few = groups["improvement"].sizes["facility"] <= PAIRED
    if few:
        groups["pairs"] = pairs_group(score)
    groups |= {f"sets_{side}": sets_group(score, m=m, side=side) for side in SIDES}
    observed = None
    if not isinstance(score, xr.DataArray):
        observed = xr.Dataset({"estimate": _row(score.first), "se": _row(score.second)})
    groups["rules"] = rules_group(score, m=m, observed=observed, seed=seed if few else None)
    tree = xr.DataTree.from_dict({f"/{key}": group for key, group in groups.items()})
    tree.attrs = {
        "name": name,
        "m": m,
        "estimand": estimand,
        "units": units,
        "engine": "draws" if isinstance(score, xr.DataArray) else "estimates",
        "kind": "scores",
        "convergence": "passed",
    }
    return tree


def _summary(score: Score) -> xr.Dataset:
    bounds = [(1.0 - CI_PROB) / 2.0, (1.0 + CI_PROB) / 2.0]
    levels = xr.DataArray(np.round(bounds, 10), dims="ci_bound")
    levels = levels.assign_coords(ci_bound=levels.to_numpy())
    if isinstance(score, xr.DataArray):
        sample = [dim for dim in ("chain", "draw", "sample") if dim in score.dims]
        interval = score.quantile(bounds, dim=sample).rename(quantile="ci_bound")
        interval = interval.assign_coords(ci_bound=levels["ci_bound"].to_numpy())
        parts = {"mean": score.mean(sample), "median": score.median(sample)}
        return xr.Dataset({**parts, "sd": score.std(sample), "interval": interval})
    mean, sd = _row(score.first), _row(score.second)
    interval = mean + sd * xr.DataArray(stats.norm.ppf(bounds), dims="ci_bound")
    interval = interval.assign_coords(ci_bound=levels["ci_bound"].to_numpy())
    return xr.Dataset({"mean": mean, "median": mean, "sd": sd, "interval": interval})
