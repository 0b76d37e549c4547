"""What a plan must reach: one performance measure, a direction and a value."""

import math
import re
from dataclasses import dataclass
from typing import Final

from pdsim.errors import InputError, Problem
from pdsim.planning.curve import Link
from pdsim.terms.measures import MEASURES, Measure

_FORM: Final = re.compile(
    r"\s*(?P<measure>[a-z_]+)\s*(?P<sign>>=|<=)\s*(?P<value>[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*"
)
_LINKS: Final[dict[str, Link]] = {"probability": "probit", "positive": "log", "real": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound that one performance measure must reach.

    Attributes
    ----------
    measure : str
        A name in ``pdsim.simulation.MEASURES``.
    at_least : bool
        True for ``>=``, False for ``<=``.
    value : float
    """

    measure: str
    at_least: bool
    value: float

    def __str__(self) -> str:
        """Return the text that `parse_target` reads."""
        return f"{self.measure} {'>=' if self.at_least else '<='} {self.value:g}"

    @property
    def record(self) -> Measure:
        """The measure."""
        return MEASURES[self.measure]

    @property
    def link(self) -> Link:
        """The scale on which the measure is close to a straight line in log n."""
        return _LINKS[self.record.scale]


def parse_target(text: str) -> Target:
    """Read a target such as ``pcs_top >= 0.8``; the text is compared, never evaluated.

    Parameters
    ----------
    text : str
        A performance measure, ``>=`` or ``<=``, and a number.

    Raises
    ------
    InputError
        If it has another form, the measure is unknown, the value is impossible, or the direction
        asks for a worse study.

    Examples
    --------
    >>> parse_target("regret_top <= 1.5")
    Target(measure='regret_top', at_least=False, value=1.5)
    """
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InputError(
            Problem(
                rule=f"target {text!r:.80} is not a measure, >= or <=, and a number",
                cure='write it like "pcs_top >= 0.8"',
            )
        )
    measure, value = match["measure"], float(match["value"])
    target = Target(measure=measure, at_least=match["sign"] == ">=", value=value)
    problem = _wrong_value(target) or _wrong_direction(target)
    if problem is not None:
        raise InputError(problem)
    return target


def _wrong_value(target: Target) -> Problem | None:
    if target.record.is_probability and not 0 < target.value < 1:
        return Problem(
            rule=f"target: {target.measure} is a probability, so its bound must lie between 0 and "
            f"1 exclusive, got {target.value:g}",
            cure="write 0.8 for 80 %",
        )
    if target.link == "log" and not target.value > 0:
        return Problem(rule=f"target: {target.measure} is positive, got {target.value:g}")
    if not math.isfinite(target.value):
        return Problem(rule="target: the value must be finite")
    return None


def _wrong_direction(target: Target) -> Problem | None:
    better = target.record.better
    if better == "middle" or target.at_least == (better == "larger"):
        return None
    sign = "<=" if better == "smaller" else ">="
    return Problem(
        rule=f"target {target}: {better} {target.measure} is better, so this asks for a worse "
        "study",
        cure=f"write {target.measure} {sign} {target.value:g}",
    )
