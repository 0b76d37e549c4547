"""Exports of other systems that are no tables: DHIS2 analytics and FHIR MeasureReports."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The counts of an export, as a long table.

    Attributes
    ----------
    table : DataFrame
        ``facility, indicator, period, successes, trials``.
    taken, unsure : list of str
    rows_read : int
    dropped : list of dict
        Why, and how many.
    excluded : int
        Counts with exclusions or exceptions.
    """

    table: pd.DataFrame
    taken: list[str]
    unsure: list[str] = field(default_factory=list)
    rows_read: int
    dropped: list[dict[str, Any]] = field(default_factory=list)
    excluded: int = 0


def export_of(content: bytes, file: str, *, exclusions: bool = True) -> Export:
    """Return the counts of a JSON export.

    Parameters
    ----------
    content : bytes
    file : str
    exclusions : bool
        Whether exclusions and exceptions of FHIR reports are subtracted from the denominators,
        and those of numerators from the numerators.

    Raises
    ------
    InputError
        If it is neither DHIS2 analytics nor FHIR MeasureReports, or contradicts itself.
    """
    try:
        text = content.decode("utf-8-sig")
        lines = text.split("\n") if file.lower().endswith((".ndjson", ".jsonl")) else [text]
        documents = [json.loads(line) for line in lines if line.strip()]
        document = documents[0] if len(documents) == 1 else documents
    except (UnicodeDecodeError, ValueError, RecursionError):
        problem = Problem(file=file, rule="is not valid JSON", cure="export it again")
        raise InputError(problem) from None
    try:
        if isinstance(document, dict) and "headers" in document and "rows" in document:
            return _dhis2(document, file)
        reports = _reports(document)
        if reports:
            return _measure_reports(reports, file, exclusions=exclusions)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        rule = f"does not hold what its kind of export holds ({type(error).__name__})"
        raise InputError(Problem(file=file, rule=rule, cure="export it again")) from None
    rule = "is neither DHIS2 analytics (headers and rows) nor a FHIR MeasureReport"
    raise InputError(Problem(file=file, rule=rule, cure="export the table as CSV"))


def _dhis2(document: dict[str, Any], file: str) -> Export:
    names = [str(header["name"]) for header in document["headers"]]
    if any(not isinstance(row, list) or len(row) != len(names) for row in document["rows"]):
        raise ValueError("a row of another length than the headers")
    rows = pd.DataFrame(document["rows"], columns=names).astype(object)
    items = (document.get("metaData") or {}).get("items") or {}

    def readable(code: Any) -> str:
        item = items.get(str(code)) or {}
        return str(item.get("name") or code)

    wanted = {"dx": "indicator", "ou": "facility", "pe": "period", "value": "value"}
    lacking = [name for name in (*wanted, "numerator", "denominator") if name not in names]
    if lacking:
        cure = "export with includeNumDen=true, by data, period and organisation unit"
        rule = f"the analytics have no {', '.join(lacking)}"
        raise InputError(Problem(file=file, rule=rule, cure=cure))
    table = pd.DataFrame({role: rows[name] for name, role in wanted.items()})
    for role in ("indicator", "facility", "period"):
        table[role] = table[role].map(readable)
    for name in ("numerator", "denominator", "factor"):
        table[name] = rows[name] if name in names else ""
    return dhis2_table(table, file=file)


def dhis2_table(table: pd.DataFrame, *, file: str | None = None) -> Export:
    """Return the counts of analytics with numerator, denominator and factor.

    Every value must be factor x numerator / denominator, within its rounding.

    Raises
    ------
    InputError
        With every row that is not.
    """
    names = ("value", "numerator", "denominator", "factor")
    numbers = {n: pd.to_numeric(table[n], errors="coerce").to_numpy(dtype=float) for n in names}
    value, above, below = (numbers[n] for n in names[:3])
    factor = np.where(np.isnan(numbers["factor"]), 100.0, numbers["factor"])
    absent = np.isnan(above) | np.isnan(below) | (below <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = factor * above / below
    text = table["value"].astype(str)
    decimals = text.str.extract(r"\.(\d+)$", expand=False).str.len().fillna(0).to_numpy(float)
    off = ~absent & ~np.isnan(value) & (np.abs(expected - value) > 0.51 * 10.0**-decimals)
    problems = [
        Problem(
            file=file,
            row=int(row) + 2,
            facility=str(table["facility"].iloc[row]),
            indicator=str(table["indicator"].iloc[row]),
            rule=f"the value {value[row]:g} is not {factor[row]:g} x {above[row]:g} / "
            f"{below[row]:g} = {expected[row]:g}",
            cure="export it again, with numerators and denominators of the same period",
        )
        for row in np.flatnonzero(off)[:50]
    ]
    if problems:
        raise InputError(problems)
    kept = table.loc[~absent, ["facility", "indicator", "period"]].assign(
        successes=above[~absent], trials=below[~absent]
    )
    dropped = []
    if absent.any():
        dropped.append({"why": "no numerator or denominator", "rows": int(absent.sum())})
    unsure = []
    if (kept["successes"] > kept["trials"]).any():
        unsure.append(
            "Some numerators exceed their denominators: these are no proportions of cases"
        )
    return Export(
        table=_whole(kept),
        taken=["DHIS2 analytics: every value is factor x numerator / denominator."],
        unsure=unsure,
        rows_read=len(table),
        dropped=dropped,
    )


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with counts written without decimals where they have none."""
    counts = {}
    for name in ("successes", "trials"):
        values = table[name].to_numpy(dtype=float)
        whole = bool((values == np.floor(values)).all())
        counts[name] = values.astype(np.int64) if whole else values
    return table.assign(**counts).reset_index(drop=True)


def _reports(document: Any) -> list[dict[str, Any]]:
    """Return the MeasureReports of a document: itself, of a Bundle, or of a list."""
    if isinstance(document, list):
        return [report for item in document for report in _reports(item)]
    if not isinstance(document, dict):
        return []
    if document.get("resourceType") == "MeasureReport":
        return [document]
    return [
        report
        for entry in document.get("entry") or []
        for report in _reports((entry or {}).get("resource"))
    ]


def _measure_reports(reports: list[dict[str, Any]], file: str, *, exclusions: bool) -> Export:
    rows: list[dict[str, Any]] = []
    dropped: dict[str, int] = {}
    excluded = 0
    for report in reports:
        if report.get("type") not in ("summary", "subject-list"):
            dropped["not a summary"] = dropped.get("not a summary", 0) + 1
            continue
        who = report.get("reporter") or report.get("subject") or {}
        facility = str(who.get("display") or who.get("reference") or "not named")
        period = report.get("period") or {}
        label = str(period.get("start") or "")[:10]
        measure = str(report.get("measure") or "measure").split("|")[0].rstrip("/").split("/")[-1]
        groups = report.get("group") or []
        for number, group in enumerate(groups, start=1):
            counts = {_code(item): item.get("count") for item in group.get("population") or []}
            above, below = counts.get("numerator"), counts.get("denominator")
            if above is None or below is None:
                dropped["no numerator or denominator"] = (
                    dropped.get("no numerator or denominator", 0) + 1
                )
                continue
            out = sum(
                float(counts.get(name) or 0)
                for name in ("denominator-exclusion", "denominator-exception")
            )
            over = float(counts.get("numerator-exclusion") or 0)
            excluded += out + over > 0
            above = float(above) - exclusions * over
            name = measure if len(groups) == 1 else f"{measure} {_code(group) or number}"
            rows.append(
                {
                    "facility": facility,
                    "indicator": name,
                    "period": label,
                    "successes": above,
                    "trials": float(below) - exclusions * out,
                }
            )
    if not rows:
        rule = "no MeasureReport holds a numerator and a denominator"
        raise InputError(Problem(file=file, rule=rule, cure="export summary reports"))
    table = pd.DataFrame(rows)
    table["year"] = table["period"].str[:4]
    # reports of quarters and months keep their first day
    if not table.duplicated(["facility", "indicator", "year"]).any():
        table["period"] = table["year"]
    unsure = []
    if excluded:
        unsure.append(
            "Exclusions and exceptions are subtracted from the denominators; where the reports "
            "have done so already, begin again with --keep-exclusions"
            if exclusions
            else "Exclusions and exceptions are not subtracted from the denominators, as stated"
        )
    return Export(
        table=_whole(table.drop(columns="year")),
        taken=[f"FHIR: {len(reports)} MeasureReport{'s' if len(reports) > 1 else ''}."],
        unsure=unsure,
        rows_read=len(reports),
        dropped=[{"why": why, "rows": count} for why, count in dropped.items()],
        excluded=excluded,
    )


def _code(item: dict[str, Any]) -> str:
    for coding in (item.get("code") or {}).get("coding") or []:
        if coding.get("code"):
            return str(coding["code"])
    return str((item.get("code") or {}).get("text") or item.get("id") or "")
