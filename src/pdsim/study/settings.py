"""`StudyFile`: the keys of a study.toml."""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Literal

from pdsim.errors import InputError
from pdsim.priors import Priors
from pdsim.settings import FORBID_EXTRA, from_mapping
from pdsim.study.frames import Columns
from pdsim.study.problems import NOTHING, Findings, found
from pdsim.study.sampler import SamplerSettings

type Format = Literal["auto", "long", "wide", "cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """The keys of a study.toml; every one but `data` may be left out.

    Attributes
    ----------
    data : str or tuple of str
        File of the table, or files with the same columns, relative to the study.toml and
        inside its folder: ``.csv``, ``.tsv``, ``.txt`` (also ``.gz``), ``.xlsx``, ``.parquet``.
    indicators : str or None
        File of the indicator table: ``indicator`` and any of ``domain``, ``direction``
        ("higher" or "lower" is better), ``weight``, ``label``, ``case_group``.
    format : {"auto", "long", "wide", "cases"}
        ``long``: one row per facility, indicator and period. ``wide``: a column per value and
        period (and indicator). ``cases``: one row per observed case with a column of 0 and 1
        per indicator; must be stated. Default: long or wide, by the names of the columns.
    columns : Columns
        Names of the columns, where they differ: ``facility, indicator, period, tier``; the
        values ``successes, trials`` or ``percent, trials`` or ``mean, se`` or ``mean, sd, n``;
        and those of the indicator table.
    ignore : tuple of str
        Columns to leave out, such as the number of a case.
    periods : tuple of str or None
        Labels of baseline and endline in the data, in this order; one label for a study of
        one period. Default: "baseline" and "endline".
    name : str or None
        Name of the study; default: that of the folder or of the table.
    m : int or None
        Facilities to name at each end; default 3, or half of them when there are fewer than 6.
    weights : dict of indicator to float or None
        Instead of a column ``weight``; sums to 1. Default: equal weights.
    case_correlation : float or None
        Correlation of two indicators of one case, 0 to 0.9. With cases the default is their
        own estimate; otherwise results are shown for 0, 0.1 and 0.3.
    design_effect : float
        Variance inflation by clustering of cases, 1 or more.
    trials : int or None
        Percentages only: assumed number of cases behind each, where no column states it.
    items : int or None
        Composite percentages only: items scored on every case.
    suppress_below : int or None
        Counts above 0 and under this number are not printed in reports.
    notes : tuple of str
        Sentences to print with every result.
    priors : Priors or None
        ``[priors]``, such as ``sd_change_facility = {family = "half_normal", scale = 0.5}``.
    sampler : SamplerSettings
        ``[sampler]`` with ``engine``, ``draws``, ``tune``, ``chains`` and ``seed``.
    delimiter, decimal, encoding : str or None
        Of text files, where they are not recognised.
    sheet, indicators_sheet : str or None
        Sheet of the table and of the indicator table in workbooks; default: the first one.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    data: str | tuple[str, ...]
    indicators: str | None = None
    format: Format = "auto"
    columns: Columns = field(default_factory=Columns)
    ignore: tuple[str, ...] = ()
    periods: tuple[str | int, ...] | None = None
    name: str | None = None
    m: int | None = None
    weights: dict[str, float] | None = None
    case_correlation: float | None = None
    design_effect: float = 1.0
    trials: int | None = None
    items: int | None = None
    suppress_below: int | None = None
    notes: tuple[str, ...] = ()
    priors: Priors | None = None
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    sheet: str | None = None
    indicators_sheet: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(f"delimiter must be one character, got {self.delimiter!r:.60}")

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the table."""
        return (self.data,) if isinstance(self.data, str) else self.data


_INDEPENDENT: Final = frozenset(
    {
        "name",
        "m",
        "weights",
        "case_correlation",
        "design_effect",
        "suppress_below",
        "notes",
        "priors",
        "sampler",
    }
)
"""Keys without which the tables can still be checked."""


def parse_settings(
    mapping: dict[str, Any], *, file: str | None
) -> tuple[StudyFile | None, Findings]:
    """Return the settings of a mapping, as far as they can be used, and what is wrong in it.

    A wrong m must not hide a wrong table: keys that are wrong but say nothing about the table
    are left out, so that the table can be checked in the same run.
    """
    try:
        return from_mapping(StudyFile, mapping, file=file), NOTHING
    except InputError as error:
        findings = found(error.problems)
    known = {item.name for item in fields(StudyFile)}
    usable = {key: value for key, value in mapping.items() if key in known}
    wrong = [key for key in usable if key != "data" and not _fits(key, usable[key])]
    rest = {key: value for key, value in usable.items() if key not in wrong}
    if set(wrong) - _INDEPENDENT or not _fits("data", mapping.get("data")):
        return None, findings
    return from_mapping(StudyFile, rest, file=file), findings


def _fits(key: str, value: Any) -> bool:
    try:
        from_mapping(StudyFile, {"data": "x"} | {key: value})
    except InputError:
        return False
    return True
