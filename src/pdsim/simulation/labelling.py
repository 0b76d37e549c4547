"""What the facilities, indicators, domains and periods of simulated studies are called."""

from pdsim.conventions import PERIODS
from pdsim.terms.criteria import score_names


def numbered(word: str, count: int) -> list[str]:
    """Return as many names as asked for, in their order.

    Examples
    --------
    >>> numbered("indicator", 14)[8:10]
    ['indicator 09', 'indicator 10']
    """
    width = len(str(count))
    return [f"{word} {i:0{width}d}" for i in range(1, count + 1)]


def period_names(kind: str) -> list[str]:
    """Return the periods of a study of counts, or of normal data, which have one."""
    return list(PERIODS if kind == "counts" else PERIODS[1:])


def simulated_scores(indicators: int, domains: int) -> list[str]:
    """Return the scores of simulated counts that criteria can speak of; all are true of a facility.

    Examples
    --------
    >>> simulated_scores(1, 1)[:3]
    ['change', 'change[indicator 1]', 'change[domain 1]']
    """
    named = numbered("indicator", indicators), numbered("domain", domains)
    return score_names("counts", period_names("counts"), *named, net=False)
