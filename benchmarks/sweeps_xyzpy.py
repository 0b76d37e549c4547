"""The same small study as a sweep of pdsim and as a crop of xyzpy.

    pip install xyzpy
    python benchmarks/sweeps_xyzpy.py

Four numbers of trials crossed with three weightings, 2,000 replicates, in blocks of 100 on one
core, kept on disk in between so that both can resume, and reduced to the same probabilities.
xyzpy 1.3.5 (https://xyzpy.readthedocs.io) knows neither common random numbers, statuses, Monte
Carlo errors nor a ledger; what is compared is the time, the lines, and the numbers.
"""

import shutil
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from pdsim.simulation import COLUMNS, Scenario, run_block
from pdsim.sweeps import sweep

TRIALS = [10, 20, 40, 80]
WEIGHTS = {
    "equal": [1.0] * 14,
    "double": [2.0] * 7 + [1.0] * 7,
    "half": [1.0] * 7 + [0.0] * 7,
}
BASE = {"facilities": 10, "indicators": 14, "domains": 2, "target_weights": [1.0] * 14}
REPLICATES, BLOCK, SEED = 2000, 100, 1


def with_pdsim(folder: Path) -> np.ndarray:
    settings = {
        "replicates": REPLICATES,
        "seed": SEED,
        "scenario": BASE,
        "factors": {
            "trials": TRIALS,
            "weighting": {
                name: {"weighting": "given", "weights": weights}
                for name, weights in WEIGHTS.items()
            },
        },
    }
    result = sweep(settings, store=folder, executor="serial", block=BLOCK)
    return result.pcs_top.values


def one_block(trials: int, weighting: str, block: int) -> np.ndarray:
    scenario = Scenario(
        **{**BASE, "target_weights": tuple(BASE["target_weights"])},
        trials=trials,
        weighting="given",
        weights=tuple(WEIGHTS[weighting]),
    )
    replicates = range(block * BLOCK, (block + 1) * BLOCK)
    return run_block([scenario], replicates, seed=SEED).measures[0]


def with_xyzpy(folder: Path) -> np.ndarray:
    import xyzpy

    runner = xyzpy.Runner(
        one_block,
        var_names=["measures"],
        var_dims={"measures": ["replicate", "measure"]},
        var_coords={"measure": list(COLUMNS)},
    )
    crop = xyzpy.Crop(farmer=runner, name="study", parent_dir=str(folder), batchsize=1)
    combos = {
        "trials": TRIALS,
        "weighting": list(WEIGHTS),
        "block": list(range(REPLICATES // BLOCK)),
    }
    crop.sow_combos(combos, verbosity=0)
    crop.grow_missing(verbosity=0)
    blocks = crop.reap(verbosity=0)
    return blocks.measures.sel(measure="pcs_top").mean(("block", "replicate")).values


def main() -> None:
    warnings.simplefilter("ignore")
    found, seconds = {}, {}
    ways = {"pdsim": with_pdsim, "xyzpy": with_xyzpy}
    # once to compile and import, then timed in turn
    for round_ in range(4):
        for name, way in ways.items():
            folder = Path(tempfile.mkdtemp())
            started = time.perf_counter()
            found[name] = way(folder)
            taken = time.perf_counter() - started
            shutil.rmtree(folder)
            if round_:
                seconds.setdefault(name, []).append(taken)
    cells = len(TRIALS) * len(WEIGHTS) * REPLICATES
    for name, taken in seconds.items():
        print(f"{name}: {min(taken):.2f} s, {cells / min(taken):,.0f} cell-replicates a second")
    print("largest difference of the probabilities:", np.abs(found["pdsim"] - found["xyzpy"]).max())


if __name__ == "__main__":
    main()
