"""How the sampling errors of the scores of one facility hang together, as a study states it."""

from dataclasses import dataclass
from typing import ClassVar

from pdsim.settings import FORBID_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCorrelation:
    """Correlations of the sampling errors of scores; the table ``[error_correlation]``.

    Attributes
    ----------
    periods : float
        Of the baseline and the endline of one indicator, above -1 and below 1, as where the same
        people were asked twice. A column ``correlation`` says it for each facility and indicator.
    indicators : tuple of (str, str, float)
        Of two indicators in one period, as where one person answered both, such as
        ``[["reading", "maths", 0.4]]``; pairs that are not named do not correlate.

    Examples
    --------
    >>> ErrorCorrelation(periods=0.5).indicators
    ()
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    periods: float = 0.0
    indicators: tuple[tuple[str, str, float], ...] = ()

    def __post_init__(self) -> None:
        if not -1.0 < self.periods < 1.0:
            raise ValueError(f"periods must lie between -1 and 1, got {self.periods!r}")
        seen: set[frozenset[str]] = set()
        for first, second, value in self.indicators:
            pair = f"{first!r:.60} and {second!r:.60}"
            if not -1.0 < value < 1.0:
                raise ValueError(
                    f"the correlation of {pair} must lie between -1 and 1, got {value!r}"
                )
            if first == second:
                raise ValueError(f"{first!r:.60} is paired with itself; name two indicators")
            if frozenset((first, second)) in seen:
                raise ValueError(f"the pair {pair} is stated twice; keep one of the two")
            seen.add(frozenset((first, second)))
