"""Performance measures: how each follows from single decisions, what is better, how it is said.

A measure is a smooth function of means of numbers that every replicate gives. Most are the mean of
one such number; its column is filled in by `pdsim.simulation.judge`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.terms.registry import Registry

type Means = Mapping[str, Floats]

type ReadSlab = Callable[[int, int], tuple[Floats, NDArray[np.uint8]]]
"""Gives measures (scenario, replicate, measure) and status (scenario, replicate) of the
replicates from start up to stop."""

BINS: Final = 10
"""Bins of P(top m) for the reliability curve."""

THEME_GAP: Final = 0.4
"""Difference of the theme of ``theme_power``: 70 % of informants against 30 %."""

THEME_SD: Final = math.sqrt(2.0 * 0.25 * (0.1 + 0.9 / 12))
"""Its standard deviation times the root of m: 12 informants a facility, correlated by .1."""

THEME_BOUND: Final = 1.6448536269514722
"""Standard deviations that it must exceed: a one-sided level of 5 %."""

BINNED: Final = tuple(
    f"forecast_{part}_{b}" for part in ("count", "sum", "hits") for b in range(BINS)
)
"""Columns of the reliability curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Decisions in many studies and what was true, for measures of one's own.

    Attributes
    ----------
    truth : ndarray (replicate, facility)
        What facilities are truly ranked on, larger is better.
    top, bottom : ndarray (replicate, facility)
        1 for a facility that is named at that end, 0 for others; those that tie share a place.
    estimate, sd, lower, upper, p_top, flagged : ndarray (replicate, facility)
        As the rule states them; NaN where it does not.
    m : int
        Facilities named at each end.
    """

    truth: Floats
    top: Floats
    bottom: Floats
    estimate: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    p_top: Floats
    flagged: Floats
    m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One performance measure.

    Attributes
    ----------
    name : str
    words : str
        What it is; reads well after "the".
    inputs : tuple of str
        Columns whose means it is computed from; by default the one of its name.
    value : callable or None
        ``value(means)``; by default the mean of its one column. ``means["replicates"]`` is the
        number of replicates that state an estimate.
    slopes : callable or None
        ``slopes(means)``: its derivatives by the means of the inputs.
    unit : {"", "estimand", "percent"}
        ``estimand``: units of what facilities are ranked on.
    scale : {"probability", "positive", "real"}
        Which values it can have; curves over the size of a study follow from it.
    better : {"larger", "smaller", "middle"}
    control : bool
        Whether a rule that needs no posterior states it nearly as well, so that it can be used
        to take noise off.
    heading : str
        Of its column in the report of a sweep; empty where it is not printed.
    function : callable or None
        Of a measure of one's own: ``function(judged)`` gives its column (replicate,).
    """

    name: str
    words: str
    inputs: tuple[str, ...] = ()
    value: Callable[[Means], Floats] | None = None
    slopes: Callable[[Means], tuple[Floats | float, ...]] | None = None
    unit: Literal["", "estimand", "percent"] = ""
    scale: Literal["probability", "positive", "real"] = "real"
    better: Literal["larger", "smaller", "middle"] = "larger"
    control: bool = False
    heading: str = ""
    function: Callable[[Judged], Floats] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose means it is computed from."""
        return self.inputs or (self.name,)

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of one column."""
        return self.value is None

    @property
    def is_probability(self) -> bool:
        """Whether replicates that failed can be counted as all wrong or all right."""
        return self.scale == "probability"

    def of(self, means: Means) -> Floats:
        """Return its value."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return means[self.columns[0]] if self.value is None else self.value(means)

    def gradient(self, means: Means) -> tuple[Floats | float, ...]:
        """Return its derivatives by the means of its columns."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (1.0,) if self.slopes is None else self.slopes(means)


def _root(name: str) -> tuple[Callable[[Means], Floats], Callable[[Means], tuple[Floats]]]:
    return lambda x: np.sqrt(x[name]), lambda x: (0.5 / np.sqrt(x[name]),)


def ratio(top: str, bottom: str, *, name: str, words: str) -> Measure:
    """Return the measure that is one mean over another."""
    return Measure(
        name=name,
        words=words,
        inputs=(top, bottom),
        value=lambda x: x[top] / x[bottom],
        slopes=lambda x: (1 / x[bottom], -x[top] / x[bottom] ** 2),
    )


def _whole(x: Means) -> Floats:
    """Return n / (n - 1): a variance around a mean that was estimated too; NaN for n = 1."""
    freedom = np.where(x["replicates"] > 1, x["replicates"] - 1.0, np.nan)
    return np.asarray(x["replicates"] / freedom)


def _spread(x: Means) -> Floats:
    return np.sqrt(_whole(x) * np.maximum(x["squared_error"] - x["error"] ** 2, 0.0))


def _spread_slopes(x: Means) -> tuple[Floats, Floats]:
    return 0.5 * _whole(x) / _spread(x), -_whole(x) * x["error"] / _spread(x)


def _relative(x: Means) -> Floats:
    return np.sqrt(x["variance"]) / _spread(x)


def _relative_slopes(x: Means) -> tuple[Floats, Floats, Floats]:
    by_square, by_error = _spread_slopes(x)
    share = -100 * _relative(x) / _spread(x)
    return 50 * _relative(x) / x["variance"], share * by_square, share * by_error


def _slope_parts(x: Means) -> tuple[Floats, Floats]:
    stated = x["forecast_sum"] / x["forecast_count"]
    happened = x["forecast_hits"] / x["forecast_count"]
    return x["forecast_hit"] - stated * happened, x["forecast_squared"] - stated**2


def _calibration_slope(x: Means) -> Floats:
    joint, spread = _slope_parts(x)
    return joint / spread


def _calibration_gradient(x: Means) -> tuple[Floats, Floats]:
    # the means of P and of membership are m / F in every replicate, so they do not vary
    joint, spread = _slope_parts(x)
    return 1 / spread, -joint / spread**2


_RMSE, _STATED = _root("squared_error"), _root("variance")

MEASURES: Final = Registry(
    "performance measure",
    (
        Measure(
            name="pcs_top",
            words="chance that the facilities named as best are exactly the truly best",
            scale="probability",
            control=True,
            heading="P(top set right)",
        ),
        Measure(
            name="pcs_bottom",
            words="chance that the facilities named as worst are exactly the truly worst",
            scale="probability",
            control=True,
            heading="P(bottom set right)",
        ),
        Measure(
            name="pcs_both",
            words="chance that the facilities named at both ends are exactly the right ones",
            scale="probability",
            control=True,
            heading="P(both sets right)",
        ),
        Measure(
            name="overlap_top",
            words="expected share of the truly best facilities among those named as best",
            scale="probability",
            control=True,
            heading="Share of the top named",
        ),
        Measure(
            name="overlap_bottom",
            words="expected share of the truly worst facilities among those named as worst",
            scale="probability",
            control=True,
            heading="Share of the bottom named",
        ),
        Measure(
            name="wrong_end_top",
            words="chance that a truly worst facility is named as best",
            scale="probability",
            better="smaller",
            control=True,
        ),
        Measure(
            name="wrong_end_bottom",
            words="chance that a truly best facility is named as worst",
            scale="probability",
            better="smaller",
            control=True,
        ),
        Measure(
            name="regret_top",
            words="expected shortfall of the facilities named as best from the truly best",
            unit="estimand",
            scale="positive",
            better="smaller",
            control=True,
        ),
        Measure(
            name="regret_bottom",
            words="expected excess of the facilities named as worst over the truly worst",
            unit="estimand",
            scale="positive",
            better="smaller",
            control=True,
        ),
        Measure(
            name="contrast",
            words="true difference between the facilities named as best and as worst",
            unit="estimand",
            control=True,
        ),
        Measure(
            name="interview_lambda",
            words="share of a theme's difference between the best and the worst that is left "
            "between those named",
            control=True,
        ),
        Measure(
            name="theme_power",
            words="chance that a theme of the best (70 against 30 % of 12 informants each) stands "
            "out between those named as best and as worst",
            scale="probability",
            control=True,
        ),
        Measure(
            name="criteria_met",
            words="expected share of those named by the criteria that truly meet all of them",
            scale="probability",
            heading="Share that meets the criteria",
        ),
        Measure(
            name="contrast_best",
            words="true difference between the best and the worst facilities",
            unit="estimand",
        ),
        Measure(
            name="contrast_estimated",
            words="estimated difference between the facilities named best and worst",
            unit="estimand",
        ),
        Measure(
            name="curse_top",
            words="overestimation of the facilities named as best",
            unit="estimand",
            better="smaller",
        ),
        Measure(
            name="curse_bottom",
            words="overestimation of the facilities named as worst",
            unit="estimand",
        ),
        Measure(
            name="rank_correlation",
            words="rank correlation of the order found with the true one",
            control=True,
        ),
        Measure(
            name="coverage",
            words="share of the 95 % intervals that hold the truth",
            scale="probability",
            better="middle",
            control=True,
            heading="Coverage of intervals",
        ),
        Measure(
            name="coverage_top",
            words="share of the intervals of those named as best that hold the truth",
            scale="probability",
            better="middle",
            control=True,
        ),
        Measure(
            name="width",
            words="mean width of the 95 % intervals",
            unit="estimand",
            scale="positive",
            better="smaller",
        ),
        Measure(
            name="brier_top",
            words="Brier score of the stated P(top m)",
            scale="positive",
            better="smaller",
        ),
        Measure(
            name="power",
            words="share of the truly best facilities that are flagged as clearly among the best",
            scale="probability",
        ),
        Measure(
            name="false_flag",
            words="share of the other facilities that are flagged as clearly among the best",
            scale="probability",
            better="smaller",
        ),
        ratio(
            "contrast",
            "contrast_best",
            name="contrast_retained",
            words="share of the largest possible contrast that is kept",
        ),
        Measure(
            name="bias",
            words="mean error of the estimates",
            inputs=("error",),
            unit="estimand",
            better="middle",
        ),
        Measure(
            name="rmse",
            words="root mean squared error of the estimates",
            inputs=("squared_error",),
            value=_RMSE[0],
            slopes=_RMSE[1],
            unit="estimand",
            scale="positive",
            better="smaller",
        ),
        Measure(
            name="empirical_sd",
            words="standard deviation of the errors of the estimates",
            inputs=("squared_error", "error"),
            value=_spread,
            slopes=_spread_slopes,
            unit="estimand",
            scale="positive",
            better="smaller",
        ),
        Measure(
            name="stated_sd",
            words="stated standard deviation of the estimates",
            inputs=("variance",),
            value=_STATED[0],
            slopes=_STATED[1],
            unit="estimand",
            scale="positive",
            better="smaller",
        ),
        Measure(
            name="relative_sd_error",
            words="error of the stated standard deviation, in percent",
            inputs=("variance", "squared_error", "error"),
            value=lambda x: 100 * (_relative(x) - 1),
            slopes=_relative_slopes,
            unit="percent",
            better="middle",
        ),
        Measure(
            name="calibration_slope",
            words="calibration slope of the stated P(top m)",
            inputs=("forecast_hit", "forecast_squared"),
            value=_calibration_slope,
            slopes=_calibration_gradient,
            better="middle",
        ),
    ),
)
"""All performance measures by name; each has a Monte Carlo error named ``<name>_mcse``."""

JUDGED: Final = tuple(
    dict.fromkeys(
        column
        for measure in MEASURES.values()
        if measure.function is None
        for column in measure.columns
    )
)
"""Columns that `pdsim.simulation.judge` fills in, one after the other."""


class _Columns(Sequence[str]):
    """Names of the numbers of one replicate: the built-in ones, bins, and a user's own."""

    @property
    def names(self) -> tuple[str, ...]:
        return (*JUDGED, *BINNED, *(measure.name for measure in own_measures()))

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        return self.names[place]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)


COLUMNS: Final[Sequence[str]] = _Columns()
"""Names of the numbers of one replicate, in the order of the arrays; it grows by registration."""


def column_key(name: str) -> str:
    """Return what a store calls a column: its name, and the source of one that was registered."""
    return MEASURES.key(name) if name in MEASURES else name


def own_measures() -> tuple[Measure, ...]:
    """Return the measures that were registered, in the order of their columns."""
    return tuple(measure for measure in MEASURES.values() if measure.function is not None)


def register_measure(
    name: str,
    function: Callable[[Judged], Floats],
    *,
    words: str,
    better: Literal["larger", "smaller", "middle"] = "larger",
    scale: Literal["probability", "positive", "real"] = "real",
    unit: Literal["", "estimand", "percent"] = "",
    heading: str = "",
) -> Measure:
    """Make a performance measure of one's own known to sweeps, their reports, and plans.

    Parameters
    ----------
    name : str
        In settings and tables: small letters, digits and underscores.
    function : callable
        ``function(judged)``, see `Judged`, gives one number for each replicate; the measure is
        their mean.
    words : str
        What it is; reads well after "the".
    better : {"larger", "smaller", "middle"}
    scale : {"probability", "positive", "real"}
        Which values it can have.
    unit : {"", "estimand", "percent"}
    heading : str
        Of its column in the report of a sweep; empty where it is not printed.

    Returns
    -------
    Measure
        The record. Stores hold a hash of the source of `function`.

    Raises
    ------
    InputError
        If the name is taken or no plain name, or the function has no source.

    Examples
    --------
    >>> import numpy as np
    >>> def all_above_median(judged):
    ...     median = np.median(judged.truth, axis=1, keepdims=True)
    ...     return 1.0 * (judged.top * (judged.truth <= median) == 0).all(axis=1)
    >>> measure = register_measure(
    ...     "all_above_median",
    ...     all_above_median,
    ...     words="chance that every named facility is above the median",
    ...     scale="probability",
    ... )
    >>> "all_above_median" in COLUMNS
    True
    >>> MEASURES.unregister("all_above_median")
    """
    return MEASURES.register(
        Measure(
            name=name,
            words=words,
            better=better,
            scale=scale,
            unit=unit,
            heading=heading,
            function=function,
        )
    )
