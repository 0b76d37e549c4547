"""What fits of one shape share."""

from typing import NamedTuple

from pdsim.model.data import ModelData
from pdsim.model.laplace.hyper import Hyper, build_hyper
from pdsim.model.laplace.moments import Spread, allocate_spread
from pdsim.model.laplace.problem import LaplaceProblem, build_problem
from pdsim.model.laplace.work import Work, allocate


class Setup(NamedTuple):
    """All that fits of one shape share; only the observations of `problem` may be exchanged."""

    problem: LaplaceProblem
    hyper: Hyper
    work: Work
    spread: Spread


def set_up(data: ModelData) -> Setup:
    """Return the arrays that fits of the shape of `data` share."""
    problem, hyper = build_problem(data), build_hyper(data)
    work = allocate(problem, len(hyper.place))
    return Setup(problem, hyper, work, allocate_spread(work))


def twin(setup: Setup) -> Setup:
    """Return `setup` with arrays of its own to work on, for another thread."""
    work = allocate(setup.problem, len(setup.hyper.place))
    return setup._replace(work=work, spread=allocate_spread(work))
