"""One replicate laid open: the truth and the study, from the same draws as in a block."""

import xarray as xr

from pdsim.errors import InputError
from pdsim.simulation.cases import observe
from pdsim.simulation.philox import Seed
from pdsim.simulation.scenario import Scenario
from pdsim.simulation.study import labels_of, study_of
from pdsim.simulation.targets import true_values
from pdsim.simulation.truth import Truth, draw_truth
from pdsim.study import Study


def simulate(scenario: Scenario, replicate: int = 0, seed: Seed = 1) -> tuple[xr.Dataset, Study]:
    """Return the truth and the study of one replicate.

    The numbers are those of the same replicate in a sweep with the same root seed.

    Parameters
    ----------
    scenario : Scenario
    replicate : int
        From 0 on.
    seed : int or sequence of int
        Root seed.

    Returns
    -------
    truth : Dataset
        ``level`` (facility, indicator, period): true adherence, 0 to 1, or true values of normal
        data. ``value`` (facility): what facilities are truly ranked on, in pp where it is a
        difference; ``rank`` (facility), 1 = highest, ties share.
    study : Study
        What was observed, with the case correlation that the analysis assumes.

    Raises
    ------
    InputError
        If `replicate` is no whole number from 0.

    Examples
    --------
    >>> truth, study = simulate(Scenario(facilities=10, indicators=14, trials=40), 3, seed=1)
    >>> study
    <Study 'replicate 3': counts, 10 facilities x 14 indicators x 2 periods, m = 3>
    >>> truth.value.dims
    ('facility',)
    """
    if isinstance(replicate, bool) or not isinstance(replicate, int) or replicate < 0:
        raise InputError(f"replicate must be a whole number from 0, got {replicate!r}")
    part = range(replicate, replicate + 1)
    truth = draw_truth(scenario, part, seed)
    observed = observe(scenario, truth, part, seed)
    study = study_of(scenario, observed, name=f"replicate {replicate}")
    return _truth_dataset(scenario, truth), study


def _truth_dataset(scenario: Scenario, truth: Truth) -> xr.Dataset:
    labels = labels_of(scenario)
    value = true_values(scenario, truth)[0]
    ahead = (value[None, :] > value[:, None]).sum(axis=1)
    level = (value[None, :] == value[:, None]).sum(axis=1)
    return xr.Dataset(
        {
            "level": (tuple(labels), truth.level[0]),
            "value": ("facility", value),
            "rank": ("facility", ahead + (level + 1) / 2),
        },
        coords=labels,
        attrs={"estimand": scenario.estimand, "target": scenario.target},
    )
