"""`Study`: what was observed, checked once, and how it is to be analysed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.conventions import DEFAULT_M
from pdsim.errors import InputError, Problem
from pdsim.priors import Priors
from pdsim.study.clustering import Clustering
from pdsim.study.correlation import CaseCorrelation
from pdsim.study.errormatrix import (
    correlation_findings,
    correlation_sentence,
    error_correlation_of,
    name_findings,
)
from pdsim.study.facilities import (
    CONTROL,
    Facilities,
    facilities_apart,
    ranked_facilities,
    with_facilities,
)
from pdsim.study.frames import frame_of
from pdsim.study.indicators import plausible_findings
from pdsim.study.longtable import TableContent, observed_from_long
from pdsim.study.notebook import study_html
from pdsim.study.options import MAX_CASE_CORRELATION, StudyOptions, option_problems
from pdsim.study.plausible import Robustness
from pdsim.study.problems import PLURAL, Findings, listed
from pdsim.study.validity import data_findings, items_findings, reference_findings
from pdsim.terms.kinds import KINDS

if TYPE_CHECKING:
    import pandas as pd

type ErrorSource = Literal["stated", "estimated", "unset"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Study:
    """What was observed in every facility, and what the analysis needs to know about it.

    Build one with `read_study`, `load_example` or `Study.from_long`. All rules are checked when
    it is made, and never again.

    Attributes
    ----------
    data : xr.Dataset (facility, indicator, period)
        Counts: ``successes`` and ``trials``, raw as observed, 0 in a missing cell; optional
        ``expected``, the successes to expect of the cases of a cell. Scores:
        ``mean`` and ``se`` (and ``sd`` where given), NaN in a missing cell; optional
        ``correlation``, that of the errors of the two periods of a facility and indicator, in
        either cell or both. ``period`` is
        ("baseline", "endline"), or ("endline",) where levels at one period are ranked. Cases with
        a column ``visit``: ``visits``, the number of visits of equal size that would average as
        much as those of the cell did.
        Coordinates on ``indicator``: ``direction`` ("higher" or "lower" is better), ``weight``
        (sums to 1), ``domain``, ``label``, ``case_group`` (indicators scored on the same cases
        share one; "" shares no cases). On ``facility``, optional: ``tier``, a published label;
        ``arm`` ("programme" or "control"); ``stratum``; ``covariates`` (facility, covariate).
    options : StudyOptions
        How it was read and is to be analysed.
    estimated : CaseCorrelation or None
        The within-case correlation that the cases themselves give, truncated to 0 to 0.9.
    clustering : Clustering or None
        What the cases of one visit have in common, as the cases themselves tell.
    read_notes : tuple of str
        Sentences on what was assumed when it was read, part of `assumptions`.
    period_labels : tuple of str
        The labels of the periods in the source, such as ("2021", "2023").
    rounds : xr.Dataset (facility, indicator, round) or None
        All rounds as they were observed, where there are more than two.

    Raises
    ------
    InputError
        With all broken rules at once.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "facility": ["A", "A", "B", "B"],
    ...         "indicator": ["checklist"] * 4,
    ...         "period": ["baseline", "endline"] * 2,
    ...         "successes": [3, 15, 4, 9],
    ...         "trials": [20, 20, 20, 18],
    ...     }
    ... )
    >>> study = Study.from_long(table, options=StudyOptions(name="Two hospitals"))
    >>> study
    <Study 'Two hospitals': counts, 2 facilities x 1 indicator x 2 periods, m = 1>
    """

    data: xr.Dataset
    options: StudyOptions = field(default_factory=StudyOptions)
    estimated: CaseCorrelation | None = None
    clustering: Clustering | None = None
    read_notes: tuple[str, ...] = ()
    period_labels: tuple[str, ...] = ()
    rounds: xr.Dataset | None = None

    def __post_init__(self) -> None:
        if not self.period_labels and "period" in self.data.coords:
            labels = tuple(str(label) for label in self.data["period"].to_numpy())
            object.__setattr__(self, "period_labels", labels)
        found = Findings()
        facilities = ranked_facilities(self.data)
        found.take(option_problems(self.options, facilities=facilities))
        if isinstance(self.options.robustness, Robustness):
            plausible_findings(self.data, self.options.robustness, found)
        data_findings(self.data, self.period_labels, found)
        items_findings(self.data, self.options, found)
        reference_findings(self.data, self.options, found)
        if not found:
            correlation_findings(self.data, self.options.error_correlation, found)
        if not found:
            found.take(_criteria_problems(self))
        if self.kind == "scores" and self.options.visit_sd is not None:
            found.add("visit_sd is for counts; the standard errors of scores hold it", "remove it")
        if isinstance(self.options.priors, Priors):
            controls = self.control is not None
            found.take(self.options.priors.problems(kind=self.kind, controls=controls))
        found.refuse()

    @classmethod
    def from_long(
        cls,
        table: "pd.DataFrame | Mapping[str, Sequence[Any]]",
        *,
        indicators: "pd.DataFrame | Mapping[str, Sequence[Any]] | None" = None,
        facilities: "pd.DataFrame | Mapping[str, Sequence[Any]] | None" = None,
        options: StudyOptions | None = None,
    ) -> "Study":
        """Make a study of a long table: one row per facility, indicator and period.

        Parameters
        ----------
        table : DataFrame or mapping of columns
            Columns ``facility``, ``indicator``, ``period`` and either ``successes, trials``, or
            ``percent, trials`` (with ``options.trials``, ``percent`` alone), or ``mean, se``, or
            ``mean, sd, n`` (optional ``correlation``); optional ``tier``. Without a column
            ``period`` all rows are of one period; composite percentages (``percent``) may do
            without ``indicator``. A missing cell has no row, or both values missing, or trials 0.
        indicators : DataFrame or mapping of columns, optional
            One row per indicator: ``indicator`` and any of ``domain``, ``direction`` ("higher",
            "lower"), ``weight``, ``label``, ``case_group``. Default: one domain, higher is
            better, equal weights.
        facilities : DataFrame or mapping of columns, optional
            One row per facility: ``facility`` and any of ``arm``, ``stratum`` and the columns of
            ``options.covariates``. Default: these columns of the table itself.
        options : StudyOptions, optional
            Everything else, such as ``StudyOptions(periods=("2021", "2023"), m=2)``.

        Returns
        -------
        Study

        Raises
        ------
        InputError
            With all broken rules, each naming row, facility, indicator and cure.

        Examples
        --------
        >>> table = {
        ...     "facility": ["A", "B", "C"],
        ...     "indicator": ["deaths"] * 3,
        ...     "successes": [0, 18, 8],
        ...     "trials": [47, 148, 119],
        ... }
        >>> lower = {"indicator": ["deaths"], "direction": ["lower"]}
        >>> Study.from_long(table, indicators=lower)
        <Study 'study': counts, 3 facilities x 1 indicator x 1 period, m = 1>
        """
        options, found = options or StudyOptions(), Findings()
        frame, about = facilities_apart(
            frame_of(table),
            None if facilities is None else frame_of(facilities, file="facilities"),
            options,
            found,
        )
        observed = observed_from_long(
            frame,
            None if indicators is None else frame_of(indicators, file="indicators"),
            options.columns,
            options,
            found,
        )
        return study_of(observed, options, found, about=about)

    @property
    def name(self) -> str:
        """What the study is called."""
        return self.options.name or "study"

    @property
    def m(self) -> int:
        """Facilities to name at each end; at most half of them."""
        ranked = ranked_facilities(self.data)
        half = max(1, ranked // 2)
        if self.options.m_share is not None:
            from pdsim.terms.criteria import share_of

            return min(half, share_of(self.options.m_share, ranked))
        return min(DEFAULT_M, half) if self.options.m is None else self.options.m

    @property
    def control(self) -> Bools | None:
        """Which facilities are in the control arm (F,); None without controls."""
        return self.data["arm"].to_numpy() == CONTROL if "arm" in self.data.coords else None

    @property
    def covariates(self) -> xr.DataArray | None:
        """The covariates (facility, covariate), as given; None without any."""
        return self.data["covariates"] if "covariates" in self.data.coords else None

    @property
    def reference(self) -> tuple[float, ...]:
        """Rate of each indicator in the mix of cases that levels are stated for.

        Stated, or all expected counts over all trials; of studies with expected counts.
        """
        stated = self.options.reference or {}
        names = self.data["indicator"].to_numpy().tolist()
        sums = self.data[["expected", "trials"]].sum(("facility", "period"))
        pooled = (sums["expected"] / sums["trials"]).to_numpy().tolist()
        return tuple(stated.get(name, rate) for name, rate in zip(names, pooled, strict=True))

    @property
    def programme(self) -> "Study":
        """The facilities that are ranked: the study without its controls."""
        if self.control is None:
            return self
        kept = self.data.isel(facility=~self.control)
        gone = ["arm", "covariate", "covariates"]
        rounds = self.rounds
        if rounds is not None:
            rounds = rounds.sel(facility=rounds["facility"].isin(kept["facility"]))
        options = self.options
        if options.priors is not None:
            options = replace(options, priors=replace(options.priors, change_spread="shared"))
        kept = kept.drop_vars(gone, errors="ignore")
        return replace(self, data=kept, options=options, rounds=rounds)

    @property
    def case_correlation(self) -> float | None:
        """Correlation of two indicators of one case, stated or estimated; None if not known."""
        if self.options.case_correlation is not None:
            return self.options.case_correlation
        return None if self.estimated is None else self.estimated.estimate

    @property
    def case_correlation_source(self) -> ErrorSource:
        """Where the within-case correlation comes from."""
        if self.options.case_correlation is not None:
            return "stated"
        return "unset" if self.estimated is None else "estimated"

    @property
    def error_correlation(self) -> Floats | None:
        """Correlations of the errors of the scores of each facility (F, K T, K T).

        Cells in the order (indicator, period), turned so that higher is better; None where errors
        are independent.
        """
        return error_correlation_of(self.data, self.options.error_correlation)

    @property
    def design_effect(self) -> float:
        """Variance inflation by clustering that is stated; 1 if none is."""
        return 1.0 if self.options.design_effect is None else self.options.design_effect

    @property
    def design_effect_source(self) -> ErrorSource:
        """Where the inflation by clustering comes from."""
        if self.options.design_effect is not None:
            return "stated"
        return "unset" if self.clustering is None else "estimated"

    @property
    def visit_sd(self) -> float:
        """Standard deviation of the shift by visit in logits, stated or estimated; else 0.

        A stated design effect stands for all clustering: the cases' own estimate is then not used.
        """
        if self.options.visit_sd is not None:
            return self.options.visit_sd
        if self.clustering is None or self.design_effect_source == "stated":
            return 0.0
        return self.clustering.shift_sd or 0.0

    @property
    def visit_counts(self) -> xr.DataArray:
        """Visits behind every cell (facility, indicator, period), at least 1."""
        if "visits" in self.data:
            return self.data["visits"].fillna(1.0)
        values = self.data[KINDS[self.kind].values[0]]
        return xr.full_like(values, float(self.options.visits or 1), dtype=float)

    @property
    def visit_inflation(self) -> xr.DataArray:
        """By what visits raise the variance of each cell, beyond their shifts."""
        own = 0.0
        if self.clustering is not None and self.design_effect_source == "estimated":
            own = self.clustering.correlation
        if own == 0.0:
            return xr.ones_like(self.visit_counts)
        more: xr.DataArray = (self.data["trials"] / self.visit_counts - 1.0).clip(min=0.0)
        return 1.0 + own * more

    @property
    def average_design_effect(self) -> float:
        """By what clustering raises the variance of an average cell of counts, shifts and all."""
        if self.kind == "scores":
            return self.design_effect
        trials = self.data["trials"]
        share = (self.data["successes"] + 0.5) / (trials + 1.0)
        shift = self.visit_sd**2 * share * (1.0 - share) * trials / self.visit_counts
        each = self.design_effect * self.visit_inflation + shift
        return float(each.where(trials > 0).mean())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences of the study's own, and on what was assumed when it was read."""
        return (*self.options.notes, *self.read_notes)

    @property
    def kind(self) -> Literal["counts", "scores"]:
        """Counts of successes, or means of a scale with standard errors."""
        return "counts" if "successes" in self.data else "scores"

    @property
    def shares_cases(self) -> bool:
        """Whether the within-case correlation matters: some indicators (or items) share cases."""
        if self.kind == "scores":
            return False
        return (self.options.items or 1) > 1 or bool(_shared_groups(self.data))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Sentences on what the results rest on; printed with every result."""
        sentences = (
            _correlation(self),
            _composite(self),
            _clustering(self),
            _shift(self),
            _tails(self),
            *_missing(self),
            _weightless(self.data),
            _unequal(self),
        )
        return (*self.notes, *(sentence for sentence in sentences if sentence))

    def with_case_correlation(self, r: float | None) -> "Study":
        """Return the study with the within-case correlation stated as `r`, or unset (None)."""
        return replace(self, options=replace(self.options, case_correlation=r), estimated=None)

    def with_facility_df(self, df: float | None) -> "Study":
        """Return the study with Student-t effects of the facilities, or normal ones (None)."""
        return replace(self, options=replace(self.options, facility_df=df))

    def with_clustering(self, end: Literal["low", "high"]) -> "Study":
        """Return the study with what visits do at one end of its limits."""
        found, at = self.clustering, 0 if end == "low" else 1
        if found is None:
            return self
        shift = found.shift_sd if found.shift_limits is None else found.shift_limits[at]
        ends = replace(found, correlation=found.correlation_limits[at], shift_sd=shift)
        return replace(self, clustering=ends)

    def with_suppressed(self, end: Literal["low", "high"]) -> "Study":
        """Return the study with all suppressed counts at one end of their ranges."""
        known = self.data["of"].notnull()
        data = self.data.assign(
            successes=xr.where(known, self.data[end], self.data["successes"]),
            trials=xr.where(known, self.data["of"], self.data["trials"]),
        )
        return replace(self, data=data.drop_vars(["low", "high", "of"]))

    def effective_data(self) -> xr.Dataset:
        """Return the data with trials (or precision) divided by the design effects.

        Counts are divided by the design effect, stated or estimated from visits, and for
        composite-only studies also by 1 + (items - 1) r, the exact variance inflation of a mean of
        equally likely items with within-case correlation r [1]_; an unset r counts as 0. The
        effective counts need not be whole. Standard errors of scores are multiplied by the root of
        the design effect.

        Returns
        -------
        xr.Dataset (facility, indicator, period)
            As `data`; directions are not turned.

        References
        ----------
        .. [1] Rao JNK, Scott AJ (1992), A simple method for the analysis of clustered binary
           data, doi:10.2307/2532311
        """
        factor = self.design_effect * _inflation(self) * self.visit_inflation
        if self.kind == "counts":
            return self.data.assign(
                successes=self.data["successes"] / factor, trials=self.data["trials"] / factor
            )
        return self.data.assign(se=self.data["se"] * np.sqrt(factor))

    def _repr_html_(self) -> str:
        return study_html(
            self.data,
            title=repr(self)[1:-1],
            periods=self.period_labels,
            assumptions=self.assumptions,
        )

    def __repr__(self) -> str:
        """Describe the study in one line."""
        sizes = " x ".join(
            f"{self.data.sizes[dim]:,} {plural if self.data.sizes[dim] != 1 else dim}"
            for dim, plural in PLURAL.items()
        )
        return f"<Study {self.name!r}: {self.kind}, {sizes}, m = {self.m}>"


def study_of(
    observed: TableContent,
    options: StudyOptions,
    found: Findings,
    *,
    about: Facilities | None = None,
    file: str | None = None,
) -> Study:
    """Return the study of what a table holds, or refuse everything that was found.

    Parameters
    ----------
    observed : TableContent
    options : StudyOptions
    found : Findings
        What was found on the way.
    about : Facilities, optional
    file : str, optional
        Where the options were stated.

    Raises
    ------
    InputError
    """
    found.take(option_problems(options, facilities=observed.facilities, file=file))
    found.refuse()
    assert observed.data is not None  # there are no problems
    for rules in (name_findings, correlation_findings):
        rules(observed.data, options.error_correlation, found, file=file)
    data = with_facilities(observed.data, about, found)
    found.refuse()
    estimated = observed.estimated
    if estimated is not None:
        estimated = _truncated(estimated, options, found)
    return Study(
        data=data,
        options=options,
        estimated=estimated,
        clustering=observed.clustering,
        read_notes=tuple(found.notes),
        period_labels=observed.period_labels,
        rounds=observed.rounds,
    )


def _truncated(whole: CaseCorrelation, options: StudyOptions, found: Findings) -> CaseCorrelation:
    """Return the estimate within its range, and say what was done with it."""
    within = whole.truncated(MAX_CASE_CORRELATION)
    if within != whole:
        low, high = whole.limits
        found.notes.append(
            f"The within-case correlation estimated from the cases, {whole.estimate:.3f} "
            f"({low:.3f} to {high:.3f}), is truncated to the range 0 to {MAX_CASE_CORRELATION}."
        )
    if options.case_correlation is not None:
        low, high = within.limits
        found.notes.append(
            f"The cases themselves give a within-case correlation of {within.estimate:.3f} "
            f"({low:.3f} to {high:.3f}); the stated one is used."
        )
    return within


def _criteria_problems(study: Study) -> list[Problem]:
    """Return what is wrong with the criteria of a study, which speak of its parts by name."""
    if not study.options.criteria:
        return []
    # they take SciPy along, which is half of the time of a check
    from pdsim.terms.criteria import parse_criterion, score_names

    named = (
        study.data["period"],
        study.data["indicator"],
        study.data["domain"],
    )
    labels = ([str(name) for name in part.to_numpy()] for part in named)
    names = score_names(study.kind, *labels)
    problems: list[Problem] = []
    for text in study.options.criteria:
        try:
            criterion = parse_criterion(text, names)
            if criterion.sign in ("top", "bottom"):
                criterion.count(study.data.sizes["facility"])
        except InputError as error:
            problems += error.problems
    return problems


def _inflation(study: Study) -> float:
    """Return the variance inflation of a composite of items scored on the same cases."""
    return 1.0 + ((study.options.items or 1) - 1) * (study.case_correlation or 0.0)


def _shared_groups(data: xr.Dataset) -> list[NDArray[np.intp]]:
    """Return the positions of the indicators of every case group that holds two or more."""
    labels = data["case_group"].to_numpy()
    sizes = Counter(labels.tolist())
    return [np.flatnonzero(labels == name) for name, n in sizes.items() if name and n > 1]


def _correlation(study: Study) -> str:
    r = study.case_correlation
    if study.kind == "scores":
        several = study.data.sizes["indicator"] * study.data.sizes["period"] > 1
        unused = "" if r is None else f" (the stated within-case correlation {r:g} is not used)"
        stated = correlation_sentence(study.data, study.options.error_correlation)
        if stated:
            return f"{stated[:-1]}{unused}."
        return (
            f"The errors of the scores of one facility are taken as independent{unused}."
            if several or unused
            else ""
        )
    if not study.shares_cases:
        return ""
    if r is None:
        return (
            "The within-case correlation is not known: results are for r = 0 unless they name "
            "another value, and should be read beside those for r = 0.1 and 0.3."
        )
    if study.case_correlation_source == "stated" or study.estimated is None:
        return f"A within-case correlation of {r:g} is assumed, not estimated."
    low, high = study.estimated.limits
    return (
        f"The within-case correlation, {r:.3f} (95 % jackknife limits {low:.3f} to {high:.3f}), "
        "was estimated from the cases."
    )


def _composite(study: Study) -> str:
    items = study.options.items or 1
    if items == 1:
        return ""
    return (
        f"Each percentage counts as {items} items scored on every case; the trials (cases "
        f"times items) are divided by 1 + ({items} - 1) r = {_inflation(study):.3g}, which is "
        "exact for items met equally often and conservative otherwise."
    )


def _clustering(study: Study) -> str:
    effect, counts = study.options.design_effect, study.kind == "counts"
    if effect is not None and effect != 1.0:
        divided = "Trials are divided" if counts else "Squared standard errors are multiplied"
        return f"{divided} by a stated design effect of {effect:g}."
    if effect is None and study.clustering is not None:
        return _visits(study, study.clustering)
    if effect is None and counts and not study.visit_sd:
        return (
            "No design effect is stated: the cases of a cell are taken as independent. Where they "
            "share a day, a team or an observer, intervals are too narrow."
        )
    return ""


def _visits(study: Study, found: Clustering) -> str:
    low, high = found.correlation_limits
    text = (
        f"Two cases of one visit correlate by {found.correlation:.3f} on one indicator (95 % "
        f"jackknife limits {low:.3f} to {high:.3f})"
    )
    if found.shift_limits is not None and study.options.visit_sd is None:
        low, high = found.shift_limits
        text += (
            f", beside a shift by visit of {study.visit_sd:.2f} logits ({low:.2f} to {high:.2f}) "
            "that all indicators share"
        )
    return (
        f"{text}: estimated from the cases, a design effect of {study.average_design_effect:.2f} "
        "in an average cell."
    )


def _shift(study: Study) -> str:
    if not study.options.visit_sd:
        return ""
    visits = "" if "visits" in study.data else f" of {study.options.visits or 1:,} in every cell"
    return (
        f"A visit{visits} shifts all indicators of a facility by a standard deviation of "
        f"{study.options.visit_sd:g} logits, as stated."
    )


def _tails(study: Study) -> str:
    df = study.options.facility_df
    if df is None:
        return ""
    return (
        f"Effects of facilities are Student t with {df:g} degrees of freedom: one or two may be "
        "unlike the rest."
    )


def _weightless(data: xr.Dataset) -> str:
    """Say which domains weigh nothing."""
    domain, weight = data["domain"].to_numpy(), data["weight"].to_numpy()
    names = [name for name in dict.fromkeys(domain.tolist()) if not weight[domain == name].sum()]
    if not names:
        return ""
    return f"Left out of the tables by domain, since its indicators weigh 0: {listed(names)}."


def _missing(study: Study) -> list[str]:
    kind = KINDS[study.kind]
    value, size = (study.data[name].to_numpy() for name in kind.values)
    observed = ~kind.missing(value, size)
    missing = int((~observed).sum())
    if not missing:
        return []
    sentences = [
        f"{missing:,} of {observed.size:,} cells are missing; the model predicts them as if they "
        "were missing at random."
    ]
    names = study.data["facility"].to_numpy()
    for position, period in enumerate(study.data["period"].to_numpy().tolist()):
        empty = names[~observed[:, :, position].any(axis=1)].tolist()
        if empty:
            sentences.append(
                f"Nothing was observed at {period} in {listed(empty)}: the level there is "
                "predicted from the other facilities."
            )
    return sentences


def _unequal(study: Study) -> str:
    """Say what unequal trials within a case group mean for the covariance."""
    if study.kind == "scores" or not study.case_correlation:
        return ""
    trials = study.data["trials"].to_numpy()
    largest = 1.0
    for group in _shared_groups(study.data):
        some = trials[:, group, :]
        most = some.max(axis=1)
        least = np.where(some > 0, some, np.inf).min(axis=1)
        largest = max(largest, float(np.max(most / least, where=most > 0, initial=1.0)))
    if largest == 1.0:
        return ""
    counted = study.options.format == "cases"
    shared = "" if counted else ", and how many cases they share is not known"
    return (
        "Indicators taken as scored on the same cases have unequal trials (up to "
        f"{largest:,.3g} to 1){shared}: the covariance of two proportions is taken at its upper "
        "limit, r sqrt(p q p' q' / (n n'))."
    )
