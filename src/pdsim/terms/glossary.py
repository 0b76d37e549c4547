"""Every name that settings know and what it means, from the records: for pages and terminals."""

from collections.abc import Callable
from typing import Any, Final

from pdsim.errors import InputError, Problem
from pdsim.terms.estimands import ESTIMANDS, Estimand
from pdsim.terms.measures import MEASURES, Measure
from pdsim.terms.registry import Registry
from pdsim.terms.rules import LOSSES, RULES, Rule
from pdsim.terms.scales import AGGREGATIONS, SCALES

type Row = tuple[str, str, str]


def _estimand(term: Estimand) -> Row:
    what = term.wording.measured
    return term.name, f"{what}: {term.symbols}" if term.symbols else what, term.beware


def _rule(term: Rule) -> Row:
    loss = f"{LOSSES[term.loss]}, under {term.under}" if term.loss else ""
    return term.name, term.label, loss


def _measure(term: Measure) -> Row:
    better = {"larger": "larger", "smaller": "smaller", "middle": "neither"}[term.better]
    return term.name, term.words, better


def _scale(term: Any) -> Row:
    return term.name, term.label, "own units are lost" if not getattr(term, "natural", True) else ""


_SORTS: Final[dict[str, tuple[Registry[Any], Row, Callable[[Any], Row]]]] = {
    "estimands": (ESTIMANDS, ("Name", "What facilities are ranked on", "Beware"), _estimand),
    "rules": (RULES, ("Rule", "Chooses by", "Makes small"), _rule),
    "measures": (MEASURES, ("Measure", "The", "Better"), _measure),
    "normalisations": (SCALES, ("Name", "Indicators are taken as", "Beware"), _scale),
    "aggregations": (AGGREGATIONS, ("Name", "Indicators are joined by their", ""), _scale),
}
SORTS: Final = tuple(_SORTS)
"""What `glossary` can list."""


def glossary(sort: str) -> tuple[Row, list[Row]]:
    """Return headers and a row for each name of a sort, those that a user registered at the end.

    Parameters
    ----------
    sort : {"estimands", "rules", "measures", "normalisations", "aggregations"}

    Raises
    ------
    InputError
        If there is no such sort.

    Examples
    --------
    >>> headers, rows = glossary("estimands")
    >>> rows[0][0], rows[0][1].partition(":")[0]
    ('change', 'the difference of the composite between endline and baseline')
    """
    if sort not in _SORTS:
        rule = f"there are no names of {sort!r:.60}"
        raise InputError(Problem(rule=rule, cure=f"use one of: {', '.join(_SORTS)}"))
    terms, headers, row = _SORTS[sort]
    return headers, [row(term) for term in terms.values()]
