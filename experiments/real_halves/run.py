"""Half of the cases of real hospitals predicts the other half, to see whether probabilities hold.

    python experiments/real_halves/run.py cms_2022_2023 --data ../shared/data --groups 110
    python experiments/real_halves/run.py cms_2021_2023 --data ../shared/data --groups 60
    python experiments/real_halves/run.py cms_2022_2023 --data ../shared/data --groups 50 --tried
    python experiments/real_halves/run.py cms_2022_2023 --data ../shared/data --tried own \
        outer_change_cauchy

Hospitals are put into groups of ten at random, every one once a round. The cases of every cell are
split at random into halves; one is fitted, and the composite changes of the other are predicted,
their own sampling error included. No model is the truth here: this is the check that data simulated
from the model cannot give. One line of JSON per group is appended to results/large/real_halves;
`summarise.py` makes the tables. Indicators whose releases share cases would fake stability: between
2022 and 2023 none do.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

import pdsim
from pdsim.arraytypes import Floats
from pdsim.priors import CorrelationPrior, PooledScalePrior

M = 3
GROUP = 10
MODELS = {"own": pdsim.Priors(), "shared": pdsim.Priors(indicator_spread="shared")}
NARROW = pdsim.ScalePrior(family="half_cauchy", scale=0.1)
CHANGE = dict.fromkeys(("sd_change_facility", "sd_change_domain"), NARROW)
BASELINE = dict.fromkeys(("sd_baseline_facility", "sd_baseline_domain"), NARROW)


def pooled(**settings: float) -> pdsim.Priors:
    """Return the default but for how the indicators' spreads are drawn towards each other."""
    prior = PooledScalePrior(**settings)
    return pdsim.Priors(sd_baseline_indicator=prior, sd_change_indicator=prior)


TRIED = {
    "own": pdsim.Priors(),
    "outer_cauchy": pdsim.Priors(**CHANGE, **BASELINE),
    "outer_change_cauchy": pdsim.Priors(**CHANGE),
    "domain_change_cauchy": pdsim.Priors(sd_change_domain=NARROW),
    "domain_cauchy": pdsim.Priors(sd_change_domain=NARROW, sd_baseline_domain=NARROW),
    "median.15": pooled(median=0.15),
    "spread1": pooled(spread=1.0),
    "spread.3": pooled(spread=0.3),
    "df20": pooled(df=20.0, spread=0.8),
    "corr10": pdsim.Priors(
        **dict.fromkeys(
            ("corr_facility", "corr_domain", "corr_indicator"), CorrelationPrior(eta=10.0)
        )
    ),
    "common.3": pooled(common=0.3),
}
"""Other priors beside the default, to see if any comes nearer to slopes of 1."""

PERIODS = {
    "cms_2022_2023": {"2022": "baseline", "2023": "endline"},
    "cms_2021_2023": {"2021": "baseline", "2023": "endline"},
}


def groups(names: list[str], number: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Yield groups of ten; nobody is in a second one before everybody was in a first."""
    while number > 0:
        order = rng.permutation(names)
        for first in range(0, len(order) - GROUP + 1, GROUP)[:number]:
            yield order[first : first + GROUP].tolist()
        number -= len(order) // GROUP


def halves(table: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the cases of every cell at random."""
    trials = table["trials"].to_numpy()
    successes = table["successes"].to_numpy()
    half = (trials + rng.integers(0, 2, trials.size)) // 2
    first = rng.hypergeometric(successes, trials - successes, half)
    return (
        table.assign(successes=first, trials=half),
        table.assign(successes=successes - first, trials=trials - half),
    )


def membership(value: Floats) -> Floats:
    """Return the mean membership of the M largest; value (draw, facility), ties at random."""
    rng = np.random.default_rng(1)
    order = np.argsort(value + 1e-9 * rng.random(value.shape), axis=1)[:, -M:]
    return np.bincount(order.ravel(), minlength=value.shape[1]) / len(value)


def composite(share: Floats, known: Floats) -> dict[str, Floats]:
    """Return change and endline in pp over the cells that are known; share (..., F, K, 2)."""
    both = known.all(axis=-1)
    weight = both / both.sum(axis=1, keepdims=True)
    mean = 100 * np.einsum("...fkt,fk->...ft", np.where(both[..., None], share, 0.0), weight)
    return {"change": mean[..., 1] - mean[..., 0], "endline": mean[..., 1]}


def arrays(study: pdsim.Study) -> tuple[Floats, Floats]:
    """Return successes, turned so that more is better, and trials, 0 in a missing cell."""
    trials = np.nan_to_num(study.data["trials"].to_numpy().astype(float))
    successes = np.nan_to_num(study.data["successes"].to_numpy().astype(float))
    lower = (study.data["direction"] == "lower").to_numpy()[:, None]
    return np.where(lower, trials - successes, successes), trials


def predicted(value: dict[str, Floats], truth: dict[str, Floats]) -> dict[str, object]:
    """Return P(top M), and mean, sd and cover of the predictive interval, by estimand."""
    found: dict[str, object] = {}
    for name, draws in value.items():
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        found[name] = {
            "p": membership(draws).tolist(),
            "covered": ((low <= truth[name]) & (truth[name] <= high)).tolist(),
            "width": float((high - low).mean()),
        }
    return found


def one_group(
    table: pd.DataFrame,
    indicators: pd.DataFrame,
    seed: int,
    draws: int,
    models: dict[str, pdsim.Priors],
) -> dict[str, object]:
    """Split, fit and predict one group."""
    rng = np.random.default_rng(seed)
    # not every indicator is known of some hospital of a group
    indicators = indicators[indicators["indicator"].isin(table["indicator"].unique())]
    first, second = (
        pdsim.Study.from_long(half, indicators=indicators) for half in halves(table, rng)
    )
    seen, n_seen = arrays(first)
    successes, trials = arrays(second)
    known = (trials > 0) & (n_seen > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = composite(successes / trials, known)
        observed = composite(seen / n_seen, known)
        p = (seen + 0.5) / (n_seen + 1.0)
        variance = p * (1 - p) * (1 / n_seen + 1 / trials)
    row: dict[str, object] = {"seed": seed}
    for name, priors in models.items():
        fit = pdsim.fit(
            first, engine="laplace", priors=priors, seed=seed, draws=draws // 4, hand_over=False
        )
        p = expit(fit["posterior"]["eta"].to_numpy()[0])
        replicate = rng.binomial(trials.astype(int), p) / np.maximum(trials, 1)
        row[name] = predicted(composite(replicate, known), truth)
        row[name]["reliable"] = fit.attrs["convergence"] == "passed"
    both = known.all(axis=-1)
    weight = both / both.sum(axis=1, keepdims=True)
    spread = np.where(both[..., None], variance, 0.0)
    error = 100 * np.sqrt(np.einsum("fkt,fk->ft", spread, weight**2))
    error = {"change": np.hypot(*error.T), "endline": error[:, 1]}
    noise = rng.standard_normal((draws, GROUP))
    row["flat"] = predicted({k: observed[k] + error[k] * noise for k in truth}, truth)
    row["naive"] = {k: {"p": membership(observed[k][None]).tolist()} for k in truth}
    row["top"] = {k: membership(truth[k][None]).tolist() for k in truth}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=sorted(PERIODS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--groups", type=int, default=110)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--tried", nargs="*", choices=list(TRIED), help="priors; all if none is named"
    )
    parser.add_argument("--out", type=Path, default=Path("results/large/real_halves"))
    args = parser.parse_args()
    table = pd.read_csv(args.data / f"{args.table}.csv.gz", dtype={"facility": str, "period": str})
    table["period"] = table["period"].map(PERIODS[args.table])
    indicators = pd.read_csv(args.data / "cms_indicators.csv")
    indicators = indicators[indicators["indicator"].isin(table["indicator"].unique())]
    names = sorted(table["facility"].unique())
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{args.table}{'' if args.tried is None else '_tried'}.jsonl"
    done = len(path.read_text().splitlines()) if path.exists() else 0
    models = MODELS if args.tried is None else {name: TRIED[name] for name in args.tried or TRIED}
    chosen = groups(names, args.groups, np.random.default_rng(args.seed))
    for n, members in enumerate(chosen):
        if n < done:
            continue
        rows = table[table["facility"].isin(members)]
        row = one_group(rows, indicators, args.seed * 100_000 + n, args.draws, models)
        with path.open("a") as file:
            file.write(json.dumps({"group": n} | row) + "\n")


if __name__ == "__main__":
    main()
