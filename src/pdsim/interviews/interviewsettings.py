"""Settings of interviews, as written in plan.toml."""

from dataclasses import dataclass
from typing import ClassVar

from pdsim.interviews.groups import BOUNDARY
from pdsim.settings import FORBID_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class InterviewSettings:
    """What is planned, and what is assumed of the themes.

    Attributes
    ----------
    name : str
    top, bottom : tuple of str
        Facilities of the two groups; by default those the results name.
    m_top, m_bottom : int, optional
        Sizes of the true ends; by default the groups', else the m of the results.
    informants : int
        Informants of one facility, over all rounds.
    prevalence_high, prevalence_low : float
        Share of informants who would voice a theme in a truly higher and a truly lower facility.
    sensitivity, specificity : float
        P(coded | voiced), P(not coded | not voiced).
    icc : float
        Correlation of two informants of one facility.
    heard_prevalence : float
        Share of informants who would voice a rare theme that must not be missed.
    heard_times : int
        How often it must be heard in each group.
    heard_probability : float
        With what probability.
    rounds : tuple of int
        Months of the rounds.
    blind_rounds : int
        Rounds held before anybody knows who is high and who is low.
    budget : float, optional
        For all interviews and visits; without costs, a number of interviews.
    cost_interview, cost_visit : float
        Of an interview, and of going to one facility in one round.
    boundary : float
        See `pdsim.interviews.roles`.

    Examples
    --------
    >>> InterviewSettings(informants=8).rounds
    (1,)
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    name: str = ""
    top: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    m_top: int | None = None
    m_bottom: int | None = None
    informants: int = 12
    prevalence_high: float = 0.7
    prevalence_low: float = 0.3
    sensitivity: float = 1.0
    specificity: float = 1.0
    icc: float = 0.1
    heard_prevalence: float = 0.1
    heard_times: int = 2
    heard_probability: float = 0.8
    rounds: tuple[int, ...] = (1,)
    blind_rounds: int = 0
    budget: float | None = None
    cost_interview: float = 1.0
    cost_visit: float = 0.0
    boundary: float = BOUNDARY

    def __post_init__(self) -> None:
        problems = [
            f"{name} must lie between 0 and 1, got {getattr(self, name):g}"
            for name in (
                "prevalence_high", "prevalence_low", "sensitivity", "specificity", "icc",
                "boundary",
            )
            if not 0.0 <= getattr(self, name) <= 1.0
        ]  # fmt: skip
        problems += [
            f"{name} must lie between 0 and 1, ends excluded, got {getattr(self, name):g}"
            for name in ("heard_prevalence", "heard_probability")
            if not 0.0 < getattr(self, name) < 1.0
        ]
        problems += [
            f"{name} must be 1 or more, got {value}"
            for name, value in (
                ("informants", self.informants), ("heard_times", self.heard_times),
                ("m_top", self.m_top), ("m_bottom", self.m_bottom),
            )
            if value is not None and value < 1
        ]  # fmt: skip
        if self.sensitivity + self.specificity <= 1.0:
            problems.append("sensitivity + specificity must exceed 1: the codes would say nothing")
        if not self.rounds or sorted(set(self.rounds)) != list(self.rounds):
            problems.append(f"rounds must be different months in order, got {list(self.rounds)}")
        if not 0 <= self.blind_rounds <= len(self.rounds):
            problems.append(f"blind_rounds must be 0 to {len(self.rounds)}")
        if min(self.cost_interview, self.cost_visit) < 0 or self.cost_interview == 0:
            problems.append("cost_interview must be above 0 and cost_visit 0 or more")
        if self.budget is not None and not self.budget > 0:
            problems.append(f"budget must be above 0, got {self.budget:g}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def voiced(self) -> float:
        """Share of informants coded with a theme, over both groups."""
        middle = 0.5 * (self.prevalence_high + self.prevalence_low)
        return middle * self.sensitivity + (1.0 - middle) * (1.0 - self.specificity)

    @property
    def expected(self) -> float:
        """Contrast that certain groups would show in the codes."""
        youden = self.sensitivity + self.specificity - 1.0
        return (self.prevalence_high - self.prevalence_low) * youden
