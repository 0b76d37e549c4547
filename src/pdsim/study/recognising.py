"""`recognise`: what a table holds, as far as it can be told by looking at it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pdsim.study.caselayout import take_cases, take_join
from pdsim.study.columnroles import (
    filled_roles,
    one_two_columns,
    part_column,
    repeating_column,
    roles_of,
    take_shares,
    word_columns,
    yes_no_columns,
)
from pdsim.study.columnwords import column_for
from pdsim.study.describing import describe, note_totals, take_periods, without_strays
from pdsim.study.exports import Export, dhis2_table, export_of
from pdsim.study.frames import text_column, visible
from pdsim.study.layouts import (
    take_columns,
    take_counted,
    take_fill,
    take_long,
    take_parts,
    take_ratios,
    take_wide,
)
from pdsim.study.placing import chosen_sheet, located_table, stacked
from pdsim.study.problems import listed
from pdsim.study.read import bytes_of
from pdsim.study.recognised import Recognised
from pdsim.study.reshaping import reshaped
from pdsim.study.sources import Reading, Sheet, read_sheets
from pdsim.study.words import folded


def recognise(path: str | Path, *, exclusions: bool = True) -> Recognised:
    r"""Look at a file and say how it can be read as a study; nothing is written.

    Parameters
    ----------
    path : str or Path
        CSV, Excel, Parquet, a file of Stata, SPSS or SAS; an export of KoboToolbox, ODK, REDCap or
        DHIS2; DHIS2 analytics or a FHIR MeasureReport as JSON.
    exclusions : bool
        Whether exclusions in FHIR MeasureReports are subtracted from the denominators.

    Returns
    -------
    Recognised

    Raises
    ------
    InputError
        If the file cannot be read at all.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder) / "audit.csv"
    ...     _ = table.write_text("Hospital;Year;Numerator;Denominator\nA;2021;3;9\nB;2021;4;9\n")
    ...     found = recognise(table)
    >>> found.layout, found.keys["columns"]["successes"]
    ('long', 'Numerator')
    """
    source = Path(path)
    content = bytes_of(source)
    found = Recognised(receipt={"source": source.name, "sha256": _sha256(content)})
    if source.suffix.lower() in (".json", ".ndjson", ".jsonl"):
        _take_export(found, export_of(content, source.name, exclusions=exclusions))
        return found
    notes: list[str] = []
    sheets = read_sheets(source.name, lambda _: content, Reading(), notes)
    found.taken += notes
    below = stacked(sheets, source.name)
    if below is not None:
        table, role = below
        what = "round" if role == "period" else role
        found.taken.append(f"Each sheet is a {what}: they were put below each other.")
        found.receipt |= {"rows_read": len(table)}
        _recognise_converted(table, found, sheets, sheets[0])
        return found
    sheet = chosen_sheet(sheets, found)
    table, header = located_table(sheet, source.name)
    if header is not None:
        found.keys["header"] = list(header) if header[0] != header[1] else header[0]
        one = header[0] == header[1]
        where = f"line {header[0]}" if one else f"lines {header[0]} to {header[1]}"
        found.taken.append(f"The header stands in {where}.")
    found.receipt |= {"rows_read": len(table)}
    export = None if sheet.cells is None else export_of_table(table)
    if export is not None:
        _take_export(found, export)
        return found
    other = reshaped(table, found)
    if other is not None:
        for key in ("sheet", "header"):
            found.keys.pop(key, None)
        _recognise_converted(other, found, sheets, sheet)
    else:
        _recognise_table(table, found, sheets, sheet)
    return found


def export_of_table(table: pd.DataFrame) -> Export | None:
    """Return the counts of a DHIS2 analytics table; None of any other."""
    names = {folded(name): name for name in visible(table)}
    if not {"numerator", "denominator", "factor"} <= set(names):
        return None
    columns = {
        "facility": column_for("facility", visible(table)),
        "indicator": column_for("indicator", visible(table)),
        "period": column_for("period", visible(table)),
        "value": names.get("value"),
    }
    if None in columns.values():
        return None
    chosen = {role: text_column(table[str(name)]) for role, name in columns.items()}
    for name in ("numerator", "denominator", "factor"):
        chosen[name] = text_column(table[names[name]])
    return dhis2_table(pd.DataFrame(chosen))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _take_export(found: Recognised, export: Export) -> None:
    found.layout = "long"
    found.converted = export.table
    found.taken += export.taken
    found.unsure += export.unsure
    found.receipt |= {"rows_read": export.rows_read, "dropped": export.dropped}
    if export.excluded:
        found.receipt["counts_with_exclusions"] = export.excluded
    take_periods(text_column(export.table["period"]), found)
    describe(list(dict.fromkeys(text_column(export.table["indicator"]))), {}, found)


def _recognise_converted(
    table: pd.DataFrame, found: Recognised, sheets: Sequence[Sheet], sheet: Sheet
) -> None:
    """Recognise a table that is not the file's own, and is written beside the study."""
    found.converted = table[visible(table)]
    _recognise_table(table, found, sheets, sheet)


def _recognise_table(
    table: pd.DataFrame, found: Recognised, sheets: Sequence[Sheet], sheet: Sheet
) -> None:
    names = visible(table)
    roles = filled_roles(table, roles_of(table), found)
    if "_parent_index" in names:
        take_join(table, found, sheets, sheet, roles)
    if "facility" not in roles:
        guess = repeating_column(table, roles)
        if guess is not None:
            roles["facility"] = guess
            found.unsure.append(f"The facility is taken to be in the column {guess!r}: it repeats")
    table = without_strays(table, roles, found)
    table = take_fill(table, roles, found)
    take_shares(table, roles, found)
    binary = yes_no_columns(table, roles)
    counts = {"successes", "trials"} <= set(roles)
    part = part_column(table, roles)
    if part is not None and {"facility", "indicator", "value"} <= set(roles):
        take_parts(table, roles, part, found)
    elif "facility" in roles and (counts or "percent" in roles or "mean" in roles):
        take_long(table, roles, found)
    elif "facility" in roles and {"indicator", "value"} <= set(roles):
        take_ratios(table, roles, found)
    elif take_wide(table, roles, found):
        found.layout = "wide"
    elif "facility" in roles and (
        len(binary) >= 2 or len(one_two_columns(table, roles)) >= 2 or "_parent_index" in names
    ):
        take_cases(table, roles, binary, found)
    elif not {"mean", "se"} & set(roles) and take_counted(table, roles, found):
        pass
    elif "facility" in roles and "se" in roles:
        found.layout = "estimates"
        found.unsure.append("These are estimates with errors: rank them by pdsim rank")
    else:
        take_columns(roles, tuple(roles), found)
        alike = word_columns(table, roles)
        found.unsure.append(
            f"The columns {listed(alike[0])} hold {listed(alike[1])}: if these are words for met "
            'and not met, state format = "cases", yes = ["..."] and no = ["..."]'
            if alike is not None
            else "No layout was recognised: name the columns in [columns], or give one row per "
            "facility, indicator and period, one column per value and period, or one row per case"
        )
    note_totals(table, roles, found)
