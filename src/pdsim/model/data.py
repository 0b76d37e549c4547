"""A study as the model sees it: turned, divided by design effects, coded, standardised."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logit

from pdsim.arraytypes import Bools, Floats, Ints
from pdsim.errors import InputError
from pdsim.priors import Priors
from pdsim.settings import from_mapping
from pdsim.study import Study, study_from_dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """What cases of one visit have in common, as far as it goes beyond the level of a cell.

    Attributes
    ----------
    inflation : ndarray (F, K, T)
        By what visits raise the variance of one indicator, divided out of the sizes already: the
        correlation of two indicators of one case is a smaller share of it.
    variance : ndarray (F, K, T)
        Variance on the logit of what they do to all indicators of a case group alike.
    """

    inflation: Floats
    variance: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelData:
    """Arrays of one study for an inference engine; F facilities, K indicators, T periods.

    Attributes
    ----------
    kind : {"counts", "scores"}
        Binomial counts, or normal means with known standard errors.
    observed : ndarray (F, K, T)
        Counts: successes, turned so that more is better. Scores: standardised means, turned.
        0 in a missing cell.
    size : ndarray (F, K, T)
        Counts: trials after division by design effects, 0 in a missing cell, not always whole.
        Scores: precision 1 / se^2 of the standardised mean, 0 in a missing cell.
    domain : ndarray (K,)
        Domain of each indicator, 0..D-1.
    case_group : ndarray (K,)
        Indicators scored on the same cases share a number from 0 on; -1 shares no cases.
    case_correlation : float
        Within-case correlation r; 0 where it makes no shock.
    weight : ndarray (K,)
        Nominal weights, sum 1.
    center, scale : ndarray (K,)
        Scores only: turned score = center + scale * standardised. Zeros and ones for counts.
    priors : Priors
        With nothing in points.
    visits : Visits or None
        What visits add to the error of a cell; None where nothing is known of it.
    facility_df : float or None
        Degrees of freedom of Student-t effects of the facilities; None: normal ones.
    arm : ndarray (F,) or None
        1 in the programme, 0 in the control arm; None without controls.
    covariates : ndarray (F, C) or None
        Centred, with standard deviation 1.
    offset : ndarray (F, K, T) or None
        What the case mix of a cell adds to its logit; None where none is known.
    error_correlation : ndarray (F, K T, K T) or None
        Scores only: correlations of the errors of a facility's cells, in the order (indicator,
        period); None where they are independent.
    """

    kind: Literal["counts", "scores"]
    observed: Floats
    size: Floats
    domain: Ints
    case_group: Ints
    case_correlation: float
    weight: Floats
    center: Floats
    scale: Floats
    priors: Priors
    visits: Visits | None = None
    facility_df: float | None = None
    arm: Ints | None = None
    covariates: Floats | None = None
    offset: Floats | None = None
    error_correlation: Floats | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Facilities, indicators, periods."""
        facilities, indicators, periods = self.observed.shape
        return facilities, indicators, periods

    @property
    def arms(self) -> int:
        """Arms with fixed effects of their own: 2 with controls."""
        return 1 if self.arm is None else 2

    @property
    def arm_codes(self) -> Ints:
        """The arm of each facility (F,), 0 everywhere without controls."""
        return np.zeros(self.shape[0], np.int64) if self.arm is None else self.arm

    @property
    def ranked(self) -> Bools:
        """Which facilities (F,) stand in the league table: all but controls."""
        return np.ones(self.shape[0], dtype=bool) if self.arm is None else self.arm == 1

    @property
    def covariate_values(self) -> Floats:
        """The covariates (F, C), C = 0 without any."""
        return np.empty((self.shape[0], 0)) if self.covariates is None else self.covariates

    @property
    def case_mix(self) -> Floats:
        """What the case mix of a cell adds to its logit (F, K, T), 0 where none is known."""
        return np.zeros(self.shape) if self.offset is None else self.offset

    @property
    def domains(self) -> int:
        """Number of domains D."""
        return int(self.domain.max()) + 1

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of effects that the study can tell apart.

        One indicator: facility only. One domain, or as many domains as indicators: no domain
        level. Otherwise all three.
        """
        indicators = self.shape[1]
        if indicators == 1:
            return ("facility",)
        if self.domains in (1, indicators):
            return ("facility", "indicator")
        return ("facility", "domain", "indicator")

    @property
    def shocked(self) -> bool:
        """Whether the indicators of a case group share an error."""
        visited = self.visits is not None and bool(self.visits.variance.any())
        return self.kind == "counts" and (self.case_correlation > 0.0 or visited)

    @property
    def cell_correlation(self) -> Floats:
        """Case correlation as a share of each cell's error (F, K, T); 0 without a case group."""
        r = np.where(self.case_group >= 0, self.case_correlation, 0.0)[:, None]
        return np.broadcast_to(r, self.shape) / (
            1.0 if self.visits is None else self.visits.inflation
        )

    @property
    def visit_variance(self) -> Floats:
        """Variance on the logit that visits add to the shock of each cell (F, K, T)."""
        return np.zeros(self.shape) if self.visits is None else self.visits.variance

    @property
    def error_precision(self) -> Floats | None:
        """Inverse of the correlation of errors among the cells present, 0 in the others."""
        if self.error_correlation is None:
            return None
        inverse = np.zeros(self.error_correlation.shape)
        for i, seen in enumerate(self.size.reshape(self.shape[0], -1) > 0):
            among = np.ix_(seen, seen)
            inverse[i][among] = np.linalg.inv(self.error_correlation[i][among])
        return inverse

    @property
    def own_spread(self) -> bool:
        """Whether every indicator has standard deviations and a correlation of its own."""
        return self.priors.indicator_spread == "own" and "indicator" in self.levels

    @property
    def change_by_arm(self) -> bool:
        """Whether the facilities of each arm have a standard deviation of change of their own."""
        two = self.arms == 2 and self.shape[2] == 2
        return self.priors.change_spread == "by_arm" and two


def model_data(study: Study, priors: Priors | None = None) -> ModelData:
    """Return the arrays that an engine fits.

    Parameters
    ----------
    study : Study
    priors : Priors, optional
        Default: the study's own, else ``Priors()``.

    Raises
    ------
    InputError
        If the priors are by arm and the study has no controls, or in points and it has counts.
    """
    priors = stated_priors(study, priors)
    problems = priors.problems(kind=study.kind, controls=study.control is not None)
    if problems:
        raise InputError(problems)
    data = study.effective_data()
    indicators = data.sizes["indicator"]
    lower = (data["direction"] == "lower").to_numpy()[:, None]
    center, scale = np.zeros(indicators), np.ones(indicators)
    if study.kind == "counts":
        size = data["trials"].to_numpy()
        successes = data["successes"].to_numpy()
        observed = np.where(lower, size - successes, successes)
    else:
        turned = np.where(lower, -1.0, 1.0) * data["mean"].to_numpy()
        center, scale = _standard(turned, data["sd"].to_numpy() if "sd" in data else None)
        if priors.in_points:
            turn = np.where(lower[:, 0], -1.0, 1.0)
            center, scale, priors = _standard_of_points(center, scale, turn, priors)
        missing = np.isnan(turned)
        observed = np.where(missing, 0.0, (turned - center[:, None]) / scale[:, None])
        precision = (scale[:, None] / data["se"].to_numpy()) ** 2
        size = np.where(missing, 0.0, precision)
    visits = _visits(study) if study.kind == "counts" else None
    alone = visits is not None and bool(visits.variance.any())
    case_group = _case_groups(data["case_group"].to_numpy(), alone=alone)
    # a composite-only study has its case correlation in its effective trials already
    shock = study.kind == "counts" and study.options.items is None and (case_group >= 0).any()
    return ModelData(
        kind=study.kind,
        observed=observed.astype(float),
        size=size.astype(float),
        domain=_codes(data["domain"].to_numpy()),
        case_group=case_group,
        case_correlation=float(study.case_correlation or 0.0) if shock else 0.0,
        weight=data["weight"].to_numpy().astype(float),
        center=center,
        scale=scale,
        priors=priors,
        visits=visits,
        facility_df=study.options.facility_df,
        arm=None if study.control is None else 1 - study.control.astype(np.int64),
        covariates=_standardised(study.covariates),
        offset=_case_mix(study),
        error_correlation=study.error_correlation,
    )


def stated_priors(study: Study, priors: Priors | None = None) -> Priors:
    """Return the priors given, else the study's own, else the default."""
    return priors or study.options.priors or Priors()


def fitted_data(fit: xr.DataTree) -> ModelData:
    """Return the arrays that a fit from `pdsim.fit` was made of, by its own priors."""
    study = study_from_dataset(fit["constant_data"].to_dataset())
    return model_data(study, from_mapping(Priors, json.loads(fit.attrs["priors"])))


def _visits(study: Study) -> Visits | None:
    """Return what visits do to the cells of counts, as far as it is stated or estimated."""
    inflation = study.visit_inflation.to_numpy()
    if study.visit_sd == 0.0 and bool((inflation == 1.0).all()):
        return None
    return Visits(inflation=inflation, variance=study.visit_sd**2 / study.visit_counts.to_numpy())


def _case_mix(study: Study) -> Floats | None:
    """Return logit(e / n) - logit(reference), turned; None without expected counts."""
    if "expected" not in study.data:
        return None
    raw = study.data
    seen = (raw["trials"] > 0).to_numpy()
    share = raw["expected"].to_numpy() / np.where(seen, raw["trials"].to_numpy(), 1.0)
    reference = np.array(study.reference)[:, None]
    turn = np.where((raw["direction"] == "lower").to_numpy(), -1.0, 1.0)[:, None]
    offset: Floats = turn * (logit(np.where(seen, share, reference)) - logit(reference))
    return np.where(seen, offset, 0.0)


def _standardised(covariates: xr.DataArray | None) -> Floats | None:
    """Return the covariates (F, C) with mean 0 and standard deviation 1 over all facilities."""
    if covariates is None:
        return None
    x = covariates.transpose("facility", "covariate").to_numpy().astype(float)
    scaled: Floats = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    return scaled


def _standard(turned: Floats, sd: Floats | None) -> tuple[Floats, Floats]:
    """Return centre and scale (K,) that make the priors mean the same for every score.

    The scale is the pooled standard deviation within facilities at baseline where it is known,
    else the standard deviation between the facilities' baseline scores.
    """
    center, scale = np.zeros(turned.shape[1]), np.ones(turned.shape[1])
    for k in range(turned.shape[1]):
        column = turned[:, k]
        # an indicator without two baseline scores is standardised by all that there is
        seen = column[:, 0] if np.isfinite(column[:, 0]).sum() > 1 else column
        center[k] = np.nanmean(seen)
        spread = np.nanstd(seen, ddof=1) if np.isfinite(seen).sum() > 1 else 1.0
        if sd is not None and np.isfinite(sd[:, k, 0]).any():
            spread = np.sqrt(np.nanmean(sd[:, k, 0] ** 2))
        scale[k] = spread or 1.0
    return center, scale


def _standard_of_points(
    center: Floats, scale: Floats, turn: Floats, priors: Priors
) -> tuple[Floats, Floats, Priors]:
    """Return centre, one scale for all scores, and the priors counted in it.

    A prior in points holds for every indicator, so that one scale must serve them all; a prior of
    the baseline in points moves the centre to its mean.
    """
    unit = float(np.sqrt(np.mean(scale**2)))
    if priors.alpha.unit == "points":
        center = turn * priors.alpha.mean
        priors = replace(priors, alpha=replace(priors.alpha, mean=0.0))
    return center, np.full(len(scale), unit), priors.standardised(unit)


def _case_groups(labels: NDArray[np.str_], *, alone: bool) -> Ints:
    """Return a number for each group of indicators scored on the same cases; -1 for the rest.

    With `alone` each of the rest is a group of its own, since it has visits too.
    """
    names = [name for name, n in Counter(labels.tolist()).items() if name and n > 1]
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    if alone:
        codes[codes < 0] = len(names) + np.arange((codes < 0).sum())
    return codes


def _codes(labels: NDArray[np.str_]) -> Ints:
    """Return the number of each label, counted by first appearance."""
    order = {label: code for code, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([order[label] for label in labels.tolist()], dtype=np.int64)
