"""The disagreement of selection rules as sentences, every number taken from its Dataset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.ranking.selection import FLIP_ERRORS
from pdsim.terms.rules import RULES

_NOT_COMPARED: Final = ("set", "whole", "rank")
"""Units of criteria that put no facility ahead of another, and of the expected rank."""

_MOST_PAIRS = 6
"""Pairs of facilities of which sentences are made; the number of others is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Criterion:
    """A criterion by which a facility may be ahead of another on the side looked at."""

    words: str
    value: Floats
    error: Floats
    sign: float

    def lead(self, i: int, j: int) -> int:
        """Return 1 if i leads by more than Monte Carlo error, -1 if j does, else 0."""
        gap = self.sign * (self.value[i] - self.value[j])
        error = FLIP_ERRORS * float(np.hypot(self.error[i], self.error[j]))
        return int(gap > error) - int(gap < -error)

    def against(self, i: int, j: int) -> str:
        """Say by how much i leads."""
        return f"{self.words} ({self.value[i]:.2f} against {self.value[j]:.2f})"


def disagreement_words(found: xr.Dataset) -> tuple[str, ...]:
    """Return sentences on which rules select whom, where they differ, and why.

    Parameters
    ----------
    found : Dataset
        From `disagreement`.

    Returns
    -------
    tuple of str
        Plain text; names of facilities are as in the data and must be escaped where the
        text goes into markup.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from pdsim.ranking.contrast import disagreement
    >>> values = np.random.default_rng(1).normal([9.0, 0.0, 5.0], 1.0, (1000, 3))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": ["A", "B", "C"]})
    >>> disagreement_words(disagreement(score, m=2, rules=["p_top", "expected_rank"]))
    ('Both rules select A and C as the best 2.',)
    """
    return (*_selections(found), *_ties(found), *_pairs(found), *_flips(found))


def _selections(found: xr.Dataset) -> list[str]:
    """Say who is selected by which rules."""
    what, number = _side(found), found.sizes["rule"]
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, chosen in _named(found, "selected"):
        groups.setdefault(tuple(chosen), []).append(label)
    if len(groups) == 1 and number > 1:
        every = "Both rules" if number == 2 else f"All {number} rules"
        return [f"{every} select {_whom(next(iter(groups)))} as {what}."]
    sentences = []
    for names, rules in sorted(groups.items(), key=lambda item: -len(item[1])):
        verb = "select" if len(rules) > 1 else "selects"
        sentences.append(f"{_capital(_list(rules))} {verb} {_whom(names)} as {what}.")
    return sentences


def _named(found: xr.Dataset, flags: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every rule with the facilities that it flags."""
    names = [str(name) for name in found["facility"].values]
    for label, row in zip(found["label"].values, found[flags].values, strict=True):
        yield str(label), [name for name, flag in zip(names, row, strict=True) if flag]


def _ties(found: xr.Dataset) -> list[str]:
    settled = " (settled by lot)" if found.attrs["ties"] == "lots" else ""
    return [
        f"By {label}, {_list(tied)} tie at the cut{settled}."
        for label, tied in _named(found, "tied")
        if tied
    ]


def _pairs(found: xr.Dataset) -> list[str]:
    """Say of which pairs the criteria disagree who is ahead, and why they can."""
    names = [str(name) for name in found["facility"].values]
    criteria = _criteria(found)
    contenders = np.flatnonzero(found["votes"].values > 0)
    spread = found["rank_sd"].values
    described = []
    for i, j in combinations(contenders.tolist(), 2):
        leads = [criterion.lead(i, j) for criterion in criteria]
        if not (1 in leads and -1 in leads):
            continue
        # the facility ahead by expected rank (the first criterion that decides) comes first
        first = next(lead for lead in leads if lead)
        a, b = (i, j) if first == 1 else (j, i)
        ahead = [c.against(a, b) for c, lead in zip(criteria, leads, strict=True) if lead == first]
        back = [c.against(b, a) for c, lead in zip(criteria, leads, strict=True) if lead == -first]
        wider = a if spread[a] > spread[b] else b
        other = b if wider == a else a
        described.append(
            f"{names[a]} has {_list(ahead)}, {names[b]} {_list(back)}; the rank of "
            f"{names[wider]} is the less certain (standard deviation {spread[wider]:.2f} "
            f"against {spread[other]:.2f})."
        )
    left = len(described) - _MOST_PAIRS
    if left > 0:
        more = "one more pair" if left == 1 else f"{left} more pairs"
        return [*described[:_MOST_PAIRS], f"Criteria disagree on {more} of facilities."]
    return described


def _criteria(found: xr.Dataset) -> list[_Criterion]:
    """Return the criteria of the rules, expected rank first, and P(first)."""
    side, m = found.attrs["side"], found.attrs["m"]
    top = side == "top"
    end = "best" if top else "worst"
    result = [
        _Criterion(
            words=RULES["expected_rank"].words(side, m),
            value=found["expected_rank"].values,
            error=found["expected_rank_mcse"].values,
            sign=-1.0 if top else 1.0,
        ),
        _Criterion(
            words=f"the higher P({end})",
            value=found["first_probability"].values,
            error=found["first_probability_mcse"].values,
            sign=1.0,
        ),
    ]
    for name in found["rule"].values:
        rule = RULES[str(name)]
        # the expected rank is there already, and P(best 1) is P(best)
        if rule.unit in _NOT_COMPARED or (rule.unit == "probability" and m == 1):
            continue
        part = found.sel(rule=name)
        result.append(
            _Criterion(
                words=rule.words(side, m),
                value=part["criterion"].values,
                error=part["criterion_mcse"].values,
                sign=-1.0 if bool(part["smaller_is_better"]) else 1.0,
            )
        )
    return result


def _flips(found: xr.Dataset) -> list[str]:
    """Say what another seed could change."""
    return [
        f"By {label}, another seed could change the place of {_list(which)} at the cut."
        for label, which in _named(found, "could_flip")
        if which
    ]


def _side(found: xr.Dataset) -> str:
    end = "best" if found.attrs["side"] == "top" else "worst"
    return f"the {end}" if found.attrs["m"] == 1 else f"the {end} {found.attrs['m']}"


def _whom(chosen: Sequence[str]) -> str:
    return _list(chosen) if chosen else "nobody for sure"


def _list(items: Sequence[str]) -> str:
    """Return "A", "A and B" or "A, B and C"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
