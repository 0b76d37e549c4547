"""What a table holds, as far as it can be told by looking at it; written down as a study.toml."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.study.columnwords import ADVERSE, LOWER, PAIRS, column_for, in_order, tokens
from pdsim.study.exports import Export, export_of
from pdsim.study.frames import text_column, visible
from pdsim.study.joining import dates_of
from pdsim.study.options import Columns
from pdsim.study.problems import listed
from pdsim.study.quality import likeness
from pdsim.study.read import bytes_of
from pdsim.study.sources import Reading, Sheet, holds_table, read_sheets
from pdsim.study.widetable import wide_columns
from pdsim.study.words import MISSING, NO, YES, folded, is_total

_HEADER_LINES: Final = 3
_MOST_CODES: Final = 12
_BOOKKEEPING: Final = re.compile(
    r"_.*|.*_complete|record.?id|id|uuid|case.?(no|number|id)?|redcap_.*|instance.?id|device.?id"
    r"|start|end|start.?time|end.?time|deviceid|today|username|row|index|no\.?|nr\.?|#",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class Recognised:
    """What was recognised in a file.

    Attributes
    ----------
    layout : {"long", "wide", "cases", "ratios", "estimates", "unknown"}
    keys : dict
        Of the study.toml, without ``data``.
    taken : list of str
        What was taken for what.
    unsure : list of str
        What the user has to look at, and why.
    indicators : list of dict
        Rows of an indicator table; empty where there is nothing to say.
    converted : DataFrame or None
        The table, where the file is none itself.
    receipt : dict
        Source, its sha256, rows read and dropped.
    """

    layout: str = "unknown"
    keys: dict[str, Any] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    indicators: list[dict[str, str]] = field(default_factory=list)
    converted: pd.DataFrame | None = None
    receipt: dict[str, Any] = field(default_factory=dict)


def recognise(path: str | Path) -> Recognised:
    r"""Look at a file and say how it can be read as a study; nothing is written.

    Parameters
    ----------
    path : str or Path
        CSV, Excel, Parquet, a file of Stata, SPSS or SAS; an export of KoboToolbox, ODK, REDCap or
        DHIS2; DHIS2 analytics or a FHIR MeasureReport as JSON.

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
    if source.suffix.lower() == ".json":
        _take_export(found, export_of(content, source.name))
        return found
    notes: list[str] = []
    sheets = read_sheets(source.name, lambda _: content, Reading(), notes)
    found.taken += notes
    sheet = _chosen(sheets, found)
    table, header = _table(sheet, source.name)
    if header is not None:
        found.keys["header"] = list(header) if header[0] != header[1] else header[0]
        found.taken.append(f"The header stands in lines {header[0]} to {header[1]}.")
    found.receipt |= {"rows_read": len(table)}
    export = None if sheet.cells is None else export_of_table(table)
    if export is not None:
        _take_export(found, export)
        return found
    _recognise_table(table, found, sheets, sheet)
    return found


def export_of_table(table: pd.DataFrame) -> Export | None:
    """Return the counts of a DHIS2 analytics table; None of any other."""
    from pdsim.study.exports import dhis2_table

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
    _periods(text_column(export.table["period"]), found)
    _describe(list(dict.fromkeys(text_column(export.table["indicator"]))), {}, found)


def _chosen(sheets: Sequence[Sheet], found: Recognised) -> Sheet:
    """Return the sheet with the data: the one that others belong to, else the first table."""
    tables = [sheet for sheet in sheets if holds_table(sheet)] or list(sheets)
    children = [sheet for sheet in tables if "_parent_index" in _first_cells(sheet)]
    sheet = (children or tables)[0]
    if len(sheets) > 1:
        others = [other.name for other in sheets if other is not sheet]
        found.keys["sheet"] = sheet.name
        found.taken.append(f"The sheet {sheet.name!r} holds the data; not read: {listed(others)}.")
    rivals = [other.name for other in tables if other is not sheet and not children]
    if rivals:
        found.unsure.append(
            f"These sheets hold tables too: {listed(rivals)}; change sheet if need be"
        )
    return sheet


def _first_cells(sheet: Sheet) -> list[str]:
    if sheet.cells is None or not len(sheet.cells):
        return []
    return [str(cell).strip() for cell in sheet.cells.iloc[0]]


def _table(sheet: Sheet, file: str) -> tuple[pd.DataFrame, tuple[int, int] | None]:
    """Return the raw table of a sheet, and the lines of its header where that must be stated."""
    if sheet.cells is None:
        return sheet.table(file=file, header=None), None
    filled = (sheet.cells != "").to_numpy(dtype=bool)
    rows = np.flatnonzero(filled.any(axis=1))
    if not rows.size:
        raise InputError(Problem(file=file, rule="the file is empty", cure="check the path"))
    width = int(np.median(filled[rows].sum(axis=1)))
    wide = [row for row in rows[:20] if filled[row].sum() >= max(2, 0.6 * width)]
    first = int(wide[0] if wide else rows[0])
    used = filled.any(axis=0)
    # merged cells leave a line of a header with few; a title has one
    for row in rows[rows < first][::-1][: _HEADER_LINES - 1]:
        if filled[row].sum() < 2 or _numeric(sheet.cells.iloc[int(row)]):
            break
        first = int(row)
    last = first
    for row in rows[rows > first][: _HEADER_LINES - 1]:
        gaps = not filled[last][used].all() and not _numeric(sheet.cells.iloc[int(row)])
        if not gaps:
            break
        last = int(row)
    header = (first + sheet.first_row, last + sheet.first_row)
    plain = first == int(rows[0]) and last == first
    table = sheet.table(file=file, header=None if plain else header)
    return table, None if plain else header


def _numeric(row: "pd.Series[str]") -> bool:
    return any(re.fullmatch(r"[<]?[\d.,]+\s*%?", str(cell).strip()) for cell in row)


def _recognise_table(
    table: pd.DataFrame, found: Recognised, sheets: Sequence[Sheet], sheet: Sheet
) -> None:
    names = visible(table)
    roles = {
        role: name
        for role in ("facility", "indicator", "period", "successes", "trials", "percent", "mean",
                     "sd", "se", "value")
        if (name := column_for(role, names)) is not None
    }  # fmt: skip
    if "_parent_index" in names:
        _join(table, found, sheets, sheet, roles)
    if "facility" not in roles:
        guess = _repeating(table, roles)
        if guess is not None:
            roles["facility"] = guess
            found.unsure.append(f"The facility is taken to be in the column {guess!r}: it repeats")
    if "trials" not in roles and "successes" not in roles and {"n", "N"} <= set(names):
        roles |= {"successes": "n", "trials": "N"}
    elif "trials" not in roles and "n" in [folded(name) for name in names]:
        roles["trials" if "mean" not in roles else "n"] = next(n for n in names if folded(n) == "n")
    _shares(table, roles, found)
    binary = _binary(table, roles)
    counts = {"successes", "trials"} <= set(roles)
    if "facility" in roles and (counts or "percent" in roles or "mean" in roles):
        _long(table, roles, found)
    elif "facility" in roles and {"indicator", "value"} <= set(roles):
        _ratios(table, roles, found)
    elif _wide(table, roles, found):
        found.layout = "wide"
    elif "facility" in roles and (len(binary) >= 2 or "_parent_index" in names):
        _cases(table, roles, binary, found)
    elif "facility" in roles and "se" in roles:
        found.layout = "estimates"
        found.unsure.append("These are estimates with errors: rank them by pdsim rank")
    else:
        found.unsure.append(
            "No layout was recognised: name the columns in [columns], or give one row per "
            "facility, indicator and period, one column per value and period, or one row per case"
        )
    _totals(table, roles, found)


def _shares(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Take a column of scores for percentages where the labels say so; drop an idle period."""
    if not {"facility", "indicator"} <= set(roles):
        return
    keys = [text_column(table[roles[role]]) for role in ("facility", "indicator")]
    if "period" in roles and not pd.DataFrame(dict(enumerate(keys))).duplicated().any():
        found.taken.append(
            f"One period, since no cell stands twice; {roles['period']!r} is not used."
        )
        del roles["period"]
    if "value" not in roles or "percent" in roles or "successes" in roles:
        return
    labels = [name for name in visible(table) if {"name", "label"} & set(tokens(name))]
    label = next((name for name in labels if name not in roles.values()), roles["indicator"])
    text = text_column(table[label]).map(folded)
    said = text.str.contains("percent|proportion|share|pourcentage|prozent|porcent")
    values = pd.to_numeric(text_column(table[roles["value"]]), errors="coerce")
    outside = (values > 100) | (values < 0)
    names = keys[1]
    no_share = set(names[outside]) | set(names[~said])
    if not said.any() or no_share >= set(names):
        return
    roles["percent"] = roles.pop("value")
    if no_share:
        found.keys["exclude"] = {roles["indicator"]: sorted(no_share)}
        found.unsure.append(f"Left out, since no percentages: {listed(sorted(no_share))}")


def _repeating(table: pd.DataFrame, roles: dict[str, str]) -> str | None:
    """Return the first column of words that repeat and are not yes and no."""
    for name in visible(table):
        if name in roles.values() or _BOOKKEEPING.fullmatch(name):
            continue
        text = text_column(table[name])
        given = text[text != ""]
        count = given.nunique()
        words = given.str.contains(r"[^\W\d_]", regex=True).mean() if len(given) else 0.0
        if 2 <= count <= max(2, len(given)) and words > 0.9 and not _codes(given):
            return name
    return None


def _codes(text: "pd.Series[str]") -> bool:
    known = YES | NO | MISSING
    return all(folded(word) in known for word in text.unique().tolist())


def _binary(table: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the columns of yes and no."""
    found = []
    for name in visible(table):
        if name in roles.values() or _BOOKKEEPING.fullmatch(name):
            continue
        text = text_column(table[name])
        words = {folded(word) for word in text.unique().tolist()} - MISSING
        known = words & (YES | NO)
        share = text.map(folded).isin(known | MISSING).mean() if len(text) else 0.0
        if known and share > 0.8 and len(words - known) <= 3:
            found.append(name)
    return found


def _columns(roles: dict[str, str], wanted: Sequence[str], found: Recognised) -> None:
    mapped = {role: roles[role] for role in wanted if role in roles and folded(roles[role]) != role}
    if mapped:
        found.keys["columns"] = found.keys.get("columns", {}) | mapped
    shown = ", ".join(f"{role} from {roles[role]!r}" for role in wanted if role in roles)
    found.taken.append(f"Taken: {shown}.")


def _long(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    found.layout = "long"
    values = ("mean", "sd", "n", "se") if "mean" in roles else ("successes", "trials")
    if "mean" not in roles and not {"successes", "trials"} <= set(roles):
        values = ("percent", "trials")
        if "trials" not in roles:
            found.unsure.append(
                "The number of cases behind the percentages is not in the table: state the one "
                "that you assume"
            )
            found.keys["trials"] = None
    _columns(roles, ("facility", "indicator", "period", *values), found)
    if "indicator" not in roles and values[0] != "percent":
        found.unsure.append(
            "No column names the indicator: add one, or map it in [columns] indicator"
        )
    if "period" in roles:
        _periods(table[roles["period"]], found)
    if "indicator" in roles:
        out = found.keys.get("exclude", {}).get(roles["indicator"], [])
        given = dict.fromkeys(text_column(table[roles["indicator"]]))
        names = [name for name in given if name and name not in out]
        titles = [n for n in visible(table) if {"name", "label"} & set(tokens(n))]
        label = next((n for n in titles if n not in roles.values()), None)
        labels = {}
        if label is not None:
            labels = dict(zip(text_column(table[roles["indicator"]]), text_column(table[label]),
                              strict=True))  # fmt: skip
        _describe(names, labels, found)


def _ratios(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Pair rows of numerators with rows of denominators by their names."""
    found.layout = "ratios"
    _columns(roles, ("facility", "indicator", "period", "value"), found)
    names = [name for name in dict.fromkeys(text_column(table[roles["indicator"]])) if name]
    above = [name for name in names if re.search(r"\bnum(erator)?\b|zähler|numerad", name, re.I)]
    below = [
        name for name in names if re.search(r"\bden(om(inator)?)?\b|nenner|denomin", name, re.I)
    ]
    ratios: dict[str, list[str]] = {}
    for name in above:
        if not below:
            break
        other = max(below, key=lambda item: _stem_likeness(name, item))
        ratios[_stem(name)] = [name, other]
        if _stem_likeness(name, other) < 100:
            found.unsure.append(f"{name!r} is taken over {other!r}: check [ratios]")
    if ratios:
        found.keys["ratios"] = ratios
    else:
        found.unsure.append(
            "Which rows are numerators and which denominators is not in their names: state "
            f'[ratios], such as "x" = ["numerator", "denominator"]; there are {listed(names)}'
        )
    if "period" in roles:
        _periods(table[roles["period"]], found)


def _stem(name: str) -> str:
    bare = re.sub(r"\(?\b(num(erator)?|den(om(inator)?)?)\b\)?", "", name, flags=re.IGNORECASE)
    return " ".join(bare.split()).strip(" -_:") or name


def _stem_likeness(one: str, other: str) -> float:
    plain = [re.sub(r"\d+", "", _stem(name)) for name in (one, other)]
    return 100.0 if _stem(one) == _stem(other) else min(99.0, likeness(*plain))


def _wide(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> bool:
    """Recognise columns that are named by value and period."""
    names = visible(table)
    words = [word for name in names for word in tokens(name)]
    known = {folded(word): word for pair in PAIRS for word in pair}
    labels = [pair for pair in PAIRS if {folded(word) for word in pair} <= set(words)]
    years = sorted({word for word in words if re.fullmatch(r"(19|20)\d\d", word)})
    periods = list(labels[0]) if labels else years[:1] + years[-1:] if len(years) > 1 else []
    if not periods or not known:
        return False
    shown = []
    for label in periods:
        # as it is written in the file
        match = next((m[0] for n in names if (m := re.search(re.escape(label), n, re.I))), label)
        shown.append(match)
    best: tuple[int, dict[str, str]] = (0, {})
    for words_of in _value_words(names):
        columns = Columns(**words_of)
        rest = [name for name in names if name != roles.get("facility")]
        parsed = wide_columns(rest, columns, shown)
        count = len({(item.indicator, item.period, item.value) for item in parsed})
        if count > best[0]:
            best = (count, words_of)
    if best[0] < 2:
        return False
    _columns(roles, ("facility",), found)
    if best[1]:
        found.keys["columns"] = found.keys.get("columns", {}) | best[1]
    if [folded(label) for label in shown] != ["baseline", "endline"]:
        found.keys["periods"] = shown
    found.taken.append(f"{best[0]} columns hold a value of one of the periods {listed(shown)}.")
    parsed = wide_columns(names, Columns(**best[1]), shown)
    given = list(dict.fromkeys(item.indicator for item in parsed if item.indicator))
    _describe(given, {}, found)
    if {item.value for item in parsed} == {"percent"}:
        found.keys["trials"] = None
        found.unsure.append("State the number of cases that you assume behind the percentages")
    return True


def _value_words(names: Sequence[str]) -> list[dict[str, str]]:
    """Return ways to read the last or first words of columns as values."""
    raw = {word for name in names for word in re.split(r"[\s_.\-:/|]+", name) if word}
    options: list[dict[str, str]] = [{}]
    if {"n", "N"} <= raw:
        options.append({"successes": "n", "trials": "N"})
    for above in ("num", "numerator", "x", "yes", "met", "n", "numer"):
        for below in ("den", "denominator", "denom", "N", "n", "total", "cases", "trials"):
            if above != below and {above, below} <= raw:
                options.append({"successes": above, "trials": below})
    for share in ("%", "pct", "percent", "rate", "percentage"):
        if share in raw:
            options.append({"percent": share})
            options += [{"percent": share, "trials": n} for n in ("n", "N", "cases") if n in raw]
    return options


def _cases(
    table: pd.DataFrame, roles: dict[str, str], binary: Sequence[str], found: Recognised
) -> None:
    found.layout = "cases"
    found.keys["format"] = "cases"
    _columns(roles, ("facility", "period"), found)
    if "period" in roles:
        _periods(table[roles["period"]], found)
    groups = {name.split("/")[0] for name in visible(table) if "/" in name}
    options = [name for name in binary if "/" in name and name.split("/")[0] in groups]
    kept = [name for name in binary if name not in options or "_parent_index" not in table]
    beside = [n for n in found.receipt.pop("beside", []) if n not in table]
    everything = [*visible(table), *beside]
    others = [n for n in everything if n not in kept and n not in roles.values()]
    if others:
        found.keys["ignore"] = others
        found.taken.append(f"No indicators: {listed(others)}.")
    found.taken.append(f"Indicators: {listed(kept) or 'none found'}.")
    codes: dict[str, int] = {}
    for name in kept:
        text = text_column(table[name])
        for word in text.unique().tolist():
            if folded(word) not in YES | NO | MISSING:
                codes[str(word)] = codes.get(str(word), 0) + int((text == word).sum())
    if codes:
        found.keys["missing"] = list(codes)
        shown = ", ".join(f"{word!r} ({n})" for word, n in codes.items())
        found.unsure.append(f"Read as missing, since neither yes nor no: {shown}")
    if not kept:
        _coded(table, roles, found)
    _describe(list(kept), {}, found)


def _coded(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    """Say what a column of codes is needed for."""
    for name in visible(table):
        text = text_column(table[name])
        words = [word for word in text.unique().tolist() if word]
        few = 2 <= len(words) <= _MOST_CODES and len(words) < 0.7 * len(text)
        if name in roles.values() or _BOOKKEEPING.fullmatch(name) or "/" in name or not few:
            continue
        found.unsure.append(
            f"Each row is an opportunity; which codes of {name!r} are an action that met it? State "
            f"met = {{{json.dumps(name)} = [...]}} with some of {listed(words)}, and take the "
            "column out of ignore"
        )


def _join(
    table: pd.DataFrame,
    found: Recognised,
    sheets: Sequence[Sheet],
    sheet: Sheet,
    roles: dict[str, str],
) -> None:
    """Join the sheet that the rows belong to, and look there for what is missing here."""
    stated = text_column(table["_parent_table_name"]) if "_parent_table_name" in table else None
    name = str(stated.iloc[0]) if stated is not None and len(stated) else ""
    parents = [other for other in sheets if other is not sheet and "_index" in _first_cells(other)]
    parent = next(
        (other for other in parents if other.name == name), parents[0] if parents else None
    )
    if parent is None:
        found.unsure.append("The sheet that _parent_index points to is not in the file")
        return
    found.keys["join"] = {"sheet": parent.name}
    found.taken.append(f"Each row belongs to a row of the sheet {parent.name!r} by _parent_index.")
    above = parent.table(file="", header=None)
    found.receipt["beside"] = visible(above)
    for role in ("facility", "period"):
        column = column_for(role, visible(above))
        if column is not None and (role == "facility" or "period" not in roles):
            roles[role] = column
            table[column] = _from_parent(table, above, column)


def _from_parent(table: pd.DataFrame, above: pd.DataFrame, column: str) -> Any:
    cells = dict(zip(text_column(above["_index"]), text_column(above[column]), strict=True))
    return text_column(table["_parent_index"]).map(cells).fillna("").to_numpy()


def _periods(column: "pd.Series[Any]", found: Recognised) -> None:
    """State the periods that were found, or the bins of dates."""
    text = text_column(column)
    labels = [label for label in dict.fromkeys(text) if label]
    dated = any(re.search(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", label) for label in labels)
    if dated and len(labels) > 1:
        days = dates_of(column)
        if days.notna().mean() > 0.8 and days.dropna().nunique() > 1:
            _bins(days.dropna(), found)
            return
    ordered = in_order(labels)
    if [folded(label) for label in ordered] in (["baseline", "endline"], []):
        return
    if len(ordered) > 2:
        left = ordered[1:-1]
        found.unsure.append(
            f"There are {len(ordered)} periods: the first and the last are compared, "
            f"{listed(left)} left out"
        )
        name = found.keys.get("columns", {}).get("period", "period")
        found.keys["exclude"] = {name: left}
        ordered = [ordered[0], ordered[-1]]
    found.keys["periods"] = ordered
    known = any({folded(o) for o in ordered} == set(pair) for pair in PAIRS)
    if len(ordered) == 2 and not known and not any(re.search(r"\d", label) for label in ordered):
        found.unsure.append(f"Which of {listed(ordered)} is the earlier is a guess: check periods")


def _bins(days: "pd.Series[Any]", found: Recognised) -> None:
    """Divide dates at the longest gap between them, or in the middle where there is none."""
    ordered = days.sort_values().dt.normalize().drop_duplicates().reset_index(drop=True)
    gaps = ordered.diff().dt.days.fillna(0)
    span = (ordered.iloc[-1] - ordered.iloc[0]).days
    at = int(gaps.to_numpy().argmax())
    rule = "at the longest gap"
    if gaps.iloc[at] < max(14, 0.1 * span):
        middle = ordered.iloc[0] + (ordered.iloc[-1] - ordered.iloc[0]) / 2
        at = int((ordered <= middle).sum())
        rule = "in the middle, since there is no long gap"
    iso = [day.date().isoformat() for day in ordered]
    if not 0 < at < len(iso):
        return
    found.keys["dates"] = {"baseline": [iso[0], iso[at - 1]], "endline": [iso[at], iso[-1]]}
    found.unsure.append(f"The dates are divided {rule}, {iso[at - 1]} and {iso[at]}: check [dates]")


def _describe(names: Sequence[str], labels: dict[str, str], found: Recognised) -> None:
    """Describe indicators: domains from a shared prefix, direction where the label says it."""
    prefixes = {name: re.split(r"[_:]| - ", name)[0].strip() for name in names}
    shared = [p for p in set(prefixes.values()) if list(prefixes.values()).count(p) > 1]
    domains = len(shared) > 1 and all(p in shared for p in prefixes.values())
    rows, adverse = [], []
    for name in names:
        said = f"{name} {labels.get(name, '')}"
        lower = bool(LOWER.search(said))
        if not lower and ADVERSE.search(said):
            adverse.append(name)
        row = {"indicator": name, "direction": "lower" if lower else "higher"}
        if domains:
            row["domain"] = prefixes[name]
        if labels.get(name):
            row["label"] = labels[name][:200]
        rows.append(row)
    if domains:
        found.taken.append(f"Domains by the prefix of the indicators: {listed(sorted(shared))}.")
    if adverse:
        found.unsure.append(f"Is lower better for {listed(adverse)}? State it in indicators.csv")
    if domains or adverse or any(row["direction"] == "lower" for row in rows) or labels:
        found.indicators = rows


def _totals(table: pd.DataFrame, roles: dict[str, str], found: Recognised) -> None:
    column = roles.get("facility")
    if column is None or column not in table:
        return
    names = [name for name in text_column(table[column]).unique().tolist() if is_total(name)]
    if names:
        found.taken.append(f"Rows of totals are left out: {listed(names)}.")
