"""Estimands: what facilities are ranked on, each a function of the composite at two times.

P_it = sum_k w_k p_ikt is the composite of facility i, levels turned so that higher is better, and p
without the shock shared by the indicators of one case. The estimands that are not linear act on the
composite; they are never averaged over indicators.

Two need a control arm, and say what a facility did beyond controls if, without the programme, both
arms would have changed alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.terms.kinds import kind_named
from pdsim.terms.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What an estimand is called.

    Attributes
    ----------
    noun : str
        The quantity: "improvement".
    column : str
        As a table header or the axis of a figure, without unit.
    top, bottom : str
        Behind a number of facilities: "most improved".
    best, worst : str
        Of one facility: "improved most".
    more : str
        In comparisons: "improved more than".
    measured : str
        Behind "facilities were compared by".
    true : str
        Behind "true", in a plan.
    """

    noun: str
    column: str
    top: str
    bottom: str
    best: str
    worst: str
    more: str
    measured: str
    true: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimand:
    """What facilities are ranked on.

    Attributes
    ----------
    name : str
    formula : callable
        ``formula(first, last)`` of arrays of composites at baseline and endline, element by
        element; at one period both are the same. Composites are shares (0 to 1) of counts, and
        scores in their own units.
    wording : Wording
    periods : int
        How many periods a study needs to have.
    proportion : bool
        Whether composites must be shares of what is possible.
    units : str
        Those of the result; empty where they are those of a level, which is then reported in
        percentage points for counts.
    null : float or None
        The value that says that nothing has changed; None of a level, which says nothing of that.
    net : bool
        Whether the baseline is replaced by the endline that the model expects from it.
    symbols : str
        The formula as it is printed, where P_i0 and P_i1 are the composite of facility i at
        baseline and endline.
    beware : str
        What to know before one chooses it.
    controls : bool
        Whether what the controls changed by is taken off, which needs a control arm.
    """

    name: str
    formula: Callable[[Floats, Floats], Floats]
    wording: Wording
    periods: int = 2
    proportion: bool = False
    units: str = ""
    null: float | None = 0.0
    net: bool = False
    symbols: str = ""
    beware: str = ""
    controls: bool = False

    def value(self, first: Floats, last: Floats, *, factor: float) -> Floats:
        """Return the estimand; `factor` turns levels into the units they are reported in.

        It is no number, or infinite, where the formula is: the ratio to nothing.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.formula(first, last)
        return found if self.units else factor * found

    def of_true(self, first: Floats, last: Floats, *, factor: float) -> Floats:
        """Return the estimand of true levels, which as shares lie between 0 and 1.

        At logits beyond 37 a share is rounded to 1, and the formula would have no number.
        """
        if self.proportion:
            first, last = (np.clip(share, *_INSIDE) for share in (first, last))
        return self.value(first, last, factor=factor)

    def slopes(self, first: Floats, last: Floats, *, factor: float) -> tuple[Floats, Floats]:
        """Return the derivatives by shares at baseline and at endline, by central differences."""
        a, b = (np.maximum(_STEP * np.minimum(x, 1.0 - x), 1e-10) for x in (first, last))
        none = 0.0 * a

        def slope(a: Floats, b: Floats) -> Floats:
            rise = self.value(first + a, last + b, factor=factor)
            return (rise - self.value(first - a, last - b, factor=factor)) / (2.0 * (a + b))

        return slope(a, none), slope(none, b)


_STEP: Final = 1e-5  # of the distance to 0 or 1
_INSIDE: Final = (float(np.finfo(float).tiny), 1.0 - float(np.finfo(float).epsneg))
"""The numbers next to 0 and next to 1."""


def _improved(noun: str, column: str, measured: str, suffix: str = "", true: str = "") -> Wording:
    return Wording(
        noun=noun,
        column=column,
        top=f"most improved{suffix}",
        bottom=f"least improved{suffix}",
        best=f"improved most{suffix}",
        worst=f"improved least{suffix}",
        more=f"improved more{suffix} than",
        measured=measured,
        true=true or noun,
    )


def _highest(
    noun: str, column: str, measured: str, top: str, bottom: str, true: str = ""
) -> Wording:
    return Wording(
        noun=noun,
        column=column,
        top=top,
        bottom=bottom,
        best=f"has the highest {noun}",
        worst=f"has the lowest {noun}",
        more=f"has a higher {noun} than",
        measured=measured,
        true=true or noun,
    )


def _difference(first: Floats, last: Floats) -> Floats:
    return last - first


def _in_logits(first: Floats, last: Floats) -> Floats:
    from scipy.special import logit  # a quarter of a second that no report needs

    found: Floats = logit(last) - logit(first)
    return found


def _last(first: Floats, last: Floats) -> Floats:
    return last


ESTIMANDS: Final = Registry(
    "estimand",
    (
        Estimand(
            name="change",
            symbols="P_i1 - P_i0",
            beware="the default; who starts at 90 % cannot gain 20",
            formula=_difference,
            wording=_improved(
                "improvement",
                "Improvement",
                "the difference of the composite between endline and baseline",
                true="change",
            ),
        ),
        Estimand(
            name="change_net",
            symbols="sum_k w_k [p_ik1 - E_v expit(expected_ik + v)]",
            beware="leans on a correlation that few facilities determine poorly",
            formula=_difference,
            net=True,
            wording=_improved(
                "improvement net of regression to the mean",
                "Net improvement",
                "the composite at endline less what the baseline leads one to expect",
                " net of regression to the mean",
            ),
        ),
        Estimand(
            name="effect",
            symbols="as change_net, with the change of controls in place of the programme's",
            beware="rests on parallel change; leans on the same correlation as change_net",
            formula=_difference,
            net=True,
            controls=True,
            wording=_improved(
                "effect beyond controls",
                "Effect",
                "the composite at endline less what a control facility with the same baseline "
                "would have reached",
                " beyond controls with the same baseline",
            ),
        ),
        Estimand(
            name="effect_change",
            symbols="P_i1 - P_i0 less its mean over the controls",
            beware="rests on parallel change; ranks as change does",
            formula=_difference,
            controls=True,
            wording=_improved(
                "improvement beyond that of the controls",
                "Beyond controls",
                "the difference of the composite between endline and baseline, less its mean over "
                "the controls",
                " beyond the controls",
            ),
        ),
        Estimand(
            name="change_logit",
            symbols="logit P_i1 - logit P_i0",
            beware="large near 0 and 1",
            formula=_in_logits,
            proportion=True,
            units="logit",
            wording=_improved(
                "improvement in logits",
                "Improvement (logit)",
                "the difference of the composite's logits between endline and baseline",
                " in logits",
                true="change in logits",
            ),
        ),
        Estimand(
            name="gap_closed",
            symbols="(P_i1 - P_i0) / (1 - P_i0)",
            beware="unstable near a baseline of 1",
            formula=lambda first, last: (last - first) / (1.0 - first),
            proportion=True,
            units="share of the gap",
            wording=_improved(
                "share of the gap to full adherence that was closed",
                "Gap closed",
                "the share of the gap to full adherence that was closed",
                " by the share of the gap closed",
                true="share of the gap closed",
            ),
        ),
        Estimand(
            name="endline",
            symbols="P_i1",
            beware="is no improvement",
            formula=_last,
            null=None,
            wording=_highest(
                "endline level",
                "Endline level",
                "the composite level at endline",
                "best at endline",
                "worst at endline",
                true="level at endline",
            ),
        ),
        Estimand(
            name="ratio",
            symbols="P_i1 / P_i0",
            beware="rewards a low start",
            formula=lambda first, last: last / first,
            proportion=True,
            units="ratio",
            null=1.0,
            wording=_improved(
                "ratio of endline to baseline",
                "Ratio",
                "the ratio of the composite at endline to that at baseline",
                " by the ratio of endline to baseline",
            ),
        ),
        Estimand(
            name="level",
            symbols="P_i",
            beware="one period only",
            formula=_last,
            periods=1,
            null=None,
            wording=_highest(
                "level", "Level", "the composite level", "best", "worst", true="value"
            ),
        ),
    ),
)
"""The estimands by name, in the order of the report."""

SCORE: Final = Estimand(
    name="score",
    formula=_last,
    wording=_highest("score", "Score", "a score given by its draws", "highest", "lowest"),
)
"""What draws of another sampler are called."""


def estimands_of(
    kind: str, periods: int, *, net: bool = True, controls: bool = False
) -> tuple[str, ...]:
    """Return the estimands that a study has, the main one first.

    Parameters
    ----------
    kind : str
        Of the data, see `pdsim.terms.kinds`.
    periods : int
        1 or 2.
    net : bool
        Whether there is a model to say what the baseline leads one to expect.
    controls : bool
        Whether the study has a control arm.

    Examples
    --------
    >>> estimands_of("scores", 2)
    ('change', 'change_net', 'endline')
    >>> estimands_of("scores", 2, controls=True)
    ('change', 'change_net', 'effect', 'effect_change', 'endline')
    >>> estimands_of("counts", 1)
    ('level',)
    """
    proportion = kind_named(kind).proportion
    return tuple(
        term.name
        for term in ESTIMANDS.values()
        if term.periods == periods
        and term.proportion <= proportion
        and term.net <= net
        and term.controls <= controls
    )


def main_estimand(periods: int) -> str:
    """Return what a study of that many periods is ranked on unless the caller says otherwise."""
    return "change" if periods == 2 else "level"


def register_estimand(
    name: str,
    formula: Callable[[Floats, Floats], Floats],
    *,
    noun: str,
    periods: int = 2,
    proportion: bool = True,
    units: str = "",
    null: float | None = 0.0,
    wording: Wording | None = None,
) -> Estimand:
    """Add an estimand of your own to those that studies, sweeps and plans know.

    Parameters
    ----------
    name : str
        In settings and tables: small letters, digits and underscores.
    formula : callable
        ``formula(first, last)`` of arrays of composites at baseline and endline, element by
        element; larger is better. Composites are shares (0 to 1) of counts.
    noun : str
        What it is called in a sentence, such as "log ratio of endline to baseline".
    periods : int
        Periods that a study needs to have: 2, or 1.
    proportion : bool
        Whether composites must be shares of what is possible; if not, studies of scale scores
        have it too.
    units : str
        Units of the result. Empty: those of a level, so that the result is multiplied by 100
        for counts and reported in percentage points.
    null : float or None
        The value that says that nothing has changed; None where none does.
    wording : Wording, optional
        All the words of a report; by default made from `noun`.

    Returns
    -------
    Estimand
        The record. Keys of sweeps hold a hash of the source of `formula`.

    Raises
    ------
    InputError
        If the name is taken or no plain name, or the formula has no source.

    Examples
    --------
    >>> import numpy as np
    >>> def log_ratio(first, last):
    ...     return np.log(last / first)
    >>> term = register_estimand("log_ratio", log_ratio, noun="log ratio", units="log ratio")
    >>> "log_ratio" in estimands_of("counts", 2)
    True
    >>> ESTIMANDS.unregister("log_ratio")
    """
    measured = f"the {noun} of the composite"
    column = noun[:1].upper() + noun[1:]
    words = wording or _highest(noun, column, measured, f"by {noun}", f"last by {noun}")
    return ESTIMANDS.register(
        Estimand(
            name=name,
            formula=formula,
            wording=words,
            periods=periods,
            proportion=proportion,
            units=units,
            null=null,
        )
    )
