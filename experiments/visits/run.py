"""Whether intervals hold where the cases of a visit are alike.

    python -m experiments.visits.run --sets 200 --out visits.jsonl
    python -m experiments.visits.run --summarise visits.jsonl --csv results/visits/visits.csv

Cases of ten facilities, eight indicators in two domains and two rounds, 20 cases a round on four
visits. ``correlation``: on every visit the adherence of every indicator is drawn anew, beta
distributed, so that two cases of a visit correlate by 0.1 on one indicator (two indicators do not).
``shift``: every visit moves all indicators by one normal shift of 0.4 logits. Each data set is
analysed as a table of cases with the column ``visit`` and without it. One line of JSON per analysis
is appended, so an interrupted run goes on.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from experiments.data_sets import groups_of, lines_of, parser_of, slope, write_rows
from scipy.special import expit

import pdsim
from pdsim.ranking import top_probability
from pdsim.study.caselevel import observed_from_cases
from pdsim.study.core import study_of
from pdsim.study.frames import frame_of
from pdsim.study.problems import Findings

FACILITIES, INDICATORS, CASES, M = 10, 8, 20, 3
WORLDS = ("correlation", "shift")
VISITS = 4
WAYS = ("column", "none")
CERTAIN = 0.95


def draw(world: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return true levels (F, K, 2) and scores (F, 2, visit, case, K)."""
    f, k = FACILITIES, INDICATORS
    domain = np.arange(k) // (k // 2)
    parts = []
    for facility, within, own in ((0.35, 0.2, 0.3), (0.6, 0.3, 0.3)):
        parts.append(
            facility * rng.standard_normal((f, 1))
            + within * rng.standard_normal((f, 2))[:, domain]
            + own * rng.standard_normal((f, k))
        )
    base = rng.normal(-0.8, 0.7, k) + parts[0]
    eta = np.stack([base, base + rng.normal(1.2, 0.4, k) + parts[1]], axis=-1)
    shape = (f, 2, VISITS, 1, k)
    logit = eta.transpose(0, 2, 1)[:, :, None, None, :]
    if world == "shift":
        nodes, masses = np.polynomial.hermite_e.hermegauss(21)
        level = (expit(eta[..., None] + 0.4 * nodes) * masses / masses.sum()).sum(axis=-1)
        chance = expit(logit + 0.4 * rng.standard_normal((f, 2, VISITS, 1, 1)))
    else:
        level, p = expit(eta), np.broadcast_to(expit(logit), shape)
        chance = rng.beta(9.0 * p, 9.0 * (1.0 - p))  # 1 / (1 + 9) is the correlation
    return level, rng.random((f, 2, VISITS, CASES // VISITS, k)) < chance


def study(scores: np.ndarray, way: str) -> pdsim.Study:
    """Return the study that a table of the cases is read as."""
    f, t, v, c, k = scores.shape
    place = np.indices((f, t, v, c)).reshape(4, -1)
    table = pd.DataFrame(scores.reshape(-1, k).astype(int), columns=[f"i{n}" for n in range(k)])
    table["facility"] = [f"f{n}" for n in place[0]]
    table["period"] = np.array(["baseline", "endline"])[place[1]]
    if way == "column":
        table["visit"] = place[2]
    indicators = {
        "indicator": [f"i{n}" for n in range(k)],
        "domain": [f"d{2 * n // k}" for n in range(k)],
    }
    options = pdsim.StudyOptions(format="cases", m=M)
    found = Findings()
    return study_of(
        observed_from_cases(frame_of(table), frame_of(indicators), options, found), options, found
    )


def judge(study: pdsim.Study, level: np.ndarray, seed: int) -> dict:
    """Return what the analysis of one data set says beside the truth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pdsim.fit(study, engine="laplace", draws=500, seed=seed, hand_over=False)
        score = pdsim.composite(fit)
        p = top_probability(score, m=M)["top_probability"].to_numpy()
    truth = 100.0 * (level[..., 1] - level[..., 0]).mean(axis=1)
    low, high = np.quantile(score.stack(s=("chain", "draw")).to_numpy(), [0.025, 0.975], axis=-1)
    top = truth >= np.sort(truth)[-M]
    found = study.clustering
    return {
        "cover": float(((low <= truth) & (truth <= high)).mean()),
        "width": float((high - low).mean()),
        "p": p.tolist(),
        "top": top.tolist(),
        "effect": study.average_design_effect,
        "correlation": None if found is None else found.correlation,
        "shift": None if found is None else found.shift_sd,
        "passed": fit.attrs["convergence"] == "passed",
    }


def run(sets: int, out: Path) -> None:
    """Append an analysis of every data set in every way that is not there yet."""
    done = {tuple(line["key"]) for line in lines_of(out)}
    with out.open("a") as file:
        for number in range(sets):
            for world in WORLDS:
                rng = np.random.default_rng([number, WORLDS.index(world)])
                level, scores = draw(world, rng)
                for way in WAYS:
                    label = (number, world, way)
                    if label not in done:
                        found = judge(study(scores, way), level, seed=number)
                        file.write(json.dumps({"key": label} | found) + "\n")
                        file.flush()


def with_error(values: list[float]) -> tuple[float, float]:
    """Return mean and standard error over data sets."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def summarise(lines: Path, table: Path) -> None:
    """Write cover, slope and what was said for certain, with errors clustered by data set."""
    rows = []
    for (world, way), some in groups_of(lines, slice(1, None)):
        p, top = (np.array([one[name] for one in some], dtype=float) for name in ("p", "top"))
        sets = np.arange(len(some))
        left = np.array([slope(p[sets != n], top[sets != n]) for n in sets])
        error = np.sqrt((len(sets) - 1) * left.var())
        cover, cover_error = with_error([one["cover"] for one in some])
        sure = np.r_[top[p >= CERTAIN], 1.0 - top[p <= 1.0 - CERTAIN]]
        rows.append(
            {
                "world": world, "way": way, "sets": len(some),
                "cover": cover, "cover_error": cover_error,
                "slope": slope(p, top), "slope_error": error,
                "width": np.mean([one["width"] for one in some]),
                "certain_right": sure.mean(), "certain": sure.size / p.size,
                "design_effect": np.mean([one["effect"] for one in some]),
                "correlation": np.mean([one["correlation"] or 0.0 for one in some]),
                "shift": np.mean([one["shift"] or 0.0 for one in some]),
                "not_converged": sum(not one["passed"] for one in some),
            }
        )  # fmt: skip
    write_rows(rows, table)


if __name__ == "__main__":
    given = parser_of(__doc__, "visits.jsonl").parse_args()
    if given.summarise is None:
        run(given.sets, given.out)
    else:
        summarise(given.summarise, given.csv)
