"""Calibration of what the model says of controls and covariates.

    python experiments/controls/run.py prior --sets 200
    python experiments/controls/run.py fixed --sets 100
    python experiments/controls/run.py effect --sets 300
    python experiments/controls/run.py null --sets 100
    python experiments/controls/run.py unseen --sets 400
    python experiments/controls/run.py unseen_fixed --sets 400
    python experiments/controls/run.py agree
    python experiments/controls/run.py cost
    python experiments/controls/run.py digests
    python experiments/controls/run.py summary

Ten facilities of a programme beside ten controls, six indicators in two domains, 40 cases a cell,
one covariate. ``prior``: parameters from the default priors (simulation-based calibration).
``fixed``: parameters like those of the founding programme, controls gaining 1 logit and the
programme 1.5 more. ``effect``: fixed parameters but for the indicators' effects, drawn for every
set. ``null``: the fixed parameters without an effect and with 4,000 cases a cell, where `beyond`
is compared with a uniform distribution. ``unseen``: parameters from the priors; the endline of one
facility of the programme is kept from the fit, and what it would have been without an effect is
placed among what is drawn for a control with its baseline, where it should lie uniformly; and
`beyond` of that facility, its endline fitted, is held against a control drawn from the truth.
``unseen_fixed``: the same at the fixed parameters. ``agree``: both engines on one set, how far
means and standard deviations differ, and P(top 3). ``cost``: seconds of a fit of the same
facilities with and without arms. ``digests``: a hash of all draws of studies without arms, to be
compared between two commits. One line of JSON per data set is appended to the output, so an
interrupted run goes on.
"""

import argparse
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import expit

import pdsim
from pdsim.arraytypes import Floats
from pdsim.model.data import ModelData
from pdsim.model.laplace.blocks import Draws
from pdsim.model.laplace.hyper import hyper_slices, natural_values
from pdsim.model.laplace.problem import fixed_effects
from pdsim.model.laplace.sample import Fit, draw_posterior, sample_laplace
from pdsim.model.laplace.scores import composite_draws
from pdsim.model.laplace.setup import Setup, set_up
from pdsim.model.predictive import Parameters, draw_eta, draw_parameters
from pdsim.priors import Priors
from pdsim.simulation import Scenario, simulate

ARM, INDICATORS, DRAWS = 10, 6, 1000
FIXED = Parameters(
    alpha=np.full(INDICATORS, -1.0),
    beta=np.full(INDICATORS, 1.0),
    sd_baseline={"facility": 0.4, "domain": 0.3, "indicator": 0.3},
    sd_change={"facility": 0.5, "domain": 0.3, "indicator": 0.3},
    corr={"facility": -0.3, "domain": 0.0, "indicator": -0.2},
    imbalance=np.full(INDICATORS, 0.2),
    arm_effect=np.full(INDICATORS, 1.5),
    covariate_level=np.array([0.3]),
    covariate_change=np.array([-0.2]),
)
OUT = Path("results/controls")


def blank(trials: int, rng: np.random.Generator) -> ModelData:
    """Return a study without successes."""
    x = rng.standard_normal(2 * ARM)
    shape = (2 * ARM, INDICATORS, 2)
    return ModelData(
        kind="counts",
        observed=np.zeros(shape),
        size=np.full(shape, float(trials)),
        domain=np.repeat([0, 1], INDICATORS // 2),
        case_group=np.full(INDICATORS, -1),
        case_correlation=0.0,
        weight=np.full(INDICATORS, 1 / INDICATORS),
        center=np.zeros(INDICATORS),
        scale=np.ones(INDICATORS),
        priors=Priors(),
        arm=np.repeat([1, 0], ARM),
        covariates=((x - x.mean()) / x.std(ddof=1))[:, None],
    )


def parameters(mode: str, data: ModelData, rng: np.random.Generator) -> Parameters:
    """Return the truth of one data set."""
    if mode in ("prior", "unseen"):
        return draw_parameters(data, rng)
    if mode == "effect":
        return replace(FIXED, arm_effect=rng.normal(0.5, 1.0) + 0.5 * rng.normal(size=INDICATORS))
    if mode == "null":
        none = np.zeros(INDICATORS)
        return replace(FIXED, arm_effect=none, imbalance=none)
    return FIXED


def true_effect(truth: Parameters, eta: Floats, expected: Floats, data: ModelData) -> Floats:
    """Return each programme facility's endline less that of a control with its own baseline."""
    variance = sum(
        np.broadcast_to(truth.sd_change[n] ** 2 * (1 - truth.corr[n] ** 2), INDICATORS)
        for n in data.levels
    )
    nodes, masses = np.polynomial.hermite_e.hermegauss(21)
    as_control = expected[:ARM] - truth.arm_effect
    mean = sum(
        mass * expit(as_control + node * np.sqrt(variance))
        for node, mass in zip(nodes, masses / masses.sum(), strict=True)
    )
    return 100 * (expit(eta[:ARM, :, 1]) - mean).mean(axis=-1)


def unseen(
    data: ModelData, setup: Setup, fit: Fit, truth: Parameters, eta: Floats, expected: Floats,
    rng: np.random.Generator,
) -> dict:  # fmt: skip
    """Hold one facility against an unseen control, with its endline in the fit and without."""
    one = int(rng.integers(ARM))
    size, observed = data.size.copy(), data.observed.copy()
    size[one, :, 1] = observed[one, :, 1] = 0.0
    kept = replace(data, size=size, observed=observed)
    without = draw_posterior(
        set_up(kept), kept, draws=DRAWS, rng=np.random.default_rng(int(rng.integers(2**31)))
    )
    control = as_controls(kept, setup, without.drawn, rng)[:, one].mean(axis=-1)
    no_effect = expit(eta[one, :, 1] - truth.arm_effect).mean()
    # a control drawn from the truth, with the facility's own baseline
    logit = expected[one] - truth.arm_effect
    where = {"facility": np.zeros(INDICATORS, int), "domain": data.domain,
             "indicator": np.arange(INDICATORS)}  # fmt: skip
    for level, at in where.items():
        sd = truth.sd_change[level] * np.sqrt(1 - truth.corr[level] ** 2)
        logit = logit + sd * rng.standard_normal(at.max() + 1)[at]
    return {
        "pit": {"an unseen control": float((control < no_effect).mean())},
        "stated": float(p_beyond(data, setup, fit.drawn, rng)[one]),
        "true": bool(expit(eta[one, :, 1]).mean() > expit(logit).mean()),
        "reliable": all(gate.passed for gate in without.gates),
    }


def p_beyond(data: ModelData, setup: Setup, drawn: Draws, rng: np.random.Generator) -> Floats:
    """Return P(beyond an unseen control) of every programme facility."""
    own = expit(drawn.eta[:, :ARM, :, 1]).mean(axis=-1)
    return (own > as_controls(data, setup, drawn, rng).mean(axis=-1)).mean(axis=0)


def as_controls(data: ModelData, setup: Setup, drawn: Draws, rng: np.random.Generator) -> Floats:
    """Draw the endlines (draw, F, K) of controls with the baselines of the programme."""
    values = natural_values(setup.hyper, drawn.x)
    place, n = hyper_slices(data), len(drawn.x)
    where = {"facility": np.zeros(INDICATORS, int), "domain": data.domain,
             "indicator": np.arange(INDICATORS)}  # fmt: skip
    logit = drawn.expected[:, :ARM] - fixed_effects(data, drawn.fixed)["arm_effect"][:, None, :]
    for level, at in where.items():
        t, rho = (values[:, place[f"{stem}_{level}"]] for stem in ("sd_change", "corr"))
        z = rng.standard_normal((n, ARM, at.max() + 1))[..., at]
        logit = logit + (t * np.sqrt(1 - rho**2))[:, None, :] * z
    return expit(logit)


def one_set(mode: str, number: int) -> dict:
    """Simulate, fit and judge one data set."""
    rng = np.random.default_rng([number, _STREAM[mode]])
    data = blank(4000 if mode == "null" else 40, rng)
    truth = parameters(mode, data, rng)
    eta, expected = draw_eta(truth, data, rng)
    data = replace(data, observed=rng.binomial(data.size.astype(int), expit(eta)).astype(float))
    setup = set_up(data)
    start = time.process_time()
    fit = draw_posterior(setup, data, draws=DRAWS, rng=np.random.default_rng(number))
    seconds = time.process_time() - start
    weights = data.weight[None]
    effect = composite_draws(data, fit, weights, "effect")[0]
    change = composite_draws(data, fit, weights, "change")[0]
    fixed = fixed_effects(data, fit.drawn.fixed)
    exact = true_effect(truth, eta, expected, data)
    if mode.startswith("unseen"):
        return {"set": number} | unseen(data, setup, fit, truth, eta, expected, rng)
    p = expit(eta[:ARM])
    one = int(rng.integers(ARM))
    pairs = {
        "programme effect": (effect.mean(axis=1), exact.mean()),
        "effect of a facility": (effect[:, one], exact[one]),
        "change of a facility": (
            change[:, one], 100 * (p[one, :, 1] - p[one, :, 0]).mean()
        ),
        "arm_effect, mean": (fixed["arm_effect"].mean(axis=1), truth.arm_effect.mean()),
        "imbalance, mean": (fixed["imbalance"].mean(axis=1), truth.imbalance.mean()),
        "covariate_level": (fixed["covariate_level"][:, 0], truth.covariate_level[0]),
        "covariate_change": (fixed["covariate_change"][:, 0], truth.covariate_change[0]),
    }  # fmt: skip
    found = {name: float((draws < value).mean()) for name, (draws, value) in pairs.items()}
    row = {"set": number, "seconds": seconds, "pit": found}
    row["reliable"] = all(gate.passed for gate in fit.gates)
    if mode == "null":
        row["beyond"] = p_beyond(data, setup, fit.drawn, rng).tolist()
    return row


def summary() -> None:
    """Print and write the table of all runs."""
    here = {path.stem for path in OUT.glob("*.jsonl")}
    # lines of runs whose sets are not at hand stay as they are
    old = (OUT / "controls.csv").read_text().splitlines() if (OUT / "controls.csv").exists() else []
    lines = ["run,quantity,sets,covered_50,covered_80,covered_95,se_95,ks_p"]
    lines += [line for line in old[1:] if line.split(",")[0] not in here]
    for path in sorted(OUT.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for name in rows[0]["pit"]:
            pit = np.array([row["pit"][name] for row in rows])
            inside = [float((np.abs(pit - 0.5) <= prob / 2).mean()) for prob in (0.5, 0.8, 0.95)]
            error = np.sqrt(inside[2] * (1 - inside[2]) / len(pit))
            test = stats.kstest(pit, "uniform").pvalue
            figures = ",".join(f"{value:.3f}" for value in (*inside, error, test))
            lines.append(f"{path.stem},{name.replace(',', ';')},{len(pit)},{figures}")
        good = np.mean([row["reliable"] for row in rows])
        print(f"{path.stem}: {len(rows)} sets, {good:.3f} passed all gates")
        if "stated" in rows[0]:
            stated, true = (np.array([row[n] for row in rows], float) for n in ("stated", "true"))
            for prob in (0.05, 0.25, 0.5, 0.75, 0.95):
                pit = np.array([row["pit"]["an unseen control"] for row in rows])
                error = np.sqrt(prob * (1 - prob) / len(rows))
                print(f"  place of the truth <= {prob}: {(pit <= prob).mean():.3f} +- {error:.3f}")
            gap = true - stated
            print(f"  true less stated: {gap.mean():.3f} +- {gap.std() / np.sqrt(len(gap)):.3f}")
            each = stated * (1 - stated)
            excess = (gap**2 - each).sum() / np.sqrt((each * (1 - 2 * stated) ** 2).sum())
            print(f"  squared gaps beyond those of right forecasts: {excess:+.2f} standard errors")
        if "beyond" in rows[0]:
            beyond = np.array([row["beyond"] for row in rows])
            # facilities of one set share the controls: errors by set
            for prob in (0.05, 0.25, 0.5, 0.75, 0.95):
                share = (beyond <= prob).mean(axis=1)
                error = share.std(ddof=1) / np.sqrt(len(share))
                print(f"  P(beyond) <= {prob}: {share.mean():.3f} +- {error:.3f}")
    (OUT / "controls.csv").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def one_study(trials: int) -> ModelData:
    """Return one data set at the fixed parameters."""
    rng = np.random.default_rng(7)
    data = blank(trials, rng)
    eta, _ = draw_eta(FIXED, data, rng)
    return replace(data, observed=rng.binomial(data.size.astype(int), expit(eta)).astype(float))


def agree() -> None:
    """Print how far the two engines lie apart, with Monte Carlo errors."""
    from arviz import ess

    from pdsim.model.nuts import sample_nuts

    data = one_study(40)
    # eight runs of the fast engine tell its own error
    runs = [sample_laplace(data, draws=4000, seed=seed, steps=250) for seed in range(1, 9)]
    posterior, stats = sample_nuts(data, draws=5000, tune=1000, chains=4, seed=2)
    flat = posterior.stack(sample=("chain", "draw")).transpose("sample", ...)
    print(f"divergences {int(stats['diverging'].sum())}")
    for name in runs[0].fixed:
        other = flat[name].to_numpy()
        chains = posterior[name].transpose("chain", "draw", ...).to_numpy()
        number = [
            [ess(chains[..., k], method=method).item() for k in range(chains.shape[-1])]
            for method in ("mean", "sd")
        ]
        spread = other.std(axis=0)
        means = np.array([run.fixed[name].mean(axis=0) for run in runs])
        sds = np.array([run.fixed[name].std(axis=0) for run in runs])
        rows = {
            "mean": ((means.mean(axis=0) - other.mean(axis=0)) / spread,
                     np.hypot(means.std(axis=0, ddof=1) / np.sqrt(8) / spread,
                              1 / np.sqrt(number[0]))),
            "log sd": (np.log(sds.mean(axis=0) / spread),
                       np.hypot(sds.std(axis=0, ddof=1) / np.sqrt(8) / sds.mean(axis=0),
                                1 / np.sqrt(2 * np.array(number[1])))),
        }  # fmt: skip
        for what, (apart, error) in rows.items():
            worst = np.abs(apart / error).argmax()
            print(f"{name}, {what}: differs by up to {np.abs(apart).max():.3f}, at worst "
                  f"{apart[worst]:+.3f} +- {error[worst]:.3f}")  # fmt: skip
    tops = []
    for eta in (runs[0].eta, flat["eta"].to_numpy()):
        change = (expit(eta[..., 1]) - expit(eta[..., 0])).mean(axis=-1)[:, :ARM]
        tops.append(((-change).argsort(axis=1).argsort(axis=1) < 3).mean(axis=0))
        print(f"change: mean {100 * change.mean():.2f}, sd {100 * change.std(axis=0).mean():.2f}")
    print(f"P(top 3) differs by up to {np.abs(tops[0] - tops[1]).max():.3f}")


def cost() -> None:
    """Print the seconds of a fit with and without arms and covariate, in the same process."""
    armed = one_study(40)
    shapes = {"without": replace(armed, arm=None, covariates=None),
              "covariate": replace(armed, arm=None), "arms": replace(armed, covariates=None),
              "arms and covariate": armed}  # fmt: skip
    for data in shapes.values():
        sample_laplace(data, draws=100, seed=1)
    times: dict[str, list[float]] = {name: [] for name in shapes}
    for seed in range(9):
        for name, data in shapes.items():
            start = time.process_time()
            sample_laplace(data, draws=1000, seed=seed)
            times[name].append(time.process_time() - start)
    first = np.median(times["without"])
    for name, seconds in times.items():
        print(f"{name}: {np.median(seconds):.3f} s, {np.median(seconds) / first:.2f} times")


def digests() -> None:
    """Print a hash of every draw of seven studies without arms and covariates."""
    studies = {
        "surgical": pdsim.load_example("surgical"),
        "lake_zone": pdsim.load_example("lake_zone", trials=20, case_correlation=0.1),
        "safe_surgery_like": pdsim.load_example("safe_surgery_like"),
    }
    scenarios = {
        "one indicator": Scenario(facilities=12),
        "domains": Scenario(facilities=10, indicators=6, domains=2, case_correlation=0.2),
        "missing cells": Scenario(facilities=9, indicators=4, missing=0.1),
        "scores": Scenario(kind="normal"),
    }
    studies |= {name: simulate(one, 3, seed=5)[1] for name, one in scenarios.items()}
    for name, study in studies.items():
        fit = pdsim.fit(study, engine="laplace", seed=11, draws=250, hand_over=False)
        posterior = fit["posterior"].to_dataset()
        drawn = (np.ascontiguousarray(posterior[key]).tobytes() for key in sorted(posterior))
        print(name, hashlib.sha256(b"".join(drawn)).hexdigest()[:16])


_STREAM = {"effect": 0, "fixed": 1, "null": 2, "prior": 3, "unseen": 4, "unseen_fixed": 5}
MODES = ("prior", "fixed", "effect", "null", "unseen", "unseen_fixed")


def main() -> None:
    """Run one kind of data sets, or print the summary."""
    parser = argparse.ArgumentParser()
    others = {"summary": summary, "agree": agree, "cost": cost, "digests": digests}
    parser.add_argument("mode", choices=[*MODES, *others])
    parser.add_argument("--sets", type=int, default=100)
    arguments = parser.parse_args()
    if arguments.mode in others:
        others[arguments.mode]()
        return
    path = OUT / f"{arguments.mode}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = len(path.read_text().splitlines()) if path.exists() else 0
    with path.open("a") as file:
        for number in range(done, arguments.sets):
            file.write(json.dumps(one_set(arguments.mode, number)) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
