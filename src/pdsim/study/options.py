"""`StudyOptions`: every key of a study.toml, once."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Final, Literal

from pdsim.errors import InputError, Problem
from pdsim.priors import Priors
from pdsim.settings import FORBID_EXTRA, from_mapping
from pdsim.study.errorcorrelation import ErrorCorrelation
from pdsim.study.names import broken_name
from pdsim.study.plausible import Robustness

type Engine = Literal["nuts", "laplace"]
type Decimal = Literal[".", ","]
type Format = Literal["auto", "long", "wide", "cases"]
type Repeated = Literal["sum", "first"]

MAX_CASE_CORRELATION: Final = 0.9
"""Above it the model's share of shared variance leaves nothing to the indicators."""

MAX_VISIT_SD: Final = 3.0
"""Logits: a visit that shifts a level of one half to 5 or 95 in a hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSettings:
    """Inference engine, size and seed of a fit; the table ``[sampler]`` of a study.toml.

    Attributes
    ----------
    engine : {"nuts", "laplace"}
        ``nuts`` is the reference, ``laplace`` the fast engine.
    draws : int
        Posterior draws per chain, at least 100.
    tune : int
        Tuning steps per chain (nuts only), at least 100.
    chains : int
        At least 2 (nuts only): one chain cannot show that it has converged.
    seed : int
        0 is a seed.

    Examples
    --------
    >>> SamplerSettings(draws=4000).chains
    4
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    engine: Engine = "laplace"
    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if self.engine not in ("nuts", "laplace"):
            raise ValueError(f"engine must be 'nuts' or 'laplace', got {self.engine!r}")
        if not 100 <= self.draws <= 1_000_000:
            raise ValueError(f"draws must be 100 to 1,000,000, got {self.draws}")
        if not 100 <= self.tune <= 1_000_000:
            raise ValueError(f"tune must be 100 to 1,000,000, got {self.tune}")
        if not 2 <= self.chains <= 64:
            raise ValueError(f"chains must be 2 to 64, got {self.chains}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be 0 or more and below 2**63, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns are called in the files; the table ``[columns]`` of a study.toml.

    A column that is not named here is found by its own name, whatever its case.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    facility: str | None = None
    indicator: str | None = None
    period: str | None = None
    visit: str | None = None
    tier: str | None = None
    arm: str | None = None
    stratum: str | None = None
    successes: str | None = None
    trials: str | None = None
    expected: str | None = None
    percent: str | None = None
    value: str | None = None
    mean: str | None = None
    sd: str | None = None
    n: str | None = None
    se: str | None = None
    correlation: str | None = None
    domain: str | None = None
    direction: str | None = None
    weight: str | None = None
    label: str | None = None
    case_group: str | None = None

    def only(self, *names: str) -> "Columns":
        """Return the names of these columns, and of no others."""
        return Columns(**{name: getattr(self, name) for name in names})


def flag(default: Any, help: str) -> Any:
    """Return a field that the command line offers as an option too."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A sheet that holds what belongs to several rows of the table; the table ``[join]``.

    Attributes
    ----------
    sheet : str
        Such as the first sheet of a KoboToolbox export, with a row per visit.
    key : str
        Column of the table that says which row of `sheet` a row belongs to.
    to : str
        Column of `sheet` that `key` points to.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    sheet: str
    key: str = "_parent_index"
    to: str = "_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """Names to be written in another way; the table ``[rename]`` of a study.toml.

    Attributes
    ----------
    facility, indicator, period : dict of str to str
        Name in the file to name in the study. Two names that become one are one.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    facility: dict[str, str] = field(default_factory=dict)
    indicator: dict[str, str] = field(default_factory=dict)
    period: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions:
    """How a study is to be read and analysed: the keys of a study.toml, all of them optional.

    Attributes
    ----------
    data : str or tuple of str
        File of the table, or files with the same columns, relative to the study.toml and
        inside its folder: ``.csv``, ``.tsv``, ``.txt`` (also ``.gz``), ``.xlsx``, ``.parquet``.
    indicators : str or None
        File of the indicator table: ``indicator`` and any of ``domain``, ``direction``
        ("higher" or "lower" is better), ``weight``, ``label``, ``case_group``.
    facilities : str or None
        File of the table of facilities: ``facility`` and any of ``arm``, ``stratum`` and the
        covariates. Default: these columns stand in the table itself.
    covariates : tuple of str
        Columns of numbers that describe facilities, such as ``["beds"]``; at most one for every
        five facilities.
    control : str or None
        Label of the control arm in the column ``arm``, which holds two labels; default:
        "control" or "comparison".
    format : {"auto", "long", "wide", "cases"}
        ``long``: one row per facility, indicator and period. ``wide``: a column per value and
        period (and indicator). ``cases``: one row per observed case with a column of 0 and 1
        per indicator; must be stated. Default: long or wide, by the names of the columns.
    columns : Columns
        Names of the columns, where they differ: ``facility, indicator, period, tier``, ``arm``,
        ``stratum``; in cases
        ``visit``, such as ``visit = "day"`` (or a team, an observer: whose cases are alike); the
        values ``successes, trials`` or ``percent, trials`` or ``mean, se`` or ``mean, sd, n``
        (with ``correlation``), or ``value`` (with `ratios`); and those of the indicator table.
    ignore : tuple of str
        Columns to leave out, such as the number of a case.
    header : int or tuple of int or None
        Line of the header, where a title stands above it; or its first and last line, where it
        has several: the names in them are joined. Default: the first line that is not blank.
    fill : tuple of str
        Columns in which a blank cell holds what stands above it, as where cells were merged.
    rename : Rename
        ``[rename]``, such as ``facility = {"St. Mary's Hospital" = "St Marys Hospital"}``.
    exclude : dict of column to tuple of str
        Rows to leave out: those that hold one of these in the column.
    keep : tuple of str
        Facilities that are called like a total or an average, and are none.
    missing, yes, no : tuple of str
        Words for a cell without a value, and in cases for met and not met, beside the usual ones
        of English, French, Spanish, Portuguese, Swahili and German.
    met : dict of column to tuple of str
        Cases only: codes of a column that count as met; its other codes count as not met.
    ratios : dict of indicator to tuple of str
        Where numerators and denominators are rows, or columns, of their own: the two names of
        each indicator, such as ``"ANC 4" = ["ANC visits 4", "ANC visits 1"]``.
    repeated : {"sum", "first"} or None
        What a cell in several rows is: ``sum``, parts of it, such as its months, whose counts are
        added up; ``first``, one row written several times. Default: it is refused; days of one of
        the `dates` are added up.
    join : Join or None
        ``[join]``: a second sheet with what belongs to several rows of the table.
    dates : dict of period to tuple of str
        Where the column of the period holds dates: first and last day of each period, such as
        ``baseline = ["2021-01-01", "2021-06-30"]``. Rows outside are left out.
    periods : tuple of str or None
        Labels of baseline and endline in the data, in this order; one label for a study of
        one period. Default: "baseline" and "endline". More than two are rounds, in order: all
        are kept, and `windows` of them are compared.
    windows : dict of str to tuple of str
        ``[windows]``: which rounds make ``baseline`` and ``endline``, their counts summed. Default:
        the first and the last.
    name : str or None
        Name of the study; default: that of the folder or of the table.
    m : int or None
        Facilities to name at each end; default 3, or half of them when there are fewer than 6.
    m_share : float or None
        Instead of `m`: the percentage of facilities to name at each end, rounded, at least one.
    weights : dict of indicator to float or None
        Instead of a column ``weight``; divided by their sum. Default: equal weights.
    case_correlation : float or None
        Correlation of two indicators of one case, 0 to 0.9. With cases the default is their
        own estimate; otherwise results are shown for 0, 0.1 and 0.3.
    error_correlation : ErrorCorrelation or None
        ``[error_correlation]``, scores only: how the sampling errors of the periods and of the
        indicators of a facility correlate. Default: they are independent, save where a column
        ``correlation`` says otherwise.
    reference : dict of indicator to float or None
        With a column ``expected``: the rate, 0 to 1, of the mix of cases that levels are stated
        for; default: all expected counts over all trials.
    design_effect : float or None
        Variance inflation by clustering of cases (day, team, observer), 1 or more; divides the
        trials. With a column ``visit`` the default is the cases' own estimate, for every cell by
        the cases of its visits; otherwise it is 1, and results are shown for 1, 2 and 3.
    visit_sd : float or None
        Counts only: standard deviation, in logits, of the shift that a visit gives to all
        indicators of a facility. With a column ``visit`` the default is their own estimate.
    visits : int or None
        Visits behind every cell, where no column ``visit`` tells: their shifts average. Default: 1.
    trials : int or None
        Percentages only: assumed number of cases behind each, where no column states it.
    shares : bool
        Percentages only: they are written as shares, from 0 to 1.
    items : int or None
        Composite percentages only: items scored on every case; trials are then cases times
        items.
    suppress_below : int or None
        Counts above 0 and under this number are not printed in reports.
    criteria : tuple of str
        What a facility shall meet at once, such as ``["top(change, 3)", "endline >= 60"]``; the
        report then says who does, and how surely. See `pdsim.criteria`.
    missed_cost : float or None
        What leaving out one of the true m costs, where naming a wrong one costs 1; the report
        then says how many to name. See `pdsim.naming_costs`.
    drift : float or None
        Standard deviation, in logits (of scale scores: of the score), by which levels are thought
        to move until a next round, 0 or more; the report then says who would be observed at the
        ends there. See `pdsim.model.next_round`.
    facility_df : float or None
        Degrees of freedom, above 2, such as 4, of Student-t effects of the facilities, where one
        or two may be unlike the rest; the report then says which, and what normal effects would
        choose. Default: normal effects.
    interviews : bool
        Whether the report says whom to interview, and marks boundary cases in the figure.
    notes : tuple of str
        Sentences to print with every result.
    priors : Priors or None
        ``[priors]``, such as ``sd_change_facility = {family = "half_normal", scale = 0.5}``, with
        ``unit = "points"`` in it for scale scores, or,
        with controls, ``change_spread = "by_arm"``: changes of facilities spread otherwise in the
        programme than among controls.
    robustness : Robustness
        ``[robustness]``: which other weights, scales, left-out indicators, priors, design effects
        and correlations are plausible.
    sampler : SamplerSettings
        ``[sampler]`` with ``engine``, ``draws``, ``tune``, ``chains`` and ``seed``.
    delimiter, decimal, thousands, encoding : str or None
        Of text files, where they are not recognised.
    sheet, indicators_sheet : str or None
        Sheet of the table and of the indicator table in workbooks; default: the first one that
        holds a table.
    allow_outside : bool
        Let a study.toml name files outside its folder.

    Examples
    --------
    >>> StudyOptions(m=2, case_correlation=0.1).sampler.engine
    'laplace'
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    data: str | tuple[str, ...] = ()
    indicators: str | None = flag(None, "Indicator table.")
    facilities: str | None = flag(None, "Table of facilities: arm, stratum and covariates.")
    covariates: tuple[str, ...] = ()
    control: str | None = flag(None, "Label of the control arm.")
    format: Format = "auto"
    columns: Columns = field(default_factory=Columns)
    ignore: tuple[str, ...] = ()
    header: int | tuple[int, int] | None = None
    fill: tuple[str, ...] = ()
    rename: Rename = field(default_factory=Rename)
    exclude: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    missing: tuple[str | int, ...] = ()
    yes: tuple[str | int, ...] = ()
    no: tuple[str | int, ...] = ()
    met: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    ratios: dict[str, tuple[str, str]] = field(default_factory=dict)
    repeated: Repeated | None = None
    join: Join | None = None
    dates: dict[str, tuple[str, str]] = field(default_factory=dict)
    periods: tuple[str | int, ...] | None = None
    windows: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    name: str | None = None
    m: int | None = flag(None, "Facilities to name at each end.")
    m_share: float | None = flag(None, "Percent of facilities to name at each end, 1 to 50.")
    weights: dict[str, float] | None = None
    case_correlation: float | None = flag(
        None, "Within-case correlation that you assume, 0 to 0.9."
    )
    error_correlation: ErrorCorrelation | None = None
    reference: dict[str, float] | None = None
    design_effect: float | None = None
    visit_sd: float | None = None
    visits: int | None = None
    trials: int | None = flag(None, "Assumed number of cases behind percentages.")
    shares: bool = False
    items: int | None = flag(None, "Items scored on every case, for composites.")
    suppress_below: int | None = flag(None, "Do not print counts above 0 and below this number.")
    criteria: tuple[str, ...] = ()
    missed_cost: float | None = flag(
        None, "What leaving out one of the true m costs, where naming a wrong one costs 1."
    )
    drift: float | None = None
    facility_df: float | None = flag(
        None, "Degrees of freedom of Student-t effects of facilities, above 2; default: normal."
    )
    interviews: bool = flag(False, "Say whom to interview, too.")
    notes: tuple[str, ...] = ()
    priors: Priors | None = None
    robustness: Robustness = field(default_factory=Robustness)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    delimiter: str | None = None
    decimal: Decimal | None = None
    thousands: str | None = None
    encoding: str | None = None
    sheet: str | None = flag(None, "Sheet of a workbook.")
    indicators_sheet: str | None = None
    allow_outside: bool = flag(False, "Let a study.toml name files outside its folder.")

    def __post_init__(self) -> None:
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(f"delimiter must be one character, got {self.delimiter!r:.60}")

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the table."""
        return (self.data,) if isinstance(self.data, str) else self.data

    def stated(self) -> dict[str, Any]:
        """Return the options that are not their defaults."""
        plain = StudyOptions()
        return {
            item.name: value
            for item in fields(self)
            if (value := getattr(self, item.name)) != getattr(plain, item.name)
        }


_APART: Final = frozenset(
    {
        "name",
        "m",
        "m_share",
        "weights",
        "case_correlation",
        "error_correlation",
        "design_effect",
        "visit_sd",
        "visits",
        "suppress_below",
        "criteria",
        "missed_cost",
        "drift",
        "interviews",
        "notes",
        "priors",
        "robustness",
        "sampler",
    }
)
"""Keys without which the tables can still be checked."""


def parse_options(
    mapping: dict[str, Any], *, file: str | None
) -> tuple[StudyOptions | None, tuple[Problem, ...]]:
    """Return the options of a mapping, as far as they can be used, and what is wrong in it.

    A wrong m must not hide a wrong table: keys that are wrong but say nothing about the table
    are left out, so that the table can be checked in the same run. None where that is not
    possible.
    """
    try:
        return from_mapping(StudyOptions, mapping, file=file), ()
    except InputError as error:
        problems = error.problems
    known = {item.name for item in fields(StudyOptions)}
    usable = {key: value for key, value in mapping.items() if key in known}
    wrong = {key for key, value in usable.items() if not _fits(key, value)}
    if wrong - _APART:
        return None, problems
    rest = {key: value for key, value in usable.items() if key not in wrong}
    return from_mapping(StudyOptions, rest, file=file), problems


def _fits(key: str, value: Any) -> bool:
    try:
        from_mapping(StudyOptions, {key: value})
    except InputError:
        return False
    return True


def option_problems(
    options: StudyOptions, *, facilities: int = 0, file: str | None = None
) -> list[Problem]:
    """Return the rules that the options of a study break.

    Parameters
    ----------
    options : StudyOptions
    facilities : int
        0 where the number is not known: m is then checked from below only.
    file : str, optional
        Where the options were stated.
    """
    problems = []
    name, m = options.name, options.m
    if name is not None and not (isinstance(name, str) and name.strip() and not broken_name(name)):
        problems.append(
            Problem(
                rule=f"the name of a study must be plain text (received {name!r:.60})",
                cure="give a name of at most 200 characters on one line",
            )
        )
    if m is not None and not whole_from_1(m):
        problems.append(Problem(rule=f"m must be a whole number of 1 or more (received {m!r:.60})"))
    elif m is not None and facilities > 1 and 2 * m > facilities:
        problems.append(
            Problem(
                rule=f"m = {m} is too large for {facilities} facilities: the top {m} and the "
                f"bottom {m} would overlap",
                cure=f"state an m of at most {facilities // 2}",
            )
        )
    share = options.m_share
    if share is not None and not (_is_real(share) and 0 < share <= 50 and m is None):
        received = f"m_share = {share!r:.60}" + ("" if m is None else f" beside m = {m!r:.60}")
        problems.append(
            Problem(
                rule=f"m_share must be a percentage above 0 and up to 50 (received {received})",
                cure="state a percentage such as 20, or m alone",
            )
        )
    problems += _number_problems(options)
    kinds = (
        ("priors", Priors), ("robustness", Robustness), ("sampler", SamplerSettings),
        ("error_correlation", ErrorCorrelation),
    )  # fmt: skip
    for key, kind in kinds:
        value = getattr(options, key)
        if value is not None and not isinstance(value, kind):
            rule = f"{key} must be {kind.__name__} (received {type(value).__name__})"
            problems.append(Problem(rule=rule))
    notes: Any = options.notes
    if isinstance(notes, str) or not all(isinstance(note, str) for note in notes):
        problems.append(Problem(rule="notes must be a list of sentences"))
    return [replace(problem, file=file) for problem in problems]


def _number_problems(options: StudyOptions) -> Iterator[Problem]:
    """Yield the numbers that are out of their ranges."""
    most = MAX_CASE_CORRELATION
    ranges: dict[str, tuple[str, Callable[[Any], bool], str]] = {
        "case_correlation": (
            f"be between 0 and {most}",
            lambda x: _is_real(x) and 0 <= x <= most,
            "state a value in this range, or leave it out",
        ),
        "design_effect": (
            "be a finite number of 1 or more",
            lambda x: _is_real(x) and 1 <= x < math.inf,
            "leave it out where cases are not clustered",
        ),
        "visit_sd": (
            f"be between 0 and {MAX_VISIT_SD} logits",
            lambda x: _is_real(x) and 0 <= x <= MAX_VISIT_SD,
            "state a value in this range, or leave it out",
        ),
        "visits": (
            "be a whole number of 1 or more",
            whole_from_1,
            "leave it out where a cell has one visit",
        ),
        "suppress_below": (
            "be a whole number of 1 or more",
            whole_from_1,
            "leave it out to print all counts",
        ),
        "missed_cost": (
            "be a positive number",
            lambda x: _is_real(x) and 0 < x < math.inf,
            "state 1 where a wrong name and a left-out facility cost the same",
        ),
        "drift": (
            "be a standard deviation of 0 or more",
            lambda x: _is_real(x) and 0 <= x < math.inf,
            "state 0 where levels are thought to stay as they are",
        ),
        "facility_df": (
            "be a number above 2",
            lambda x: _is_real(x) and 2 < x < math.inf,
            "state 4 for a facility or two unlike the rest, or leave it out for normal effects",
        ),
    }
    for name, (words, fits, cure) in ranges.items():
        value = getattr(options, name)
        if value is not None and not fits(value):
            yield Problem(rule=f"{name} must {words} (received {value!r:.60})", cure=cure)
    if options.visits is not None and options.visit_sd is None:
        yield Problem(
            rule="visits are stated without what a visit does",
            cure="state visit_sd, the shift by visit in logits, or leave visits out",
        )


def whole_from_1(value: Any) -> bool:
    """Tell whether a value is a whole number of 1 or more by its type."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def _is_real(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)
