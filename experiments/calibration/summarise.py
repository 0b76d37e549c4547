"""Put the figures of all calibration runs into one table: results/calibration/calibration.csv.

    python experiments/calibration/summarise.py

Every row is one figure of one run: its value, its standard error clustered by data set, its
target, and how many standard errors lie between. All data sets count, whatever their diagnosis;
``..., gates passed`` are figures of those whose gates passed, which are calibrated too where
posteriors are right, since gates look at the data alone. ``..., own - shared`` are differences on
the same data sets. Runs whose data sets are not at hand keep the rows they have.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from scipy import stats

CERTAIN = 0.95
PROBS = (0.50, 0.80, 0.95)
HEADER = ("run", "sets", "figure", "value", "standard_error", "target", "deviation")


def mean_and_error(values: list[float]) -> tuple[float, float]:
    array = np.asarray(values, dtype=float)
    return float(array.mean()), float(array.std(ddof=1) / np.sqrt(array.size))


def figures(run: str, sets: list[dict]) -> list[tuple]:
    """Return the rows of one run."""
    rows = []

    def add(figure: str, values: list[float], target: float) -> None:
        value, error = mean_and_error(values)
        deviation = (value - target) / error if error else float("nan")
        rows.append((run, len(sets), figure, value, error, target, deviation))

    for j, prob in enumerate(PROBS):
        for name in ("change", "net"):
            label = f"coverage of {prob:.0%} interval, {name}"
            add(label, [s["covered"][name][j] for s in sets], prob)
    for side in ("top", "bottom"):
        add(f"sum (I - P) P, {side} 3", [s["calibration"][side] for s in sets], 0.0)
    if "top" in sets[0]:
        p = np.array([s["top"]["p"] for s in sets])
        inside = np.array([s["top"]["in"] for s in sets])
        parts = p - p.mean(axis=1, keepdims=True)

        def slope(keep: np.ndarray) -> float:
            return float(np.sum(parts[keep] * inside[keep]) / np.sum(parts[keep] ** 2))

        every = ~np.eye(len(sets), dtype=bool)
        left = np.array([slope(row) for row in every])
        error = np.sqrt((len(sets) - 1) / len(sets) * np.sum((left - left.mean()) ** 2))
        value = slope(np.ones(len(sets), dtype=bool))
        row = ("slope of membership on P, top 3", value, error, 1.0, (value - 1.0) / error)
        rows.append((run, len(sets), *row))
        certain = (p >= CERTAIN) | (p <= 1.0 - CERTAIN)
        right = [
            float((inside[n] == (p[n] > 0.5))[c].mean()) for n, c in enumerate(certain) if c.any()
        ]
        if len(right) > 1:
            add("certain statements that are right", right, 1.0)
        add(
            "Brier, top 3",
            [float(np.mean((i - q) ** 2)) for i, q in zip(inside, p, strict=True)],
            0,
        )
        add("width of 95 % interval, pp", [s["width"] for s in sets], 0.0)
    for j, name in enumerate(("change", "change_net")):
        add(f"bias of {name}, pp", [s["bias"][j] for s in sets], 0.0)
    for name in sets[0]["hyper"]:
        add(f"bias of {name}", [s["hyper"][name][0] - s["hyper"][name][1] for s in sets], 0.0)
    # the largest gap between the ECDF of the ranks and the diagonal, and its 99.9 % limit
    gap = stats.kstest([s["pit"] for s in sets], "uniform").statistic
    limit = stats.kstwo.ppf(0.999, len(sets))
    rows.append((run, len(sets), "rank ECDF, largest gap", gap, limit, 0.0, gap / limit))
    return rows


def paired(run: str, first: list[dict], second: list[dict]) -> list[tuple]:
    """Return the differences of two models on the same data sets."""
    parts = {
        "Brier, top 3": lambda s: float(np.mean(np.subtract(s["top"]["in"], s["top"]["p"]) ** 2)),
        "width of 95 % interval, pp": lambda s: s["width"],
        "coverage of 95% interval, change": lambda s: s["covered"]["change"][2],
        "sum (I - P) P, top 3": lambda s: s["calibration"]["top"],
    }
    rows = []
    for figure, part in parts.items():
        gaps = [part(one) - part(other) for one, other in zip(first, second, strict=False)]
        value, error = mean_and_error(gaps)
        rows.append((run, len(gaps), figure, value, error, 0.0, value / error))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("results/large/calibration"))
    parser.add_argument("--out", type=Path, default=Path("results/calibration"))
    args = parser.parse_args()
    runs = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted(args.runs.glob("*.jsonl"))
    }
    rows = []
    for run, sets in runs.items():
        if len(sets) < 2:
            continue
        rows += figures(run, sets)
        passed = [one for one in sets if one.get("passed", True)]
        if len(passed) < len(sets):
            rows += figures(f"{run}, gates passed", passed)
        for first, second in (("own", "shared"), ("narrow", "own"), ("domain", "own")):
            other = runs.get(run.removesuffix(first) + second, [])
            if run.endswith(f"_{first}") and len(other) > 1:
                rows += paired(f"{run} - {second}", sets, other)
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "calibration.csv"
    lines = [[run, n, figure, *(f"{x:.4f}" for x in numbers)] for run, n, figure, *numbers in rows]
    if table.exists():
        made = {row[0] for row in rows}
        with table.open(newline="") as file:
            lines += [line for line in csv.reader(file) if line[0] not in {*made, HEADER[0]}]
    with table.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(sorted(lines, key=lambda line: line[0]))
    for run, n, figure, value, error, target, deviation in rows:
        label = f"{run:40s} {n:4d}  {figure:36s}"
        print(f"{label} {value:8.4f} ± {error:.4f}  target {target:.2f}  {deviation:+.1f}")


if __name__ == "__main__":
    main()
