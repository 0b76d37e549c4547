"""What a fit will cost, said before it starts."""

import os
from typing import Final

import numpy as np

from pdsim.study import Study

_SECONDS_PER_CELL: Final = 1.6e-7
"""One evaluation of the density and its gradient, per cell; benchmarks/nuts_time.py prints it."""

_LEAPFROGS: Final = 31.0
"""Evaluations per draw at ten facilities; the trees grow with the fourth root of the cells."""


def nuts_seconds(study: Study) -> float:
    """Return about how many seconds NUTS will take for `study`, without compilation.

    Parameters
    ----------
    study : Study
        Its sampler settings count.

    Returns
    -------
    float
        Right within a factor of about three on a machine of 2025.
    """
    cells = float(np.prod([study.data.sizes[dim] for dim in ("facility", "indicator", "period")]))
    settings = study.options.sampler
    leapfrogs = _LEAPFROGS * max(1.0, (cells / 280.0) ** 0.25)
    rounds = -(-settings.chains // (os.cpu_count() or 1))
    return (
        rounds * (settings.draws + settings.tune) * leapfrogs * (2e-5 + cells * _SECONDS_PER_CELL)
    )
