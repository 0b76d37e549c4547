"""Rules by which m facilities are chosen, and what each of them minimises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.errors import InputError, Problem
from pdsim.ranking.places import mean_places, membership, places

type Loss = Literal["regret", "rank_regret", "misses", "not_exact", "omission"]

LOSSES = {
    "regret": "mean score given up against the true best m",
    "rank_regret": "mean true rank of the chosen above that of the true best m",
    "misses": "share of the chosen that are not among the true m",
    "not_exact": "1 unless exactly the true m are chosen",
    "omission": "1 if one of the true m is left out",
}
"""What a choice may cost, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to choose m facilities.

    Attributes
    ----------
    name : str
    label : str
        In words, to stand behind "chosen by".
    loss : str
        The loss (a key of `LOSSES`) whose expectation the rule makes small.
    under : str
        What the expectation is taken under.
    needs : str
        ``draws`` of the score, or what the rule reads from `observed`: ``estimate``, ``se``,
        ``covariance``, ``indicator_change``.
    smaller : bool
        Whether a smaller criterion is better at the top.
    series : callable or None
        For rules that average something over draws: merit (..., facility) of each draw at the
        top, larger is better, from scores (..., facility) and m.
    """

    name: str
    label: str
    loss: Loss
    under: str
    needs: Literal["draws", "estimate", "se", "covariance", "indicator_change"]
    smaller: bool = False
    series: Callable[[Floats, int], Floats] | None = None

    def smaller_is_better(self, side: Side) -> bool:
        """Whether the facilities with the smaller criterion are chosen on that side."""
        always_larger = self.name in ("p_top", "p_set")
        return not always_larger and self.smaller == (side == "top")


def _score(values: Floats, m: int) -> Floats:
    return values


def _rank(values: Floats, m: int) -> Floats:
    return -mean_places(*places(values))


def _member(values: Floats, m: int) -> Floats:
    return membership(*places(values), m)


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            name="p_top",
            label="P(in the set of m)",
            loss="misses",
            under="the posterior",
            needs="draws",
            series=_member,
        ),
        Rule(
            name="expected_rank",
            label="expected rank",
            loss="rank_regret",
            under="the posterior",
            needs="draws",
            smaller=True,
            series=_rank,
        ),
        Rule(
            name="posterior_mean",
            label="posterior mean",
            loss="regret",
            under="the posterior",
            needs="draws",
            series=_score,
        ),
        Rule(
            name="p_set",
            label="the likeliest exact set",
            loss="not_exact",
            under="the posterior",
            needs="draws",
        ),
        Rule(
            name="observed_change",
            label="observed change",
            loss="regret",
            under="a flat prior",
            needs="estimate",
        ),
        Rule(
            name="z_score",
            label="mean of indicator z-scores",
            loss="regret",
            under="a flat prior, in standard deviations of each indicator",
            needs="indicator_change",
        ),
        Rule(
            name="shrunken_mean",
            label="shrunken estimate",
            loss="regret",
            under="normal truths around one mean (empirical Bayes)",
            needs="se",
        ),
        Rule(
            name="confidence_set",
            label="confidence set of ranks",
            smaller=True,
            loss="omission",
            under="repeated studies (at most 1 - coverage of them)",
            needs="covariance",
        ),
    )
}
"""All selection rules by name."""


def rule_of(name: str) -> Rule:
    """Return the rule of that name, or raise InputError."""
    if name not in RULES:
        raise InputError(
            Problem(
                rule=f"there is no selection rule {name!r}", cure=f"use one of: {', '.join(RULES)}"
            )
        )
    return RULES[name]
