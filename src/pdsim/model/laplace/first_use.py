"""The first use of the engine on a machine: two processes compile it, half each.

Numba compiles one function at a time in a process. The trajectories are needed first and the draws
last, so a second process compiles the draws meanwhile and leaves them on disk.
"""

import os
import subprocess
import sys
from functools import cache

import numpy as np

from pdsim.jit import on_disk
from pdsim.model.data import model_data
from pdsim.model.laplace.blocks import Points, allocate_draws, draw_blocks
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.latent import allocate_latent
from pdsim.model.laplace.latent_draws import allocate_draw
from pdsim.model.laplace.setup import set_up
from pdsim.model.laplace.trajectories import trajectories


def compiled_before() -> bool:
    """Return whether the engine's machine code is on disk; if not, a first fit takes longer."""
    return on_disk(trajectories) and on_disk(draw_blocks)


@cache
def compile_draws_aside() -> "subprocess.Popen[bytes] | None":
    """Start another process that compiles the draws; None where that would gain nothing."""
    if on_disk(draw_blocks) or on_disk(trajectories) or (os.cpu_count() or 1) < 2:
        return None
    name = compile_draws.__name__
    call = f"from {__name__} import {name}; {name}()"
    nothing = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", call], stdout=nothing, stderr=nothing)


def compile_draws() -> None:
    """Compile the draws by making none."""
    from pdsim.study import load_example

    setup = set_up(model_data(load_example("surgical")))
    none = np.empty(0, np.int64)
    points = Points(
        x=np.empty((0, setup.hyper.family.size)),
        value=np.empty(0),
        latent=allocate_latent(setup.work, 0),
        number=none,
    )
    draw_blocks(
        *setup,
        points,
        none,
        none,
        np.empty((0, 1, LANES)),
        np.empty((0, 1, len(setup.problem.observed), LANES)),
        allocate_draw(setup.work),
        none,
        allocate_draws(setup, 1, 0),
    )
