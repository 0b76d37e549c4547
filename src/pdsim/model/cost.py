"""What a fit will cost, said before it starts."""

import os
from typing import Final

import numpy as np

from pdsim.study import Study

_SECONDS_PER_CELL: Final = 1.6e-7
"""One evaluation of the density and its gradient, per cell; benchmarks/nuts_time.py prints it."""

_LEAPFROGS: Final = 31.0
"""Evaluations per draw at ten facilities; the trees grow with the fourth root of the cells."""

_DEEPEST: Final = 1023.0
"""Evaluations per draw where every tree reaches its limit of ten doublings."""


def nuts_seconds(study: Study) -> float:
    """Return about how many seconds NUTS will take for `study`, without compilation.

    Parameters
    ----------
    study : Study
        Its sampler settings count.

    Returns
    -------
    float
        Right within a factor of about three on a machine of 2025, where the data tell the spreads;
        else see `longest_nuts_seconds`.
    """
    return _seconds(study, _LEAPFROGS * max(1.0, (_cells(study) / 280.0) ** 0.25))


def longest_nuts_seconds(study: Study) -> float:
    """Return about how many seconds NUTS takes where data leave a spread open.

    Its trees are as deep then as they may be: so they are where every facility has all or none of
    its cases right, which is what the fast engine hands over.
    """
    return _seconds(study, _DEEPEST)


def _seconds(study: Study, leapfrogs: float) -> float:
    settings = study.options.sampler
    rounds = -(-settings.chains // (os.cpu_count() or 1))
    each = 2e-5 + _cells(study) * _SECONDS_PER_CELL
    return rounds * (settings.draws + settings.tune) * leapfrogs * each


def _cells(study: Study) -> float:
    return float(np.prod([study.data.sizes[dim] for dim in ("facility", "indicator", "period")]))
