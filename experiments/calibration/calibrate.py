"""Is the model calibrated? Simulation-based calibration, clustered by data set.

    python experiments/calibration/calibrate.py prior --sets 200 --engine nuts
    python experiments/calibration/calibrate.py fixed --sets 100 --engine nuts
    python experiments/calibration/calibrate.py copula --sets 100 --trials 20 --engine nuts
    python experiments/calibration/calibrate.py copula --sets 100 --trials 20 --ignore
    python experiments/calibration/calibrate.py unequal --engine laplace --priors shared
    python experiments/calibration/calibrate.py mild --engine laplace --trials 10 --priors narrow

``prior``: parameters from the default priors. ``fixed``: parameters like the founding study (12 %
to 60 %), where a prior that pins the mean level fails and ``prior`` cannot see it. ``copula``: the
fixed parameters, cases correlated by a Gaussian copula, the correlation stated or ignored.
``unequal``: standard deviations of the indicators' own changes from 0.1 to 2.5 logits and
correlations from -0.8 to 0.4, in an order that is another in every data set, as in real hospitals.
``mild``: the fixed parameters, but facilities move as a whole by an SD of 0.3 logits in place of
0.7, and domains by 0.15; ``domains``: by 0.3 and 0.5. ``--priors``: one spread for all indicators
(``shared``), or half-Cauchy(.1) on the SDs of change of facilities and domains (``narrow``) or of
domains alone.
One line of JSON per data set is appended to the output, so an interrupted run goes on.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import expit, ndtr, ndtri

from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.predictive import Parameters, draw_eta, draw_parameters
from pdsim.priors import Priors, ScalePrior

FACILITIES, INDICATORS, DOMAINS, M = 10, 14, 2, 3
PROBS = (0.50, 0.80, 0.95)
NARROW = ScalePrior(family="half_cauchy", scale=0.1)
PRIORS = {
    "own": Priors(),
    "shared": Priors(indicator_spread="shared"),
    "narrow": Priors(sd_change_facility=NARROW, sd_change_domain=NARROW),
    "domain": Priors(sd_change_domain=NARROW),
}
FIXED = Parameters(
    alpha=np.full(INDICATORS, -2.15),
    beta=np.full(INDICATORS, 2.65),
    sd_baseline={"facility": 0.35, "domain": 0.3, "indicator": 0.3},
    sd_change={"facility": 0.7, "domain": 0.3, "indicator": 0.3},
    corr={"facility": 0.0, "domain": 0.0, "indicator": 0.0},
)
MILD = replace(FIXED, sd_change={"facility": 0.3, "domain": 0.15, "indicator": 0.3})
DOMAINS_MOVE = replace(FIXED, sd_change={"facility": 0.3, "domain": 0.5, "indicator": 0.3})
UNEQUAL = replace(
    FIXED,
    sd_baseline={"facility": 0.35, "domain": 0.3, "indicator": np.geomspace(0.1, 1.5, INDICATORS)},
    sd_change={"facility": 0.3, "domain": 0.2, "indicator": np.geomspace(0.1, 2.5, INDICATORS)},
    corr={"facility": 0.0, "domain": 0.0, "indicator": np.linspace(-0.8, 0.4, INDICATORS)},
)


def mixed(truth: Parameters, rng: np.random.Generator) -> Parameters:
    """Return the parameters with those of the indicators in another order, kind by kind."""
    parts = {}
    for kind in ("sd_baseline", "sd_change", "corr"):
        part = getattr(truth, kind)
        parts[kind] = part | {"indicator": rng.permutation(part["indicator"])}
    return replace(truth, **parts)


def blank(trials: int, correlation: float = 0.0, priors: Priors = PRIORS["own"]) -> ModelData:
    """Return a study of the founding study's shape, without successes."""
    shape = (FACILITIES, INDICATORS, 2)
    return ModelData(
        kind="counts",
        observed=np.zeros(shape),
        size=np.full(shape, float(trials)),
        domain=np.repeat(np.arange(DOMAINS), INDICATORS // DOMAINS),
        case_group=np.zeros(INDICATORS, dtype=np.int64),
        case_correlation=correlation,
        weight=np.full(INDICATORS, 1 / INDICATORS),
        center=np.zeros(INDICATORS),
        scale=np.ones(INDICATORS),
        priors=priors,
    )


def correlated_cases(p: Floats, cases: int, r: float, rng: np.random.Generator) -> Floats:
    """Draw successes (K,) of one facility and period by a one-factor Gaussian copula.

    The latent correlation is solved so that the pooled correlation of the binary items,
    sum of covariances over sum of sqrt(pq pq), is r.
    """
    nodes, masses = np.polynomial.hermite_e.hermegauss(48)
    masses = masses / masses.sum()
    threshold, sd = ndtri(p), np.sqrt(p * (1 - p))
    off = ~np.eye(p.size, dtype=bool)

    def pooled(latent: float) -> float:
        given = ndtr((threshold + np.sqrt(latent) * nodes[:, None]) / np.sqrt(1 - latent))
        covariance = np.einsum("n,nk,nl->kl", masses, given, given) - np.outer(p, p)
        return float(covariance[off].sum() / np.outer(sd, sd)[off].sum())

    low, high = 0.0, 0.999
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if pooled(middle) < r else (low, middle)
    z = rng.standard_normal((cases, 1))
    latent = np.sqrt(low) * z + np.sqrt(1 - low) * rng.standard_normal((cases, p.size))
    return (latent < threshold).sum(axis=0).astype(float)


def make_set(mode: str, blank_study: ModelData, r: float, rng: np.random.Generator) -> dict:
    """Return the truth and the successes of one data set."""
    parameters = {"mild": MILD, "domains": DOMAINS_MOVE}.get(mode, FIXED)
    if mode == "prior":
        parameters = draw_parameters(blank_study, rng)
    elif mode == "unequal":
        parameters = mixed(UNEQUAL, rng)
    eta, expected = draw_eta(parameters, blank_study, rng)
    p = expit(eta)
    cases = blank_study.size.astype(np.int64)
    if mode == "copula":
        successes = np.empty(p.shape)
        for i, t in np.ndindex(p.shape[0], p.shape[2]):
            successes[i, :, t] = correlated_cases(p[i, :, t], int(cases[0, 0, t]), r, rng)
    else:
        successes = rng.binomial(cases, p).astype(float)
    return {"parameters": parameters, "p": p, "expected": expected, "successes": successes}


def net_change(p: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return 100 mean_k [p_k1 - E_v expit(expected_k + v)]; leading dimensions are draws."""
    nodes, masses = np.polynomial.hermite_e.hermegauss(21)
    sd = np.sqrt(variance)
    mean = sum(
        mass * expit(expected + node * sd)
        for node, mass in zip(nodes, masses / masses.sum(), strict=True)
    )
    return 100 * (p[..., 1] - mean).mean(axis=-1)


def judge(draws: dict[str, Floats], truth: dict, rng: np.random.Generator) -> dict:
    """Compare the posterior of one data set with its truth."""
    p = expit(draws["eta"])
    change = 100 * (p[..., 1] - p[..., 0]).mean(axis=-1)
    true_change = 100 * (truth["p"][..., 1] - truth["p"][..., 0]).mean(axis=-1)
    parameters = truth["parameters"]
    levels = list(parameters.sd_change)
    variance = sum(
        (draws[f"sd_change_{n}"] ** 2 * (1 - draws[f"corr_{n}"] ** 2)).reshape(len(p), 1, -1)
        for n in levels
    )
    true_variance = sum(
        parameters.sd_change[n] ** 2 * (1 - parameters.corr[n] ** 2) for n in levels
    )
    net = net_change(p, draws["eta_expected"], variance)
    true_net = net_change(truth["p"], truth["expected"], true_variance)
    true_rank = (-true_change).argsort().argsort()
    rank = (-change).argsort(axis=1).argsort(axis=1)
    calibration = {}
    for side, true_in, stated in (
        ("top", true_rank < M, (rank < M).mean(axis=0)),
        ("bottom", true_rank >= FACILITIES - M, (rank >= FACILITIES - M).mean(axis=0)),
    ):
        calibration[side] = float(((true_in - stated) * stated).sum())
    facility = int(rng.integers(FACILITIES))
    hyper = {
        f"{kind}_{n}": [
            float(draws[f"{kind}_{n}"].mean()),
            float(np.mean(getattr(parameters, kind)[n])),
        ]
        for kind in ("sd_baseline", "sd_change", "corr")
        for n in levels
    }
    return {
        "pit": float((change[:, facility] < true_change[facility]).mean()),
        "covered": {"change": coverage(change, true_change), "net": coverage(net, true_net)},
        "bias": [
            float((change.mean(0) - true_change).mean()),
            float((net.mean(0) - true_net).mean()),
        ],
        "calibration": calibration,
        "hyper": hyper,
        "top": {"p": (rank < M).mean(axis=0).tolist(), "in": (true_rank < M).tolist()},
        "width": float(np.diff(np.quantile(change, [0.025, 0.975], axis=0), axis=0).mean()),
        "mean_change": float(change.mean() - true_change.mean()),
    }


def coverage(draws: Floats, truth: Floats) -> list[float]:
    """Return the share of facilities inside the 50, 80 and 95 % intervals."""
    result = []
    for prob in PROBS:
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        result.append(float(((low <= truth) & (truth <= high)).mean()))
    return result


def nuts_engine(data: ModelData, seed: int) -> tuple[dict[str, Floats], dict[str, object]]:
    """Draw with two chains of NUTS; return the draws and a diagnosis."""
    from pdsim.model.nuts import sample_nuts

    posterior, stats = sample_nuts(data, draws=750, tune=750, chains=2, seed=seed, cores=1)
    flat = posterior.stack(sample=("chain", "draw")).transpose("sample", ...)
    draws = {str(n): flat[n].to_numpy() for n in flat.data_vars}
    return draws, {"diagnosis": str(int(stats["diverging"].sum()))}


def laplace_engine(data: ModelData, seed: int) -> tuple[dict[str, Floats], dict[str, object]]:
    """Draw with the fast engine; say if its gates passed."""
    from pdsim.model.laplace import sample_laplace

    result = sample_laplace(data, draws=1500, seed=seed)
    diagnosis = f"k={result.joint_k:.2f} ess={result.ess:.0f}"
    return result.draws(), {"diagnosis": diagnosis, "passed": bool(result.reliable)}


ENGINES: dict[str, Callable] = {"nuts": nuts_engine, "laplace": laplace_engine}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["prior", "fixed", "mild", "domains", "copula", "unequal"])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--correlation", type=float, default=0.3)
    parser.add_argument("--ignore", action="store_true", help="fit as if cases were independent")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="nuts")
    parser.add_argument("--priors", choices=list(PRIORS), default="own")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("results/large/calibration"))
    args = parser.parse_args()
    r = args.correlation if args.mode == "copula" else 0.0
    fitted = blank(args.trials, 0.0 if args.ignore else r, PRIORS[args.priors])
    ignored = "_ignored" if args.ignore else ""
    name = f"{args.mode}_n{args.trials}_{args.engine}_{args.priors}{ignored}.jsonl"
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / name
    done = len(path.read_text().splitlines()) if path.exists() else 0
    # parameters "prior" are of the spreads that are fitted
    drawn = blank(args.trials, 0.0, PRIORS[args.priors])
    with path.open("a") as file:
        for j in range(done, args.sets):
            rng = np.random.default_rng([args.seed, args.trials, j])
            truth = make_set(args.mode, drawn, r, rng)
            data = replace(fitted, observed=truth["successes"])
            draws, diagnosis = ENGINES[args.engine](data, j)
            result = judge(draws, truth, rng) | diagnosis
            file.write(json.dumps(result) + "\n")
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
