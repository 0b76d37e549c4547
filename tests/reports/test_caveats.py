"""Each caveat stands where its rule holds, and nowhere else."""

import json

import pytest
import xarray as xr

from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.sections import base_tables
from pdsim.reports.study.sections.answer import failed_text
from pdsim.reports.study.summary import summary
from pdsim.reports.study.view import Results


def said(tree: xr.DataTree) -> str:
    results = Results(tree)
    return " ".join(words_of(text) for text in caveats(results, base_tables(results)))


@pytest.fixture
def calm(make_results) -> xr.DataTree:
    """A study of 20 facilities that gives no reason for most caveats."""
    tree = make_results(
        facilities=20, unset=False, spread=40.0, draws=200, with_draws=False, seed=2
    )
    for name in ("estimands", "rules", "priors_scaled", "predictive", "variance_share"):
        del tree[name]
    improvement = tree["improvement"].to_dataset()
    tree["improvement"] = xr.DataTree(
        improvement.assign(prior_sensitive=improvement["prior_sensitive"] & False)
    )
    ranking = tree["ranking"].to_dataset()
    for side in ("top", "bottom"):
        ranking[f"p_{side}"] = ranking[f"selected_{side}"].astype(float)
        ranking[f"could_flip_{side}"] = ranking[f"could_flip_{side}"] & False
    tree["ranking"] = xr.DataTree(ranking)
    return tree


def test_a_calm_study_has_only_the_lack_of_controls(calm: xr.DataTree) -> None:
    assert said(calm) == (
        "There are no control facilities: every figure is the change over the period, "
        "whatever caused it."
    )


def test_one_period_is_no_change(make_results) -> None:
    assert "change over the period" not in said(make_results(periods=1, facilities=6, m=2))


def test_case_correlation(calm: xr.DataTree) -> None:
    calm.attrs["case_correlation"] = 0.0
    assert "correlation of zero is taken" in said(calm)
    calm.attrs["case_correlation_source"] = "unset"
    assert "is not known and is taken as zero" in said(calm)
    study = calm["study"].to_dataset()
    alone = [f"{n}" for n in range(study.sizes["indicator"])]
    calm["study"] = xr.DataTree(study.assign_coords(case_group=("indicator", alone)))
    assert "correlation" not in said(calm)


def test_assumed_trials(calm: xr.DataTree) -> None:
    text = "Counts were rebuilt from percentages with an assumed 20 cases behind each."
    calm.attrs["assumptions"] = json.dumps([text, "Something else."])
    assert text in said(calm)
    assert "Something else" not in said(calm)


def test_turned_indicators_are_named(calm: xr.DataTree) -> None:
    study = calm["study"].to_dataset()
    direction = ["lower", *["higher"] * (study.sizes["indicator"] - 1)]
    calm["study"] = xr.DataTree(study.assign_coords(direction=("indicator", direction)))
    text = "Lower is better for Indicator 1: the levels shown are shares of cases without it."
    assert text in said(calm)


def test_few_facilities(make_results) -> None:
    assert "With 14 facilities the spread" in said(make_results(facilities=14, draws=60))
    assert "the spread between facilities" not in said(make_results(facilities=15, draws=60))


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_borderline_cut(calm: xr.DataTree, side: str) -> None:
    ranking = calm["ranking"].to_dataset()
    chosen = ranking[f"selected_{side}"].to_numpy().astype(bool)
    last, following = int(chosen.argmax()), int((~chosen).argmax())
    p = ranking[f"p_{side}"].to_numpy().copy()
    p[last], p[following] = 0.52, 0.48
    calm["ranking"] = xr.DataTree(ranking.assign({f"p_{side}": ("facility", p)}))
    names = ranking["facility"].to_numpy()
    text = said(calm)
    assert f"Borderline cut: {names[last]} is the last of the three" in text
    assert f"{names[following]}, not selected, has 0.48" in text
    assert "another seed" not in text
    flips = ranking[f"could_flip_{side}"].to_numpy().copy()
    flips[[last, following]] = True
    calm["ranking"] = xr.DataTree(
        calm["ranking"].to_dataset().assign({f"could_flip_{side}": ("facility", flips)})
    )
    assert "another seed could swap them" in said(calm)


def test_ties_are_said_and_not_settled(calm: xr.DataTree) -> None:
    ranking = calm["ranking"].to_dataset()
    chosen = ranking["selected_top"].to_numpy().astype(bool).copy()
    last, following = int(chosen.argmax()), int((~chosen).argmax())
    tied = chosen & False
    tied[[last, following]] = True
    chosen[last] = False
    calm["ranking"] = xr.DataTree(
        ranking.assign(selected_top=("facility", chosen), tied_top=("facility", tied))
    )
    assert "tie for the last place among the three most improved" in said(calm)


@pytest.mark.parametrize(
    ("group", "dim", "text"),
    [
        ("priors_scaled", "prior_factor", "Prior-sensitive: with the scales"),
        ("case_correlation", "case_correlation", "depends on the within-case correlation"),
    ],
)
def test_choices_that_do_not_survive(make_results, group: str, dim: str, text: str) -> None:
    tree = make_results(facilities=8, draws=100, spread=20.0, with_draws=False)
    data = tree[group].to_dataset()
    same = data["selected_top"].isel({dim: 0}).to_numpy()
    steady = data.copy()
    for side in ("top", "bottom"):
        steady[f"selected_{side}"] = xr.ones_like(data[f"selected_{side}"]) * data[
            f"selected_{side}"
        ].isel({dim: 0}, drop=True)
    tree[group] = xr.DataTree(steady)
    assert text not in said(tree)
    changed = steady["selected_top"].transpose(dim, "facility").to_numpy().copy()
    changed[-1] = ~same
    tree[group] = xr.DataTree(steady.assign(selected_top=((dim, "facility"), changed)))
    assert text in said(tree)


def test_influence(make_results) -> None:
    tree = make_results(facilities=6, m=2, draws=60, indicators=6)
    share = [0.5, 0.4, 0.04, 0.03, 0.02, 0.01]
    data = tree["variance_share"].to_dataset().assign(share=("indicator", share))
    tree["variance_share"] = xr.DataTree(data)
    assert "Indicator 1 and Indicator 2 make up most of the composite's variance" in said(tree)
    assert "50.0 % and 40.0 %" in said(tree)
    tree["variance_share"] = xr.DataTree(data.assign(share=("indicator", [1 / 6] * 6)))
    assert "make up most" not in said(tree)


def test_failed_gates_are_named(make_results) -> None:
    results = Results(make_results(facilities=6, m=2, draws=60, failed=True))
    text = words_of(failed_text(results))
    assert "R-hat 1.03 (corr_facility), limit 1.01" in text
    assert "must not be cited" in text
    for sentence in summary(results, base_tables(results)):
        assert "\u2020" in words_of(sentence)
