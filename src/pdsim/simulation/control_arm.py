"""A simulated control arm beside a simulated programme: the same world, without the programme."""

from dataclasses import replace

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.simulation.philox import Seed
from pdsim.simulation.replicate import simulate
from pdsim.simulation.scenario import Scenario
from pdsim.study import Study
from pdsim.study.facilities import CONTROL, PROGRAMME


def simulate_controls(
    scenario: Scenario, controls: int, replicate: int = 0, seed: Seed = 1
) -> tuple[xr.Dataset, Study]:
    """Return the truth and the study of one replicate, with so many controls beside the programme.

    Controls are facilities of the same scenario without its improvement: they change by the secular
    trend and by their own effects.

    Parameters
    ----------
    scenario : Scenario
        Of the programme. What is drawn for each indicator (``sd_alpha``, ``sd_beta``,
        ``heterogeneity``) would differ between the arms, and must be 0: state it for each
        indicator instead.
    controls : int
    replicate : int
    seed : int or sequence of int

    Returns
    -------
    truth : Dataset
        ``level`` (facility, indicator, period) of both arms, and ``arm`` (facility).
    study : Study

    Raises
    ------
    InputError

    Examples
    --------
    >>> scenario = Scenario(facilities=6, trials=40, secular_trend=10.0, improvement=20.0)
    >>> truth, study = simulate_controls(scenario, 4, seed=1)
    >>> study.data["arm"].to_numpy().tolist().count("control"), study.m
    (4, 3)
    """
    drawn = [n for n in ("sd_alpha", "sd_beta", "heterogeneity") if getattr(scenario, n) > 0]
    if scenario.kind != "counts" or scenario.levels is not None or drawn:
        rule = "controls are simulated for counts, with levels and changes stated by indicator"
        cure = f"set {', '.join(drawn)} to 0" if drawn else "state baseline_level and improvement"
        raise InputError(Problem(rule=rule, cure=cure))
    other = replace(
        scenario,
        facilities=controls,
        improvement=0.0,
        outlying=(),
        m=min(scenario.m, controls // 2),
    )
    arms = [simulate(one, replicate, seed) for one in (scenario, other)]
    names = [
        [f"{prefix}{name}" for name in truth["facility"].to_numpy()]
        for (truth, _), prefix in zip(arms, ("", "control "), strict=True)
    ]
    arm = np.repeat([PROGRAMME, CONTROL], [len(part) for part in names])
    labelled = [
        [found.assign_coords(facility=part) for found in (truth[["level"]], study.data)]
        for (truth, study), part in zip(arms, names, strict=True)
    ]
    truth, data = (
        xr.concat(list(part), "facility", data_vars="minimal", coords="minimal", compat="override")
        for part in zip(*labelled, strict=True)
    )
    together = data.assign_coords(arm=("facility", arm))
    return truth.assign_coords(arm=("facility", arm)), replace(arms[0][1], data=together)
