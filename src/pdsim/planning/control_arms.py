r"""What controls cost and give: the variance of a programme effect under three analyses.

With the correlation r between a facility's observed baseline and endline, the effect's variance is
that of the endline alone times

.. math:: 1 \; (\text{post}),\qquad 2(1 - r) \; (\text{change}),\qquad 1 - r^2 \; (\text{ANCOVA})

(Frison and Pocock 1992, doi 10.1002/sim.4780111304). For m cases a facility and period, the
intracluster correlation icc, and the correlation cac of a facility's own level in the two periods,
:math:`r = m\,icc\,cac / (1 + (m - 1)\,icc)` (Teerenstra and others 2012, doi 10.1002/sim.5352).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.special import ndtri

from pdsim.conventions import CI_PROB
from pdsim.errors import InputError, Problem
from pdsim.planning.question import Question
from pdsim.planning.sizes import Costs, with_trials
from pdsim.planning.start import baseline_spread, signal_of
from pdsim.simulation import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlDesign:
    """Design effects of a programme with controls, on the variance of independent cases.

    Attributes
    ----------
    r : float
        Correlation of a facility's observed baseline and endline.
    post, change, ancova : float
        Of an analysis of the endline alone, of changes, and given the baseline.
    """

    r: float
    post: float
    change: float
    ancova: float

    def half_width(
        self, sd: float, *, facilities: int, controls: int, cases: int, z: float = 1.96
    ) -> float:
        """Return half an interval of the programme effect, given the baseline.

        Parameters
        ----------
        sd : float
            Of one case within a period, in the units wanted: ``100 * sqrt(p * (1 - p))`` for pp.
        facilities, controls, cases : int
        z : float
        """
        each = sd**2 / cases * self.ancova
        return z * math.sqrt(each / facilities + each / controls)


def control_design(cases: int, icc: float, cac: float) -> ControlDesign:
    """Return the design effects of a programme with controls.

    Parameters
    ----------
    cases : int
        In a facility and period.
    icc : float
        Correlation of two cases of one facility and period.
    cac : float
        Correlation of a facility's own levels in the two periods.

    Examples
    --------
    >>> design = control_design(20, 0.05, 0.8)
    >>> round(design.r, 6), round(design.ancova, 4), round(design.post, 2), round(design.change, 2)
    (0.410256, 1.6218, 1.95, 2.3)
    """
    if cases < 1 or not (0 <= icc <= 1 and 0 <= cac <= 1):
        rule = "cases must be 1 or more, icc and cac between 0 and 1"
        raise InputError(Problem(rule=f"{rule} (received {cases}, {icc}, {cac})"))
    post = 1 + (cases - 1) * icc
    r = cases * icc * cac / post
    return ControlDesign(r=r, post=post, change=2 * (1 - r) * post, ancova=(1 - r**2) * post)


def unstated_controls(scenario: Scenario) -> int:
    """Return how many controls a plan prices where it states none: half as many as facilities."""
    return max(1, scenario.facilities // 2)


def control_dataset(question: Question, costs: Costs, *, n: float) -> xr.Dataset:
    """Return what controls cost, and how well they tell the effect of the programme.

    By normal theory, from the spread of facilities and the error of n cases: half widths of the
    interval of the programme effect by three analyses, as in `control_design`, whose correlation
    and variances here are those of the composite of the scenario.

    Parameters
    ----------
    question : Question
        Over trials.
    costs : Costs
    n : float
        The answer.

    Returns
    -------
    Dataset
        Scalars ``controls`` (those of the scenario, or half as many as facilities), ``stated`` (1
        where they are the scenario's), ``cost``, ``r`` (correlation of a facility's observed
        baseline and endline), ``half_post``, ``half_change``, ``half_ancova`` (NaN but for the
        second where a facility has one value).
    """
    scenario = question.scenario
    controls = scenario.controls or unstated_controls(scenario)
    change = signal_of(replace(scenario, estimand="change"), seed=question.seed)
    variance = {"change": change.between**2 + change.error(n) ** 2, "post": np.nan}
    r = np.nan
    if scenario.kind == "counts":
        end = signal_of(replace(scenario, estimand="endline"), seed=question.seed)
        start = baseline_spread(scenario, seed=question.seed)
        shared = (start**2 + end.between**2 - change.between**2) / 2
        variance["post"] = end.between**2 + end.error(n) ** 2
        before = start**2 + max(change.error(n) ** 2 - end.error(n) ** 2, 0.0)
        r = shared / math.sqrt(before * variance["post"]) if before > 0 else 0.0
    variance["ancova"] = (1 - r**2) * variance["post"]
    root = math.sqrt(1 / scenario.facilities + 1 / controls)
    z = float(ndtri(0.5 + CI_PROB / 2))
    return xr.Dataset(
        {
            "controls": float(controls),
            "stated": float(scenario.controls > 0),
            "cost": controls * costs.of_facility(with_trials(scenario, n)),
            "r": r,
            **{f"half_{name}": z * root * math.sqrt(value) for name, value in variance.items()},
        }
    )
