"""What each special means of the fast engine buys: seconds of the first fit, and of a gradient.

    python benchmarks/compiling.py [--only NAME]

Every variant runs in a fresh process with an empty cache of machine code, and compiles all of it
there: the engine as it is; named tuples passed by value in place of by address (`pinned.py`); one
number at a time in place of eight (`lanes.py`). CPU seconds. A means stays if it buys a factor of
1.5 in a fit or half of the first one. Kernels with wrappers for Python, as plain `njit` makes them,
cannot be compiled: the address of a tuple is no value of Python's.
"""

import argparse
import os
import subprocess
import sys
import tempfile

CHANGES = {
    "as it is": "",
    "tuples by value": """
from numba import njit
import pdsim.model.laplace.pinned as pinned
pinned.pin = njit(lambda value: value)
""",
    "one number at a time": """
from pathlib import Path
import pdsim.model, types
path = Path(pdsim.model.__file__).parent / "laplace" / "lanes.py"
name = "pdsim.model.laplace.lanes"
module = sys.modules[name] = types.ModuleType(name)
module.__file__ = str(path)
exec(compile(path.read_text().replace("LANES = 8", "LANES = 1"), str(path), "exec"), vars(module))
""",
}
MEASURE = """
import sys, time
sys.path.insert(0, {folder!r})
{change}
from engine import made_up
import numpy as np
from pdsim.model.laplace.hmc import GradientChains
from pdsim.model.laplace.lanes import LANES
from pdsim.model.laplace.mode import find_mode
import pdsim.model.laplace.sample as sample
from pdsim.model.laplace.sample import sample_laplace
from pdsim.model.laplace.setup import set_up
sample.compile_draws_aside = lambda: None  # another process would compile them as they are
data = made_up(10, 40)
start = time.process_time()
sample_laplace(data, draws=100, seed=1)
first = time.process_time() - start
setup = set_up(data)
mode = find_mode(setup)
taken = []
for seed in range(7):
    chains = GradientChains(setup, mode, np.random.default_rng(seed))
    before, start = chains.evaluations, time.process_time()
    chains.extend(64)
    taken.append((time.process_time() - start) / (chains.evaluations - before))
print(f"{{first:.1f}} s first fit, {{1e6 * min(taken):.1f}} microseconds a gradient")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CHANGES)
    chosen = parser.parse_args().only
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, change in CHANGES.items():
        if chosen not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as cache:
            run = subprocess.run(
                [sys.executable, "-c", MEASURE.format(folder=folder, change=change)],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            )
        print(f"{name:22s} {run.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
