"""Sweeps, ranking and weights of this checkout beside those of another one, in turn in one run.

    git worktree add ../before 0431791
    python benchmarks/against.py ../before

A sweep by p_top stands there twice: with the model of the checkout, and with one spread for all
indicators, which is the model of 0431791.

Each part runs in a process of its own, the checkouts by turns; the round of each with the least
processor time counts, so that what else the machine does matters little.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

PARTS = {
    "sweep, observed_change": ("block", "observed_change"),
    "sweep, z_score": ("block", "z_score"),
    "sweep, shrunken_mean": ("block", "shrunken_mean"),
    "sweep, p_top": ("block", "p_top"),
    "sweep, p_top, one spread for all": ("shared", "p_top"),
    "ranking, top_probability of 4,000 draws x 200": ("ranking", "top_probability"),
    "ranking, expected_rank of 4,000 draws x 200": ("ranking", "expected_rank"),
    "ranking, grades of 37": ("ranking", "grades"),
    "weights, acceptability of 500 x 1,000": ("weights", "acceptability"),
    "weights, decompose": ("weights", "decompose"),
}

CODE = """
import json, sys, time
import numpy as np
import xarray as xr

kind, name = sys.argv[1:]
rng = np.random.default_rng(1)
if kind in ("block", "shared"):
    from pdsim.priors import Priors
    from pdsim.simulation import Scenario, run_block
    alike = kind == "shared" and hasattr(Priors(), "indicator_spread")
    priors = Priors(indicator_spread="shared") if alike else Priors()
    scenario = Scenario(
        facilities=10, indicators=14, domains=2, trials=20, rule=name, priors=priors
    )
    size = 40 if scenario.needs_posterior else 20_000
    act = lambda: run_block([scenario], range(size), seed=1)
elif kind == "ranking":
    from pdsim import ranking
    count = 37 if name == "grades" else 200
    draws = rng.normal(size=count) + rng.normal(size=(4, 1000, count))
    score = xr.DataArray(draws, dims=("chain", "draw", "facility"))
    act = lambda: getattr(ranking, name)(score)
else:
    from pdsim import weights
    names = [f"k{k}" for k in range(14)]
    level = xr.DataArray(
        rng.beta(3, 2, size=(500, 10, 14, 2)), dims=("sample", "facility", "indicator", "period"),
        coords={"indicator": names},
    )
    space = weights.weight_space.flat(names, size=1000, seed=1)
    if name == "acceptability":
        value = level.isel(period=1) - level.isel(period=0)
        act = lambda: weights.acceptability(value, space, m=3)
    else:
        few = level.isel(sample=slice(100))
        act = lambda: weights.decompose(few, space.isel(weight_draw=slice(100)), m=3)
act()
times = []
for _ in range(5):
    start = time.process_time()
    act()
    times.append(time.process_time() - start)
print(json.dumps(min(times)))
"""


def seconds(checkout: Path, kind: str, name: str) -> float:
    """Return the least processor time of five calls in a fresh process."""
    env = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, kind, name],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    for words, (kind, name) in PARTS.items():
        rounds = [
            (seconds(given.before, kind, name), seconds(here, kind, name))
            for _ in range(given.rounds)
        ]
        before, now = (min(times) for times in zip(*rounds, strict=True))
        print(
            f"{words:<48} {1e3 * before:>9.1f} ms before {1e3 * now:>9.1f} ms now "
            f"{100 * (now / before - 1):>+6.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
