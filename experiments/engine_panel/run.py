"""Compare the posterior of the fast engine with that of NUTS.

    python experiments/engine_panel/run.py n10 n40 n150
    python experiments/engine_panel/run.py cms_ten --data ../shared/data

One line per data set: differences of the posterior of the composite change, in posterior standard
deviations of NUTS, beside the same between two NUTS runs with different seeds (for the first sets
of a case). Lines are appended to results/engine_panel/panel.csv. NUTS takes minutes per data set.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import arviz_stats as azs
import numpy as np
import xarray as xr
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, cms_ten, simulate

from pdsim.model.data import Floats, ModelData
from pdsim.model.laplace import sample_laplace
from pdsim.model.nuts import sample_nuts

M = 3
FIELDS = (
    *("case", "set", "pair", "mean", "max", "sd_low", "sd_high", "top3"),
    *("ess", "seconds", "reference_ess", "reference_seconds"),
)


def change(data: ModelData, eta: Floats) -> Floats:
    """Return the composite change in percentage points (draw, facility)."""
    p = expit(eta)
    return 100 * (p[..., 1] - p[..., 0]) @ data.weight


def nuts(data: ModelData, draws: int, seed: int) -> tuple[Floats, float, float]:
    """Return draws of the change, their least ESS, and the CPU time."""
    start = time.process_time()
    posterior, _ = sample_nuts(data, draws=draws, tune=1000, chains=4, seed=seed)
    seconds = time.process_time() - start
    eta = posterior["eta"].to_numpy()
    value = change(data, eta.reshape(-1, *eta.shape[2:])).reshape(*eta.shape[:2], -1)
    by_chain = xr.DataArray(value, dims=("chain", "draw", "facility"))
    ess = float(azs.ess(by_chain, sample_dims=["chain", "draw"], method="mean").min())
    return value.reshape(-1, value.shape[-1]), ess, seconds


def fast(data: ModelData, draws: int, seed: int) -> tuple[Floats, float, float]:
    start = time.process_time()
    result = sample_laplace(data, draws=draws, seed=seed)
    return change(data, result.eta), result.ess, time.process_time() - start


def compare(one: Floats, other: Floats) -> dict[str, float]:
    """Return what the issue asks for; `other` is the reference."""
    off = (one.mean(axis=0) - other.mean(axis=0)) / other.std(axis=0)
    ratio = one.std(axis=0) / other.std(axis=0)

    def top(value: Floats) -> Floats:
        return ((-value).argsort(axis=1).argsort(axis=1) < M).mean(axis=0)

    return {
        "mean": float(np.abs(off).mean()),
        "max": float(np.abs(off).max()),
        "sd_low": float(ratio.min()),
        "sd_high": float(ratio.max()),
        "top3": float(np.abs(top(one) - top(other)).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=[*CASES, "cms_ten"])
    parser.add_argument("--sets", type=int, help="default: as many as the case has")
    parser.add_argument("--draws", type=int, default=6000, help="of NUTS, for each of four chains")
    parser.add_argument("--twice", type=int, default=2, help="sets that NUTS fits with two seeds")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel/panel.csv"))
    args = parser.parse_args()
    new = not args.out.exists()
    with args.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        for case in args.cases:
            settings, number = CASES.get(case, ({}, 1))
            for n in range(args.sets or number):
                real = case == "cms_ten"
                data = cms_ten(args.data) if real else simulate(seed=n, **settings)
                reference, ess, seconds = nuts(data, args.draws, seed=1)
                pairs = {"laplace": fast(data, 25_000, seed=1)}
                if n < args.twice:
                    pairs["nuts"] = nuts(data, args.draws, seed=2)
                print(f"{case} {n}: NUTS ESS {ess:.0f}, {seconds:.1f} s CPU", flush=True)
                for pair, (value, its_ess, its_seconds) in pairs.items():
                    row = {"case": case, "set": n, "pair": pair, "ess": its_ess}
                    row |= {"seconds": its_seconds, "reference_ess": ess}
                    row |= {"reference_seconds": seconds} | compare(value, reference)
                    writer.writerow(row)
                    shown = "  ".join(f"{k} {row[k]:.3f}" for k in FIELDS[3:8])
                    print(f"  {pair:8s} {shown}  ESS {its_ess:.0f}  {its_seconds:.3f} s CPU")
                file.flush()


if __name__ == "__main__":
    main()
