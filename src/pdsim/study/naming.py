"""Rows that a study writes in another way or leaves out: renamed, excluded, totals."""

import numpy as np
import pandas as pd

from pdsim.errors import suggestion
from pdsim.study.frames import file_of, text_column, visible
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed, quote
from pdsim.study.words import is_total


def without_excluded(table: pd.DataFrame, options: StudyOptions, found: Findings) -> pd.DataFrame:
    """Return the raw table without the rows that the study excludes."""
    names = {name.casefold(): name for name in visible(table)}
    # an excluded facility is found under the name that the column has in the file
    stated = {key: getattr(options.columns, key, None) or key for key in options.exclude}
    for key, values in options.exclude.items():
        column = names.get(key.casefold()) or names.get(stated[key].casefold())
        if column is None:
            found.add(
                f"there is no column {quote(key)}, from which rows are excluded",
                "correct the key exclude" + suggestion(key, visible(table)),
                file=file_of(table),
            )
            continue
        wanted = {str(value).strip() for value in values}
        text = text_column(table[column])
        for value in sorted(wanted - set(text)):
            found.add(
                f"no row has {quote(value)} in the column {quote(column)}",
                "correct the key exclude" + suggestion(value, sorted(set(text))),
                file=file_of(table),
            )
        out = text.isin(wanted).to_numpy(dtype=bool)
        found.notes.append(
            f"Excluded: {out.sum():,} of {len(out):,} rows with {column} {listed(sorted(wanted))}."
        )
        table = table.loc[~out]
    return table.reset_index(drop=True) if options.exclude else table


def renamed(table: pd.DataFrame, options: StudyOptions, found: Findings) -> pd.DataFrame:
    """Return the table, whose columns have canonical names, with the names of the study."""
    for dim in ("facility", "indicator", "period"):
        names: dict[str, str] = getattr(options.rename, dim)
        if not names or dim not in table:
            continue
        text = text_column(table[dim])
        present = set(text)
        for name in names:
            if name.strip() not in present:
                found.add(
                    f"there is no {dim} {quote(name)} to rename",
                    f"correct [rename] {dim}" + suggestion(name, sorted(present)),
                    file=file_of(table),
                )
        table = table.assign(
            **{dim: text.replace({old.strip(): new for old, new in names.items()})}
        )
    return table


def without_totals(table: pd.DataFrame, options: StudyOptions, found: Findings) -> pd.DataFrame:
    """Return the table without facilities that are called like totals or averages."""
    if "facility" not in table:
        return table
    text = text_column(table["facility"])
    names = [
        str(name) for name in text.unique() if is_total(str(name)) and name not in options.keep
    ]
    if not names:
        return table
    out = text.isin(names).to_numpy(dtype=bool)
    if out.all():
        return table
    found.notes.append(
        f"Left out as a row of totals or averages, not a facility: {listed(names)} "
        f"({out.sum():,} rows). State keep = [{quote(names[0])}] to keep it."
    )
    return table.loc[np.flatnonzero(~out)].reset_index(drop=True)
