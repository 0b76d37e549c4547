"""Priors of the model: frozen, serialisable, the same names in Python and in TOML."""

import math
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal

from pdsim.settings import FORBID_EXTRA

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
        Mean and standard deviation of mu, in logits.
    sd : float
        Standard deviation of an indicator around mu, in logits.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    mean: float = 0.0
    mean_sd: float = 1.5
    sd: float = 2.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean_sd >= 0 and self.sd > 0):
            raise ValueError("mean must be finite, mean_sd >= 0 and sd > 0")


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
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    family: ScaleFamily = "half_normal"
    scale: float = 1.0
    shape: float | None = None
    df: float | None = None

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

    ``alpha`` are baseline logits and ``beta`` changes in logits, one per indicator. ``sd_*`` and
    ``corr_*`` are the standard deviations and the baseline-change correlation of the effects at
    the levels facility, domain within facility, and indicator within facility.

    Examples
    --------
    >>> Priors().sd_change_facility
    ScalePrior(family='half_normal', scale=1.0, shape=None, df=None)
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    alpha: MeanPrior = MeanPrior()
    beta: MeanPrior = MeanPrior(sd=1.0)
    sd_baseline_facility: ScalePrior = ScalePrior(scale=1.0)
    sd_baseline_domain: ScalePrior = ScalePrior(scale=0.5)
    sd_baseline_indicator: ScalePrior = ScalePrior(scale=0.5)
    sd_change_facility: ScalePrior = ScalePrior(scale=1.0)
    sd_change_domain: ScalePrior = ScalePrior(scale=0.5)
    sd_change_indicator: ScalePrior = ScalePrior(scale=0.5)
    corr_facility: CorrelationPrior = CorrelationPrior()
    corr_domain: CorrelationPrior = CorrelationPrior()
    corr_indicator: CorrelationPrior = CorrelationPrior()

    def scaled(self, factor: float) -> "Priors":
        """Return the priors with every scale of every ``sd_*`` multiplied by `factor`."""
        scales = {f.name: getattr(self, f.name) for f in fields(self) if f.name.startswith("sd_")}
        return replace(
            self,
            **{
                name: replace(prior, scale=prior.scale * _factor(prior, factor))
                for name, prior in scales.items()
            },
        )


def _factor(prior: ScalePrior, factor: float) -> float:
    """Return the factor of a scale: a variance's is the square of its root's."""
    return factor**2 if prior.family == "inverse_gamma_variance" else factor
