"""Check whether sets, rank intervals, confidence sets and grades hold what they promise.

python -m experiments.ranking_calibration.run [--small]

Ten facilities, top 3. Bayesian statements: truths from the prior N(0, 1), estimates with unequal
standard errors, 500 exact posterior draws a data set. Frequentist ones: truths held fixed, with and
without near ties, estimates drawn anew.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from pdsim import ranking
from pdsim.files import write_atomically
from pdsim.reports.plots.style import TOP, new_figure, styled

RESULTS = Path(__file__).parents[2] / "results" / "ranking_calibration"
FACILITIES, M, DRAWS, SEED = 10, 3, 500, 20
NOISE = {"sharp": 0.3, "middle": 0.7, "blurred": 1.5}
TRUTHS = {
    "spread": np.linspace(0.0, 6.0, FACILITIES),
    "near ties": np.array([0.0, 0.0, 0.1, 0.2, 0.2, 0.3, 1.0, 1.1, 1.1, 3.0]),
    "all equal": np.zeros(FACILITIES),
}


def top(values: np.ndarray) -> np.ndarray:
    """Return who is among the best M, (..., facility); of tied truths the first."""
    order = np.argsort(-values, axis=-1, kind="stable")[..., :M]
    inside = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(inside, order, True, axis=-1)
    return inside


def row(scenario: str, what: str, promised: str, values: np.ndarray) -> dict[str, object]:
    values = np.asarray(values, dtype=float)
    return {
        "scenario": scenario,
        "what": what,
        "promised": promised,
        "found": values.mean(),
        "mcse": values.std(ddof=1) / np.sqrt(len(values)),
        "data_sets": len(values),
    }


def bayesian(scenario: str, noise: float, sets: int) -> list[dict[str, object]]:
    generator = np.random.default_rng([SEED, sorted(NOISE).index(scenario)])
    truth = generator.normal(size=(sets, FACILITIES))
    se = noise * generator.uniform(0.5, 2.0, FACILITIES)
    estimate = generator.normal(truth, se)
    share = 1.0 / (1.0 + se**2)
    sd = np.sqrt(1.0 - share)
    draws = generator.normal((share * estimate)[:, np.newaxis], sd, (sets, DRAWS, FACILITIES))
    score = xr.DataArray(draws, dims=("replicate", "sample", "facility"))
    is_top = top(truth)
    rank = (-truth).argsort(axis=1).argsort(axis=1) + 1

    def held(interval: xr.Dataset) -> np.ndarray:
        low, high = np.moveaxis(interval["rank_interval"].values, -1, 0)
        return (low <= rank) & (rank <= high)

    big = ranking.superset(score)["superset"].values
    small = ranking.subset(score)["subset"].values
    found = ranking.subset(score, control="discovery")["subset"].values
    one = generator.integers(FACILITIES, size=sets)
    p = ranking.top_probability(score)["top_probability"].values
    graded = [ranking.grades(score.isel(replicate=i)) for i in range(min(sets, 300))]
    grade = np.stack([g["grade"].values for g in graded])
    apart = grade[:, :, np.newaxis] < grade[:, np.newaxis]
    wrong = truth[: len(grade), :, np.newaxis] < truth[: len(grade), np.newaxis]
    pairs = FACILITIES * (FACILITIES - 1) / 2
    discordance = (apart & wrong).sum(axis=(1, 2)) / pairs
    stated = np.array([float(g["discordance_rate"]) for g in graded])
    some = found.any(axis=1)
    false_share = np.where(
        some, (found & ~is_top).sum(axis=1) / np.maximum(found.sum(axis=1), 1), 0
    )
    marginal = held(ranking.rank_interval(score))
    joint = held(ranking.rank_interval(score, simultaneous=True))
    return [
        row(scenario, "superset holds the true top 3", "at least .95", (big | ~is_top).all(axis=1)),
        row(scenario, "size of the superset", "", big.sum(axis=1)),
        row(
            scenario, "sure subset lies in the true top 3", "at least .95", (is_top | ~small).all(1)
        ),
        row(scenario, "size of the sure subset", "", small.sum(axis=1)),
        row(scenario, "false share of the discovery subset", "at most .05", false_share),
        row(scenario, "size of the discovery subset", "", found.sum(axis=1)),
        row(
            scenario,
            "rank interval of one random facility",
            "at least .95",
            marginal[np.arange(sets), one],
        ),
        row(scenario, "simultaneous rank intervals", "at least .95", joint.all(axis=1)),
        row(scenario, "membership minus P(top 3), times P", "0", ((is_top - p) * p).sum(axis=1)),
        row(scenario, "discordance rate of the grades", "at most .05", discordance),
        row(scenario, "discordance rate minus the stated one", "0", discordance - stated),
        row(scenario, "number of grades", "", grade.max(axis=1)),
    ]


def frequentist(scenario: str, truth: np.ndarray, sets: int) -> list[dict[str, object]]:
    generator = np.random.default_rng([SEED, 100 + list(TRUTHS).index(scenario)])
    se = generator.uniform(0.4, 1.2, FACILITIES)
    # with tied truths every set of M that could be the top counts, and a rank may be any of several
    lowest, highest = (truth[:, None] < truth).sum(1) + 1, (truth[:, None] <= truth).sum(1)
    sure = highest <= M
    kept, size, ranks, marginal, region = ([] for _ in range(5))
    for number in range(sets):
        values = xr.DataArray(generator.normal(truth, se), dims="facility")
        variance = values.copy(data=se**2)
        found = ranking.rank_confidence_set(values, variance, m=M, draws=20_000, seed=number)
        inside = found["in_set"].values
        size.append(inside.sum())
        kept.append(inside[sure].all() and inside[lowest <= M].sum() >= M)
        low, high = found["rank_lower"].values, found["rank_upper"].values
        ranks.append(((low <= lowest) & (highest <= high)).all())
        low, high = found["rank_lower_marginal"].values, found["rank_upper_marginal"].values
        one = generator.integers(FACILITIES)
        marginal.append(low[one] <= lowest[one] and highest[one] <= high[one])
        bounds = ranking.joint_rank_region(values, variance**0.5)["rank_region"].values
        region.append(((bounds[:, 0] <= lowest) & (highest <= bounds[:, 1])).all())
    return [
        row(scenario, "confidence set holds the true top 3", "at least .95", kept),
        row(scenario, "size of the confidence set", "", size),
        row(scenario, "simultaneous confidence sets of ranks", "at least .95", ranks),
        row(scenario, "confidence set of one random rank", "at least .95", marginal),
        row(scenario, "joint rank region", "at least .95", region),
    ]


def winner(scenario: str, truth: np.ndarray, sets: int) -> list[dict[str, object]]:
    generator = np.random.default_rng([SEED, 200 + list(TRUTHS).index(scenario)])
    se = generator.uniform(0.4, 1.2, FACILITIES)
    covered, hybrid, naive, median = ([] for _ in range(4))
    for _ in range(sets):
        values = xr.DataArray(generator.normal(truth, se), dims="facility")
        variance = values.copy(data=se**2)
        first = int(values.values.argmax())
        curse = ranking.winners_curse(values, variance)
        mixed = ranking.winners_curse(values, variance, method="hybrid")
        for found, inside in ((curse, covered), (mixed, hybrid)):
            low, high = found["conditional_interval"].values[first]
            inside.append(low <= truth[first] <= high)
        median.append(float(curse["conditional_estimate"][first]) < truth[first])
        naive.append(abs(float(values[first]) - truth[first]) <= 1.959964 * se[first])
    return [
        row(scenario, "winner: conditional interval", ".95", covered),
        row(scenario, "winner: hybrid interval", "at least .95", hybrid),
        row(scenario, "winner: plain interval", "", naive),
        row(scenario, "winner: median-unbiased estimate below the truth", ".5", median),
    ]


def worst(table: pd.DataFrame, what: str) -> str:
    """Return the range over scenarios, as text."""
    part = table[table["what"] == what].sort_values("found", kind="stable")
    if part["found"].nunique() == 1:
        one = part.iloc[0]
        return f"{in_words(one)} in all scenarios"
    low, high = part.iloc[0], part.iloc[-1]
    return f"{in_words(low)} ({low.scenario}) to {in_words(high)} ({high.scenario})"


def in_words(one: pd.Series) -> str:
    """Return what was found with its error, or with a 95 % bound where no data set differs."""
    if one.mcse > 0:
        return f"{one.found:.3f} ± {one.mcse:.3f}"
    bound = 3 / one.data_sets
    return f"{one.found:.3f} [{'< ' if one.found == 0 else '> '}{abs(one.found - bound):.4f}]"


FINDINGS = (
    ("superset holds the true top 3", "The 95 % superset holds the true top 3 in {} of data sets."),
    ("sure subset lies in the true top 3", "The sure subset lies in the true top 3 in {}."),
    (
        "false share of the discovery subset",
        "Of the discovery subset a share of {} is false (bound .05).",
    ),
    (
        "rank interval of one random facility",
        "The 95 % rank interval of a random facility covers in {}.",
    ),
    ("simultaneous rank intervals", "Simultaneous 95 % rank intervals all cover in {}."),
    (
        "membership minus P(top 3), times P",
        "Membership minus P(top 3), weighted by P, is {} (should be 0).",
    ),
    ("discordance rate of the grades", "Grades bounded at .05 are discordant in {} of all pairs."),
    (
        "discordance rate minus the stated one",
        "That exceeds the rate stated with the grades by {}.",
    ),
    ("confidence set holds the true top 3", "The 95 % confidence set holds the true top 3 in {}."),
    (
        "simultaneous confidence sets of ranks",
        "Simultaneous 95 % confidence sets of ranks cover in {}.",
    ),
    (
        "confidence set of one random rank",
        "The 95 % confidence set of one random rank covers in {}.",
    ),
    ("joint rank region", "The 95 % joint rank region covers in {}."),
    ("winner: conditional interval", "Conditional 95 % intervals of the winner cover in {}."),
    ("winner: hybrid interval", "Hybrid ones cover in {}."),
    ("winner: plain interval", "Plain ones, which ignore the selection, cover in {}."),
    (
        "winner: median-unbiased estimate below the truth",
        "The median-unbiased estimate lies below the truth in {}.",
    ),
)


def publish(table: pd.DataFrame) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS / "calibration.csv", table.to_csv(index=False, float_format="%.5g"))
    lines = [f"- {text.format(worst(table, what))}" for what, text in FINDINGS]
    text = (
        "# Do ranking statements hold what they promise?\n\n"
        "Ten facilities, top 3; ranges are over scenarios, ± is the Monte Carlo standard "
        "error (MCSE) over data sets, whose number is in the table. Where all data "
        "sets agree the error is 0 and brackets give the 95 % bound, 3 over their number. "
        "Discrete statements hold at least what they promise, seldom exactly it.\n\n"
        + "\n".join(lines)
        + "\n\n`calibration.csv` has every figure by scenario. Made by "
        "`python -m experiments.ranking_calibration.run`.\n\n![Coverage](calibration.png)\n"
    )
    write_atomically(RESULTS / "README.md", text)
    with styled():
        part = table[table["promised"].isin(["at least .95", ".95"])]
        figure, axes = new_figure(0.24 * len(part) + 0.8)
        places = np.arange(len(part))[::-1]
        # where all data sets agree, down to the bound of three over their number
        alike = np.where(part["mcse"] > 0, 2 * part["mcse"], 3 / part["data_sets"])
        reach = [alike, np.minimum(alike, 1.0 - part["found"])]
        axes.errorbar(part["found"], places, xerr=reach, fmt="o", color=TOP, markersize=3)
        axes.axvline(0.95, color="black", linewidth=0.6)
        axes.set_yticks(places, part["what"] + ", " + part["scenario"])
        axes.set_xlabel("coverage ± two MCSEs")
        figure.savefig(RESULTS / "calibration.png", dpi=100, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="a tenth of the data sets, printed only"
    )
    small = parser.parse_args().small
    rows: list[dict[str, object]] = []
    for scenario, noise in NOISE.items():
        rows += bayesian(scenario, noise, 100 if small else 1000)
    for scenario, truth in TRUTHS.items():
        rows += frequentist(scenario, truth, 40 if small else 400)
        rows += winner(scenario, truth, 40 if small else 2000)
    table = pd.DataFrame(rows)
    if small:
        print(table.to_string())
    else:
        publish(table)


if __name__ == "__main__":
    main()
