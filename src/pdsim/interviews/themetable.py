"""The table of themes: who was coded with what, by whom, in which round."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, PdsimWarning, Problem
from pdsim.study.sources import Reading, read_source

COLUMNS: Final = ("facility", "informant", "round", "coder", "theme", "value")
ALL_ROUNDS: Final = "all"
_NEEDED: Final = ("facility", "informant", "theme", "value")
_TIERS: Final = ("tier", "group", "class", "performance")
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThemeTable:
    """Coded values, one row for each informant, round, coder and theme.

    Attributes
    ----------
    frame : DataFrame
        The columns of `COLUMNS`; ``value`` is NaN where a theme was not discussed. A theme is
        present where its value is above 0.
    rounds : tuple of str
        In order.
    file : str
    """

    frame: pd.DataFrame
    rounds: tuple[str, ...]
    file: str

    @property
    def themes(self) -> tuple[str, ...]:
        """Themes, in the order of the table."""
        return tuple(dict.fromkeys(self.frame["theme"]))

    def informants(self) -> pd.DataFrame:
        """Return one row for each facility, informant, round and theme, coders averaged.

        ``present`` is the share of the coders who found the theme, ``mean`` their mean value.
        """
        keys = ["theme", "round", "facility", "informant"]
        found = self.frame.assign(
            present=(self.frame["value"] > 0).astype(float).where(self.frame["value"].notna())
        )
        return (
            found.groupby(keys, sort=False)
            .agg(present=("present", "mean"), mean=("value", "mean"))
            .reset_index()
        )

    def units(self, theme: str) -> Floats:
        """Return the values of a theme (coder, informant and round), NaN where not coded."""
        rows = self.frame[self.frame["theme"] == theme]
        wide = rows.pivot_table(
            index="coder", columns=["facility", "informant", "round"], values="value"
        )
        return wide.to_numpy(dtype=float)


def read_themes(path: str | Path) -> ThemeTable:
    r"""Read a table of themes (CSV, XLSX, Parquet).

    Parameters
    ----------
    path : str or Path
        With the columns ``facility``, ``informant``, ``theme``, ``value`` and, if there are any,
        ``round`` (month) and ``coder``. ``value`` is 0 or 1, a count, or -2 to 2; blank where the
        theme was not discussed. The performance of a facility has no place in it: coders stay
        blind, and pdsim knows it.

    Returns
    -------
    ThemeTable

    Raises
    ------
    InputError
        With one problem for every broken row.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "themes.csv")
    ...     _ = file.write_text("facility,informant,theme,value\nA,1,leadership,1\n")
    ...     read_themes(file).themes
    ('leadership',)
    """
    path = Path(path)
    try:
        raw = read_source(path.name, lambda _: path.read_bytes(), Reading(), [])
    except OSError as error:
        raise InputError(
            Problem(
                file=path.name, rule=f"cannot be read ({error.strerror})", cure="check the path"
            )
        ) from None
    return theme_table(raw, file=path.name)


def theme_table(table: pd.DataFrame, *, file: str = "themes") -> ThemeTable:
    """Check a table of themes in memory, see `read_themes`.

    Parameters
    ----------
    table : DataFrame
    file : str
        Named in messages.

    Examples
    --------
    >>> theme_table(pd.DataFrame({"facility": ["A"], "informant": [1], "theme": ["trust"],
    ...                           "value": [1]})).rounds
    ('all',)
    """
    names = {str(name).strip().lower(): str(name) for name in table.columns}
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise InputError(
            [
                Problem(file=file, rule=f"the column {n!r} is missing", cure="add it")
                for n in missing
            ]
        )
    for name in _TIERS:
        if name in names:
            warnings.warn(
                f"{file}: the column {names[name]!r} is not read; coders should not know how a "
                "facility performed",
                PdsimWarning,
                stacklevel=3,
            )
    text = {
        name: table[names[name]].map(_text).tolist() if name in names else [""] * len(table)
        for name in COLUMNS
    }
    frame = pd.DataFrame({name: text[name] for name in COLUMNS if name != "value"})
    frame["value"] = [_number(cell) for cell in text["value"]]
    rows = table["row"].tolist() if "row" in table.columns else list(range(1, len(table) + 1))
    problems = _broken(frame, pd.Series(text["value"]), rows, file)
    if problems:
        more = len(problems) - _SHOWN
        rest = [Problem(file=file, rule=f"{more} more rows are broken")] if more > 0 else []
        raise InputError([*problems[:_SHOWN], *rest])
    rounds = tuple(sorted(set(frame["round"]) - {""}, key=_round_order))
    frame["round"] = frame["round"].replace("", rounds[0] if len(rounds) == 1 else "")
    return ThemeTable(frame=frame, rounds=rounds or (ALL_ROUNDS,), file=file)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _round_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _broken(
    frame: pd.DataFrame, written: "pd.Series[str]", rows: list[int], file: str
) -> list[Problem]:
    """Return one problem for every broken row."""
    value = frame["value"]
    twice = frame.duplicated(["facility", "informant", "round", "coder", "theme"])
    per_theme = value.groupby(frame["theme"])
    scale = (per_theme.transform("min") < 0) & (value > 2)
    mixed = (frame["round"] == "") & bool((frame["round"] != "").any())
    whole = value.isna() | (np.isfinite(value) & (value == value.round()))
    rules = (
        (frame["facility"] == "", "the facility is missing", "fill it in"),
        (frame["informant"] == "", "the informant is missing", "number the informants"),
        (frame["theme"] == "", "the theme is missing", "fill it in"),
        (mixed, "the round is missing, and other rows have one", "fill it in"),
        (frame["round"] == ALL_ROUNDS, "a round cannot be called 'all'", "rename it"),
        (
            ((written != "") & value.isna()) | ~whole | (value < -2) | scale,
            "the value must be 0 or 1, a count, or -2 to 2",
            "mend it, or leave it blank where the theme was not discussed",
        ),
        (twice, "the same informant, round, coder and theme stand in an earlier row", "keep one"),
    )
    return [
        Problem(
            file=file,
            row=int(rows[i]),
            facility=frame["facility"].iloc[i] or None,
            rule=rule,
            cure=cure,
        )
        for mask, rule, cure in rules
        for i in np.flatnonzero(np.asarray(mask, dtype=bool))
    ]


def theme_shares(table: ThemeTable, facilities: list[str]) -> xr.Dataset:
    """Return how many informants of each facility voiced each theme.

    Parameters
    ----------
    table : ThemeTable
    facilities : list of str
        All facilities of the study, interviewed or not.

    Returns
    -------
    Dataset
        Over (``theme``, ``round``, ``facility``): ``informants`` (who discussed the theme),
        ``voiced`` (of these, with the theme present; a fraction where coders disagree), ``share``
        (NaN without informants), ``mean_value``. Over (``round``, ``facility``): ``interviewed``.
        The first round is ``all``: an informant counts once there, rounds averaged.

    Raises
    ------
    InputError
        If the table has a facility that the study has not.
    """
    unknown = sorted(set(table.frame["facility"]) - set(facilities))
    if unknown:
        raise InputError(
            [
                Problem(
                    file=table.file,
                    facility=name,
                    rule="is not in the results",
                    cure="write facilities as the study does",
                )
                for name in unknown
            ]
        )
    single = table.informants()
    whole = (
        single.groupby(["theme", "facility", "informant"], sort=False)[["present", "mean"]]
        .mean()
        .reset_index()
        .assign(round=ALL_ROUNDS)
    )
    rounds = [ALL_ROUNDS, *(r for r in table.rounds if r != ALL_ROUNDS)]
    units = pd.concat([whole, single[single["round"].isin(rounds)]], ignore_index=True)
    keys = ["theme", "round", "facility"]
    found = units.groupby(keys, sort=False).agg(
        informants=("present", "count"), voiced=("present", "sum"), mean_value=("mean", "mean")
    )
    index = pd.MultiIndex.from_product([table.themes, rounds, facilities], names=keys)
    full = xr.Dataset.from_dataframe(found.reindex(index))
    # `from_dataframe` sorts nothing here, but says the order of the product
    full = full.reindex(theme=list(table.themes), round=rounds, facility=facilities)
    seen = units.groupby(["round", "facility"], sort=False)["informant"].nunique()
    pairs = pd.MultiIndex.from_product([rounds, facilities], names=keys[1:])
    interviewed = seen.reindex(pairs).fillna(0).to_numpy().reshape(len(rounds), -1)
    full[["informants", "voiced"]] = full[["informants", "voiced"]].fillna(0.0)
    share = full["voiced"] / full["informants"].where(full["informants"] > 0)
    return full.assign(share=share, interviewed=(("round", "facility"), interviewed))
