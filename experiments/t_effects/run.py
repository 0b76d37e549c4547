"""Student-t effects of facilities: calibration, both engines, and what they change.

    python -m experiments.t_effects.run prior --sets 200
    python -m experiments.t_effects.run normal --sets 100
    python -m experiments.t_effects.run outlier --sets 100
    python -m experiments.t_effects.run agree --sets 3
    python -m experiments.t_effects.run summary

Ten facilities, eight indicators in two domains, 40 cases a cell, 4 degrees of freedom. ``prior``:
parameters and effects from the model with t effects (simulation-based calibration). ``normal``:
normal effects at spreads like those of the founding programme. ``outlier``: the same with one
facility whose own change is 3 logits above the rest. The last two are fitted with normal and with t
effects. ``agree``: both engines on data sets of all three kinds in turn. One line of JSON per data
set is appended to the output, so an interrupted run goes on. Seconds per data set, ``agree``
minutes.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from experiments.data_sets import lines_of
from scipy import stats
from scipy.special import expit

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.sample import sample_laplace
from pdsim.model.predictive import Parameters, draw_eta, draw_parameters
from pdsim.priors import Priors
from pdsim.ranking.draws import effective_size

FACILITIES, INDICATORS, TRIALS, DF = 10, 8, 40, 4.0
DRAWS, STEPS = 4000, 250
FIXED = Parameters(
    alpha=np.linspace(-2.5, -1.0, INDICATORS),
    beta=np.full(INDICATORS, 2.2),
    sd_baseline={"facility": 0.35, "domain": 0.3, "indicator": 0.3},
    sd_change={"facility": 0.5, "domain": 0.3, "indicator": 0.3},
    corr={"facility": -0.2, "domain": 0.0, "indicator": -0.2},
)
OUTLIER = 3.0
WANTED, MOST = 25_000, 30
"""Effective draws to compare with those of NUTS, from at most so many fits."""
OUT = Path("results/t_effects")
KINDS = ("prior", "normal", "outlier")


def blank() -> ModelData:
    """Return a study without successes."""
    shape = (FACILITIES, INDICATORS, 2)
    return ModelData(
        kind="counts",
        observed=np.zeros(shape),
        size=np.full(shape, float(TRIALS)),
        domain=np.repeat([0, 1], INDICATORS // 2),
        case_group=np.full(INDICATORS, -1),
        case_correlation=0.0,
        weight=np.full(INDICATORS, 1 / INDICATORS),
        center=np.zeros(INDICATORS),
        scale=np.ones(INDICATORS),
        priors=Priors(),
        facility_df=DF,
    )


def simulated(kind: str, number: int) -> tuple[ModelData, Parameters, Floats]:
    """Return a data set, its parameters and its logits."""
    rng = np.random.default_rng([20261128, KINDS.index(kind), number])
    data = blank()
    if kind == "prior":
        truth = draw_parameters(data, rng)
        eta, _ = draw_eta(truth, data, rng)
    else:
        truth = FIXED
        eta, _ = draw_eta(truth, replace(data, facility_df=None), rng)
        if kind == "outlier":
            eta[0, :, 1] += OUTLIER
    observed = rng.binomial(TRIALS, expit(eta)).astype(float)
    return replace(data, observed=observed), truth, eta


def change(eta: Floats) -> Floats:
    """Return the composite change in pp (..., F)."""
    p = expit(eta)
    return 100.0 * (p[..., 1] - p[..., 0]).mean(axis=-1)


def top_three(value: Floats) -> Floats:
    """Return P(top 3) of draws (draw, F)."""
    return ((-value).argsort(axis=1).argsort(axis=1) < 3).mean(axis=0)


def prior_set(number: int) -> dict:
    """Return where the truth lies among the draws of one data set."""
    data, truth, eta = simulated("prior", number)
    start = time.process_time()
    result = sample_laplace(data, draws=DRAWS, seed=number, steps=STEPS)
    seconds = time.process_time() - start
    one = number % FACILITIES
    found = change(result.eta)
    pairs = {
        "change of a facility": (found[:, one], change(eta)[one]),
        "largest change": (found.max(axis=1), change(eta).max()),
        "endline logit of a cell": (result.eta[:, one, 0, 1], eta[one, 0, 1]),
        "sd_baseline_facility": (
            result.hyper["sd_baseline_facility"], truth.sd_baseline["facility"]
        ),
        "sd_change_facility": (result.hyper["sd_change_facility"], truth.sd_change["facility"]),
        "corr_facility": (result.hyper["corr_facility"], truth.corr["facility"]),
        "beta, mean": (result.fixed["beta"].mean(axis=1), truth.beta.mean()),
    }  # fmt: skip
    return {
        "set": number,
        "seconds": seconds,
        "reliable": result.reliable,
        "pit": {name: float((draws < value).mean()) for name, (draws, value) in pairs.items()},
    }


def compared_set(kind: str, number: int) -> dict:
    """Return P(top 3) and errors of one data set with normal and with t effects."""
    data, _, eta = simulated(kind, number)
    row: dict = {"set": number, "truth": change(eta).tolist()}
    for name, one in (("normal", replace(data, facility_df=None)), ("t", data)):
        start = time.process_time()
        result = sample_laplace(one, draws=DRAWS, seed=number, steps=STEPS)
        value = change(result.eta)
        row[name] = {
            "seconds": time.process_time() - start,
            "reliable": result.reliable,
            "top": top_three(value).tolist(),
            "mean": value.mean(axis=0).tolist(),
            "low": np.quantile(value, 0.025, axis=0).tolist(),
            "high": np.quantile(value, 0.975, axis=0).tolist(),
        }
        if "factor_facility" in result.hyper:
            factor = result.hyper["factor_facility"]
            row[name]["factor"] = np.median(factor, axis=0).tolist()
    return row


def agree_set(number: int) -> dict:
    """Return how far the two engines lie apart on one data set."""
    from pdsim.model.nuts import sample_nuts

    kind = ("normal", "outlier", "prior")[number % 3]
    data, _, _ = simulated(kind, 1000 + number)
    values, factors, ess = [], [], 0.0
    for seed in range(MOST):
        fast = sample_laplace(data, draws=16_000, seed=seed, steps=1000)
        values.append(change(fast.eta))
        factors.append(np.log(fast.hyper["factor_facility"]))
        ess += fast.ess
        if ess > WANTED:
            break
    posterior, sampled = sample_nuts(data, draws=6000, tune=1500, chains=4, seed=2)
    flat = posterior.stack(sample=("chain", "draw")).transpose("sample", ...)
    row: dict = {"set": number, "kind": kind, "ess": ess}
    row["divergences"] = int(sampled["diverging"].sum())
    pairs = {
        "change": (np.concatenate(values), change(flat["eta"].to_numpy())),
        "log factor": (np.concatenate(factors), np.log(flat["factor_facility"].to_numpy())),
    }
    for name, (one, other) in pairs.items():
        sd = other.std(axis=0)
        apart = np.abs(one.mean(axis=0) - other.mean(axis=0)) / sd
        ratio = one.std(axis=0) / sd
        figures = (apart.mean(), apart.max(), ratio.min(), ratio.max())
        names = ("mean", "largest", "sd_low", "sd_high")
        row[name] = dict(zip(names, map(float, figures), strict=True))
    tops = [top_three(value) for value in pairs["change"]]
    row["top3"] = float(np.abs(tops[0] - tops[1]).max())
    chains = np.moveaxis(change(posterior["eta"].to_numpy()), -1, 0)
    row["nuts_ess"] = float(effective_size(chains).min())
    return row


def summary() -> None:
    """Print and write the tables of all runs."""
    rows = lines_of(OUT / "prior.jsonl")
    lines = ["fits,quantity,sets,covered_50,covered_80,covered_95,se_95,ks_p"]
    passed = [row for row in rows if row["reliable"]]
    for fits, some in (("passed", passed), ("all", rows)):
        for name in some[0]["pit"] if some else ():
            pit = np.array([row["pit"][name] for row in some])
            inside = [float((np.abs(pit - 0.5) <= prob / 2).mean()) for prob in (0.5, 0.8, 0.95)]
            error = np.sqrt(inside[2] * (1 - inside[2]) / len(pit))
            test = stats.kstest(pit, "uniform").pvalue
            figures = ",".join(f"{value:.3f}" for value in (*inside, error, test))
            lines.append(f"{fits},{name.replace(',', ';')},{len(pit)},{figures}")
    (OUT / "calibration.csv").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    if rows:
        print(f"{np.mean([row['reliable'] for row in rows]):.3f} passed all gates, "
              f"{np.median([row['seconds'] for row in rows]):.3f} s")  # fmt: skip
    for kind in ("normal", "outlier"):
        rows = lines_of(OUT / f"{kind}.jsonl")
        if not rows:
            continue
        top = {name: np.array([row[name]["top"] for row in rows]) for name in ("normal", "t")}
        moved = np.abs(top["t"] - top["normal"]).mean(axis=1)
        error = moved.std(ddof=1) / np.sqrt(len(moved))
        print(f"{kind}: {len(rows)} sets; P(top 3) moves by {moved.mean():.4f} +- {error:.4f}, "
              f"largest {np.abs(top['t'] - top['normal']).max():.3f}")  # fmt: skip
        names = [np.argsort(-top[name], axis=1)[:, :3] for name in top]
        other = [len(set(a) - set(b)) > 0 for a, b in zip(*names, strict=True)]
        print(f"  another top 3 in {np.mean(other):.2f} of the sets")
        truth = np.array([row["truth"] for row in rows])
        best = truth.argsort(axis=1)[:, -3:]
        for name in ("normal", "t"):
            low, high = (np.array([row[name][end] for row in rows]) for end in ("low", "high"))
            cover = ((low <= truth) & (truth <= high)).mean(axis=1)
            error = np.array([row[name]["mean"] for row in rows]) - truth
            pairs = zip(top[name], best, strict=True)
            hits = [len(set(np.argsort(-found)[:3]) & set(three)) for found, three in pairs]
            good = np.mean([row[name]["reliable"] for row in rows])
            seconds = np.median([row[name]["seconds"] for row in rows])
            print(
                f"  {name}: cover {cover.mean():.3f} (first facility "
                f"{((low <= truth) & (truth <= high))[:, 0].mean():.3f}), RMSE "
                f"{np.sqrt((error**2).mean()):.3f} (first {np.sqrt((error[:, 0] ** 2).mean()):.3f}"
                f"), true top 3 {np.mean(hits) / 3:.3f}, gates passed {good:.2f}, {seconds:.2f} s"
            )
        factor = np.array([row["t"]["factor"] for row in rows])
        print(
            f"  median factor: first {factor[:, 0].mean():.2f}, others {factor[:, 1:].mean():.2f}"
        )
    for row in lines_of(OUT / "agree.jsonl"):
        print(row)


def main() -> None:
    """Run one kind of data sets, or print the summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=[*KINDS, "agree", "summary"])
    parser.add_argument("--sets", type=int, default=100)
    arguments = parser.parse_args()
    if arguments.mode == "summary":
        summary()
        return
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{arguments.mode}.jsonl"
    done = len(lines_of(path))
    with path.open("a") as file:
        for number in range(done, arguments.sets):
            if arguments.mode == "prior":
                row = prior_set(number)
            elif arguments.mode == "agree":
                row = agree_set(number)
            else:
                row = compared_set(arguments.mode, number)
            file.write(json.dumps(row) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
