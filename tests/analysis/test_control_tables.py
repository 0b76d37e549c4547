"""An analysis with controls, strata and a covariate, from the study to the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim.analysis import write_report
from pdsim.analysis.begun import begin_refits
from pdsim.analysis.refits import refit_pool
from pdsim.model import programme_effect
from pdsim.reports.formats.document import Paragraph
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.methods import methods
from pdsim.reports.study.sections import base_tables
from pdsim.reports.study.sections.beyond_controls import (
    adjustment_table,
    baseline_table,
    controls_section,
    effect_priors_table,
    effects_table,
    prior_sentences,
    programme_table,
)
from pdsim.reports.study.view import Results
from pdsim.simulation import Scenario, simulate
from pdsim.study import SamplerSettings

SAMPLE = ("chain", "draw")
HOSTILE = '<b>beds"'


@pytest.fixture(scope="module")
def analysis():
    scenario = Scenario(
        facilities=6, indicators=2, domains=2, trials=30, baseline_level=0.3,
        secular_trend=10.0, improvement=25.0, m=2, controls=6,
    )  # fmt: skip
    _, study = simulate(scenario, seed=3)
    rng = np.random.default_rng(1)
    size = study.data.sizes["facility"]
    data = study.data.assign_coords(
        stratum=("facility", ["alone", *(["urban", "rural"] * size)[: size - 1]]),
        covariate=[HOSTILE],
        covariates=(("facility", "covariate"), rng.normal(size=(size, 1))),
    )
    study = type(study)(data=data, options=study.options)
    return pdsim.analyse(study, seed=1, sampler=SamplerSettings(draws=250))


def text_of(blocks):
    return "".join(
        piece if isinstance(piece, str) else piece.text
        for block in blocks
        for piece in getattr(block, "text", ())
    )


def test_only_the_programme_is_ranked(analysis):
    tree = analysis.results
    for group in ("ranking", "improvement", "levels", "study", "beyond", "strata", "adjusted"):
        found = tree[group]["facility"].to_numpy().tolist()
        assert len(found) == 6, group
        assert not any(str(name).startswith("control") for name in found), group
    assert all(str(n).startswith("control") for n in tree["controls"]["facility"].to_numpy())


def test_tables_hold_what_the_draws_say(analysis):
    results = Results(analysis.results)
    effect = programme_effect(analysis.fit)
    table = programme_table(results)
    assert table.value("all indicators", "effect") == pytest.approx(float(effect.mean()))
    assert set(table.rows) >= {"all indicators"}
    assert len(table.rows) == 1 + 2 + 2  # domains, indicators
    change = pdsim.composite(analysis.fit, arm="control").mean(SAMPLE)
    arms = baseline_table(results)
    assert arms.value("arms", "change") == pytest.approx(float(change.mean()))
    facility = effects_table(results)
    one = pdsim.composite(analysis.fit, estimand="effect").mean(SAMPLE)
    for name in facility.rows:
        assert facility.value(name, "effect") == pytest.approx(float(one.sel(facility=name)))
        assert 0.0 <= facility.value(name, "p_beyond") <= 1.0


def test_the_words_say_what_the_effect_rests_on(analysis):
    results = Results(analysis.results)
    section = controls_section(results, {})
    said = text_of(section.blocks)
    assert "if, without it, both arms would have changed alike" in said
    table = programme_table(results)
    assert table.number("all indicators", "effect").text in said
    assert adjustment_table(results).number("adjustment", "p_same").text in said


def test_the_label_of_the_priors_is_computed(analysis):
    """By hand from the refits, and against what the section says."""
    results = Results(analysis.results)
    group = analysis.results["effect_priors"].to_dataset()
    names = group["prior"].to_numpy().tolist()
    assert names[0] == "as stated"
    assert len(names) == 7
    assert json.loads(group.attrs["refused"]) == {}
    own = programme_effect(analysis.fit)
    # a refit of 2,000 x 4 draws against the 250 x 4 of the analysis
    error = float(own.std()) * 4.5 / np.sqrt(500)
    stated = group.sel(prior="as stated", estimand="effect")
    assert float(stated["mean"]) == pytest.approx(float(own.mean()), abs=error)
    for estimand in ("effect", "effect_change"):
        one = group.sel(estimand=estimand)
        shift = (one["mean"] - one["mean"][0]) / one["sd"][0]
        ratio = one["sd"] / one["sd"][0]
        by_hand = bool(((np.abs(shift) > 0.3) | (ratio > 1.3) | (ratio < 1 / 1.3)).any())
        assert bool(one["sensitive"]) == by_hand
    moved = np.abs(group["p_beyond"] - group["p_beyond"][0]).max("prior") > 0.1
    assert moved.to_numpy().tolist() == group["beyond_sensitive"].to_numpy().tolist()
    table = effect_priors_table(results)
    said = "".join(text_of([Paragraph(text=text)]) for text in prior_sentences(results, table))
    for words, estimand in (
        ("The programme effect is prior-sensitive", "effect"),
        ("The difference in differences is prior-sensitive", "effect_change"),
    ):
        assert (words in said) == bool(group["sensitive"].sel(estimand=estimand))
    listed = effects_table(results).frame["sensitive"]
    for name in listed.index:
        one = group.sel(facility=name)
        assert ("effect" in listed[name]) == bool(one["facility_sensitive"])
        assert ("beyond" in listed[name]) == bool(one["beyond_sensitive"])


def effects_under_priors(study):
    """Return the table that an analysis makes."""
    with refit_pool(study) as pool:
        begun = begin_refits(study, replace(study.options.sampler, seed=1), pool)
        return begun["effect_priors"].finish(None, lambda: None)


def test_a_prior_that_decides_is_named():
    """Two controls a side and three cases: halving the prior of the effect halves the effect."""
    scenario = Scenario(facilities=4, controls=3, trials=3, improvement=30.0, m=1)
    _, study = simulate(scenario, seed=1)
    table = effects_under_priors(study)
    assert bool(table["sensitive"].sel(estimand="effect"))
    assert float(table["ratio"].sel(estimand="effect", prior="effects x 2")) > 1.0
    many = replace(scenario, facilities=40, controls=40, trials=400, indicators=2)
    _, study = simulate(many, seed=1)
    table = effects_under_priors(study)
    assert not bool(table["sensitive"].sel(estimand="effect_change"))


def test_the_forest_keeps_the_arms_apart(analysis):
    blocks = controls_section(Results(analysis.results), {}).blocks
    picture = next(block for block in blocks if getattr(block, "key", "") == "both_arms")
    drawn = picture.data
    control = drawn["facility"].str.endswith("(control)").tolist()
    assert control == [False] * 6 + [True] * 6
    for arm in (drawn[:6], drawn[6:]):
        assert arm["mean"].is_monotonic_decreasing
    assert (drawn["side"][6:] == "").all()


def test_page_one_says_what_lies_beyond_controls(analysis):
    found = analysis.results["programme"].sel(estimand="effect", part="all indicators")
    said = " ".join(str(analysis).split())
    assert "Beyond what 6 controls would have done, the programme's effect is" in said
    assert f"is {float(found['mean']):.1f} pp" in said
    assert "if both arms would have changed alike without it" in said


def test_one_facility_alone_in_its_stratum_is_first_of_it(analysis):
    strata = analysis.results["strata"]
    alone = (strata["stratum"] == "alone").to_numpy()
    assert alone.sum() == 1
    assert strata["p_top"].to_numpy()[alone].tolist() == [1.0]


def test_the_page_is_whole_and_escaped(analysis, tmp_path):
    write_report(analysis.results, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "What would have been anyway" in page
    assert HOSTILE not in page
    assert "&lt;b&gt;beds" in page


@pytest.mark.parametrize("by_arm", [False, True])
def test_methods_say_whether_arms_spread_alike(analysis, by_arm):
    tree = analysis.results.copy()
    if by_arm:
        hyper, name = tree["hyper"].to_dataset(), "sd_change_facility"
        one = hyper.sel(parameter=[name])
        two = [one.assign_coords(parameter=[f"{name}: {arm}"]) for arm in ("control", "programme")]
        rest = hyper.sel(parameter=hyper["parameter"] != name)
        tree["hyper"] = xr.DataTree(xr.concat([*two, rest], "parameter"))
    results = Results(tree)
    said = " ".join(words_of(text) for text in methods(results, base_tables(results)))
    assert ("the changes of each with a standard deviation of its own" in said) == by_arm
    assert ("around which facilities of both spread alike" in said) == (not by_arm)
