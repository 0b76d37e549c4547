"""An analysis with controls, strata and a covariate, from the study to the report."""

import numpy as np
import pytest

import pdsim
from pdsim.analysis import write_report
from pdsim.model import programme_effect
from pdsim.reports.study.sections.beyond_controls import (
    adjustment_table,
    baseline_table,
    controls_section,
    effects_table,
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
