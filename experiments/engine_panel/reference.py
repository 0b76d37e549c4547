"""Long NUTS runs on the panel of data sets, for `compare.py` to hold the fast engine against.

    python experiments/engine_panel/reference.py n10 n40 n150
    python experiments/engine_panel/reference.py cms_ten --data ../shared/data

One line of JSON per data set and seed is appended to results/engine_panel/nuts.jsonl: mean,
standard deviation and P(top 3) of every facility's change, their Monte Carlo standard errors, the
least effective sample, divergences and CPU time. What is there already is not run again. A minute
per data set of ten facilities.
"""

import argparse
import json
import time
from pathlib import Path

import arviz_stats as azs
import numpy as np
import xarray as xr

from cases import CASES, change, made, places, summary
from pdsim.model import nuts
from pdsim.model.data import ModelData

TARGET_ACCEPT = 0.9
"""Half the cost of the package's own 0.95; divergences are counted in every line."""


def run(data: ModelData, draws: int, seed: int) -> dict[str, object]:
    """Return the summaries of one run of four chains."""
    nuts.TARGET_ACCEPT = TARGET_ACCEPT
    start = time.process_time()
    posterior, stats = nuts.sample_nuts(data, draws=draws, tune=1000, chains=4, seed=seed, cores=1)
    seconds = time.process_time() - start
    eta = posterior["eta"].to_numpy()
    value = change(data, eta.reshape(-1, *eta.shape[2:]))
    dims = ("chain", "draw", "facility")
    chains = xr.DataArray(value.reshape(*eta.shape[:2], -1), dims=dims)
    top = chains.copy(data=(places(value) < 3).reshape(chains.shape).astype(float))
    over = {"sample_dims": ["chain", "draw"]}
    errors = {
        "mean_mcse": azs.mcse(chains, method="mean", **over),
        "sd_mcse": azs.mcse(chains, method="sd", **over),
        "top3_mcse": azs.mcse(top, method="mean", **over),
    }
    return {
        "seed": seed,
        "draws": draws,
        "ess": float(azs.ess(chains, method="mean", **over).min()),
        "seconds": seconds,
        "divergences": int(stats["diverging"].sum()),
        **summary(value),
        # of a facility that is never or always in the top there is none to be seen
        **{name: np.round(np.nan_to_num(e.to_numpy()), 8).tolist() for name, e in errors.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=list(CASES))
    parser.add_argument("--sets", type=int, help="default: as many as the case has")
    parser.add_argument("--draws", type=int, default=7000, help="for each of four chains")
    parser.add_argument("--twice", type=int, default=2, help="sets that get a second seed")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel/nuts.jsonl"))
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    done = {(row["case"], row["set"], row["seed"]) for row in map(json.loads, lines)}
    for case in args.cases:
        for n in range(args.sets or CASES[case][1]):
            data = made(case, n, args.data)
            for seed in (1, 2)[: 2 if n < args.twice else 1]:
                if (case, n, seed) in done:
                    continue
                row = {"case": case, "set": n} | run(data, args.draws, seed)
                with args.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(
                    f"{case} {n} seed {seed}: ESS {row['ess']:.0f}, {row['divergences']} "
                    f"divergences, {row['seconds']:.0f} s CPU",
                    flush=True,
                )


if __name__ == "__main__":
    main()
