"""One task in a worker: in this process, in a process of its own, or on a cluster."""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from queue import SimpleQueue
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pdsim.provenance import versions
from pdsim.sweeps.contract import load_simulation, read_scenario
from pdsim.sweeps.packing import pack

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
    expected = (len(cells), stop - start, len(module.COLUMNS))
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
) -> tuple[list[bytes], NDArray[np.uint8]] | str:
    """Run a task where other packages may be installed; an error comes back as its text.

    Returns
    -------
    frames : list of bytes
        Of every scenario, packed for the store.
    status : ndarray (scenario, replicate)

    Raises
    ------
    RuntimeError
        If a package that decides the numbers has another version here.
    InputError
        If a module of the user's own is missing here, or is another version.
    """
    here = versions()
    others = [name for name in expected if here.get(name) != expected[name]]
    if others:
        found = ", ".join(f"{name} {here.get(name)} (not {expected[name]})" for name in others)
        raise RuntimeError(f"a worker has other versions: {found}")
    for text in scenarios:
        # what is missing here is no result of the sweep
        _scenario(simulation, text)
    try:
        measures, status = run_task(simulation, scenarios, start, stop, seed)
    except Exception as error:
        return describe(error)
    return [pack(*row) for row in zip(measures, status, strict=True)], status


def describe(error: Exception) -> str:
    """Return an error as one line of text."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@lru_cache(maxsize=4096)
def _scenario(simulation: str, text: str) -> Any:
    return read_scenario(load_simulation(simulation), text)


def serve(simulation: str) -> None:
    """Serve tasks from standard input until it ends; leave at once when the parent dies.

    The parent keeps this process's standard input open, so that its end means the parent's end. An
    interrupt from the keyboard is the parent's to handle. Results go to standard output: a line of
    JSON with the lengths of what follows (see `Done`), or with an error. Whatever a simulation
    prints goes to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    load_simulation(simulation)
    _answer(output, {"ready": True})
    while True:
        task = json.loads(tasks.get())
        try:
            measures, status = run_task(
                simulation, task["scenarios"], task["start"], task["stop"], task["seed"]
            )
        except Exception as error:
            _answer(output, {"error": describe(error)})
            continue
        frames = [pack(*row) for row in zip(measures, status, strict=True)]
        _answer(output, {"frames": [len(frame) for frame in frames]}, *frames, status.tobytes())


def _answer(output: IO[bytes], head: dict[str, Any], *content: bytes) -> None:
    output.write(b"".join([json.dumps(head).encode(), b"\n", *content]))
    output.flush()


def _listen(tasks: "SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(1)
