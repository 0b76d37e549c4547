"""The posterior density of the hyperparameters and its gradient at eight points."""

import numpy as np

from pdsim.arraytypes import Floats
from pdsim.jit import spliced
from pdsim.model.laplace.corrections import respond
from pdsim.model.laplace.gradient import covariance_slopes
from pdsim.model.laplace.hyper import Hyper, covariances, natural, pull_back
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.moments import Spread
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.solve import newton
from pdsim.model.laplace.work import Work


@spliced
def density(
    problem: LaplaceProblem,
    hyper: Hyper,
    work: Work,
    spread: Spread,
    x: Floats,
    tolerance: float,
    value: Floats,
    slope: Floats,
) -> int:
    """Fill the log density (lane,) at x (H, lane) and its slopes (H, lane); return Newton steps.

    The search starts at the logits of `work` and leaves the mode there, and the shift to the mean
    in `new_eta` and `new_shock`.
    """
    values, slopes = np.empty(x.shape), np.empty(x.shape)
    natural(hyper, x, values, slopes, value, slope)
    covariances(hyper, values, work.cov)
    steps = newton(problem, work, tolerance)
    respond(problem, work, spread)
    pull = np.empty((work.cov.shape[0], 3, LANES))
    covariance_slopes(problem, work, spread, pull)
    pull_back(hyper, values, slopes, pull, slope)
    for j in range(LANES):
        value[j] += work.objective[j]
    return steps
