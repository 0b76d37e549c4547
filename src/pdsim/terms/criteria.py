"""Criteria that a facility may meet: ``top(change, 3)``, read from text and never evaluated."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.terms.estimands import estimands_of
from pdsim.terms.places import membership, places

_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_END: Final = re.compile(
    r"(?P<no>not\s+)?(?P<sign>top|bottom)\s*\(\s*(?P<score>.+?)\s*,\s*"
    rf"(?P<value>{_NUMBER})\s*(?P<share>%)?\s*\)"
)
_BOUND: Final = re.compile(
    rf"(?P<no>not\s+)?(?P<score>.+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<value>{_NUMBER})"
)
_SIGNS: Final = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
_CURE: Final = 'write it like "top(change, 3)", "not bottom(endline, 20 %)" or "change > 5"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion: a place at an end, or a bound, by one score.

    Attributes
    ----------
    text : str
        As it was written.
    score : str
        The score that it reads.
    sign : {"top", "bottom", ">", ">=", "<", "<="}
    value : float
        Facilities at the end, or the bound.
    share : bool
        Whether `value` is the percentage of facilities that make the end.
    negated : bool
    """

    text: str
    score: str
    sign: str
    value: float
    share: bool = False
    negated: bool = False

    @property
    def bounds(self) -> bool:
        """Whether it compares the score with a bound, rather than facilities with each other."""
        return self.sign in _SIGNS

    def count(self, facilities: int) -> int:
        """Return how many facilities make the end: a share is rounded, and at least 1.

        Raises
        ------
        InputError
            Unless some facilities are at the end and some are not.
        """
        m = share_of(self.value, facilities) if self.share else int(self.value)
        if not 1 <= m < facilities:
            rule = f"criterion {self.text!r} asks for {m} of {facilities} facilities"
            raise InputError(Problem(rule=rule, cure=f"ask for 1 to {facilities - 1}"))
        return m

    def met(self, values: Floats) -> Floats:
        """Return for values (..., facility) the share of lots by which each facility meets it.

        That is 0 or 1, but for an end at whose cut facilities tie.
        """
        if self.bounds:
            found = _SIGNS[self.sign](values, self.value).astype(float)
        else:
            turned = values if self.sign == "top" else -values
            found = membership(*places(turned), self.count(values.shape[-1]))
        return 1.0 - found if self.negated else found


def share_of(percent: float, facilities: int) -> int:
    """Return how many facilities a percentage of them is: rounded, at least one.

    Examples
    --------
    >>> share_of(20, 12), share_of(1, 12)
    (2, 1)
    """
    return max(1, int(percent * facilities / 100 + 0.5))


def check_score(name: str, known: Iterable[str], *, where: str) -> None:
    """Refuse a score that is not among the known; the message names the nearest.

    Raises
    ------
    InputError
    """
    names = list(known)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        cure = f"perhaps {near[0]!r} was meant" if near else f"use one of: {', '.join(names)}"
        raise InputError(Problem(rule=f"{where}: there is no score {name!r:.60}", cure=cure))


def parse_criterion(text: str, names: Iterable[str] | None = None) -> Criterion:
    """Read a criterion.

    Parameters
    ----------
    text : str
        ``top(score, m)`` or ``bottom(score, m)``, m a number of facilities or a share such as
        ``20 %``; or a score, ``>``, ``>=``, ``<`` or ``<=``, and a number. ``not`` in front denies
        it. Ends are those of scores where larger is better.
    names : iterable of str, optional
        The scores that there are; without them the name is taken as it is.

    Raises
    ------
    InputError
        If it is neither, or there is no such score; the message names the nearest.

    Examples
    --------
    >>> parse_criterion("not bottom(ratio, 20 %)", ["change", "ratio"]).count(12)
    2
    >>> parse_criterion("gan > 1", ["gain"])
    Traceback (most recent call last):
    pdsim.errors.InputError: criterion 'gan > 1': there is no score 'gan'; perhaps 'gain' was meant.
    """
    match = _END.fullmatch(text.strip()) or _BOUND.fullmatch(text.strip())
    if match is None:
        raise InputError(Problem(rule=f"{text!r:.80} is no criterion", cure=_CURE))
    part = match.groupdict()
    if names is not None:
        check_score(part["score"], names, where=f"criterion {text!r:.80}")
    value, share = float(part["value"]), part.get("share") is not None
    if part["sign"] not in _SIGNS and not (0 < value < 100 if share else value.is_integer()):
        raise InputError(Problem(rule=f"criterion {text!r:.80} names no end", cure=_CURE))
    return Criterion(
        text=text.strip(),
        score=part["score"],
        sign=part["sign"],
        value=value,
        share=share,
        negated=part["no"] is not None,
    )


def score_names(
    kind: str,
    periods: Sequence[str],
    indicators: Sequence[str],
    domains: Sequence[str],
    *,
    net: bool = True,
) -> list[str]:
    """Return the scores of a study that criteria can speak of.

    Every estimand, of the composite or, as in ``change[safety]``, of one domain or indicator; and
    the level in one period, ``level[baseline]``. `net` as in `pdsim.terms.estimands.estimands_of`.

    Examples
    --------
    >>> score_names("counts", ["baseline", "endline"], ["checklist"], ["safety"])[:3]
    ['change', 'change[checklist]', 'change[safety]']
    """
    parts = ["", *(f"[{name}]" for name in dict.fromkeys([*indicators, *domains]))]
    estimands = estimands_of(kind, len(periods), net=net)
    names = [f"{name}{part}" for name in estimands for part in parts]
    return [*names, *(f"level[{period}]" for period in periods if len(periods) > 1)]
