"""The 2,201 hospitals by the fast engine, and NUTS on 200 of them.

python benchmarks/engine_hospitals.py ../shared/data [--facilities 2201] [--nuts]
"""

import argparse
import resource
import time
from pathlib import Path

import pandas as pd

import pdsim
from pdsim.model.data import ModelData, model_data
from pdsim.model.laplace import sample_laplace


def hospitals(folder: Path, number: int) -> ModelData:
    table = pd.read_csv(folder / "cms_2021_2023.csv.gz", dtype={"facility": str})
    table["period"] = table["period"].map({2021: "baseline", 2023: "endline"})
    kept = table["facility"].drop_duplicates().head(number)
    indicators = pd.read_csv(folder / "cms_indicators.csv")
    rows = table[table["facility"].isin(kept)]
    return model_data(pdsim.Study.from_long(rows, indicators=indicators))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--facilities", type=int, default=2201)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--nuts", action="store_true")
    args = parser.parse_args()
    data = hospitals(args.folder, args.facilities)
    start = time.perf_counter()
    result = sample_laplace(data, draws=args.draws, seed=1)
    taken = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{data.shape[0]} hospitals: {taken:.1f} s, peak {peak:.2f} GB, {result.diagnostics()}")
    if args.nuts:
        from pdsim.model.nuts import sample_nuts

        start = time.perf_counter()
        sample_nuts(hospitals(args.folder, 200), draws=500, tune=500, chains=1, seed=1, cores=1)
        print(f"NUTS on 200 of them: {time.perf_counter() - start:.0f} s for 500 draws")


if __name__ == "__main__":
    main()
