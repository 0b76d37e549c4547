"""Settings of a contrast of themes, as written in contrast.toml."""

from dataclasses import dataclass
from typing import ClassVar

from pdsim.interviews.conditions import Combination
from pdsim.settings import FORBID_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastSettings:
    """Which groups are compared, and what is known of the coding.

    Attributes
    ----------
    name : str
    top, bottom : tuple of str
        Facilities of the two groups; by default those with the highest probabilities.
    m_top, m_bottom : int, optional
        Sizes of the true ends; by default the groups', else the m of the results.
    sensitivity, specificity : float, optional
        P(coded | voiced) and P(not coded | not voiced), where both are known: the contrast is
        then also given without the coders' error.
    combinations : tuple of Combination
        Stated before the codes were seen.
    threshold : float
        Share of a facility's informants from which on it has a theme, for combinations.
    bootstrap : int
        Samples of informants behind the interval of the agreement of coders.
    seed : int

    Examples
    --------
    >>> ContrastSettings(sensitivity=0.9, specificity=0.95).youden
    0.85
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    name: str = ""
    top: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    m_top: int | None = None
    m_bottom: int | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    combinations: tuple[Combination, ...] = ()
    threshold: float = 0.5
    bootstrap: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        problems = []
        if (self.sensitivity is None) != (self.specificity is None):
            problems.append("state both sensitivity and specificity, or neither")
        for name in ("sensitivity", "specificity"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value <= 1.0:
                problems.append(f"{name} must lie above 0 and be at most 1, got {value:g}")
        if not problems and self.youden <= 0.0:
            problems.append("sensitivity + specificity must exceed 1: the codes would say nothing")
        if not 0.0 < self.threshold <= 1.0:
            problems.append(f"threshold must lie above 0 and be at most 1, got {self.threshold:g}")
        if self.bootstrap < 100:
            problems.append(f"bootstrap must be 100 or more, got {self.bootstrap}")
        if self.seed < 0:
            problems.append(f"seed must be 0 or more, got {self.seed}")
        for name in ("m_top", "m_bottom"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} must be 1 or more, got {value}")
        names = [one.name for one in self.combinations]
        if len(set(names)) < len(names):
            problems.append("two combinations bear one name")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1; 1 where they are not stated."""
        if self.sensitivity is None or self.specificity is None:
            return 1.0
        return round(self.sensitivity + self.specificity - 1.0, 12)
