"""A table of observed cases, one row each, becomes counts and a within-case correlation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from pdsim.arraytypes import Floats, Ints
from pdsim.errors import suggestion
from pdsim.study.cells import note_missing
from pdsim.study.clustering import estimate_clustering
from pdsim.study.correlation import estimate_case_correlation, shared_cases
from pdsim.study.frames import METADATA, as_written, file_of, named, text_column, visible
from pdsim.study.longtable import TableContent, observed_from_long
from pdsim.study.naming import renamed, without_totals
from pdsim.study.options import Rename, StudyOptions
from pdsim.study.problems import LISTED, Findings, listed, quote
from pdsim.study.words import MISSING, NO, VISIT_WORDS, YES, answer, folded, with_own

_KEYS: Final = ("facility", "period")

VISIT: Final = "visit"


def observed_from_cases(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> TableContent:
    """Return the counts of a raw table of cases and their within-case correlation.

    Parameters
    ----------
    table : DataFrame
        Raw table: ``facility``, ``period`` and one column per indicator with 1, yes or true
        where it was met, 0, no or false where it was not, and blank where it was not scored.
        ``visit`` (or a column ``day``, ``team`` or ``observer``) says whose cases are alike.
    indicators : DataFrame or None
        Raw indicator table. With it, other columns of `table` are left alone; without it,
        every column but the keys and those to ignore is an indicator.
    options : StudyOptions
    found : Findings
    """
    before = found.count
    table = named(table, options.columns, (*_KEYS, VISIT), found)
    table = _with_visit(table, indicators, options, found)
    names = _indicator_columns(table, indicators, options, found)
    if "facility" not in table:
        found.add(
            f"there is no column 'facility'; the file has {listed(as_written(table))}",
            'add or rename it, or map it in [columns]: facility = "..."',
            file=file_of(table),
        )
        return TableContent()
    table = without_totals(renamed(table, options, found), options, found)
    marks = _Marks.of(options)
    columns = {name: _scores(table, name, marks, options, found) for name in names}
    note_missing(marks.seen, found)
    read = {name: column for name, column in columns.items() if column is not None}
    if not read:
        return TableContent()
    names = tuple(read)
    scores = np.column_stack([read[name] for name in names])
    keys = [name for name in _KEYS if name in table]
    texts = {name: text_column(table[name]) for name in keys}
    blank = np.zeros(len(table), dtype=bool)
    for name in keys:
        empty = (texts[name] == "").to_numpy(dtype=bool)
        found.rows(table, empty, rule=f"the {name} is blank", cure=f"give the {name} of every case")
        blank |= empty
    if blank.all():
        return TableContent()
    rows = table.loc[~blank, ["file", "row"]].assign(**texts)
    visit = _visits_of(table.loc[~blank], rows, keys, found)
    counts = _counts(rows, keys, names, scores[~blank], visit)
    observed = observed_from_long(
        counts,
        indicators,
        options.columns.only("indicator", *METADATA),
        replace(options, rename=Rename(indicator=options.rename.indicator)),
        found,
        carried=() if visit is None else ("visits",),
    )
    if found.count > before or observed.data is None:
        return observed
    return _with_errors(observed, rows, names, scores[~blank], visit, options, found)


def _with_visit(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> pd.DataFrame:
    """Return the table with a column ``visit``, where a day, a team or an observer is one."""
    if VISIT in table or options.design_effect is not None:
        return table
    marks, present = _Marks.of(options), {name.casefold(): name for name in visible(table)}
    meant = {*options.ignore, *options.met}
    if indicators is not None and "indicator" in indicators:
        meant |= set(text_column(indicators["indicator"]))
    alike = []
    for word in VISIT_WORDS:
        name = present.get(word)
        if name is None or name in meant:
            continue
        words = [folded(str(value)) for value in text_column(table[name]).unique()]
        if not all(word in marks.missing | marks.met | marks.unmet for word in words):
            alike.append(name)
    if len(alike) > 1:
        found.notes.append(
            f"Cases may be alike by {listed(alike)}: state which in [columns], such as "
            f"visit = {quote(alike[0])}; neither is used."
        )
    if len(alike) != 1:
        return table
    found.notes.append(f"The column {quote(alike[0])} says which cases belong to one visit.")
    return table.rename(columns={alike[0]: VISIT})


def _visits_of(
    table: pd.DataFrame, rows: pd.DataFrame, keys: list[str], found: Findings
) -> Ints | None:
    """Return a code for every visit of a facility and period; None without a column of them."""
    if VISIT not in table:
        return None
    text = text_column(table[VISIT])
    none = (text == "").to_numpy(dtype=bool)
    if none.any():
        found.notes.append(
            f"{none.sum():,} of {len(none):,} cases have no visit: each counts as one of its own."
        )
    codes, _ = pd.factorize(text)
    codes[none] = codes.max(initial=0) + 1 + np.arange(none.sum())
    groups = rows.assign(**{VISIT: codes}).groupby([*keys, VISIT], sort=False)
    numbers: Ints = groups.ngroup().to_numpy().astype(np.int64)
    return numbers


def _indicator_columns(
    table: pd.DataFrame, indicators: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> tuple[str, ...]:
    """Return the columns that hold indicators."""
    present = [name for name in visible(table) if name not in (*_KEYS, VISIT)]
    for name in options.ignore:
        if name not in visible(table):
            found.add(
                f"there is no column {quote(name)} to ignore",
                "correct the key ignore" + suggestion(name, present),
                file=file_of(table),
            )
    if indicators is None:
        names = tuple(name for name in present if name not in options.ignore)
        if not names:
            found.add(
                "no column holds an indicator",
                "give one column per indicator, beside facility and period",
                file=file_of(table),
            )
        return names
    # what is wrong with the names of its columns is said where it is read
    described = named(indicators, options.columns, ("indicator",), Findings())
    if "indicator" not in described:
        return tuple(present)
    wanted = [name for name in dict.fromkeys(text_column(described["indicator"])) if name]
    for name in wanted:
        if name not in present:
            found.add(
                "the indicator of the indicator table is not a column of the cases",
                "correct the name in one of the two" + suggestion(name, present),
                file=file_of(table),
                indicator=name,
            )
    return tuple(name for name in wanted if name in present)


@dataclass(frozen=True, slots=True)
class _Marks:
    """Words for met, not met and not scored, and which of the last were seen."""

    met: frozenset[str]
    unmet: frozenset[str]
    missing: frozenset[str]
    seen: Counter[str]

    @classmethod
    def of(cls, options: StudyOptions) -> "_Marks":
        """Return the words of a study; what it states goes before what is usual."""
        own = {
            key: with_own(frozenset(), getattr(options, key)) for key in ("yes", "no", "missing")
        }
        return cls(
            met=(YES - own["no"] - own["missing"]) | own["yes"],
            unmet=(NO - own["yes"] - own["missing"]) | own["no"],
            missing=(MISSING - own["yes"] - own["no"]) | own["missing"],
            seen=Counter(),
        )

    def value(self, text: str) -> float:
        """Return 1 where a word says met, 0 where not, NaN where it says anything else."""
        word = answer(text)
        return 1.0 if word in self.met else 0.0 if word in self.unmet else float("nan")


def _scores(
    table: pd.DataFrame, name: str, marks: _Marks, options: StudyOptions, found: Findings
) -> Floats | None:
    """Read one column of met and not met; None where it holds something else."""
    text = text_column(table[name])
    codes, words = pd.factorize(text)
    counts = np.bincount(codes, minlength=len(words))
    blank = np.array(
        [bool({folded(word), answer(word)} & marks.missing) for word in words], dtype=bool
    )
    marks.seen.update({w: int(n) for w, n, b in zip(words, counts, blank, strict=True) if b and w})
    stated = options.met.get(name)
    if stated is not None:
        wanted = {folded(str(word)) for word in stated}
        values = np.array([float(folded(word) in wanted) for word in words])
        for word in sorted(wanted - {folded(word) for word in words}):
            found.add(
                f"no case has {quote(word)} in the column {quote(name)}, stated as met",
                "correct the key met" + suggestion(word, list(words)),
                file=file_of(table),
            )
    else:
        values = np.array([marks.value(word) for word in words], dtype=np.float64)
    values[blank] = np.nan
    bad = np.isnan(values) & ~blank
    if not bad.any():
        return values[codes]
    strange = [str(word) for word in words[bad]]
    shown = ", ".join(quote(word) for word in strange[:3])
    if counts[bad].sum() > 0.5 * counts[~blank].sum():
        found.add(
            f"column {quote(name)} does not hold 0 and 1, or yes and no (such as {shown})",
            f"where it is no indicator, leave it out: ignore = [{quote(name)}]; where its codes "
            f"mean met, state them: met = {{{quote(name)} = [{shown}]}}; where they are missing: "
            f"missing = [{shown}]; or give an indicator table",
            file=file_of(table),
        )
        return None
    cure = f"write 1 or 0; or state what it means: missing = [{shown}], or yes, or no"
    if counts[bad].sum() > LISTED:
        first = int(np.flatnonzero(bad[codes])[0])
        found.add(
            f"{shown} in column {quote(name)}, {counts[bad].sum():,} cells, is neither 0 nor 1",
            cure,
            file=file_of(table),
            row=int(table["row"].iloc[first]),
        )
        return values[codes]
    found.rows(
        table.assign(indicator=name, value=table[name]),
        bad[codes],
        rule="a case must be 0 or 1 (received {value})",
        cure=cure,
    )
    return values[codes]


def _counts(
    rows: pd.DataFrame,
    keys: list[str],
    names: tuple[str, ...],
    scores: Floats,
    visit: Ints | None,
) -> pd.DataFrame:
    """Return the raw long table of counts; its rows are the first ones of their cases.

    With visits of n_v cases, ``visits`` is (sum n_v)^2 / sum n_v^2.
    """
    groups = rows.groupby(keys, sort=False)
    group = groups.ngroup().to_numpy()
    first = groups.head(1)
    size = len(first)
    scored = ~np.isnan(scores)
    tables = []
    for k, name in enumerate(names):
        trials = np.bincount(group, weights=scored[:, k], minlength=size)
        met = np.bincount(group, weights=np.where(scored[:, k], scores[:, k], 0.0), minlength=size)
        table = first.assign(indicator=name, successes=met, trials=trials)
        if visit is not None:
            each = np.bincount(visit, weights=scored[:, k])
            whose = np.zeros(len(each), dtype=np.int64)
            whose[visit] = group
            squares = np.bincount(whose, weights=each**2, minlength=size)
            table["visits"] = np.where(trials > 0, trials**2 / np.maximum(squares, 1.0), np.nan)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _with_errors(
    observed: TableContent,
    rows: pd.DataFrame,
    names: Sequence[str],
    scores: Floats,
    visit: Ints | None,
    options: StudyOptions,
    found: Findings,
) -> TableContent:
    """Add what the cases of a visit, and the indicators of a case, have in common."""
    assert observed.data is not None
    shown = [options.rename.indicator.get(name, name) for name in names]
    kept = np.isin(shown, observed.data["indicator"].to_numpy())
    names = [name for name, one in zip(shown, kept, strict=True) if one]
    scores = scores[:, kept]
    groups = observed.data["case_group"].sel(indicator=names).to_numpy()
    pairs = (groups[:, None] == groups) & (groups != "") & ~np.eye(len(names), dtype=bool)
    facility = pd.factorize(rows["facility"])[0]
    period = (
        pd.factorize(rows["period"])[0] if "period" in rows else np.zeros(len(rows), dtype=np.int64)
    )
    clustering = None
    if visit is not None:
        clustering = estimate_clustering(scores, facility, period, visit, pairs)
        if clustering is None:
            found.notes.append(
                "The visits do not tell how far their cases are alike: that takes facilities with "
                "two visits or more in a period, and two cases or more at one of them."
            )
        elif options.design_effect is not None:
            found.notes.append(
                "The cases have visits, but a design effect is stated: it is used in their place."
            )
    within = visit if clustering is not None and options.design_effect is None else None
    observed = replace(observed, clustering=clustering)
    if not pairs.any():
        return observed
    share, part = shared_cases(scores, facility, period, pairs)
    found.notes.append(
        f"Counted in the cases: two indicators share {100 * share:.1f} % of the cases of the one "
        f"that has fewer, and {part:.3f} of sqrt(n n')."
    )
    result = estimate_case_correlation(scores, facility, period, pairs, within)
    if not np.isfinite([result.estimate, *result.limits]).all():
        found.notes.append(
            "The cases do not tell the within-case correlation: too few vary or are shared."
        )
        return observed
    return replace(observed, estimated=result)
