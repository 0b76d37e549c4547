"""How often does a plan's 95 % interval hold the truth? 200 repeated plans of each question.

The truth is exact where there is a closed form, else the root of one long run to +-0.75 %.
Given the beginning of a question, only that is asked again.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pdsim import Scenario, plan
from pdsim.files import write_atomically
from pdsim.planning import PRESETS, Search, required_lead, solve
from pdsim.planning.runs import CHEAP_RULE, measure_rows, reduce_rows, reduce_with_control
from pdsim.planning.sizes import resize

RESULTS = Path("results/planning")
PLANS = 200
MORE_PLANS, MORE_SEED = 600, 2_000
LONG_RUN, LONG_SEED = 0.0075, 1_000_000
LEAD = Scenario(kind="normal", means=(0.5,) * 3 + (0.0,) * 7)
DRAWN = Scenario(kind="normal", sd_change_facility=1.0, unit_sd=3.0)
FOUNDING = PRESETS["like_founding"].scenario
UNEQUAL = Scenario(facilities=8, indicators=4, trials=20, trials_cv=0.8, rule="shrunken_mean")


def by_plan(scenario, target, **settings):
    """Return a question: its answer for a seed and a precision."""

    def ask(seed, precision):
        tree = plan(
            scenario, target=target, seed=seed, precision=precision, most=10**8,
            sensitivity=False, stand_in=0, **settings,
        )  # fmt: skip
        found = tree["assurance" if "assurance" in settings else "answer"]
        return float(found.crossing), float(found.n_low), float(found.n_high), int(found.replicates)

    return ask


def with_control(seed, precision):
    """Ask with the observed ranking as control variate, as rules with a posterior are asked."""

    def jobs(scenario):
        return lambda size, numbers: [(resize(scenario, "trials", size), numbers)]

    measure = "overlap_top"
    search = Search(value=0.75, high=5000, batch=100, precision=precision)
    if precision == LONG_RUN:
        run, reduce = measure_rows(jobs(UNEQUAL), measure, seed=seed), reduce_rows(measure)
    else:
        run = measure_rows(jobs(UNEQUAL), measure, seed=seed, control=True)
        cheap = measure_rows(jobs(replace(UNEQUAL, rule=CHEAP_RULE)), measure, seed=seed)
        reduce = reduce_with_control(measure, cheap)
    root = solve(run, search, reduce=reduce)
    return root.crossing.n, root.crossing.low, root.crossing.high, root.spent


BECHHOFER = (required_lead(0.95, facilities=10, m=3) / 0.5) ** 2
QUESTIONS = {
    "normal, 3 of 10 ahead by 0.5 SD: pcs_top >= 0.95": (
        by_plan(LEAD, "pcs_top >= 0.95"), BECHHOFER,
    ),
    "like_founding: overlap_top >= 0.8": (by_plan(FOUNDING, "overlap_top >= 0.8"), None),
    # 198 or 195 of 200 may be chance or a band that is too wide: more plans with other seeds tell
    "like_founding: overlap_top >= 0.8, other seeds": (
        by_plan(FOUNDING, "overlap_top >= 0.8"), 13.79,
    ),
    "like_founding: regret_top <= 1": (by_plan(FOUNDING, "regret_top <= 1"), None),
    "like_founding: regret_top <= 1, other seeds": (by_plan(FOUNDING, "regret_top <= 1"), 16.253),
    "normal, SD 0.5 to 1.5 drawn: overlap_top >= 0.8": (
        by_plan(
            DRAWN, "overlap_top >= 0.8", ranges={"sd_change_facility": (0.5, 1.5)},
            assurance="ranges",
        ),
        None,
    ),
    "unequal trials, control variate: overlap_top >= 0.75": (with_control, None),
    "like_founding: pcs_both >= 0.5": (by_plan(FOUNDING, "pcs_both >= 0.5"), None),
}  # fmt: skip


def held_by(question, ask, truth):
    """Return one row: the truth, how many intervals hold it, and what they cost."""
    source, long_run = "closed form" if truth == BECHHOFER else "long run", 0
    if truth is None:
        truth, _, _, long_run = ask(LONG_SEED, LONG_RUN)
    seeds = range(PLANS)
    if question.endswith("other seeds"):
        seeds = range(MORE_SEED, MORE_SEED + MORE_PLANS)
    return row_of(np.array([ask(seed, 0.1) for seed in seeds]), truth, source, long_run)


def row_of(answers, truth, source, long_run):
    """Return the row of some answers: n, its interval, replicates."""
    plans = len(answers)
    held = (answers[:, 1] <= truth) & (truth <= answers[:, 2])
    apart = np.log(answers[:, 0] / truth)
    return {
        "truth": round(truth, 3),
        "source": source,
        "long_run_replicates": long_run,
        "plans": plans,
        "held": int(held.sum()),
        "held_mcse": round(float(np.sqrt(held.mean() * (1 - held.mean()) * plans)), 2),
        "log_n_bias": round(float(apart.mean()), 4),
        "log_n_bias_mcse": round(float(apart.std(ddof=1) / np.sqrt(plans)), 4),
        "log_n_sd": round(float(apart.std(ddof=1)), 4),
        "replicates_median": int(np.median(answers[:, 3])),
        "replicates_most": int(answers[:, 3].max()),
    }


def main():
    beginning = " ".join(sys.argv[1:])
    path = RESULTS / "coverage.csv"
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = pd.read_csv(path).to_dict("records") if beginning else []
    rows = {row["question"]: row for row in kept}
    for question, (ask, truth) in QUESTIONS.items():
        if question.startswith(beginning):
            rows[question] = {"question": question} | held_by(question, ask, truth)
            sys.stdout.write(f"{rows[question]}\n")
            sys.stdout.flush()
            write_atomically(path, pd.DataFrame(rows.values()).to_csv(index=False))


if __name__ == "__main__":
    main()
