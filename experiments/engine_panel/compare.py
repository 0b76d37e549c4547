"""The fast engine against the long NUTS runs that `reference.py` keeps.

    python experiments/engine_panel/compare.py --data ../shared/data

The fast engine's figures are of many short fits with different seeds, whose differences give their
Monte Carlo errors. Differences of the posterior of the composite change are in posterior standard
deviations of NUTS, beside the same between two NUTS runs with different seeds. ``beyond`` is what
is left of a difference less two Monte Carlo errors of both sides together; ``z_rms`` the root mean
square of the difference of means in such errors, 1 where there is nothing else. Writes panel.csv
and table.md in results/engine_panel. Seconds per data set; what panel.jsonl.tmp holds is kept.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from cases import change, made, summary
from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace import sample_laplace

WANTED, LEAST, MOST = 25_000, 8, 40
BEYOND = ("beyond_mean", "beyond_max", "beyond_sd", "beyond_top3")
FIELDS = ("case", "set", "pair", "mean", "max", "sd_low", "sd_high", "top3", "ess", "nuts_ess",
          "z_rms", *BEYOND)  # fmt: skip


def errors(found: dict) -> dict[str, Floats]:
    """Return the Monte Carlo errors of a summary; without its own, those of independent draws."""
    sd, p, ess = np.array(found["sd"]), np.array(found["top3"]), found["ess"]
    plain = {"mean": sd / ess**0.5, "sd": sd / (2 * ess) ** 0.5, "top3": (p * (1 - p) / ess) ** 0.5}
    return {name: np.array(found.get(f"{name}_mcse", value)) for name, value in plain.items()}


def apart(found: dict, reference: dict) -> dict[str, float]:
    """Return the differences of two summaries."""
    sd = np.array(reference["sd"])
    off = {name: np.abs(np.array(found[name]) - reference[name]) for name in ("mean", "sd", "top3")}
    one, other = errors(found), errors(reference)
    error = {name: np.hypot(one[name], other[name]) for name in off}
    beyond = {name: np.maximum(off[name] - 2 * error[name], 0.0) for name in off}
    ratio = np.array(found["sd"]) / sd
    return {
        "mean": float((off["mean"] / sd).mean()),
        "max": float((off["mean"] / sd).max()),
        "sd_low": float(ratio.min()),
        "sd_high": float(ratio.max()),
        "top3": float(off["top3"].max()),
        "z_rms": float(np.sqrt(np.mean((off["mean"] / error["mean"]) ** 2))),
        "beyond_mean": float((beyond["mean"] / sd).mean()),
        "beyond_max": float((beyond["mean"] / sd).max()),
        "beyond_sd": float((beyond["sd"] / sd).max()),
        "beyond_top3": float(beyond["top3"].max()),
    }


def fast(data: ModelData, draws: int, steps: int) -> dict:
    """Return the summary of as many fits by the fast engine as make up the effective sample."""
    ess, values = 0.0, []
    while len(values) < LEAST or (ess < WANTED and len(values) < MOST):
        result = sample_laplace(data, draws=draws, seed=len(values) + 1, steps=steps)
        values.append(change(data, result.eta))
        ess += result.ess
    parts = [summary(value) for value in values]
    found = {"ess": ess} | summary(np.concatenate(values))
    for name in ("mean", "sd", "top3"):
        each = np.array([part[name] for part in parts])
        found[f"{name}_mcse"] = each.std(axis=0, ddof=1) / np.sqrt(len(parts))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--nuts", type=Path, default=Path("results/engine_panel/nuts.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel"))
    args = parser.parse_args()
    runs = {
        (row["case"], row["set"], row["seed"]): row
        for row in map(json.loads, args.nuts.read_text().splitlines())
    }
    kept = args.out / "panel.jsonl.tmp"
    lines = map(json.loads, kept.read_text().splitlines() if kept.exists() else [])
    rows = {(row["case"], row["set"]): row for row in lines}
    second = []
    for (case, number, seed), reference in sorted(runs.items()):
        base = {"case": case, "set": number, "nuts_ess": reference["ess"]}
        if seed == 2:
            first = runs[case, number, 1]
            second.append(base | {"pair": "nuts", "ess": first["ess"]} | apart(first, reference))
        elif (case, number) not in rows:
            found = fast(made(case, number, args.data), args.draws, args.steps)
            row = base | {"pair": "laplace", "ess": found["ess"]} | apart(found, reference)
            rows[case, number] = row
            with kept.open("a") as file:
                file.write(json.dumps(row) + "\n")
    every = sorted(
        [*rows.values(), *second], key=lambda row: (row["case"], row["set"], row["pair"])
    )
    with (args.out / "panel.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in every:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    (args.out / "table.md").write_text(table(every))


def table(rows: list[dict]) -> str:
    """Return the worst figures of every case and pair, as Markdown."""
    worst = {"mean": max, "max": max, "sd_low": min, "sd_high": max, "top3": max}
    worst |= dict.fromkeys(BEYOND, max)
    lines = [
        "| case | pair | data sets | mean | largest | sd from | sd to | P(top 3) | beyond: mean | "
        "largest | sd | P(top 3) | least ESS |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case, pair in sorted({(row["case"], row["pair"]) for row in rows}):
        own = [row for row in rows if (row["case"], row["pair"]) == (case, pair)]
        figures = [f"{pick(row[name] for row in own):.3f}" for name, pick in worst.items()]
        ess = min(min(row["ess"], row["nuts_ess"]) for row in own)
        lines.append(f"| {case} | {pair} | {len(own)} | {' | '.join(figures)} | {ess:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
