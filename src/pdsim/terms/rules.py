"""Rules by which m facilities are chosen: how each orders them, and how it is said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.conventions import Side
from pdsim.terms.evidence import POSTERIOR, Evidence, Needs
from pdsim.terms.places import (
    TIE,
    mean_places,
    mean_rank,
    membership,
    places,
    seen_sets,
    share_of_first,
)
from pdsim.terms.registry import Registry
from pdsim.terms.stepdown import rank_bounds

type Loss = Literal["regret", "rank_regret", "misses", "not_exact", "omission"]
type Unit = Literal["probability", "rank", "whole", "ratio", "value", "set"]
type ReadAs = Literal["share", "score", "rank"]
type StatedEstimates = tuple[Floats, Floats, Floats]
type Merit = Callable[[Evidence, int], Floats]

LOSSES: Final = {
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
    needs : str
        What `merit` reads of `pdsim.Evidence`: ``draws``, ``ranks`` or ``mean`` of a posterior, or
        of observed values ``change`` (of each indicator), ``estimate``, ``variance`` (and
        estimate) or ``covariance`` (and estimate).
    merit : callable or None
        ``merit(evidence, m)`` returns (batch, facility): the m facilities with the most are
        chosen. For the bottom it is given the evidence with changed signs.
    reads : {"share", "score", "rank"}
        How the criterion that is printed follows from the merit: ``share``, as it is; ``score``,
        with its sign changed back for the bottom; ``rank``, minus it, counted from the top.
    series : callable or None
        ``series(scores, m)`` for scores (..., facility), where the merit is its mean over draws:
        the Monte Carlo error is taken from it. Without it, draws are left out in turn.
    mirrored : bool
        Whether the merit for the bottom is minus that for the top, but for a constant.
    states : callable or None
        ``states(evidence)`` returns estimate, middle of its interval and variance
        (batch, facility), for rules on observed values that state them; without `merit`, the
        estimate is the merit.
    tests : bool
        Whether facilities are flagged by a test of what it states.
    seeded : bool
        Whether the merit rests on random numbers (`Evidence.seeds`).
    ahead, behind : str
        What who is nearer to the top by it has, and who is nearer to the bottom, with ``{m}``
        filled in; else "the higher" and "the lower" of the label.
    loss : str
        The loss (a key of `LOSSES`) whose expectation the rule makes small, or empty.
    under : str
        What the expectation is taken under.
    unit : str
        How the criterion is written: ``probability``, ``rank``, ``whole``, ``ratio``, ``value`` in
        units of the score, or ``set`` where it is no property of one facility.
    title : str
        What a column of it is headed, with ``{side}`` and ``{m}`` filled in; else the label.

    Examples
    --------
    >>> rule = Rule(
    ...     name="lower_90",
    ...     label="lower 90 % bound",
    ...     needs="draws",
    ...     merit=lambda found, m: np.quantile(found.draws, 0.1, axis=1),
    ... )
    >>> rule.needs_posterior
    True
    """

    name: str
    label: str
    needs: Needs
    merit: Merit | None = None
    reads: ReadAs = "score"
    series: Callable[[Floats, int], Floats] | None = None
    mirrored: bool = False
    states: Callable[[Evidence], StatedEstimates] | None = None
    tests: bool = False
    seeded: bool = False
    ahead: str = ""
    behind: str = ""
    loss: Loss | Literal[""] = ""
    under: str = ""
    unit: Unit = "value"
    title: str = ""

    @property
    def needs_posterior(self) -> bool:
        """Whether the rule reads a posterior rather than observed values."""
        return self.needs in POSTERIOR

    def order(self, found: Evidence, m: int) -> Floats:
        """Return the merits (batch, facility)."""
        if self.merit is not None:
            return self.merit(found, m)
        assert self.states is not None
        return self.states(found)[0]

    def decide(self, found: Evidence, m: int) -> tuple[Floats, Floats, StatedEstimates]:
        """Return merits for the top and for the bottom, and what is stated (NaN if nothing)."""
        shape = found.mean.shape if self.needs_posterior else found.estimate.shape
        nothing = np.full(shape, np.nan)
        stated = (nothing, nothing, nothing) if self.states is None else self.states(found)
        top = stated[0] if self.merit is None else self.merit(found, m)
        bottom = -top if self.mirrored else self.order(found.turn(), m)
        return top, bottom, stated

    def smaller_is_better(self, side: Side) -> bool:
        """Whether the facilities with the smaller criterion are chosen on that side."""
        return self.reads != "share" and (self.reads == "rank") == (side == "top")

    def criterion(self, merit: Floats, side: Side) -> Floats:
        """Return the criterion that is printed, from the merit of that side."""
        return _READINGS[self.reads](merit, side)

    def heading(self, side: Side, m: int) -> str:
        """Return what a column of the criterion is headed."""
        return self.title.format(side=side, m=m) or self.label

    def words(self, side: Side, m: int) -> str:
        """Say what a facility nearer to that side has: "the higher posterior mean"."""
        if side == "top":
            return self.ahead.format(m=m) or f"the higher {self.label}"
        return self.behind.format(m=m) or f"the lower {self.label}"


def _rank_from_top(merit: Floats, side: Side) -> Floats:
    return -merit if side == "top" else merit.shape[-1] + 1.0 + merit


_READINGS: Final[dict[ReadAs, Callable[[Floats, Side], Floats]]] = {
    "share": lambda merit, side: merit,
    "score": lambda merit, side: merit if side == "top" else -merit,
    "rank": _rank_from_top,
}


def z_score(found: Evidence, m: int = 0) -> Floats:
    """Return the weighted mean over indicators of changes standardised over facilities.

    An indicator that changed alike everywhere says nothing about the order and counts 0.

    References
    ----------
    OECD and JRC (2008), Handbook on Constructing Composite Indicators, doi
    10.1787/9789264043466-en, section 5; O'Brien (1984), doi 10.2307/2531158.
    """
    from pdsim.terms.loops import standardised_means

    score = np.empty(found.change.shape[:2])
    standardised_means(found.change, found.weights, score)
    return score


def shrink(found: Evidence) -> tuple[Floats, Floats, Floats]:
    """Return empirical Bayes means and variances, and the variance of the truths (batch,).

    The truths are taken as normal around one mean.

    References
    ----------
    Paule and Mandel (1982), doi 10.6028/jres.087.022, for the variance of the truths, which
    Veroniki et al. (2016), doi 10.1002/jrsm.1164, recommend; DerSimonian and Kacker (2007), doi
    10.1016/j.cct.2006.04.004, for its computation; Morris (1983), doi
    10.1080/01621459.1983.10477920, for the variance of the means, to first order.
    """
    from pdsim.terms.loops import shrunken_means

    mean, variance = np.empty((2, *found.estimate.shape))
    between = np.empty(len(found.estimate))
    shrunken_means(found.estimate, found.variance, between, mean, variance)
    return mean, variance, between


def _state_shrunken(found: Evidence) -> StatedEstimates:
    mean, variance, _ = shrink(found)
    return mean, mean, variance


def _likeliest_set(found: Evidence, m: int) -> Floats:
    """Return P(the likeliest set with the facility), and 1 more for a member of the likeliest.

    Where several sets are the likeliest, the share of them that it belongs to.
    """
    merit = np.empty((len(found.draws), found.draws.shape[-1]))
    for row, draws in enumerate(found.draws):
        members, _, code, share = seen_sets(draws, m)
        probability = np.bincount(code, share, len(members)) / len(draws)
        member = np.zeros((len(members), draws.shape[-1]), dtype=bool)
        np.put_along_axis(member, members, True, axis=1)
        best = member[probability >= (1.0 - TIE) * probability.max()]
        merit[row] = (member * probability[:, np.newaxis]).max(axis=0) + best.mean(axis=0)
    return merit


def _bound_of_rank(found: Evidence, m: int) -> Floats:
    """Return minus the best rank that a facility may have; the set holds those with -m or more."""
    merit = np.empty(found.estimate.shape)
    for row, estimate in enumerate(found.estimate):
        given = found.covariance.size > 0
        matrix = found.covariance[row] if given else np.diag(found.variance[row])
        seed = found.seeds[row]
        merit[row] = -rank_bounds(estimate, matrix, seed=seed, turned=found.turned)[0]
    return merit


RULES: Final = Registry(
    "selection rule",
    (
        Rule(
            name="p_top",
            label="P(in the set of m)",
            needs="ranks",
            merit=lambda found, m: share_of_first(found.ranks, m),
            series=lambda scores, m: membership(*places(scores), m),
            reads="share",
            loss="misses",
            under="the posterior",
            unit="probability",
            title="P({side} {m})",
            ahead="the higher P(best {m})",
            behind="the higher P(worst {m})",
        ),
        Rule(
            name="expected_rank",
            label="expected rank",
            needs="ranks",
            merit=lambda found, m: -mean_rank(found.ranks),
            mirrored=True,
            series=lambda scores, m: -mean_places(*places(scores)),
            reads="rank",
            ahead="the better expected rank",
            behind="the worse expected rank",
            loss="rank_regret",
            under="the posterior",
            unit="rank",
        ),
        Rule(
            name="posterior_mean",
            label="posterior mean",
            needs="mean",
            merit=lambda found, m: found.mean,
            mirrored=True,
            series=lambda scores, m: scores,
            loss="regret",
            under="the posterior",
        ),
        Rule(
            name="p_set",
            label="the likeliest exact set",
            needs="draws",
            merit=_likeliest_set,
            reads="share",
            loss="not_exact",
            under="the posterior",
            unit="set",
        ),
        Rule(
            name="observed_change",
            label="observed change",
            needs="estimate",
            states=lambda found: (found.estimate, found.centre, found.variance),
            mirrored=True,
            tests=True,
            ahead="the larger observed change",
            behind="the smaller observed change",
            loss="regret",
            under="a flat prior",
        ),
        Rule(
            name="z_score",
            label="mean of indicator z-scores",
            needs="change",
            merit=z_score,
            mirrored=True,
            ahead="the higher mean z-score",
            behind="the lower mean z-score",
            loss="regret",
            under="a flat prior, in standard deviations of each indicator",
            unit="ratio",
        ),
        Rule(
            name="shrunken_mean",
            label="shrunken estimate",
            needs="variance",
            states=_state_shrunken,
            mirrored=True,
            loss="regret",
            under="normal truths around one mean (empirical Bayes)",
        ),
        Rule(
            name="confidence_set",
            label="confidence set of ranks",
            needs="covariance",
            merit=_bound_of_rank,
            seeded=True,
            reads="rank",
            loss="omission",
            under="repeated studies (at most 1 - coverage of them)",
            unit="whole",
        ),
    ),
)
"""All selection rules by name."""


def register_rule(
    name: str,
    merit: Merit,
    *,
    label: str,
    needs: Needs = "draws",
    reads: ReadAs = "score",
    unit: Unit = "value",
) -> Rule:
    """Make a selection rule of one's own known to `select`, reports, sweeps and plans.

    Parameters
    ----------
    name : str
        In settings and tables: small letters, digits and underscores.
    merit : callable
        ``merit(evidence, m)`` returns (batch, facility): the m facilities with the most are
        chosen. For the bottom it is given the evidence with changed signs.
    label : str
        In words, to stand behind "chosen by".
    needs, reads, unit : str
        What `merit` reads, and how it is printed; see `Rule`.

    Returns
    -------
    Rule
        The record. Keys of sweeps hold a hash of the source of `merit`.

    Raises
    ------
    InputError
        If the name is taken or no plain name, or `merit` has no source.

    Examples
    --------
    >>> import numpy as np
    >>> def lower_bound(found, m):
    ...     return np.quantile(found.draws, 0.1, axis=1)
    >>> rule = register_rule("lower_90", lower_bound, label="lower 90 % bound")
    >>> rule.needs_posterior
    True
    >>> RULES.unregister("lower_90")
    """
    return RULES.register(
        Rule(name=name, label=label, needs=needs, merit=merit, reads=reads, unit=unit)
    )
