"""How often the checks of the model speak: where it is right, and where it is not.

    python -m experiments.model_checks.run right --sets 200 --out checks.jsonl
    python -m experiments.model_checks.run unequal --size 0.7 --sets 60 --out checks.jsonl
    python -m experiments.model_checks.run --summarise checks.jsonl --csv checks.csv

``right``: parameters from the prior, effects and counts of the model. ``typical``: parameters like
those of a real programme. Faults in the typical world, at their size: ``unequal``, the standard
deviations of the indicators' own changes run over a factor of 25 to the power of the size (0.1 to
2.5 logits at 1) and the model has one for all; ``heavy``, facility effects of a Student t with 3
degrees of freedom and an SD of 0.4 times the size, 150 facilities; ``heavier``, the same for the
effects of the indicators, 0.7; ``related``, four indicators in two domains share one more effect of
the facility, SD 1.2 times the size. The model fitted is the default, but for ``unequal``. Beside
the flags: by how much the fault moves P(top 3), the mean over facilities of abs(P - P under the
right model), and the largest. The right model has own spreads (``unequal``), t effects (``heavy``),
or a domain of the four (``related``); for ``heavier`` there is none to fit.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from experiments.data_sets import groups_of, lines_of, parser_of, slope, write_rows
from scipy.special import expit

import pdsim
from pdsim.model.adequacy import model_checks
from pdsim.model.data import model_data
from pdsim.model.predictive import Parameters, draw_eta, draw_parameters
from pdsim.ranking import top_probability

M, INDICATORS, DOMAINS = 3, 14, 2
FACILITIES = {
    "right": 10,
    "typical": 10,
    "unequal": 10,
    "heavy": 150,
    "heavier": 150,
    "related": 10,
}
DF = 3.0
RELATED = [0, 1, INDICATORS // DOMAINS, INDICATORS // DOMAINS + 1]


def blank(facilities: int, trials: int) -> pdsim.Study:
    """Return a study of this shape with half of the cases met."""
    place = np.indices((facilities, INDICATORS, 2)).reshape(3, -1)
    table = pd.DataFrame(
        {
            "facility": [f"f{n}" for n in place[0]],
            "indicator": [f"i{n}" for n in place[1]],
            "period": np.array(["baseline", "endline"])[place[2]],
            "successes": trials // 2,
            "trials": trials,
        }
    )
    half = INDICATORS // DOMAINS
    indicators = {
        "indicator": [f"i{n}" for n in range(INDICATORS)],
        "domain": [f"d{n // half}" for n in range(INDICATORS)],
    }
    options = pdsim.StudyOptions(m=M, design_effect=1.0, case_correlation=0.0)
    return pdsim.Study.from_long(table, indicators=indicators, options=options)


def typical(rng: np.random.Generator, own: np.ndarray) -> Parameters:
    """Return parameters of a programme whose indicators' own changes have these SDs."""
    return Parameters(
        alpha=rng.normal(-0.8, 0.8, INDICATORS),
        beta=rng.normal(1.0, 0.4, INDICATORS),
        sd_baseline={"facility": 0.35, "domain": 0.3, "indicator": 0.5},
        sd_change={"facility": 0.4, "domain": 0.2, "indicator": own},
        corr={"facility": 0.0, "domain": 0.0, "indicator": 0.0},
    )


def truth(world: str, size: float, data, rng: np.random.Generator) -> np.ndarray:
    """Return true logits (F, K, 2)."""
    if world == "right":
        return draw_eta(draw_parameters(data, rng), data, rng)[0]
    own = np.full(INDICATORS, 0.35)
    if world == "unequal":
        own = rng.permutation(0.5 * np.geomspace(0.2, 5.0, INDICATORS) ** size)
    parameters = typical(rng, own)
    facilities = data.shape[0]
    scale = np.ones((facilities, 1))
    if world == "heavy":
        # a normal over the root of chi2 / df is Student t; its variance is df / (df - 2)
        scale = np.sqrt((DF - 2.0) / rng.chisquare(DF, (facilities, 1)))
        parameters.sd_change["facility"] = 0.0
    eta = draw_eta(parameters, data, rng)[0]
    if world == "heavy":
        eta[..., 1] += 0.4 * size * scale * rng.standard_normal((facilities, 1))
    if world == "heavier":
        heavy = rng.standard_t(DF, (facilities, INDICATORS)) / np.sqrt(DF / (DF - 2.0))
        eta[..., 1] += 0.7 * size * heavy
    if world == "related":
        eta[:, RELATED, 1] += 1.2 * size * rng.standard_normal((facilities, 1))
    return eta


def fitted(study: pdsim.Study, seed: int, **options: object) -> tuple[object, np.ndarray]:
    """Return a fit and P(top 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pdsim.fit(
            study, engine="laplace", draws=500, seed=seed, hand_over=False, **options
        )  # fmt: skip
    p = top_probability(pdsim.composite(fit), m=M)["top_probability"].to_numpy()
    return fit, p


def right_model(world: str, study: pdsim.Study, seed: int) -> np.ndarray | None:
    """Return P(top 3) under the model that the data come from, None where it cannot be fitted."""
    if world == "related":
        domain = study.data["domain"].to_numpy().astype(object)
        domain[RELATED] = "related"
        data = study.data.assign_coords(domain=("indicator", domain))
        study = pdsim.Study(data=data, options=study.options)
    elif world not in ("unequal", "heavy"):
        return None
    return fitted(study, seed, facility_df=DF if world == "heavy" else None)[1]


def run(world: str, size: float, numbers: range, trials: int, out: Path) -> None:
    """Append what the checks say of every data set that is not there yet."""
    done = {tuple(line["key"]) for line in lines_of(out)}
    study = blank(FACILITIES[world], trials)
    data = model_data(study)
    with out.open("a") as file:
        for number in numbers:
            key = (world, trials, size, number)
            if key in done:
                continue
            rng = np.random.default_rng([number, list(FACILITIES).index(world), trials])
            eta = truth(world, size, data, rng)
            met = rng.binomial(trials, expit(eta)).astype(float)
            seen = study.data.assign(successes=(study.data["successes"].dims, met))
            one = pdsim.Study(data=seen, options=study.options)
            spread = "shared" if world == "unequal" else "own"
            fit, p = fitted(one, number, priors=pdsim.Priors(indicator_spread=spread))
            checks = model_checks(fit)
            flagged = checks["statistic"][checks["flagged"].to_numpy()].to_numpy()
            change = (expit(eta[..., 1]) - expit(eta[..., 0])).mean(axis=1)
            right = right_model(world, one, number)
            found = {
                "key": key,
                "flagged": sorted(set(flagged.tolist())),
                "p": p.tolist(),
                "top": (change >= np.sort(change)[-M]).tolist(),
                "passed": fit.attrs["convergence"] == "passed",
                "right": None if right is None else right.tolist(),
            }
            file.write(json.dumps(found) + "\n")
            file.flush()


def summarise(lines: Path, table: Path) -> None:
    """Write how often each check speaks, and by how much the fault moves P(top 3)."""
    kinds = (
        "spread", "baseline spread", "unequal spreads", "zeros", "extreme", "tails", "facility",
        "facility mean", "correlation",
    )  # fmt: skip
    rows = []
    for (world, trials, size), some in groups_of(lines, slice(3)):
        any_flag = np.array([bool(one["flagged"]) for one in some])
        rate = any_flag.mean()
        row = {
            "world": world, "size": size, "facilities": FACILITIES[world], "trials": trials,
            "sets": len(some), "flagged": rate,
            "flagged_error": np.sqrt(rate * (1.0 - rate) / len(some)),
        }  # fmt: skip
        row |= {kind: np.mean([kind in one["flagged"] for one in some]) for kind in kinds}
        gaps = [np.abs(np.subtract(one["p"], one["right"])) for one in some if one["right"]]
        row["p_top_moved_mean"] = np.mean(gaps) if gaps else float("nan")
        row["p_top_moved_largest"] = np.mean([gap.max() for gap in gaps]) if gaps else float("nan")
        p, top = (np.array([one[name] for one in some], dtype=float) for name in ("p", "top"))
        row["slope"] = slope(p, top)
        row["not_converged"] = sum(not one["passed"] for one in some)
        rows.append(row)
    write_rows(rows, table)


if __name__ == "__main__":
    parser = parser_of(__doc__, "checks.jsonl")
    parser.add_argument("world", nargs="?", choices=list(FACILITIES))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    parser.add_argument("--size", type=float, default=1.0, help="of the fault")
    given = parser.parse_args()
    if given.summarise is None:
        numbers = range(given.first, given.first + given.sets)
        run(given.world, given.size, numbers, given.trials, given.out)
    else:
        summarise(given.summarise, given.csv)
