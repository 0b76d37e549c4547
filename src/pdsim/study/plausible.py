"""`Robustness`: what is plausible beside the analysis itself, once for every conclusion on it."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from pdsim.settings import FORBID_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What is plausible beside the analysis itself; the table ``[robustness]`` of a study.toml.

    What a report says would change the choice, or would not, rests on these alone.

    Attributes
    ----------
    weight_share : float
        Share of all weight that may be meant otherwise, above 0 to 1: nearer weights that change
        a name count as plausible.
    weight_sd : float
        Standard deviation of every weight relative to itself, where weights are drawn around
        those of the study.
    weights : dict of name to dict of indicator to float
        Other weights that somebody holds right, such as ``[robustness.weights.surgeons]``; an
        indicator that is not named has none.
    scales : tuple of str or None
        Scales on which indicators may be put before they are weighted (``z``, ``min_max``,
        ``rank``, ``logit``); default: every one that the data have.
    left_out : tuple of str or None
        Indicators that may be left out, one at a time; default: any.
    prior_factors : tuple of float
        By which the scales of all priors of spreads may be multiplied.
    design_effects : tuple of float
        Design effects that may hold where the study knows none.
    design_factors : tuple of float
        By which a stated design effect may be multiplied.
    case_correlations : tuple of float
        Correlations within cases that may hold where the study knows none.

    Examples
    --------
    >>> Robustness(weight_share=0.2).prior_factors
    (0.5, 2.0)
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    weight_share: float = 0.1
    weight_sd: float = 0.3
    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    scales: tuple[str, ...] | None = None
    left_out: tuple[str, ...] | None = None
    prior_factors: tuple[float, ...] = (0.5, 2.0)
    design_effects: tuple[float, ...] = (1.0, 2.0, 3.0)
    design_factors: tuple[float, ...] = (1.5, 2.0)
    case_correlations: tuple[float, ...] = (0.0, 0.1, 0.3)

    def __post_init__(self) -> None:
        wrong = []
        if not 0.0 < self.weight_share <= 1.0:
            wrong.append(f"weight_share must be above 0 and at most 1, got {self.weight_share:g}")
        if not (self.weight_sd > 0.0 and math.isfinite(self.weight_sd)):
            wrong.append(f"weight_sd must be above 0, got {self.weight_sd:g}")
        if not all(0.01 <= factor <= 100.0 for factor in self.prior_factors):
            wrong.append("prior_factors must be 0.01 to 100")
        for name in ("design_effects", "design_factors"):
            if not all(1.0 <= factor <= 100.0 for factor in getattr(self, name)):
                wrong.append(f"{name} must be 1 to 100")
        if not all(0.0 <= r <= 0.9 for r in self.case_correlations):
            wrong.append("case_correlations must be 0 to 0.9")
        for name, weights in self.weights.items():
            values = weights.values()
            if not (all(w >= 0.0 and math.isfinite(w) for w in values) and sum(values) > 0.0):
                wrong.append(f"weights.{name}: must be 0 or more, and not all 0")
        if wrong:
            raise ValueError("; ".join(wrong))
