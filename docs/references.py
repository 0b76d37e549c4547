"""Reference values R1 to R10, each with what this version of pdsim gives for it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

import pdsim
from pdsim.planning import Search, required_lead, solve
from pdsim.planning import pcs_lead as pcs
from pdsim.ranking import (
    beta_scores,
    expected_rank,
    pairwise_probability,
    rank_probability,
    select,
    set_probability,
    sucra,
    top_probability,
    winners_curse,
)
from pdsim.weights import (
    acceptability,
    constraints,
    flip_distance,
    pairwise_acceptability,
    stability_interval,
    weight_space,
)

PISA = Path(__file__).with_name("validation_pisa.json")


@dataclass(frozen=True, slots=True)
class Value:
    """One reference value: what it is, the reference, what pdsim gives, and the allowed gap."""

    what: str
    reference: float | str
    found: float | str
    allowed: float = 0.0

    @property
    def agrees(self) -> bool:
        """Tell whether what was found lies within what is allowed."""
        if isinstance(self.reference, str) or isinstance(self.found, str):
            return self.reference == self.found
        return abs(self.reference - self.found) <= self.allowed * (1 + 1e-9) + 1e-12


def founding_study() -> list[Value]:
    """R1: the published table of the founding study, and what follows from it."""
    study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    share = study.data["successes"] / study.data["trials"]
    level = share.squeeze("indicator", drop=True).to_pandas()
    before, after = level["baseline"], level["endline"]
    change = 100 * (after - before)

    def ends(values: pd.Series) -> str:
        order = values.sort_values(ascending=False, kind="stable").index.tolist()
        return f"{' '.join(order[:3])} / {' '.join(sorted(order[-3:], key=int))}"

    logit = np.log(level / (1 - level))
    rows = [
        Value("mean change (pp)", 48.4, change.mean(), 1e-9),
        Value("SD of the change", 19.74, change.std(), 0.005),
        Value("baseline mean (%)", 12.2, 100 * before.mean(), 0.05),
        Value("baseline SD", 4.44, 100 * before.std(), 0.005),
        Value("endline mean (%)", 60.6, 100 * after.mean(), 0.05),
        Value("endline SD", 22.04, 100 * after.std(), 0.005),
        Value("corr(baseline, change)", 0.435, before.corr(change), 0.0005),
        Value("corr(endline, change)", 0.983, after.corr(change), 0.0005),
        Value("contrast of 3 against 3 (pp)", 45.0, change[:3].mean() - change[-3:].mean(), 1e-9),
        Value("top / bottom 3 by change", "1 2 3 / 8 9 10", ends(change)),
        Value("by endline level", "1 2 3 / 7 8 10", ends(after)),
        Value("by logit change", "1 2 3 / 8 9 10", ends(logit["endline"] - logit["baseline"])),
        Value("by share of the gap", "1 2 3 / 8 9 10", ends((after - before) / (1 - before))),
        Value("by ratio", "3 7 5 / 8 9 10", ends(after / before)),
    ]
    for cases, r, expected in ((5, 0.3, 0.46), (20, 0.3, 0.87), (50, 0.1, 0.98)):
        data = pdsim.load_example("lake_zone", trials=cases, case_correlation=r).effective_data()
        p = data["successes"] / data["trials"]
        sampling = float((p * (1 - p) / data["trials"]).sum("period").mean())
        found = 1 - sampling / float(np.var(change / 100, ddof=1))
        rows.append(Value(f"reliability of change, n = {cases}, r = {r}", expected, found, 0.01))
    return rows


_TRIALS = (47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360)
_DEATHS = (0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24)
# E[rank], P(best), P(lowest 3), P(highest 3), P(worst)
_INDEPENDENT = {
    "A": (1.47385, 0.825019, 0.935101, 0.004046, 0.000513),
    "B": (10.49712, 0.000007, 0.000563, 0.812781, 0.235050),
    "E": (2.60001, 0.126512, 0.818896, 0.000496, 0.000003),
    "H": (11.45646, 0.000000, 0.000001, 0.969211, 0.619219),
    "J": (7.86609, 0.003406, 0.070860, 0.260270, 0.040624),
    "K": (10.06100, 0.000001, 0.000160, 0.734056, 0.093271),
}
_WORDS = ("E[rank]", "P(best)", "P(lowest 3)", "P(highest 3)", "P(worst)")


def _columns(score: object) -> dict[str, xr.DataArray]:
    first = rank_probability(score)["rank_probability"]
    return dict(
        zip(
            _WORDS,
            (
                expected_rank(score)["expected_rank"],
                first.isel(rank=0),
                top_probability(score, m=3)["top_probability"],
                top_probability(score, m=3, side="bottom")["top_probability"],
                first.isel(rank=-1),
            ),
            strict=True,
        )
    )


def _set(score: object, names: str, side: str) -> float:
    sets = set_probability(score, m=3, side=side)
    right = sets["member"].sel(facility=list(names)).all("facility")
    return float(sets["set_probability"][right.to_numpy()][0])


def surgical_independent() -> list[Value]:
    """R2, first part: independent Beta posteriors, exact."""
    coords = {"facility": list("ABCDEFGHIJKL")}
    deaths = xr.DataArray(np.array(_DEATHS, dtype=float), dims="facility", coords=coords)
    score = beta_scores(1 + np.array(_TRIALS) - deaths, 1 + deaths)
    found = _columns(score)
    rows = [
        Value(f"{word}, hospital {name}", value, float(found[word].sel(facility=name)), allowed)
        for name, values in _INDEPENDENT.items()
        for word, value, allowed in zip(_WORDS, values, (5e-6,) + (5e-7,) * 4, strict=True)
    ]
    sets = (("BHK", 0.539937, "bottom"), ("BHJ", 0.135670, "bottom"), ("ADE", 0.205080, "top"),
            ("AEG", 0.163532, "top"))  # fmt: skip
    for names, value, side in sets:
        end = "highest" if side == "bottom" else "lowest"
        what = f"P({{{','.join(names)}}} are the {end} 3)"
        rows.append(Value(what, value, _set(score, names, side), 5e-7))
    return rows


# E[rank], P(best), P(lowest 3), P(highest 3)
_RANDOM_EFFECTS = {
    "A": (3.3403, 0.3617, 0.6349, 0.0292),
    "B": (10.0390, 0.0008, 0.0067, 0.7208),
    "C": (6.0515, 0.0477, 0.2162, 0.1010),
    "D": (3.9465, 0.0820, 0.4441, 0.0018),
    "E": (2.8081, 0.3194, 0.7213, 0.0051),
    "H": (11.4121, 0.0001, 0.0005, 0.9535),
    "K": (10.1361, 0.0003, 0.0025, 0.7519),
}


def surgical_random_effects() -> list[Value]:
    """R2, second part: the random-effects model, by the fast engine."""
    fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1, draws=25_000)
    score = pdsim.composite(fit)
    found = _columns(score)
    rows = [
        Value(f"{word}, hospital {name}", value, float(found[word].sel(facility=name)), allowed)
        for name, values in _RANDOM_EFFECTS.items()
        for word, value, allowed in zip(_WORDS, values, (0.1, 0.02, 0.02, 0.02), strict=False)
    ]
    ahead = float((score.sel(facility="K") > score.sel(facility="H")).mean())
    sd = float(fit["posterior"]["sd_baseline_facility"].mean())
    return [
        *rows,
        Value("P({B,H,K} are the highest 3)", 0.4783, _set(score, "BHK", "bottom"), 0.02),
        Value("P({A,D,E} are the lowest 3)", 0.1252, _set(score, "ADE", "top"), 0.02),
        Value("P(H above K)", 0.7938, ahead, 0.02),
        Value("sigma", 0.4035, sd, 0.02),
    ]


def attainable() -> list[Value]:
    """R3: the observed top 3 of ten facilities, by reliability."""
    expected = {
        0.3: (0.5332, 0.0840, 0.0084, 0.2989),
        0.5: (0.6211, 0.1595, 0.0264, 0.1641),
        0.7: (0.7114, 0.2812, 0.0778, 0.0655),
        0.9: (0.8304, 0.5240, 0.2697, 0.0075),
    }
    words = ("overlap / 3", "P(exact top 3)", "P(both sets exact)", "P(a bottom 3 is selected)")
    rows = [Value("P(exact top 3), R = 0", 1 / 120, pcs(0.0, facilities=10, m=3), 1e-9)]
    for reliability, values in expected.items():
        generator = np.random.default_rng(1)
        truth = generator.normal(size=(40_000, 10))
        noise = generator.normal(size=truth.shape) * np.sqrt(1 / reliability - 1)
        chosen = {
            (kind, side): select(
                None,
                rule="observed_change",
                observed=xr.DataArray(part, dims=("replicate", "facility")),
                side=side,
            ).selected.to_numpy()
            for kind, part in (("true", truth), ("seen", truth + noise))
            for side in ("top", "bottom")
        }
        exact = (chosen["seen", "top"] == chosen["true", "top"]).all(axis=1)
        both = exact & (chosen["seen", "bottom"] == chosen["true", "bottom"]).all(axis=1)
        measures = (
            (chosen["seen", "top"] & chosen["true", "top"]).sum(axis=1) / 3,
            exact,
            both,
            (chosen["seen", "top"] & chosen["true", "bottom"]).any(axis=1),
        )
        for word, value, measure in zip(words, values, measures, strict=True):
            # four Monte Carlo standard errors of both
            allowed = 4 * float(np.hypot(np.std(measure) / np.sqrt(len(truth)), 0.0004))
            rows.append(
                Value(f"{word}, R = {reliability}", value, float(np.mean(measure)), allowed)
            )
    return rows


def correct_selection() -> list[Value]:
    """R4: probability of correct selection of normal means (Bechhofer)."""
    rows = [
        Value(f"PCS, k = 10, t = 3, h = {lead:g}", value, pcs(lead, facilities=10, m=3), 5e-7)
        for lead, value in (
            (0, 1 / 120),
            (1, 0.105411),
            (2, 0.431112),
            (3, 0.798214),
            (4, 0.962361),
        )
    ]
    leads = ((10, 3, 0.75, 2.8360), (10, 3, 0.90, 3.4649), (10, 3, 0.95, 3.8541),
             (10, 3, 0.99, 4.6100), (10, 7, 0.95, 3.8541), (2, 1, 0.95, 2.3262),
             (3, 1, 0.95, 2.7101), (4, 1, 0.95, 2.9162), (5, 1, 0.95, 3.0552))  # fmt: skip
    for k, t, p, lead in leads:
        found = required_lead(p, facilities=k, m=t)
        rows.append(Value(f"h for PCS {p}, k = {k}, t = {t}", lead, found, 5e-5))
    both = required_lead(0.95, facilities=10, m=3, both=True)
    return [*rows, Value("h for both ends right, 0.95, k = 10", 3.9629, both, 5e-5)]


def pisa(part: str) -> list[Value]:
    """Return R5 (``sets``) or R6 (``change``) as they were computed where the tables are."""
    return [Value(**row) for row in json.loads(PISA.read_text())[part]]


_TABLE = (
    (0.3088, 0.2897, 0.3867, 0.1922), (0.2163, 0.3458, 0.1755, 0.6288),
    (0.4509, 0.2473, 0.1194, 0.0575), (0.0240, 0.1172, 0.3184, 0.1215),
)  # fmt: skip
_NOMINAL = (0.3277, 0.3058, 0.2876, 0.0790)


def _values(rows: Iterable[Sequence[float]]) -> xr.DataArray:
    return xr.DataArray(np.array(list(rows), dtype=float), dims=("facility", "indicator"))


def _weights(weights: Sequence[float]) -> xr.DataArray:
    return xr.DataArray(np.array(weights, dtype=float), dims="indicator")


def weights() -> list[Value]:
    """R7: acceptability, pairwise acceptability and flips with known answers."""
    drawn = weight_space.flat(["a", "b", "c"], size=100_000, seed=0)
    answer = acceptability(_values([[1, 0, 1], [0, 1, 0]]), drawn, m=1)
    first = answer.rank_acceptability
    centre, error = answer.top_central_weight, answer.top_central_weight_mcse
    rows = [
        Value("rank acceptability of (1,0,1), rank 1", 0.75, float(first[0, 0]),
              4 * float(answer.rank_acceptability_mcse[0, 0])),
    ]  # fmt: skip
    for i, exact in enumerate(((7 / 18, 4 / 18, 7 / 18), (1 / 6, 2 / 3, 1 / 6))):
        for k, value in enumerate(exact):
            what = f"central weight {k + 1} of alternative {i + 1}"
            rows.append(Value(what, value, float(centre[i, k]), 4 * float(error[i, k])))
    for d, value in (((1, -1, 1), 3 / 4), ((1, 1, -1, -1), 1 / 2), ((-1, 2, 0), 2 / 3)):
        pair = pairwise_acceptability(_values([d, [0.0] * len(d)])).pairwise_acceptability
        rows.append(Value(f"pairwise acceptability, d = {d}", value, float(pair[0, 1]), 1e-14))
    pairs = pairwise_acceptability(_values(_TABLE)).pairwise_acceptability
    exact = {(1, 2): 0.373539, (1, 3): 0.862763, (1, 4): 1.0, (2, 3): 0.834544, (2, 4): 0.963960,
             (3, 4): 0.736984}  # fmt: skip
    for (i, j), value in exact.items():
        rows.append(Value(f"4 x 4 table, P({i} > {j})", value, float(pairs[i - 1, j - 1]), 5e-7))
    for norm, value, allowed in (("l1", 0.12165, 5e-6), ("l2", 0.0808, 5e-5)):
        flip = flip_distance(_values(_TABLE), _weights(_NOMINAL), m=1, norm=norm)
        rows.append(Value(f"4 x 4 table, {norm} flip", value, float(flip.distance), allowed))
    for names, centroid in (("abc", (11 / 18, 5 / 18, 2 / 18)),
                            ("abcd", (0.520833, 0.270833, 0.145833, 0.0625))):  # fmt: skip
        ordered = weight_space.ordered(list(names), size=40_000, seed=2)
        for k, value in enumerate(centroid):
            column = ordered.isel(indicator=k)
            allowed = 4 * float(column.std()) / 200 + 5e-7
            what = f"mean of ordered weights, n = {len(names)}, weight {k + 1}"
            rows.append(Value(what, value, float(column.mean()), allowed))
    same = constraints(list("abc"), equal=[({"a": 1, "b": -1}, 0), ({"b": 1, "c": -1}, 0)])
    point = constraints(
        list("abc"), at_most=[({"a": -1, "b": 1, "c": 1}, 0), ({"a": 1, "c": -1}, 0)]
    )
    for what, known, value in (
        ("w1 = w2 = w3", same, 1 / 3),
        ("-w1+w2+w3 <= 0, w1 <= w3", point, 0.5),
    ):
        drawn = weight_space.polytope(known, size=3, seed=0)
        rows.append(Value(f"w1 where {what}", value, float(drawn[0, 0]), 1e-9))
    swap = stability_interval(
        _values([[1, 1, 0], [0.9, 0.9, 0.2], [0, 0, 0.1]]), _weights([0.45, 0.45, 0.1]), m=1
    )
    rows.append(Value("w3 at which the first two swap", 1 / 3, float(swap.upper[2]), 1e-12))
    both = stability_interval(
        _values([[0.9, 0.6], [1, 0.2], [0.1, 1.15]]), _weights([0.45, 0.55]), m=1
    )
    return [
        *rows,
        Value("breakpoint below", 0.2, float(both.lower[1]), 1e-12),
        Value("breakpoint above", 0.592593, float(both.upper[1]), 5e-7),
    ]


def planning() -> list[Value]:
    """R8: the size of a two-sample t-test, found by simulation with a 99.9 % interval."""
    rows = []
    for effect, exact in ((0.2, 393.4057), (0.5, 63.7656)):

        def run(size: int, replicates: range, effect: float = effect) -> np.ndarray:
            rng = np.random.default_rng([0, size, replicates.start])
            freedom = 2 * size - 2
            apart = rng.normal(effect, np.sqrt(2 / size), len(replicates))
            variance = rng.chisquare(freedom, len(replicates)) / freedom
            t = apart / np.sqrt(2 * variance / size)
            return (np.abs(t) > stats.t.ppf(0.975, freedom)).astype(float)

        found = solve(run, Search(value=0.8, precision=0.1, prob=0.999)).crossing
        middle, half = (found.low + found.high) / 2, (found.high - found.low) / 2
        what = f"n per group, d = {effect} (interval {found.low:.1f} to {found.high:.1f})"
        rows.append(Value(what, exact, middle, half))
    return rows


def winner() -> list[Value]:
    """R9: the largest of five estimates, given that it was the largest."""
    estimate = xr.DataArray(np.arange(5.0), dims="facility")
    found = winners_curse(estimate, 0 * estimate + 1)
    low, high = found.conditional_interval.to_numpy()[4].tolist()
    middle = float(found.conditional_estimate[4])
    return [
        Value("2.5 %", 0.06742731, low, 1e-6),
        Value("50 %", 3.68627552, middle, 1e-6),
        Value("97.5 %", 5.93267239, high, 1e-6),
    ]


def identities() -> list[Value]:
    """R10: identities that hold on any draws; the largest deviation is shown."""
    generator = np.random.default_rng(3)
    draws = xr.DataArray(
        # rounded, so that there are ties
        np.round(generator.normal(size=(2000, 7)) + np.linspace(1, 0, 7), 1),
        dims=("sample", "facility"),
        coords={"facility": list("ABCDEFG")},
    )
    ranks = rank_probability(draws)["rank_probability"]
    mean = expected_rank(draws)["expected_rank"]
    top = top_probability(draws, m=3)["top_probability"]
    sets = set_probability(draws, m=3)
    pairs = pairwise_probability(draws)["pairwise_probability"].to_numpy().copy()
    np.fill_diagonal(pairs, 0.0)
    from_sets = (sets["member"] * sets["set_probability"]).sum("set")
    order = list("GDAFBEC")
    moved = rank_probability(draws.sel(facility=order))["rank_probability"].sel(
        facility=list("ABCDEFG")
    )

    def worst(gap: object) -> float:
        return float(np.abs(np.asarray(gap)).max())

    even = pairwise_acceptability(_values([[0, 0], [0, 0]])).pairwise_acceptability
    rows = [
        Value("rows of rank probabilities sum to 1", 0.0, worst(ranks.sum("rank") - 1), 1e-12),
        Value("columns sum to 1", 0.0, worst(ranks.sum("facility") - 1), 1e-12),
        Value("P(top 3) sums to 3", 0.0, worst(top.sum() - 3), 1e-12),
        Value("set probabilities sum to 1", 0.0, worst(sets["set_probability"].sum() - 1), 1e-12),
        Value("P(top 3) is the sum over its sets", 0.0, worst(from_sets - top), 1e-12),
        Value("E[rank] = 1 + sum of P(j ahead of i)", 0.0,
              worst(1 + pairs.sum(axis=0) - mean.to_numpy()), 1e-12),
        Value("SUCRA = (k - E[rank]) / (k - 1)", 0.0,
              worst(sucra(draws)["sucra"] - (7 - mean) / 6), 1e-12),
        Value("relabelling facilities permutes", 0.0, worst(moved - ranks), 1e-12),
        Value("all-zero d has pairwise acceptability 1/2", 0.5, float(even[0, 1])),
    ]  # fmt: skip
    return [*rows, _regression_to_the_mean()]


def _regression_to_the_mean() -> Value:
    """Correlate baseline and change of facilities that do not change."""
    spread, error, size = 1.0, 1.0, 20_000
    generator = np.random.default_rng(5)
    level = generator.normal(0, spread, size)
    before, after = (level + generator.normal(0, error, size) for _ in range(2))
    rho = spread**2 / (spread**2 + error**2)
    exact = -np.sqrt((1 - rho) / 2)
    found = np.corrcoef(before, after - before)[0, 1]
    return Value(
        "corr(baseline, change) without change", exact, found, 4 * (1 - exact**2) / size**0.5
    )
