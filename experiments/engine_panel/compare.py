"""The fast engine against the long NUTS runs that `reference.py` keeps.

    python experiments/engine_panel/compare.py --data ../shared/data

Both sides have effective samples of the size shown, the fast engine's from several fits.
Differences of the posterior of the composite change are in posterior standard deviations of NUTS,
beside the same between two NUTS runs with different seeds. Writes panel.csv and table.md in
results/engine_panel. Seconds per data set.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from cases import CASES, change, cms_ten, simulate, summary
from pdsim.model.data import ModelData
from pdsim.model.laplace import sample_laplace

WANTED, MOST = 25_000, 20
FIELDS = ("case", "set", "pair", "mean", "max", "sd_low", "sd_high", "top3", "ess", "nuts_ess")


def apart(found: dict, reference: dict) -> dict[str, float]:
    """Return the differences of two summaries."""
    sd = np.array(reference["sd"])
    off = np.abs(np.array(found["mean"]) - reference["mean"]) / sd
    ratio = np.array(found["sd"]) / sd
    return {
        "mean": float(off.mean()),
        "max": float(off.max()),
        "sd_low": float(ratio.min()),
        "sd_high": float(ratio.max()),
        "top3": float(np.abs(np.array(found["top3"]) - reference["top3"]).max()),
    }


def fast(data: ModelData, draws: int, steps: int) -> dict:
    """Return the summary of as many fits by the fast engine as make up the effective sample."""
    ess, values = 0.0, []
    while ess < WANTED and len(values) < MOST:
        result = sample_laplace(data, draws=draws, seed=len(values) + 1, steps=steps)
        values.append(change(data, result.eta))
        ess += result.ess
    return {"ess": ess, **summary(np.concatenate(values))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=30_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("results/engine_panel"))
    args = parser.parse_args()
    lines = (args.out / "nuts.jsonl").read_text().splitlines()
    runs = {(row["case"], row["set"], row["seed"]): row for row in map(json.loads, lines)}
    rows = []
    for (case, number, seed), reference in sorted(runs.items()):
        base = {"case": case, "set": number, "nuts_ess": reference["ess"]}
        if seed == 2:
            rows.append(
                base
                | {"pair": "nuts", "ess": runs[case, number, 1]["ess"]}
                | apart(runs[case, number, 1], reference)
            )
            continue
        real = case == "cms_ten"
        data = cms_ten(args.data) if real else simulate(seed=number, **CASES[case][0])
        found = fast(data, args.draws, args.steps)
        rows.append(base | {"pair": "laplace", "ess": found["ess"]} | apart(found, reference))
        print({k: rows[-1][k] for k in FIELDS}, flush=True)
    with (args.out / "panel.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    (args.out / "table.md").write_text(table(rows))


def table(rows: list[dict]) -> str:
    """Return the worst figures of every case and pair, as Markdown."""
    worst = {"mean": max, "max": max, "sd_low": min, "sd_high": max, "top3": max}
    lines = [
        "| case | pair | data sets | mean | largest | sd from | sd to | P(top 3) | least ESS |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case, pair in sorted({(row["case"], row["pair"]) for row in rows}):
        own = [row for row in rows if (row["case"], row["pair"]) == (case, pair)]
        figures = [f"{pick(row[name] for row in own):.3f}" for name, pick in worst.items()]
        ess = min(min(row["ess"], row["nuts_ess"]) for row in own)
        lines.append(f"| {case} | {pair} | {len(own)} | {' | '.join(figures)} | {ess:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
