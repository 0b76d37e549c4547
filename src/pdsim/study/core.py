"""`Study`: what was observed, checked once, and how it is to be analysed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from pdsim.conventions import DEFAULT_M
from pdsim.priors import Priors
from pdsim.study.assumptions import derived_assumptions, shared_groups
from pdsim.study.check import option_findings, study_findings
from pdsim.study.problems import refuse
from pdsim.study.sampler import SamplerSettings

if TYPE_CHECKING:
    import pandas as pd

type CaseCorrelationSource = Literal["stated", "estimated", "unset"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Study:
    """What was observed in every facility, and what the analysis needs to know about it.

    Build one with `read_study`, `load_example` or `Study.from_long`. All rules are checked when
    it is made, and never again.

    Attributes
    ----------
    data : xr.Dataset (facility, indicator, period)
        Counts: ``successes`` and ``trials``, raw as observed, 0 in a missing cell. Scores:
        ``mean`` and ``se`` (and ``sd`` where given), NaN in a missing cell. ``period`` is
        ("baseline", "endline"), or ("endline",) where levels at one period are ranked.
        Coordinates on ``indicator``: ``direction`` ("higher" or "lower" is better), ``weight``
        (sums to 1), ``domain``, ``label``, ``case_group`` (indicators scored on the same cases
        share one; "" shares no cases). On ``facility``, optional: ``tier``, a published label.
    name : str
    m : int
        Facilities to name at each end; at most half of them.
    case_correlation : float or None
        Correlation of two indicators of one case, 0 to 0.9; None where it is not known.
    case_correlation_source : {"stated", "estimated", "unset"}
    case_correlation_limits : tuple of float or None
        95 % jackknife limits of an estimated `case_correlation`, within 0 to 0.9.
    design_effect : float
        Variance inflation by clustering of cases (day, team, observer); divides the trials.
    items : int or None
        Composite-only studies: number of items behind one percentage; trials are then cases
        times items.
    priors : Priors or None
        The study's own priors; None leaves them to `fit`.
    sampler : SamplerSettings
    notes : tuple of str
        Sentences of the source, part of `assumptions`.
    period_labels : tuple of str
        The labels of the periods in the source, such as ("2021", "2023").
    suppress_below : int or None
        Counts above 0 and under this number are not printed in reports.

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
    >>> study = Study.from_long(table, name="Two hospitals")
    >>> study
    <Study 'Two hospitals': counts, 2 facilities x 1 indicator x 2 periods, m = 1>
    """

    data: xr.Dataset
    name: str = "study"
    m: int = DEFAULT_M
    case_correlation: float | None = None
    case_correlation_source: CaseCorrelationSource = "unset"
    case_correlation_limits: tuple[float, float] | None = None
    design_effect: float = 1.0
    items: int | None = None
    priors: Priors | None = None
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    notes: tuple[str, ...] = ()
    period_labels: tuple[str, ...] = ()
    suppress_below: int | None = None

    def __post_init__(self) -> None:
        if self.case_correlation is not None and self.case_correlation_source == "unset":
            object.__setattr__(self, "case_correlation_source", "stated")
        if not self.period_labels and "period" in self.data.coords:
            labels = tuple(str(label) for label in self.data["period"].to_numpy())
            object.__setattr__(self, "period_labels", labels)
        refuse(study_findings(self))

    @classmethod
    def from_long(
        cls,
        table: "pd.DataFrame | Mapping[str, Sequence[Any]]",
        *,
        indicators: "pd.DataFrame | Mapping[str, Sequence[Any]] | None" = None,
        weights: Mapping[str, float] | None = None,
        periods: Sequence[str] | None = None,
        name: str = "study",
        m: int | None = None,
        case_correlation: float | None = None,
        design_effect: float = 1.0,
        trials: int | None = None,
        items: int | None = None,
        priors: Priors | None = None,
        sampler: SamplerSettings | None = None,
        notes: Sequence[str] = (),
        suppress_below: int | None = None,
    ) -> "Study":
        """Make a study of a long table: one row per facility, indicator and period.

        Parameters
        ----------
        table : DataFrame or mapping of columns
            Columns ``facility``, ``indicator``, ``period`` and either ``successes, trials``, or
            ``percent, trials`` (with `trials` stated, ``percent`` alone), or ``mean, se``, or
            ``mean, sd, n``; optional ``tier``. Without a column ``period`` all rows are of one
            period; composite percentages (``percent``) may do without ``indicator``. A missing
            cell has no row, or both values missing, or trials 0.
        indicators : DataFrame or mapping of columns, optional
            One row per indicator: ``indicator`` and any of ``domain``, ``direction`` ("higher",
            "lower"), ``weight``, ``label``, ``case_group``. Default: one domain, higher is
            better, equal weights.
        weights : mapping of indicator to float, optional
            Instead of a column ``weight``; must sum to 1.
        periods : sequence of str, optional
            The labels of baseline and endline in `table`; one label for a study of one period.
        name, design_effect, items, priors, suppress_below
            As the attributes of `Study`.
        m : int, optional
            Default: 3, or half of the facilities when there are fewer than 6.
        case_correlation : float, optional
            0 to 0.9; stated, since a long table cannot tell it.
        trials : int, optional
            Assumed number of cases behind every percentage.
        sampler : SamplerSettings, optional
        notes : sequence of str
            Sentences to print with every result.

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
        from pdsim.study.frames import frame_of
        from pdsim.study.longtable import observed_from_long

        sampler = sampler or SamplerSettings()
        observed, facilities, findings = observed_from_long(
            frame_of(table),
            indicators=None if indicators is None else frame_of(indicators, file="indicators"),
            weights=weights,
            periods=periods,
            trials=trials,
            items=items,
        )
        findings += option_findings(
            facilities=facilities,
            name=name,
            m=m,
            case_correlation=case_correlation,
            design_effect=design_effect,
            suppress_below=suppress_below,
            priors=priors,
            sampler=sampler,
            notes=notes,
        )
        refuse(findings)
        assert observed is not None  # there are no findings
        return cls(
            data=observed.data,
            name=name,
            m=default_m(observed.data) if m is None else m,
            case_correlation=case_correlation,
            design_effect=design_effect,
            items=items,
            priors=priors,
            sampler=sampler,
            notes=(*notes, *observed.notes),
            period_labels=observed.period_labels,
            suppress_below=suppress_below,
        )

    @property
    def kind(self) -> Literal["counts", "scores"]:
        """Counts of successes, or means of a scale with standard errors."""
        return "counts" if "successes" in self.data else "scores"

    @property
    def shares_cases(self) -> bool:
        """Whether the within-case correlation matters: some indicators (or items) share cases."""
        if self.kind == "scores":
            return False
        return (self.items or 1) > 1 or bool(shared_groups(self.data))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Sentences on what the results rest on; printed with every result."""
        return (*self.notes, *derived_assumptions(self))

    def with_case_correlation(self, r: float | None) -> "Study":
        """Return the study with the within-case correlation stated as `r`, or unset (None)."""
        source: CaseCorrelationSource = "unset" if r is None else "stated"
        return replace(
            self,
            case_correlation=r,
            case_correlation_source=source,
            case_correlation_limits=None,
        )

    def effective_data(self) -> xr.Dataset:
        """Return the data with trials (or precision) divided by the design effects.

        Counts are divided by `design_effect`, and for composite-only studies also by
        1 + (items - 1) r, the exact variance inflation of a mean of equally likely items with
        within-case correlation r [1]_; an unset r counts as 0. The effective counts need not
        be whole. Standard errors of scores are multiplied by the root of `design_effect`.

        Returns
        -------
        xr.Dataset (facility, indicator, period)
            As `data`; directions are not turned.

        References
        ----------
        .. [1] Rao JNK, Scott AJ (1992), A simple method for the analysis of clustered binary
           data, doi:10.2307/2532311
        """
        factor = self.design_effect
        if self.items is not None:
            factor *= 1.0 + (self.items - 1) * (self.case_correlation or 0.0)
        if self.kind == "counts":
            return self.data.assign(
                successes=self.data["successes"] / factor, trials=self.data["trials"] / factor
            )
        return self.data.assign(se=self.data["se"] * np.sqrt(factor))

    def __repr__(self) -> str:
        """Describe the study in one line."""
        sizes = " x ".join(
            f"{self.data.sizes[dim]:,} {plural if self.data.sizes[dim] != 1 else one}"
            for dim, one, plural in (
                ("facility", "facility", "facilities"),
                ("indicator", "indicator", "indicators"),
                ("period", "period", "periods"),
            )
        )
        return f"<Study {self.name!r}: {self.kind}, {sizes}, m = {self.m}>"


def default_m(data: xr.Dataset) -> int:
    """Return the number of facilities to name at each end when none is stated."""
    return max(1, min(DEFAULT_M, data.sizes["facility"] // 2))
