"""Two analyses side by side: what changed, and why."""

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from pdsim.analysis.handout import results_of
from pdsim.analysis.lock import LOCK_FILE
from pdsim.errors import InputError, Problem
from pdsim.reports.formats.document import Column, Table
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.study.view import SIDES, Results


def comparison(first: str | Path, second: str | Path) -> tuple[list[str], Table]:
    """Return sentences on what changed between two folders of results and why, and a table.

    Parameters
    ----------
    first, second : str or Path
        Folders that `pdsim.analyse` wrote.

    Returns
    -------
    list of str
    Table
        One row per facility that is in either: both values, and both probabilities at each end.

    Raises
    ------
    InputError
        If a folder has no results, or lacks its ``study.lock.toml``.
    """
    one, two = results_of(first), results_of(second)
    said = [*_names(one, two), *_reasons(_lock(first), _lock(second))]
    return said, _table(one, two)


def _lock(folder: str | Path) -> dict[str, Any]:
    path = Path(folder) / LOCK_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        problem = Problem(
            file=str(path), rule="is missing", cure="make the results again with pdsim analyse"
        )
    raise InputError(problem)


def _names(one: Results, two: Results) -> list[str]:
    said = []
    for side in SIDES:
        old, new = set(one.selected(side)), set(two.selected(side))
        if old == new:
            said.append(f"The {side} {two.m} is the same: {', '.join(two.selected(side))}.")
        else:
            out, come = sorted(old - new) or ["nobody"], sorted(new - old) or ["nobody"]
            said.append(f"The {side} changes: out {', '.join(out)}; in {', '.join(come)}.")
    return said


def _reasons(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """Return what differs in the data, the settings and the versions."""
    said = []
    if one["data_sha256"] != two["data_sha256"]:
        said.append("The data differ.")
    for part in ("settings", "sampler", "versions"):
        old, new = _leaves(one[part]), _leaves(two[part])
        for key in sorted(old.keys() | new.keys()):
            a, b = old.get(key, "not set"), new.get(key, "not set")
            if a != b:
                said.append(f"{part.capitalize()}: {key} was {a}, is {b}.")
    return said or ["Data, settings and versions are the same."]


def _leaves(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {
            key: leaf
            for inner, one in value.items()
            for key, leaf in _leaves(one, f"{name}.{inner}" if name else str(inner)).items()
        }
    return {name: str(value)}


def _table(one: Results, two: Results) -> Table:
    names = list(dict.fromkeys([*two.order, *one.order]))
    frame = pd.DataFrame({"facility": names}, index=names)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for key, header in (("mean", two.words.column), *((f"p_{s}", f"P({s})") for s in SIDES)):
        for n, (results, when) in enumerate(((one, "first"), (two, "second"))):
            group = results.improvement if key == "mean" else results.group("ranking")
            found = dict(zip(results.facilities, group[key].to_numpy(), strict=True))
            frame[f"{key}_{n}"] = [float(found.get(name, float("nan"))) for name in names]
            kinds[f"{key}_{n}"] = results.value_kind if key == "mean" else "probability"
            columns.append(Column(header=f"{header}, {when}", keys=(f"{key}_{n}",)))
    return Table(
        key="compare",
        title="Side by side",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(one.failed or two.failed),
    )
