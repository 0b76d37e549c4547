"""Put what `run.py` found into results/real_halves: calibration.csv, reliability.csv, tried.csv.

    python experiments/real_halves/summarise.py

Slope: of membership in the other half's top 3 on P(top 3), least squares within groups; 1 is right,
below 1 is overconfident. sum (I - P) P: 0 is right, below 0 overconfident. Standard errors over
groups; rows `own - shared` are paired.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

BINS = (0.0, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)
WAYS = ("own", "shared", "flat", "naive")
CHOSE = {"cms_2022_2023": 50}
"""Groups that told which of the priors tried is worth another look; the others judge it."""


def slope(p: np.ndarray, top: np.ndarray) -> float:
    """Return the slope of top on p, both (group, facility), within groups."""
    centered = p - p.mean(axis=1, keepdims=True)
    return float(np.sum(centered * top) / np.sum(centered**2))


def with_error(figure, *arrays: np.ndarray) -> tuple[float, float]:
    """Return a figure of arrays (group, ...) and its jackknife error over groups."""
    number = len(arrays[0])
    keep = ~np.eye(number, dtype=bool)
    left = np.array([figure(*(a[row] for a in arrays)) for row in keep])
    error = np.sqrt((number - 1) / number * np.sum((left - left.mean()) ** 2))
    return figure(*arrays), float(error)


def figures(rows: list[dict], estimand: str) -> list[tuple]:
    """Return (way, figure, value, standard error)."""
    top = np.array([row["top"][estimand] for row in rows])
    p = {way: np.array([row[way][estimand]["p"] for row in rows]) for way in WAYS}
    found = []
    for way in WAYS:
        found.append((way, "slope", *with_error(slope, p[way], top)))
        parts = {
            "sum (I - P) P": ((top - p[way]) * p[way]).sum(axis=1),
            "Brier": ((top - p[way]) ** 2).mean(axis=1),
        }
        order = np.argsort(-p[way], axis=1, kind="stable")[:, :3]
        parts["overlap of the three named"] = np.take_along_axis(top, order, axis=1).sum(axis=1)
        if way != "naive":
            covered = [np.mean(row[way][estimand]["covered"]) for row in rows]
            parts["cover of 95 % intervals"] = np.array(covered)
            parts["width, pp"] = np.array([row[way][estimand]["width"] for row in rows])
        for name, value in parts.items():
            error = value.std(ddof=1) / np.sqrt(value.size)
            found.append((way, name, float(value.mean()), float(error)))

    def gain(own: np.ndarray, shared: np.ndarray, top: np.ndarray) -> float:
        return slope(own, top) - slope(shared, top)

    found.append(("own - shared", "slope", *with_error(gain, p["own"], p["shared"], top)))
    for name, part in (
        ("sum (I - P) P", lambda x: ((top - x) * x).sum(axis=1)),
        ("Brier", lambda x: ((top - x) ** 2).mean(axis=1)),
    ):
        value = part(p["own"]) - part(p["shared"])
        error = value.std(ddof=1) / np.sqrt(value.size)
        found.append(("own - shared", name, float(value.mean()), float(error)))
    return found


def reliability(rows: list[dict], estimand: str) -> list[tuple]:
    """Return (way, bin, facilities, mean P, share in the other half's top 3)."""
    top = np.array([row["top"][estimand] for row in rows]).ravel()
    found = []
    for way in ("own", "shared", "flat"):
        p = np.array([row[way][estimand]["p"] for row in rows]).ravel()
        place = np.clip(np.digitize(p, BINS) - 1, 0, len(BINS) - 2)
        for b in range(len(BINS) - 1):
            inside = place == b
            if inside.any():
                bounds = f"{BINS[b]:g} to {BINS[b + 1]:g}"
                found.append((way, bounds, int(inside.sum()), p[inside].mean(), top[inside].mean()))
    return found


def tried(every: list[dict]) -> list[tuple]:
    """Return (groups, prior, figure, value, standard error), paired with the default."""
    found: list[tuple] = []
    for way in every[0]:
        if way in ("group", "seed", "top", "flat", "naive"):
            continue
        rows = [row for row in every if way in row]
        for estimand in ("change", "endline"):
            top = np.array([row["top"][estimand] for row in rows])
            p, own = (np.array([row[x][estimand]["p"] for row in rows]) for x in (way, "own"))
            gain = with_error(lambda a, b, t: slope(a, t) - slope(b, t), p, own, top)
            figures = [("slope", *with_error(slope, p, top)), ("slope - own", *gain)]
            covered, usual = (
                np.array([np.mean(row[x][estimand]["covered"]) for row in rows])
                for x in (way, "own")
            )
            for name, value in (
                ("sum (I - P) P", ((top - p) * p).sum(axis=1)),
                ("sum (I - P) P - own", ((top - p) * p - (top - own) * own).sum(axis=1)),
                ("Brier - own", ((top - p) ** 2 - (top - own) ** 2).mean(axis=1)),
                ("cover of 95 % intervals", covered),
                ("cover - own", covered - usual),
            ):
                error = value.std(ddof=1) / np.sqrt(value.size)
                figures.append((name, float(value.mean()), float(error)))
            found += [(len(rows), way, estimand, *figure) for figure in figures]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("results/large/real_halves"))
    parser.add_argument("--out", type=Path, default=Path("results/real_halves"))
    args = parser.parse_args()
    tables: dict[str, list[tuple]] = {
        "calibration": [
            ("data", "groups", "unreliable", "estimand", "way", "figure", "value", "standard_error")
        ],
        "reliability": [("data", "estimand", "way", "p", "facilities", "mean_p", "in_top_3")],
        "tried": [("data", "groups", "prior", "estimand", "figure", "value", "standard_error")],
    }
    for path in sorted(args.runs.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if path.stem.endswith("_tried"):
            name = path.stem.removesuffix("_tried")
            tables["tried"] += [(name, *row) for row in tried(rows)]
            if len(rest := rows[CHOSE.get(name, len(rows)) :]) > 1:
                tables["tried"] += [(f"{name}, other groups", *row) for row in tried(rest)]
            continue
        bad = sum(not row["own"]["reliable"] for row in rows)
        for estimand in ("change", "endline"):
            head = (path.stem, len(rows), bad, estimand)
            tables["calibration"] += [(*head, *row) for row in figures(rows, estimand)]
            tables["reliability"] += [
                (path.stem, estimand, *row) for row in reliability(rows, estimand)
            ]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, lines in tables.items():
        if len(lines) == 1:
            continue
        with (args.out / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            for line in lines:
                writer.writerow([f"{v:.4g}" if isinstance(v, float) else v for v in line])


if __name__ == "__main__":
    main()
