"""Kinds of data: counts of successes, and scores with their standard errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from pdsim.arraytypes import Bools, Floats
from pdsim.errors import InputError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of data.

    Attributes
    ----------
    name : str
    values : tuple of str
        The two variables of a study's data: the value, and its size or error.
    blank : tuple of float
        What they hold in a missing cell.
    missing : callable
        ``missing(value, size)`` says which cells are missing.
    level : callable
        ``level(value, size, lower)`` is the observed level, turned so that higher is better
        where `lower` holds; NaN in a missing cell.
    factor : float
        From a level, or a difference of levels, to the units in which it is reported.
    units : str
        Of a difference of levels.
    proportion : bool
        Whether levels lie between 0 and 1, so that logits and gaps have a meaning.
    """

    name: str
    values: tuple[str, str]
    blank: tuple[float, float]
    missing: Callable[[Floats, Floats], Bools]
    level: Callable[[Floats, Floats, Bools], Floats]
    factor: float
    units: str
    proportion: bool


def _share(successes: Floats, trials: Floats, lower: Bools) -> Floats:
    share = np.divide(successes, trials, out=np.full(np.shape(successes), np.nan), where=trials > 0)
    return np.where(lower, 1.0 - share, share)


COUNTS: Final = Kind(
    name="counts",
    values=("successes", "trials"),
    blank=(0.0, 0.0),
    missing=lambda successes, trials: np.asarray(trials == 0),
    level=_share,
    factor=100.0,
    units="pp",
    proportion=True,
)
SCORES: Final = Kind(
    name="scores",
    values=("mean", "se"),
    blank=(np.nan, np.nan),
    missing=lambda mean, se: np.isnan(mean),
    level=lambda mean, se, lower: np.where(lower, -mean, mean),
    factor=1.0,
    units="score",
    proportion=False,
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in (COUNTS, SCORES)})
"""The kinds by name."""


def kind_named(name: str) -> Kind:
    """Return the kind of this name.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> kind_named("counts").units
    'pp'
    """
    if name not in KINDS:
        rule = f"there is no kind of data {name!r:.60}"
        raise InputError(Problem(rule=rule, cure=f"use one of: {', '.join(KINDS)}"))
    return KINDS[name]
