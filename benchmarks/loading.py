"""How long it takes to load and check studies, beside pandas alone and a check row by row.

    python benchmarks/loading.py [--data FOLDER]

FOLDER holds ``cms_2021_2023.csv.gz`` and ``cms_indicators.csv`` (default: the environment variable
PDSIM_DATA, else ../shared/data beside the checkout). Every line is the median of 5 runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

import pdsim
from pdsim.errors import InputError

RUNS = 5
PERIODS = ("2021", "2023")


def seconds(job: Callable[[], object]) -> float:
    """Return the median time of `job`."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def show(what: str, taken: float) -> None:
    print(f"{what:<70} {taken:8.3f} s")


def row_by_row(path: Path) -> int:
    """Check the rules of a count in a loop over the rows, as one would write it first."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    seen, bad = set(), 0
    for row in table.itertuples(index=False):
        cell = (row.facility, row.indicator, row.period)
        successes, trials = float(row.successes), float(row.trials)
        whole = successes.is_integer() and trials.is_integer()
        bad += (
            cell in seen or not whole or not 0 <= successes <= trials or row.period not in PERIODS
        )
        seen.add(cell)
    return bad


def cms(folder: Path) -> None:
    table, indicators = folder / "cms_2021_2023.csv.gz", folder / "cms_indicators.csv"
    options = pdsim.StudyOptions(indicators=str(indicators), periods=PERIODS)

    def load() -> pdsim.Study:
        return pdsim.read_study(table, options=options)

    print("CMS, 48,392 rows, 2,201 hospitals, 14 indicators")
    code = (
        "import sys, pdsim; options = pdsim.StudyOptions(indicators=sys.argv[2], "
        "periods=('2021', '2023')); pdsim.read_study(sys.argv[1], options=options)"
    )
    fresh = [sys.executable, "-c", code, str(table), str(indicators)]
    show(
        "  fresh process: import pdsim.study, load, check (limit 3)",
        seconds(lambda: subprocess.run(fresh, check=True)),
    )
    bare = [sys.executable, "-c", "import xarray"]
    show("  fresh process: import xarray", seconds(lambda: subprocess.run(bare, check=True)))
    show("  load and check", seconds(load))
    show("  pandas.read_csv alone, nothing checked", seconds(lambda: pd.read_csv(table, dtype=str)))
    show("  the same rules row by row in Python", seconds(lambda: row_by_row(table)))
    study = load()
    show("  restate the within-case correlation", seconds(lambda: study.with_case_correlation(0.1)))
    broken = pd.read_csv(table, dtype=str).assign(successes="-1")

    def refused() -> None:
        with suppress(InputError):
            pdsim.Study.from_long(broken, options=pdsim.StudyOptions(periods=PERIODS))

    show("  refuse it with every row wrong", seconds(refused))


def sizes(folder: Path) -> None:
    print("made-up studies: load and check, by format")
    rng = np.random.default_rng(1)
    for facilities, indicators in ((10, 14), (500, 30), (3000, 60)):
        labels = [range(facilities), [f"K{k}" for k in range(indicators)], ["baseline", "endline"]]
        index = pd.MultiIndex.from_product(labels, names=["facility", "indicator", "period"])
        trials = rng.integers(5, 60, len(index))
        counts = {"successes": rng.binomial(trials, 0.4), "trials": trials}
        table = pd.DataFrame(counts, index=index).reset_index()
        table["facility"] = "F" + table["facility"].astype(str)
        table.to_csv(folder / "counts.csv", index=False)
        table.to_parquet(folder / "counts.parquet")
        for name in ("counts.csv", "counts.parquet"):
            path = folder / name
            taken = seconds(lambda path=path: pdsim.read_study(path))
            show(f"  {facilities} x {indicators} x 2, {len(table):,} rows, {name}", taken)
    cases = pd.DataFrame(
        rng.random((200_000, 14)) < 0.4, columns=[f"K{k}" for k in range(14)]
    ).astype(int)
    cases.insert(0, "period", np.tile(["baseline", "endline"], 100_000))
    cases.insert(0, "facility", np.repeat([f"F{i}" for i in range(200)], 1000))
    path = folder / "cases.csv"
    cases.to_csv(path, index=False)
    taken = seconds(lambda: pdsim.read_study(path, options=pdsim.StudyOptions(format="cases")))
    show("  200,000 cases of 14 items in 200 facilities, with correlation", taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PDSIM_DATA", beside)))
    data = parser.parse_args().data
    if (data / "cms_2021_2023.csv.gz").is_file():
        cms(data)
    else:
        print(f"no cms_2021_2023.csv.gz in {data}: set PDSIM_DATA or --data")
    with tempfile.TemporaryDirectory() as folder:
        sizes(Path(folder))


if __name__ == "__main__":
    main()
