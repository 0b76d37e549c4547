"""A results tree made of invented draws, with every group that a report can show."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.analysis.fits import RESULTS_LAYOUT
from pdsim.analysis.rank_groups import superset_group
from pdsim.analysis.what_if import changes_group

BOUNDS = [0.025, 0.975]
SEPARATOR = "\x1f"


def synthetic_results(
    *,
    facilities: int | list[str] = 10,
    indicators: int = 14,
    domains: int = 2,
    periods: int = 2,
    m: int = 3,
    draws: int = 800,
    seed: int = 1,
    spread: float = 10.0,
    failed: bool = False,
    unset: bool = True,
    suppress_below: int = -1,
    trials: int = 20,
    with_draws: bool = True,
) -> xr.DataTree:
    """Return a tree laid out as `pdsim.analysis.gather` lays it out."""
    rng = np.random.default_rng(seed)
    names = (
        [f"Hospital {i + 1}" for i in range(facilities)]
        if isinstance(facilities, int)
        else facilities
    )
    labels = ["baseline", "endline"][-periods:]
    domain = [("safety", "teamwork", "other")[k % domains] for k in range(indicators)]
    size = len(names)
    eta = rng.normal(-1.5, 0.4, (size, 1, 1)) + np.zeros((size, indicators, periods))
    if periods == 2:
        eta[..., 1] += rng.normal(2.0, spread / 14, (size, 1)) + rng.normal(
            0, 0.4, (size, indicators)
        )
    noise = rng.normal(0, 0.25, (draws, size, indicators, periods))
    level = 1 / (1 + np.exp(-(eta + noise)))
    counts = rng.binomial(trials, level[0])
    weight = np.full(indicators, 1 / indicators)
    coords = {"facility": names, "indicator": [f"i{k + 1:02d}" for k in range(indicators)]}
    study = xr.Dataset(
        {
            "successes": (("facility", "indicator", "period"), counts.astype(float)),
            "trials": (("facility", "indicator", "period"), np.full(counts.shape, float(trials))),
        },
        coords={
            **coords,
            "period": labels,
            "weight": ("indicator", weight),
            "domain": ("indicator", domain),
            "direction": ("indicator", ["higher"] * indicators),
            "label": ("indicator", [f"Indicator {k + 1}" for k in range(indicators)]),
            "case_group": ("indicator", ["cases"] * indicators),
        },
    )
    composite = 100 * np.einsum("sikt,k->sit", level, weight)
    observed = 100 * np.einsum("ikt,k->it", counts / trials, weight)
    share = (counts + 0.5) / (trials + 1.0)
    errors = 100 * np.sqrt(np.einsum("ikt,k->i", share * (1 - share) / trials, weight**2))
    scores = _scores(composite)
    main = "change" if periods == 2 else "level"
    estimands = list(scores)
    stack = np.stack([scores[name] for name in estimands])
    groups: dict[str, xr.Dataset] = {
        "study": study,
        "improvement": _improvement(stack, estimands, names, observed, errors),
        "levels": xr.Dataset(
            {
                "mean": (("facility", "period"), composite.mean(0)),
                "interval": (("facility", "period", "ci_bound"), _quantiles(composite)),
            },
            coords={"facility": names, "period": labels, "ci_bound": BOUNDS},
        ),
        "ranking": ranking(scores[main], names, m),
        "pairs": _pairs(scores[main], names),
        "sets_top": _sets(scores[main], names, m),
        "sets_bottom": _sets(-scores[main], names, m),
        "estimands": xr.concat(
            [
                ranking(scores[name], names, m)[
                    [
                        "p_top",
                        "p_bottom",
                        "p_top_mcse",
                        "p_bottom_mcse",
                        "selected_top",
                        "selected_bottom",
                    ]
                ]
                for name in estimands
            ],
            dim=pd.Index(estimands, name="estimand"),
        ),
        "variance_share": xr.Dataset(
            {
                "nominal": ("indicator", weight),
                "share": ("indicator", rng.dirichlet(np.ones(indicators))),
                "sd": ("indicator", rng.uniform(0.1, 2.0, indicators)),
                "spread": ("indicator", np.full(indicators, 3.0)),
                "spread_lower": ("indicator", np.full(indicators, 2.0)),
                "spread_upper": ("indicator", np.full(indicators, 4.0)),
            },
            coords={"indicator": coords["indicator"]},
        ),
        "hyper": xr.Dataset(
            {
                "mean": ("parameter", [0.5, 0.7, 0.1]),
                "interval": (("parameter", "ci_bound"), [[0.2, 0.9], [0.3, 1.1], [-0.5, 0.6]]),
                "rhat": ("parameter", [1.001, 1.002, 1.03 if failed else 1.0]),
                "ess_bulk": ("parameter", [2100.0, 1800.0, 900.0]),
            },
            coords={
                "parameter": ["sd_baseline_facility", "sd_change_facility", "corr_facility"],
                "ci_bound": BOUNDS,
            },
        ),
        "predictive": _predictive(composite, observed, names, labels, rng),
        "rules": _rules(
            scores[main], names, m, observed[:, -1] - (observed[:, 0] if periods == 2 else 0.0)
        ),
        "priors_scaled": _varied(scores[main], names, m, "prior_factor", [0.5, 1.0, 2.0]),
    }
    if len(set(domain)) > 1 and periods == 2:
        groups["domains"] = _domains(level, domain, names)
    if unset and indicators > 1:
        groups["case_correlation"] = _varied(
            scores[main], names, m, "case_correlation", [0.0, 0.1, 0.3]
        )
    if with_draws:
        keep = level[:: max(1, draws // 300)].astype(np.float32)
        groups["draws"] = xr.Dataset(
            {"level": (("draw", "facility", "indicator", "period"), keep)},
            coords={**coords, "period": labels, "weight": ("indicator", weight)},
        )
    draws_of = xr.DataArray(scores[main], dims=("sample", "facility"), coords={"facility": names})
    for side in ("top", "bottom"):
        groups[f"superset_{side}"] = superset_group(draws_of, m=m, side=side)
    gates = [
        {
            "name": "R-hat",
            "value": 1.03 if failed else 1.002,
            "limit": 1.01,
            "passed": not failed,
            "worst": "corr_facility",
        },
        {"name": "divergences", "value": 0.0, "limit": 0.0, "passed": True, "worst": ""},
    ]
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    tree.attrs = {
        "name": "Synthetic study",
        "m": m,
        "kind": "counts",
        "estimand": main,
        "units": "pp",
        "engine": "nuts",
        "seed": seed,
        "convergence": "FAILED: R-hat 1.03 (corr_facility), limit 1.01" if failed else "passed",
        "gates": json.dumps(gates),
        "case_correlation": float("nan") if unset else 0.1,
        "case_correlation_source": "unset" if unset else "stated",
        "priors": json.dumps(
            {
                "alpha": {"mean": 0.0, "mean_sd": 1.5, "sd": 2.0},
                "beta": {"mean": 0.0, "mean_sd": 1.5, "sd": 1.0},
                "sd_change_facility": {"family": "half_normal", "scale": 1.0},
                "corr_facility": {"eta": 2.0},
            }
        ),
        "versions": json.dumps({"pdsim": "0.1.0", "numpy": "2.5.0", "pymc": "6.4.0"}),
        "sampler": json.dumps({"draws": draws, "tune": 1000, "chains": 4}),
        "configuration": json.dumps({"name": "Synthetic study", "m": m}),
        "assumptions": json.dumps(["These data are invented."]),
        "suppress_below": suppress_below,
        "period_labels": json.dumps(["2021", "2023"][-periods:]),
        "schema_version": 1,
        "layout": RESULTS_LAYOUT,
        "delta": 10.0,
    }
    tree["changes"] = xr.DataTree(changes_group(tree))
    return tree


def _scores(composite: np.ndarray) -> dict[str, np.ndarray]:
    if composite.shape[2] == 1:
        return {"level": composite[..., 0]}
    first, last = composite[..., 0], composite[..., 1]
    return {
        "change": last - first,
        "endline": last,
        "change_net": last - last.mean() - 0.4 * (first - first.mean()),
        "gap_closed": (last - first) / (100 - first),
        "ratio": last / first,
    }


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.quantile(values, BOUNDS, axis=0), 0, -1)


def _mcse(p: np.ndarray, draws: int) -> np.ndarray:
    constant = (p == 0) | (p == 1)
    return np.where(constant, 1 / draws, np.sqrt(p * (1 - p) / draws))


def _improvement(stack, estimands, names, observed, errors) -> xr.Dataset:
    draws = stack.shape[1]
    positive, above = (stack > 0).mean(1), (stack > 10).mean(1)
    dims = ("estimand", "facility")
    empty = np.full(len(names), np.nan)
    two = observed.shape[1] == 2
    return xr.Dataset(
        {
            "mean": (dims, stack.mean(1)),
            "median": (dims, np.median(stack, axis=1)),
            "sd": (dims, stack.std(1)),
            "interval": (
                (*dims, "ci_bound"),
                np.moveaxis(np.quantile(stack, BOUNDS, axis=1), 0, -1),
            ),
            "p_positive": (dims, positive),
            "p_positive_mcse": (dims, _mcse(positive, draws)),
            "p_above_delta": (dims, above),
            "p_above_delta_mcse": (dims, _mcse(above, draws)),
            "units": (
                "estimand",
                [
                    {"gap_closed": "share of the gap", "ratio": "ratio"}.get(e, "pp")
                    for e in estimands
                ],
            ),
            "observed": ("facility", observed[:, -1] - observed[:, 0] if two else observed[:, -1]),
            "observed_baseline": ("facility", observed[:, 0] if two else empty),
            "observed_endline": ("facility", observed[:, -1]),
            "observed_se": ("facility", errors),
        },
        coords={"estimand": estimands, "facility": names, "ci_bound": BOUNDS},
    )


def ranking(score: np.ndarray, names: list[str], m: int) -> xr.Dataset:
    """Return the ranking group from draws (draw, facility)."""
    draws, size = score.shape
    ranks = (-score).argsort(1).argsort(1) + 1
    probability = np.stack([(ranks == r).mean(0) for r in range(1, size + 1)], axis=1)
    top, bottom = (ranks <= m).mean(0), (ranks > size - m).mean(0)
    chosen = np.zeros((2, size), dtype=bool)
    chosen[0, np.argsort(-top, kind="stable")[:m]] = True
    chosen[1, np.argsort(-bottom, kind="stable")[:m]] = True
    gap = {}
    for side, p, sel in (("top", top, chosen[0]), ("bottom", bottom, chosen[1])):
        last, first = p[sel].min(), p[~sel].max()
        close = last - first < 3 * np.sqrt(2 * 0.25 / draws)
        gap[side] = close & ((p == last) | (p == first))
    return xr.Dataset(
        {
            "rank_probability": (("facility", "rank"), probability),
            "rank_probability_mcse": (("facility", "rank"), _mcse(probability, draws)),
            "expected_rank": ("facility", ranks.mean(0)),
            "expected_rank_mcse": ("facility", ranks.std(0) / np.sqrt(draws) + 1e-6),
            "rank_interval": (
                ("facility", "ci_bound"),
                np.quantile(ranks, BOUNDS, axis=0, method="inverted_cdf").T.astype(float),
            ),
            "p_top": ("facility", top),
            "p_top_mcse": ("facility", _mcse(top, draws)),
            "p_bottom": ("facility", bottom),
            "p_bottom_mcse": ("facility", _mcse(bottom, draws)),
            "selected_top": ("facility", chosen[0]),
            "selected_bottom": ("facility", chosen[1]),
            "tied_top": ("facility", np.zeros(size, bool)),
            "tied_bottom": ("facility", np.zeros(size, bool)),
            "could_flip_top": ("facility", gap["top"]),
            "could_flip_bottom": ("facility", gap["bottom"]),
            "grade": ("facility", 1 + (ranks.mean(0) > size / 2).astype(int)),
            "sucra": ("facility", (size - ranks.mean(0)) / (size - 1)),
        },
        coords={"facility": names, "rank": np.arange(1, size + 1), "ci_bound": BOUNDS},
    )


def _pairs(score: np.ndarray, names: list[str]) -> xr.Dataset:
    above = np.stack([(score[:, [i]] > score).mean(0) for i in range(score.shape[1])])
    np.fill_diagonal(above, 0.5)
    return xr.Dataset(
        {
            "p_above": (("facility", "facility_2"), above),
            "p_above_mcse": (("facility", "facility_2"), _mcse(above, len(score))),
        },
        coords={"facility": names, "facility_2": names},
    )


def _sets(score: np.ndarray, names: list[str], m: int) -> xr.Dataset:
    sets, counts = np.unique(
        np.sort(np.argsort(-score, axis=1)[:, :m], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:20]
    p = counts[order] / len(score)
    chosen = set(np.argsort(-ranking(score, names, m)["p_top"].values, kind="stable")[:m])
    hit = float(np.mean([set(row) == chosen for row in np.argsort(-score, axis=1)[:, :m]]))
    return xr.Dataset(
        {
            "members": ("set", [SEPARATOR.join(names[i] for i in row) for row in sets[order]]),
            "probability": ("set", p),
            "probability_mcse": ("set", _mcse(p, len(score))),
        },
        coords={"set": np.arange(1, len(p) + 1)},
        attrs={
            "p_selected_set": hit,
            "p_selected_set_mcse": float(_mcse(np.array(hit), len(score))),
        },
    )


def _varied(score, names, m, dim, values) -> xr.Dataset:
    parts = []
    for factor in values:
        shifted = score.mean(0) + (score - score.mean(0)) * (1 + 0.3 * factor)
        part = ranking(shifted, names, m)[
            ["p_top", "p_bottom", "p_top_mcse", "p_bottom_mcse", "selected_top", "selected_bottom"]
        ]
        parts.append(
            part.assign(
                mean=("facility", shifted.mean(0)),
                interval=(("facility", "ci_bound"), _quantiles(shifted)),
            )
        )
    return xr.concat(parts, dim=pd.Index(values, name=dim)).assign_coords(ci_bound=BOUNDS)


def _rules(score, names, m, observed) -> xr.Dataset:
    rank = (-score).argsort(1).argsort(1) + 1.0
    top, bottom = (rank <= m).mean(0), (rank > len(names) - m).mean(0)
    criteria = {
        "p_top": (top, bottom, top, bottom),
        "expected_rank": (rank.mean(0), rank.mean(0), -rank.mean(0), rank.mean(0)),
        "posterior_mean": (score.mean(0), score.mean(0), score.mean(0), -score.mean(0)),
        "observed_change": (observed, observed, observed, -observed),
    }
    table = {}
    for n, side in enumerate(("top", "bottom")):
        chosen = np.zeros((len(criteria), len(names)), dtype=bool)
        for row, values in enumerate(criteria.values()):
            chosen[row, np.argsort(-values[2 + n], kind="stable")[:m]] = True
        table[f"selected_{side}"] = (("rule", "facility"), chosen)
        values = np.stack([values[n] for values in criteria.values()])
        table[f"criterion_{side}"] = (("rule", "facility"), values)
    return xr.Dataset(table, coords={"rule": list(criteria), "facility": names})


def _domains(level, domain, names) -> xr.Dataset:
    labels = sorted(set(domain))
    change = 100 * (level[..., 1] - level[..., 0])
    parts = np.stack([change[:, :, np.array(domain) == d].mean(2) for d in labels], axis=2)
    covariance = np.stack([np.cov(parts[:, i].T) for i in range(len(names))])
    return xr.Dataset(
        {
            "mean": (("facility", "domain"), parts.mean(0)),
            "interval": (("facility", "domain", "ci_bound"), _quantiles(parts)),
            "covariance": (("facility", "domain", "domain_2"), covariance),
        },
        coords={"facility": names, "domain": labels, "domain_2": labels, "ci_bound": BOUNDS},
    )


def _predictive(composite, observed, names, labels, rng) -> xr.Dataset:
    replicate = composite + rng.normal(0, 2, composite.shape)
    return xr.Dataset(
        {
            "observed": (("facility", "period"), observed),
            "replicate_mean": (("facility", "period"), replicate.mean(0)),
            "replicate_interval": (("facility", "period", "ci_bound"), _quantiles(replicate)),
            "p_value": (("facility", "period"), (replicate > observed).mean(0)),
        },
        coords={"facility": names, "period": labels, "ci_bound": BOUNDS},
    )
