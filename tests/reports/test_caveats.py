"""Each caveat stands where its rule holds, and nowhere else."""

import pytest
import xarray as xr

from pdsim.analysis.what_if import changes_group
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.front import failed_text, front
from pdsim.reports.study.sections import base_tables
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
    for name in ("estimands", "rules", "priors_scaled", "predictive", "variance_share", "changes"):
        del tree[name]
    ranking = tree["ranking"].to_dataset()
    for side in ("top", "bottom"):
        ranking[f"p_{side}"] = ranking[f"selected_{side}"].astype(float)
        ranking[f"could_flip_{side}"] = ranking[f"could_flip_{side}"] & False
    tree["ranking"] = xr.DataTree(ranking)
    return tree


def answer(tree: xr.DataTree, question: str) -> str:
    results = Results(tree)
    return words_of(dict(front(results, base_tables(results)).answers)[question])


def lists(tree: xr.DataTree, side: str) -> str:
    table = base_tables(Results(tree))[f"answer_{side}"]
    rows = [" ".join(words_of(cell) for cell in row) for row in table.grid()[1]]
    return " / ".join([table.title, *rows, *map(words_of, table.notes)])


def test_a_calm_study_has_no_caveat(calm: xr.DataTree) -> None:
    assert said(calm) == ""


def test_no_controls_is_said_of_changes_alone(make_results, calm: xr.DataTree) -> None:
    def foot(tree: xr.DataTree) -> str:
        results = Results(tree)
        return " ".join(map(words_of, front(results, base_tables(results)).foot))

    assert "Change over the period, whatever caused it" in foot(calm)
    assert "period" not in foot(make_results(periods=1, facilities=6, m=2))


def test_case_correlation(calm: xr.DataTree) -> None:
    calm.attrs["case_correlation"] = 0.0
    assert "correlation of zero is taken" in said(calm)
    calm.attrs["case_correlation_source"] = "unset"
    assert "is not known and is taken as zero" in said(calm)
    study = calm["study"].to_dataset()
    alone = [f"{n}" for n in range(study.sizes["indicator"])]
    calm["study"] = xr.DataTree(study.assign_coords(case_group=("indicator", alone)))
    assert "correlation" not in said(calm)


def test_turned_indicators_are_named(calm: xr.DataTree) -> None:
    study = calm["study"].to_dataset()
    direction = ["lower", *["higher"] * (study.sizes["indicator"] - 1)]
    calm["study"] = xr.DataTree(study.assign_coords(direction=("indicator", direction)))
    text = "Lower is better for Indicator 1: the levels shown are shares of cases without it."
    assert text in said(calm)


def test_priors_matter_only_where_they_change_a_name(make_results) -> None:
    tree = make_results(facilities=8, draws=200, spread=20.0, with_draws=False)
    data = tree["priors_scaled"].to_dataset()
    for side in ("top", "bottom"):
        own = tree["ranking"][f"selected_{side}"]
        data[f"selected_{side}"] = xr.ones_like(data[f"selected_{side}"]) & own
    tree["priors_scaled"] = xr.DataTree(data)
    tree["changes"] = xr.DataTree(changes_group(tree))
    assert "priors matter" not in said(tree)
    assert "other priors" in answer(tree, "What would change it?")
    swapped = data["selected_top"].transpose("prior_factor", "facility").to_numpy().copy()
    inside, outside = int(swapped[-1].argmax()), int((~swapped[-1]).argmax())
    swapped[-1, [inside, outside]] = False, True
    data["selected_top"] = (("prior_factor", "facility"), swapped)
    tree["priors_scaled"] = xr.DataTree(data)
    tree["changes"] = xr.DataTree(changes_group(tree))
    assert "The priors matter here: 8 facilities" in said(tree)
    names = data["facility"].to_numpy()
    text = answer(tree, "What would change it?")
    assert f"{names[outside]} replaces {names[inside]} at the top if ranked with" in text
    assert "with wider priors" in text


def test_a_design_effect_that_is_not_known_is_said_where_it_changes_a_name(make_results) -> None:
    tree = make_results(facilities=8, draws=200, spread=20.0, with_draws=False)
    data = tree["priors_scaled"].to_dataset().rename(prior_factor="design_effect")
    data = data.assign_coords(design_effect=[1.0, 2.0, 3.0])
    for side in ("top", "bottom"):
        own = tree["ranking"][f"selected_{side}"]
        data[f"selected_{side}"] = xr.ones_like(data[f"selected_{side}"]) & own
    tree.attrs["design_effect_source"] = "unset"
    tree["design_effect"] = xr.DataTree(data)
    tree["changes"] = xr.DataTree(changes_group(tree))
    assert "design effect is not known" not in said(tree)
    assert "no design effect is stated" in words_of(
        front(Results(tree), base_tables(Results(tree))).foot[0]
    )
    swapped = data["selected_top"].transpose("design_effect", "facility").to_numpy().copy()
    inside, outside = int(swapped[-1].argmax()), int((~swapped[-1]).argmax())
    swapped[-1, [inside, outside]] = False, True
    tree["design_effect"] = data.assign(selected_top=(("design_effect", "facility"), swapped))
    tree["changes"] = xr.DataTree(changes_group(tree))
    assert "The design effect is not known and is taken as one" in said(tree)
    assert "with a design effect of 3" in answer(tree, "What would change it?")


def test_what_the_model_does_not_reproduce_is_said_on_page_one(make_results) -> None:
    tree = make_results(facilities=8, draws=200, spread=20.0, with_draws=False)
    checks = xr.Dataset(
        {
            "statistic": ("check", ["spread", "facility"]),
            "of": ("check", ["i01", "Hospital 2"]),
            "observed": ("check", [12.04, 1.0]),
            "expected": ("check", [5.0, 0.9]),
            "p_value": ("check", [0.001, 0.7]),
            "flagged": ("check", [True, False]),
            "advice": ("check", ["state own spreads", ""]),
        },
        attrs={"false_alarms": 0.05},
    )
    tree["model_checks"] = xr.DataTree(checks)
    text = answer(tree, "How sure?")
    assert "how much Indicator 1 varies in its change (SD 12.0, expected 5.0): state own" in text
    assert "Hospital 2 are" not in text
    tree["model_checks"] = xr.DataTree(checks.assign(flagged=("check", [False, False])))
    assert "does not reproduce" not in answer(tree, "How sure?")


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_borderline_cut(calm: xr.DataTree, side: str) -> None:
    ranking = calm["ranking"].to_dataset()
    chosen = ranking[f"selected_{side}"].to_numpy().astype(bool)
    last, following = int(chosen.argmax()), int((~chosen).argmax())
    p = ranking[f"p_{side}"].to_numpy().copy()
    p[last], p[following] = 0.52, 0.48
    calm["ranking"] = xr.DataTree(ranking.assign({f"p_{side}": ("facility", p)}))
    names = ranking["facility"].to_numpy()
    assert f"a toss-up with {names[following]} 0.52" in lists(calm, side)


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
    text = lists(calm, "top")
    assert "Two tie for one place: the data do not choose between them." in text
    names = ranking["facility"].to_numpy()
    for name in names[tied]:
        assert f"{name} " in text


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
    assert "do not cite" in text
    assert "pdsim analyse" in text
