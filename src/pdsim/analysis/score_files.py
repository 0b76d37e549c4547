"""Scores made elsewhere, read from a file: draws of any sampler, or estimates with their error."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from pdsim.analysis.score_columns import (
    BOOKKEEPING,
    CHAINS,
    FEW_DRAWS,
    ScoreOptions,
    family_of,
    is_long,
    limits_apart,
    named_columns,
    refuse_texts,
    row_names,
    without_parameters,
)
from pdsim.errors import InputError, Problem
from pdsim.ranking import Score, normal_scores
from pdsim.study.cells import numbers
from pdsim.study.frames import text_column, visible
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed
from pdsim.study.sources import Reading, read_source, refuse_size

_SAMPLING: Final = ({"chain", "draw"}, {"draw"}, {"sample"})
_NETCDF: Final = (".nc", ".netcdf", ".h5", ".hdf5", ".nc4")

_SAYS_95: Final = re.compile(r"95|2\.5|97\.5")


def read_scores(
    path: str | Path, *, options: ScoreOptions | None = None, notes: list[str] | None = None
) -> Score:
    """Read draws of a score, or estimates with standard errors or limits.

    Parameters
    ----------
    path : str or Path
        netCDF (also of ArviZ: the group ``posterior`` is looked at) with a variable over
        (``chain``, ``draw``) or ``sample`` and one more dimension; or a table (CSV, Excel,
        Parquet): one column for each facility and one row for each draw, as brms, posterior and
        CmdStan write them; draws below each other with the columns ``facility``, ``draw`` and a
        value; or estimates with ``se``, or with ``lower`` and ``upper``.
    options : ScoreOptions, optional
    notes : list of str, optional
        Takes sentences on what was left out or assumed.

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
    source, chosen = Path(path), options or ScoreOptions()
    said = [] if notes is None else notes
    if not source.is_file():
        reason = "is a folder" if source.is_dir() else "does not exist"
        raise InputError(Problem(file=source.name, rule=reason, cure="check the path"))
    if source.suffix.lower() in _NETCDF:
        score: Score = _from_netcdf(source, chosen)
    else:
        table = limits_apart(_table(source, chosen, said))
        found = named_columns(table, chosen, source.name)
        if is_long(table, found):
            score = _from_long(source, table, found, chosen, said)
        elif "estimate" in found and ("se" in found or {"lower", "upper"} <= set(found)):
            return _from_estimates(source, table, found, chosen, said)
        else:
            score = _from_draws(source, table, chosen, said)
    return _enough(score, source.name, chosen)


def _enough(score: Score, file: str, options: ScoreOptions) -> Score:
    """Refuse a handful of draws, unless they are insisted on."""
    assert isinstance(score, xr.DataArray)
    count = score.size // score.sizes["facility"]
    if count >= FEW_DRAWS:
        return score
    if not options.few_draws:
        raise InputError(
            Problem(
                file=file,
                rule=f"{count} draws are too few to say who is where; at least {FEW_DRAWS} are "
                "needed",
                cure="give more, or insist with --few-draws",
            )
        )
    return score.assign_attrs(convergence=f"failed: only {count} draws")


def _from_netcdf(path: Path, options: ScoreOptions) -> xr.DataArray:
    fits: dict[str, tuple[xr.DataArray, str]] = {}
    seen: list[str] = []
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            for group in ("/", "/posterior"):
                if group != "/" and group.strip("/") not in tree.children:
                    continue
                for name, array in tree[group].to_dataset().data_vars.items():
                    seen.append(f"{name} ({', '.join(map(str, array.dims))})")
                    dim = _facility_dim(array, options.dim)
                    if dim is not None:
                        fits[str(name)] = array.load(), dim
    except (OSError, ValueError, KeyError) as error:
        rule = f"cannot be read as netCDF ({type(error).__name__})"
        raise InputError(Problem(file=path.name, rule=rule, cure="write it again")) from None
    if options.variable is not None:
        fits = {name: item for name, item in fits.items() if name == options.variable}
    named = {name: item for name, item in fits.items() if item[1] == "facility"}
    fits = named or fits
    if len(fits) != 1:
        names = ", ".join(map(repr, fits)) or "none"
        raise InputError(
            Problem(
                file=path.name,
                rule="one variable over (chain, draw) or sample and one more dimension is needed; "
                f"those that fit: {names}; the file has {listed(seen)}",
                cure="name one with --variable, or the dimension of the facilities with --dim",
            )
        )
    ((score, dim),) = fits.values()
    score = score.rename({dim: "facility"}) if dim != "facility" else score
    if "facility" not in score.coords:
        score = score.assign_coords(facility=[str(k + 1) for k in range(score.sizes["facility"])])
    labels = [str(name) for name in score["facility"].to_numpy()]
    score = score.assign_coords(facility=np.array(labels)).astype(np.float64)
    if not bool(np.isfinite(score).all()):
        rule = f"the variable {score.name!r} holds values that are not finite numbers"
        raise InputError(Problem(file=path.name, rule=rule, cure="leave those facilities out"))
    return score.transpose(..., "facility").reset_coords(drop=True)


def _facility_dim(array: xr.DataArray, wanted: str | None) -> str | None:
    """Return the dimension that stands for the facilities, if the others are those of draws."""
    dims = [str(dim) for dim in array.dims]
    own = [dim for dim in dims if dim not in ("chain", "draw", "sample")]
    for dim in [wanted] if wanted else ["facility", *own]:
        if dim in dims and {*dims} - {dim} in _SAMPLING and array.sizes[dim] > 1:
            return dim
    return None


def _table(path: Path, options: ScoreOptions, notes: list[str]) -> pd.DataFrame:
    def load(name: str) -> bytes:
        refuse_size(path.stat().st_size, path.name)
        content = path.read_bytes()
        if path.suffix.lower() in (".csv", ".txt", ".tsv") and b"#" in content:
            # CmdStan writes its settings as comments, above and among the draws
            lines = content.splitlines(keepends=True)
            content = b"".join(line for line in lines if not line.startswith(b"#"))
        return content

    return read_source(path.name, load, Reading(delimiter=options.delimiter), notes)


def _from_long(
    path: Path,
    table: pd.DataFrame,
    found: dict[str, str],
    options: ScoreOptions,
    notes: list[str],
) -> xr.DataArray:
    own = text_column(table[found["facility"]])
    labels = row_names(own.unique().tolist(), options, path.name, notes)
    table = table[own.isin(labels)].reset_index(drop=True)
    keys = [found[role] for role in ("chain", "draw") if role in found]
    keys = list(dict.fromkeys(keys))
    value = found.get("value", found.get("estimate", ""))
    problems = Findings()
    raw = table.rename(columns={value: "value"}) if value != "value" else table
    settings = StudyOptions(decimal=options.decimal)
    read = numbers(raw, ["value"], problems, settings).values["value"]
    problems.refuse()
    frame = pd.DataFrame({key: text_column(table[key]) for key in keys})
    frame["facility"], frame["value"] = own[own.isin(labels)].map(labels).to_numpy(), read
    if frame["value"].isna().any() or frame.duplicated([*keys, "facility"]).any():
        rule = "every facility needs one value in every draw"
        cure = "leave facilities without one out, or state the column of the chains: "
        cure += "--columns chain=..."
        raise InputError(Problem(file=path.name, rule=rule, cure=cure))
    wide = frame.pivot(index=keys, columns="facility", values="value")
    if wide.isna().to_numpy().any():
        rule = "the facilities differ in their number of draws"
        raise InputError(Problem(file=path.name, rule=rule, cure="give each of them every draw"))
    names = list(dict.fromkeys(frame["facility"]))
    chains = wide.index.get_level_values(0).to_numpy() if len(keys) == 2 else None
    return _laid_out(path, wide[names].to_numpy(dtype=np.float64), names, chains)


def _from_draws(
    path: Path, table: pd.DataFrame, options: ScoreOptions, notes: list[str]
) -> xr.DataArray:
    names = [name for name in visible(table) if not BOOKKEEPING.fullmatch(name.strip())]
    names = without_parameters(names, notes)
    columns = family_of(names, options, path.name)
    refuse_texts(table, list(columns), path.name)
    problems = Findings()
    settings = StudyOptions(decimal=options.decimal)
    values = np.column_stack(
        [_column(table, name, label, settings, problems) for name, label in columns.items()]
        or [np.empty(len(table))]
    )
    if len(columns) < 2 or len(values) < 2:
        problems.add(
            f"draws need two columns and two rows or more; there are {len(columns)} and "
            f"{len(values)}",
            "give a column for each facility and a row for each draw, or the columns facility, "
            "estimate and se (or lower and upper), or name them: --columns facility=...",
            file=path.name,
        )
    problems.refuse()
    chain = next((n for n in visible(table) if n.strip().casefold() in CHAINS), None)
    chains = None if chain is None else text_column(table[chain]).to_numpy()
    return _laid_out(path, values, list(columns.values()), chains)


def _column(
    table: pd.DataFrame, name: str, label: str, settings: StudyOptions, problems: Findings
) -> np.ndarray:
    own = Findings()
    raw = table[[name, "file", "row"]].rename(columns={name: "draw"})
    values = numbers(raw, ["draw"], own, settings).values["draw"]
    bad = ~np.isfinite(values)
    problems.rows(
        raw.assign(facility=label),
        bad,
        rule="a draw must be a finite number (received {draw})",
        cure="leave the facility out or draw it again",
    )
    return values


def _laid_out(
    path: Path, values: np.ndarray, names: Sequence[str], chains: np.ndarray | None
) -> xr.DataArray:
    """Return draws (chain, draw, facility), or (sample, facility) where there are no chains."""
    if chains is None:
        return xr.DataArray(
            values, dims=("sample", "facility"), coords={"facility": list(names)}, name="score"
        )
    parts = [values[chains == chain] for chain in dict.fromkeys(chains.tolist())]
    if len({len(part) for part in parts}) > 1:
        rule = "the chains differ in length"
        cure = "give every chain the same number of draws"
        raise InputError(Problem(file=path.name, rule=rule, cure=cure))
    dims = ("chain", "draw", "facility")
    return xr.DataArray(np.stack(parts), dims=dims, coords={"facility": list(names)}, name="score")


def _from_estimates(
    path: Path,
    table: pd.DataFrame,
    found: dict[str, str],
    options: ScoreOptions,
    notes: list[str],
) -> Score:
    if "facility" not in found:
        rule = f"no column names the facilities; the file has {listed(visible(table))}"
        raise InputError(Problem(file=path.name, rule=rule, cure="name it: --columns facility=..."))
    roles = ("estimate", "se") if "se" in found else ("estimate", "lower", "upper")
    names = text_column(table[found["facility"]])
    labels = row_names(names.unique().tolist(), options, path.name, notes)
    table = table[names.isin(labels)].reset_index(drop=True)
    names = text_column(table[found["facility"]]).map(labels)
    raw = table[["file", "row"]].assign(
        facility=names, **{role: table[found[role]] for role in roles}
    )
    problems = Findings()
    settings = StudyOptions(decimal=options.decimal)
    before = len(problems.notes)
    read = numbers(raw, roles, problems, settings).values
    notes += problems.notes[before:]
    estimate = read["estimate"]
    absent = np.isnan(estimate) & (problems.count == 0)
    if absent.any():
        notes.append(f"Left out, without an estimate: {listed(names[absent].tolist())}.")
    if "se" in roles:
        error = read["se"]
    else:
        error = _error_of_limits(path, read, found, options, estimate, problems, raw)
    problems.rows(
        raw,
        ~absent & ~(np.isfinite(error) & (error > 0)) & np.isfinite(estimate),
        rule="an estimate needs a positive se (received {se})"
        if "se" in roles
        else "the lower limit must lie below the upper one (received {lower} to {upper})",
        cure="correct the row or leave the facility out",
    )
    repeated = names.duplicated().to_numpy() & ~absent
    problems.rows(
        raw, repeated, rule="the facility stands in two rows", cure="keep one row for each"
    )
    problems.refuse()
    kept = ~absent
    facilities = names[kept].tolist()
    if len(facilities) < 2:
        raise InputError(Problem(file=path.name, rule="fewer than two facilities have an estimate"))
    columns = [
        xr.DataArray(values[kept], dims="facility", coords={"facility": facilities})
        for values in (estimate, error)
    ]
    return normal_scores(*columns)


def _error_of_limits(
    path: Path,
    read: dict[str, np.ndarray],
    found: dict[str, str],
    options: ScoreOptions,
    estimate: np.ndarray,
    problems: Findings,
    raw: pd.DataFrame,
) -> np.ndarray:
    """Return the standard errors of limits of a stated level, taken as those of a normal."""
    level = options.level
    if level is None and _SAYS_95.search(found["lower"] + found["upper"]):
        level = 95.0
    if level is None or not 50 <= level < 100:
        problems.add(
            "limits need their level, in percent from 50 to below 100",
            "state it: --level 95",
            file=path.name,
        )
        return np.ones_like(estimate)
    lower, upper = read["lower"], read["upper"]
    outside = (estimate < lower) | (estimate > upper)
    problems.rows(
        raw,
        outside,
        rule="the estimate {estimate} lies outside its limits {lower} to {upper}",
        cure="correct the row, or name the right columns",
    )
    z = float(ndtri(0.5 + level / 200.0))
    return np.asarray((upper - lower) / (2.0 * z))
