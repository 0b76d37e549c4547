"""What the notebooks share: small results, and every figure of `pdsim.reports.plots`."""

import ast
import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from IPython.display import HTML

import pdsim
from pdsim.analysis import gather
from pdsim.interviews import groups_of, roles, theme_table
from pdsim.planning import PlanSettings, run_plan
from pdsim.ranking import steadiness
from pdsim.reports import plots
from pdsim.reports.formats.svg import inline_svg
from pdsim.reports.study.figures import mean_ranks
from pdsim.reports.study.view import Results
from pdsim.settings import from_mapping
from pdsim.weights import domain_sweep, flip_distance, settle, stability_interval

RESULTS = Path(__file__).parents[1] / "results"


@cache
def _codes() -> dict[str, str]:
    """Return the code of each figure: the body of its entry, or the function that it names."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Entry"):
            continue
        name, _, make = node.args
        body = make.body if isinstance(make, ast.Lambda) else functions[ast.unparse(make)]
        found[ast.literal_eval(name)] = ast.unparse(body)
    return found


def code_of(name: str) -> str:
    """Return the code that makes a figure, as HTML."""
    return f"<details><summary>Code</summary><pre>{html.escape(_codes()[name])}</pre></details>"


def show(figure: Any, alt: str) -> HTML:
    """Return a figure as SVG with alternative text."""
    key = "".join(letter if letter.isalnum() else "-" for letter in alt.lower())
    style = "overflow-x:auto;background:#fff;padding:.5rem;border-radius:.3rem;max-width:40rem"
    return HTML(f'<div style="{style}">{inline_svg(figure, key=key, alt=html.escape(alt))}</div>')


@cache
def fitted(example: str) -> tuple[Any, xr.DataTree]:
    """Return a bundled study and its fit by the fast engine."""
    known = {"trials": 20, "case_correlation": 0.1} if example == "lake_zone" else {}
    study = pdsim.load_example(example, **known)
    return study, pdsim.fit(study, engine="laplace", seed=1, draws=1000)


@cache
def study_results(example: str = "lake_zone") -> Results:
    """Return the gathered results of a bundled study."""
    study, fit = fitted(example)
    return Results(gather(fit, study))


@cache
def improvements() -> tuple[xr.DataArray, xr.DataArray]:
    """Return posterior draws of indicator improvements (pp), and the nominal weights."""
    _, fit = fitted("safe_surgery_like")
    level = pdsim.levels(fit).isel(draw=slice(None, None, 5))
    change = 100 * (level.sel(period="endline") - level.sel(period="baseline"))
    weight = change["weight"] / change["weight"].sum()
    return change, weight.reset_coords(drop=True)


@cache
def simulated_codes() -> pd.DataFrame:
    """Return simulated coded interviews of three rounds in six facilities of a simulated study."""
    _, fit = fitted("safe_surgery_like")
    role = roles(groups_of(pdsim.composite(fit)), pdsim.composite(fit))["role"].to_series()
    rng = np.random.default_rng(20)
    voiced = {"leadership": (0.8, 0.3), "teamwork": (0.7, 0.4), "equipment": (0.5, 0.5)}
    rows = [
        (facility, informant, month, f"{theme} (simulated)",
         int(rng.random() < chances[role[facility] == "lower"]))
        for facility in role.index[role.isin(["higher", "lower"])]
        for informant in range(12)
        for month in (1, 6, 12)
        for theme, chances in voiced.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["facility", "informant", "round", "theme", "value"])


@cache
def simulated_themes() -> xr.DataTree:
    """Return the contrast of the simulated themes."""
    _, fit = fitted("safe_surgery_like")
    return pdsim.contrast_themes(pdsim.composite(fit), theme_table(simulated_codes()))


def _contrast() -> xr.Dataset:
    return simulated_themes()["contrast"].to_dataset()


@cache
def sweep_result() -> xr.Dataset:
    """Return the kept sweep over cases, facilities and indicators."""
    return xr.load_dataset(RESULTS / "sample_size" / "sample_size.nc").isel(heterogeneity=0)


@cache
def small_plan() -> xr.DataTree:
    """Return a plan for means with a known lead, which takes no time."""
    settings = {
        "target": "pcs_top >= 0.8",
        "scenario": {
            "kind": "normal",
            "means": [0.6] * 3 + [0.0] * 7,
            "cases_per_visit": 30,
        },
        "precision": 0.2,
        "seed": 1,
        "ranges": {"unit_sd": [0.8, 1.2], "trials_cv": [0.0, 0.8]},
        "costs": {"per_facility": 1000, "per_visit": 300, "per_case": 20},
        "budget": 25_000.0,
    }
    return run_plan(from_mapping(PlanSettings, settings))


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure of the gallery."""

    name: str
    text: str
    make: Callable[[], tuple[Any, Any]]


def _study() -> Results:
    return study_results("safe_surgery_like")


def _ranking() -> xr.Dataset:
    return _study().group("ranking")


def _rounds() -> xr.Dataset:
    generator = np.random.default_rng(4)
    centre = generator.normal(size=8) + 0.4 * generator.normal(size=(5, 1, 8)).cumsum(axis=0)
    draws = centre + 0.5 * generator.normal(size=(5, 1000, 8))
    names = {"round": list("12345"), "facility": [f"facility {i + 1}" for i in range(8)]}
    return steadiness(xr.DataArray(draws, dims=("round", "sample", "facility"), coords=names))


def _funnel() -> tuple[Any, Any]:
    generator = np.random.default_rng(2)
    se = generator.uniform(2.0, 9.0, 40)
    estimate = generator.normal(20.0, np.sqrt(se**2 + 16.0))
    order = np.argsort(estimate)
    side = {
        **dict.fromkeys(order[-3:].tolist(), "top"),
        **dict.fromkeys(order[:3].tolist(), "bottom"),
    }
    names = [f"Hospital {n + 1}" for n in range(40)]
    return plots.funnel(estimate, se, names=names, sides=[side.get(n, "") for n in range(40)])


def _calibration() -> tuple[Any, Any]:
    ranks = np.random.default_rng(4).beta(1.0, 1.15, 400)
    return plots.calibration_ecdf(ranks)


def _flips() -> tuple[Any, Any]:
    change, weight = improvements()
    flips = flip_distance(change.squeeze("chain", drop=True), weight, m=3)
    return plots.flip_density(flips, sample="draw")


def _tornado() -> tuple[Any, Any]:
    change, weight = improvements()
    return plots.tornado(stability_interval(change.mean(("chain", "draw")), weight, m=3))


def _decomposition() -> tuple[Any, Any]:
    group = _study().group("weights_decomposition_top")
    return plots.decomposition_bars(group["share"].sel(outcome=settle(group).outcome))


def _strip() -> tuple[Any, Any]:
    change, weight = improvements()
    return plots.domain_strip(domain_sweep(change, weight, str(change["domain"].values[0]), m=3))


FIGURES = (
    Entry("roles_forest", "Who plays which part in the interviews (simulated study).",
          lambda: plots.roles_forest(simulated_themes()["roles"].to_dataset(),
                                     label="Improvement (pp)")),
    Entry("theme_contrasts", "Simulated themes, with and without the doubt who is high.",
          lambda: plots.theme_contrasts(_contrast().sel(round="all", drop=True))),
    Entry("theme_rounds", "The contrast of simulated themes over the rounds.",
          lambda: plots.theme_rounds(_contrast().sel(round=["1", "6", "12"]))),
    Entry("forest", "Every facility's improvement, the largest first. White diamonds are observed.",
          lambda: plots.forest(_study().improvement, _ranking())),
    Entry("rank_heatmap", "Probability of every rank for every facility.",
          lambda: plots.rank_heatmap(_ranking(), m=3)),
    Entry("round_heatmap", "P(top m) in every round, each fitted by itself (simulated draws).",
          lambda: plots.round_heatmap(_rounds())),
    Entry("acceptability_bars", "The same as stacked bars.",
          lambda: plots.acceptability_bars(_ranking(), m=3)),
    Entry("membership_dots", "P(top m) and P(bottom m), with three Monte Carlo standard errors.",
          lambda: plots.membership_dots(_ranking(), m=3)),
    Entry("grades", "Grades, expected ranks and rank intervals.",
          lambda: plots.grades(_ranking())),
    Entry("funnel", "Observed values against their precision, with over-dispersed limits.",
          _funnel),
    Entry("domain_profile", "Improvement in one domain against that in another.",
          lambda: plots.domain_profile(_study().group("domains"), _ranking())),
    Entry("slope", "The composite before and after.",
          lambda: plots.slope(_study().group("levels"), _ranking())),
    Entry("bump", "Who moves under other definitions of improvement.",
          lambda: plots.bump(mean_ranks(_study()), _ranking())),
    Entry("tornado", "How far each weight may move before the selection changes.", _tornado),
    Entry("flip_density", "Distance to the nearest weights that change the selection, over draws.",
          _flips),
    Entry("domain_strip", "P(top m) as the weight of one domain goes from none to all.", _strip),
    Entry("decomposition_bars", "Which choice moves the memberships.", _decomposition),
    Entry("predictive", "Observed composites and what the fitted model would produce.",
          lambda: plots.predictive(_study().group("predictive"))),
    Entry("calibration_ecdf", "Simulation-based calibration: above or below the band is wrong.",
          _calibration),
    Entry("pcs_curves", "A performance measure along a factor, with Monte Carlo bands.",
          lambda: plots.pcs_curves(sweep_result().sel(indicators=14), over="trials",
                                   by="facilities")),
    Entry("pcs_heatmap", "A performance measure over two factors, with its MCSE.",
          lambda: plots.pcs_heatmap(sweep_result().sel(indicators=14), across="trials",
                                    down="facilities")),
    Entry("plan_curve", "The measure against the size of the study, and the answer.",
          lambda: plots.plan_curve(small_plan()["answer"].to_dataset(), level=0.8,
                                   label="P(top 3 right)", size="Cases")),
    Entry("plan_tornado", "The answer at both ends of the range of each assumption.",
          lambda: plots.plan_tornado(small_plan()["sensitivity"].to_dataset(), size="Cases")),
    Entry("plan_frontier", "What each design reaches for each budget.",
          lambda: plots.plan_frontier(small_plan()["frontier"].to_dataset(),
                                      label="P(top 3 right)")),
)  # fmt: skip
