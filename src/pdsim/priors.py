"""Priors of the model: frozen, serialisable, the same names in Python and in TOML."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, get_args

from pdsim.errors import InputError, Problem
from pdsim.settings import FORBID_EXTRA, from_mapping

type SpreadScope = Literal["own", "shared"]
type ChangeScope = Literal["shared", "by_arm"]
type PriorUnit = Literal["standard", "points"]
type ScaleFamily = Literal[
    "half_normal", "half_cauchy", "half_t", "exponential", "inverse_gamma_variance"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPrior:
    """Prior of one fixed effect per indicator: x_k ~ N(mu, sd^2), mu ~ N(mean, mean_sd^2).

    mu is marginalised, so the effects of the indicators are correlated a priori. Independent
    zero-mean priors would make their mean nearly known with many indicators.

    Attributes
    ----------
    mean, mean_sd : float
        Mean and standard deviation of mu.
    sd : float
        Standard deviation of an indicator around mu.
    unit : {"standard", "points"}
        ``standard``: logits of counts, baseline standard deviations of scale scores (``alpha``
        from the mean baseline score of the indicator). ``points``: those of scale scores.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    mean: float = 0.0
    mean_sd: float = 1.5
    sd: float = 2.0
    unit: PriorUnit = "standard"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean_sd >= 0 and self.sd > 0):
            raise ValueError("mean must be finite, mean_sd >= 0 and sd > 0")

    def times(self, factor: float) -> "MeanPrior":
        """Return the prior of `factor` times the effects."""
        return replace(
            self, mean=factor * self.mean, mean_sd=factor * self.mean_sd, sd=factor * self.sd
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopePrior:
    """Prior N(0, sd^2) of the effect of one standard deviation of a covariate.

    `unit` as in `MeanPrior`.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    sd: float = 0.5
    unit: PriorUnit = "standard"

    def __post_init__(self) -> None:
        if not (self.sd > 0 and math.isfinite(self.sd)):
            raise ValueError("sd must be positive and finite")

    def times(self, factor: float) -> "SlopePrior":
        """Return the prior of `factor` times the effect."""
        return replace(self, sd=factor * self.sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePrior:
    """Prior of a standard deviation s > 0.

    Attributes
    ----------
    family : str
        ``half_normal(scale)``, ``half_cauchy(scale)``, ``half_t(df, scale)``,
        ``exponential(scale)`` (its mean), or ``inverse_gamma_variance(shape, scale)``, which is
        s^2 ~ Inverse-Gamma(shape, scale), equal to a Gamma(shape, rate=scale) precision.
    scale : float
    shape : float or None
        For ``inverse_gamma_variance`` only.
    df : float or None
        For ``half_t`` only.
    unit : {"standard", "points"}
        As in `MeanPrior`.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    family: ScaleFamily = "half_normal"
    scale: float = 1.0
    shape: float | None = None
    df: float | None = None
    unit: PriorUnit = "standard"

    def __post_init__(self) -> None:
        if not (self.scale > 0 and math.isfinite(self.scale)):
            raise ValueError("scale must be positive and finite")
        needs = {"inverse_gamma_variance": "shape", "half_t": "df"}.get(self.family)
        for name in ("shape", "df"):
            value = getattr(self, name)
            if name == needs and not (value is not None and value > 0):
                raise ValueError(f"family {self.family} needs a positive {name}")
            if name != needs and value is not None:
                raise ValueError(f"family {self.family} has no {name}")

    def times(self, factor: float) -> "ScalePrior":
        """Return the prior of `factor` times the standard deviation."""
        squared = self.family == "inverse_gamma_variance"  # the scale of a variance
        return replace(self, scale=self.scale * (factor**2 if squared else factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledScalePrior:
    """Prior of the standard deviations s_1..s_K of the indicators, drawn towards each other.

    log s_k = log(median) + spread sqrt(v) (sqrt(common) z_0 + z_k) with z standard normal and
    v ~ Inverse-Gamma(df / 2, df / 2): the logs are jointly Student t. The spread of the logs is
    integrated out, since as a parameter it makes ridges that no sampler likes.

    Attributes
    ----------
    median : float
        Of every s_k.
    spread : float
        Scale of log s_k around what the indicators have in common.
    common : float
        Variance of what they have in common over that of what is an indicator's own.
    df : float
        Degrees of freedom.
    unit : {"standard", "points"}
        As in `MeanPrior`.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    median: float = 0.35
    spread: float = 0.6
    common: float = 2.0
    df: float = 4.0
    unit: PriorUnit = "standard"

    def __post_init__(self) -> None:
        values = (self.median, self.spread, self.common, self.df)
        if not all(value > 0 and math.isfinite(value) for value in values):
            raise ValueError("median, spread, common and df must be positive and finite")

    def times(self, factor: float) -> "PooledScalePrior":
        """Return the prior of `factor` times the standard deviations."""
        return replace(self, median=self.median * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationPrior:
    """LKJ(eta) prior of a 2 x 2 correlation: (rho + 1) / 2 ~ Beta(eta, eta)."""

    __pydantic_config__: ClassVar = FORBID_EXTRA
    eta: float = 2.0

    def __post_init__(self) -> None:
        if not (self.eta > 0 and math.isfinite(self.eta)):
            raise ValueError("eta must be positive and finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """All priors of the model.

    ``alpha`` are baseline logits and ``beta`` changes in logits, one per indicator; with controls
    both are theirs, and ``imbalance`` and ``arm_effect`` say how far the programme lies above them
    at baseline and in change. ``covariate_level`` and ``covariate_change`` are the slopes of the
    baseline and of the change on the covariates, the same for all indicators. ``sd_*`` and
    ``corr_*`` are the standard deviations and the baseline-change correlation of the effects at
    the levels facility, domain within facility, and indicator within facility.

    With ``indicator_spread`` ``own`` every indicator has standard deviations and a correlation of
    its own at the innermost level: ``PooledScalePrior`` draws them towards each other, a
    ``ScalePrior`` holds for each alone. With ``shared`` one of each serves all indicators. Unset,
    ``sd_*_indicator`` are ``PooledScalePrior()`` if own and ``ScalePrior(scale=0.5)`` if shared.

    With ``change_spread`` ``by_arm`` facilities of the programme differ in their change by another
    standard deviation than controls: ``sd_change_facility`` is the prior of both. A programme that
    works better in some facilities than in others makes them differ more. ``shared`` has one.

    Numbers are logits of counts. Of scale scores they are standard deviations at baseline, or, with
    ``unit = "points"`` in a prior, points of the score (baselines as they are, changes as
    improvements); then one standard deviation, the root mean square of theirs, serves all
    indicators.

    Mappings are accepted in place of the classes.

    Raises
    ------
    InputError
        If a mapping has an unknown key or a value that is not allowed.

    Examples
    --------
    >>> Priors().sd_change_facility
    ScalePrior(family='half_normal', scale=1.0, shape=None, df=None, unit='standard')
    >>> Priors(sd_change_facility={"family": "half_cauchy", "scale": 0.1}).sd_change_facility.scale
    0.1
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    indicator_spread: SpreadScope = "own"
    change_spread: ChangeScope = "shared"
    alpha: MeanPrior = MeanPrior()
    beta: MeanPrior = MeanPrior(sd=1.0)
    imbalance: MeanPrior = MeanPrior(mean_sd=1.0, sd=0.5)
    arm_effect: MeanPrior = MeanPrior(mean_sd=1.0, sd=0.5)
    covariate_level: SlopePrior = SlopePrior()
    covariate_change: SlopePrior = SlopePrior()
    sd_baseline_facility: ScalePrior = ScalePrior(scale=1.0)
    sd_baseline_domain: ScalePrior = ScalePrior(scale=0.5)
    sd_baseline_indicator: ScalePrior | PooledScalePrior | None = None
    sd_change_facility: ScalePrior = ScalePrior(scale=1.0)
    sd_change_domain: ScalePrior = ScalePrior(scale=0.5)
    sd_change_indicator: ScalePrior | PooledScalePrior | None = None
    corr_facility: CorrelationPrior = CorrelationPrior()
    corr_domain: CorrelationPrior = CorrelationPrior()
    corr_indicator: CorrelationPrior = CorrelationPrior()

    def __post_init__(self) -> None:
        if self.indicator_spread not in get_args(SpreadScope.__value__):
            raise ValueError(
                f"indicator_spread must be 'own' or 'shared', got {self.indicator_spread!r}"
            )
        if self.change_spread not in get_args(ChangeScope.__value__):
            raise ValueError(
                f"change_spread must be 'shared' or 'by_arm', got {self.change_spread!r}"
            )
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name not in ("indicator_spread", "change_spread"):
                object.__setattr__(self, field.name, _prior(field.name, given))
        if self.indicator_spread == "shared":
            for name in ("sd_baseline_indicator", "sd_change_indicator"):
                if isinstance(getattr(self, name), PooledScalePrior):
                    raise ValueError(
                        f"{name}: one standard deviation for all indicators has nothing to pool; "
                        "give a ScalePrior"
                    )

    def scale(self, name: str) -> ScalePrior | PooledScalePrior:
        """Return the prior of the standard deviation `name`, the default where it is unset."""
        prior: ScalePrior | PooledScalePrior | None = getattr(self, name)
        if prior is not None:
            return prior
        return PooledScalePrior() if self.indicator_spread == "own" else ScalePrior(scale=0.5)

    def problems(self, *, kind: Literal["counts", "scores"], controls: bool) -> list[Problem]:
        """Return what keeps a study of a kind, with controls or without, from these priors."""
        found = []
        if self.change_spread == "by_arm" and not controls:
            rule = "change_spread = 'by_arm' of the priors needs controls, and the study has none"
            found.append(Problem(rule=rule, cure="give a column arm, or leave change_spread out"))
        if kind == "counts":
            found += [
                Problem(
                    rule=f"the prior of {name} is in points, and only scale scores have points",
                    cure='state it in logits and leave unit = "points" out',
                )
                for name in self._in_points()
            ]
        return found

    def _in_points(self) -> list[str]:
        """Return the names of the priors in points."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return [name for name, prior in given.items() if getattr(prior, "unit", "") == "points"]

    @property
    def in_points(self) -> bool:
        """Whether any prior is stated in points of a score."""
        return bool(self._in_points())

    def standardised(self, points: float) -> "Priors":
        """Return the priors with nothing in points, of which one standard deviation has `points`.

        Examples
        --------
        >>> prior = {"family": "half_normal", "scale": 6.0, "unit": "points"}
        >>> Priors(sd_change_facility=prior).standardised(12.0).sd_change_facility.scale
        0.5
        """
        turned: dict[str, Any] = {
            name: replace(getattr(self, name).times(1.0 / points), unit="standard")
            for name in self._in_points()
        }
        return replace(self, **turned)

    def stated(self) -> "Priors":
        """Return the priors with nothing unset."""
        return self.scaled(1.0)

    def scaled(self, factor: float) -> "Priors":
        """Return the priors with every scale of every ``sd_*`` multiplied by `factor`."""
        names = [field.name for field in fields(self) if field.name.startswith("sd_")]
        scales: dict[str, Any] = {name: self.scale(name).times(factor) for name in names}
        return replace(self, **scales)


def _prior(name: str, given: Any) -> Any:
    """Return what `given` says about the parameter `name`, checked."""
    if name.startswith("sd_"):
        kinds: tuple[type, ...] = (ScalePrior,)
        if name.endswith("_indicator"):
            kinds = (ScalePrior, PooledScalePrior, type(None))
    elif name.startswith("covariate_"):
        kinds = (SlopePrior,)
    else:
        kinds = (CorrelationPrior,) if name.startswith("corr_") else (MeanPrior,)
    if isinstance(given, kinds):
        return given
    if not isinstance(given, Mapping):
        names = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise InputError(f"{name}: a prior must be a {names} or a mapping, got {given!r}")
    pooled = PooledScalePrior in kinds and "scale" not in given and "family" not in given
    return from_mapping(PooledScalePrior if pooled else kinds[0], given)
