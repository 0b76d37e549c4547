"""One task in a worker: in this process, in a process of its own, or on a cluster."""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pdsim.provenance import versions
from pdsim.settings import from_mapping
from pdsim.sweeps.contract import load_simulation

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Set to 1 for every worker: the number of threads must not change a sum."""


def run_task(
    simulation: str, scenarios: Sequence[str], start: int, stop: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Run the replicates [start, stop) of scenarios that share their data.

    Parameters
    ----------
    simulation : str
        Name of the module that is swept.
    scenarios : sequence of str
        Settings of each scenario as JSON text.
    start, stop, seed : int

    Returns
    -------
    measures : ndarray (scenario, replicate, measure)
    status : ndarray (scenario, replicate)

    Raises
    ------
    ValueError
        If the simulation returns arrays of another shape.
    """
    module = load_simulation(simulation)
    cells = [_scenario(simulation, text) for text in scenarios]
    block = module.run_block(cells, range(start, stop), seed=seed)
    measures = np.ascontiguousarray(block.measures, dtype=np.float64)
    status = np.ascontiguousarray(block.status, dtype=np.uint8)
    expected = (len(cells), stop - start, len(module.MEASURES))
    if measures.shape != expected or status.shape != expected[:2]:
        raise ValueError(
            f"{simulation}.run_block returned measures {measures.shape} and status "
            f"{status.shape}, not {expected} and {expected[:2]}"
        )
    return measures, status


def run_remote_task(
    simulation: str,
    scenarios: Sequence[str],
    start: int,
    stop: int,
    seed: int,
    expected: dict[str, str],
) -> tuple[NDArray[np.float64], NDArray[np.uint8]] | str:
    """Run a task where other packages may be installed; an error comes back as its text.

    Raises
    ------
    RuntimeError
        If a package that decides the numbers has another version here.
    """
    here = versions()
    others = [name for name in expected if here.get(name) != expected[name]]
    if others:
        found = ", ".join(f"{name} {here.get(name)} (not {expected[name]})" for name in others)
        raise RuntimeError(f"a worker has other versions: {found}")
    try:
        return run_task(simulation, scenarios, start, stop, seed)
    except Exception as error:
        return describe(error)


def describe(error: Exception) -> str:
    """Return an error as one line of text."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@lru_cache(maxsize=4096)
def _scenario(simulation: str, text: str) -> Any:
    return from_mapping(load_simulation(simulation).Scenario, json.loads(text))


def serve(descriptor: int, files: Sequence[int], simulation: str) -> None:
    """Serve tasks over a socket until it closes; leave at once when the parent dies.

    Results are written to the `files` in turn, measures first and status after them; the answer
    over the socket is empty then, and the text of the error otherwise.

    The parent keeps this process's standard input open and writes nothing to it, so that its
    end means the parent's end. An interrupt from the keyboard is the parent's to handle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    connection = Connection(descriptor)
    load_simulation(simulation)
    connection.send_bytes(b"ready")
    for file in cycle(files):
        try:
            task = json.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            measures, status = run_task(
                simulation, task["scenarios"], task["start"], task["stop"], task["seed"]
            )
        except Exception as error:
            connection.send_bytes(describe(error).encode())
            continue
        written = os.pwritev(file, [measures, status], 0)
        if written < measures.nbytes + status.nbytes:
            raise OSError(f"only {written} bytes of a result could be written")
        connection.send_bytes(b"")


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
