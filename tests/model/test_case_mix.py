"""Expected counts: levels stated for one mix of cases."""

import numpy as np
import pytest
from scipy.special import expit, logit

import pdsim
from pdsim.errors import InputError
from pdsim.model.data import model_data
from pdsim.reports.study.sections import build_document
from pdsim.reports.study.structure import case_mix_table
from pdsim.reports.study.view import Results
from pdsim.scoring import observed_over_expected
from pdsim.study import (
    SamplerSettings,
    Study,
    StudyOptions,
    study_from_dataset,
    study_to_dataset,
)

TRIALS = 40


@pytest.fixture
def rows():
    """Eight facilities, two indicators, two periods, without expected counts."""
    rng = np.random.default_rng(1)
    keys = [(f"F{i}", k, t) for i in range(8) for k in "ab" for t in ("baseline", "endline")]
    facility, indicator, period = zip(*keys, strict=True)
    return {
        "facility": facility, "indicator": indicator, "period": period,
        "successes": rng.integers(8, 33, len(keys)), "trials": [TRIALS] * len(keys),
    }  # fmt: skip


def draws(study):
    return pdsim.composite(pdsim.fit(study, engine="laplace", seed=3, draws=200))


def test_cases_like_the_reference_change_nothing(rows):
    plain = Study.from_long(rows)
    same = Study.from_long(rows | {"expected": [0.3 * TRIALS] * len(rows["trials"])})
    assert np.allclose(same.reference, 0.3)
    assert np.array_equal(draws(plain), draws(same))


def test_odds_of_all_expected_counts_and_of_the_reference_cancel(rows):
    rng = np.random.default_rng(2)
    share = rng.uniform(0.2, 0.7, len(rows["trials"]))
    reference = {"a": 0.4, "b": 0.5}
    first = Study.from_long(
        rows | {"expected": TRIALS * share}, options=StudyOptions(reference=reference)
    )
    moved = {name: float(expit(logit(rate) + 0.8)) for name, rate in reference.items()}
    second = Study.from_long(
        rows | {"expected": TRIALS * expit(logit(share) + 0.8)},
        options=StudyOptions(reference=moved),
    )
    found, again = (model_data(study).offset for study in (first, second))
    np.testing.assert_allclose(found, again, atol=1e-12)
    by_hand = logit(share) - np.array([logit(reference[k]) for k in rows["indicator"]])
    np.testing.assert_allclose(found.ravel(), by_hand, atol=1e-12)


def test_lower_is_better_turns_the_mix_too(rows):
    share = np.random.default_rng(3).uniform(0.2, 0.7, len(rows["trials"]))
    study = Study.from_long(
        rows | {"expected": TRIALS * share},
        indicators={"indicator": ["a", "b"], "direction": ["lower", "higher"]},
    )
    reference = np.array(study.reference)
    offset = model_data(study).offset
    plain = logit(share).reshape(8, 2, 2) - logit(reference)[:, None]
    np.testing.assert_allclose(offset, plain * np.array([-1.0, 1.0])[:, None], atol=1e-12)


def test_harder_cases_raise_a_facility(rows):
    """Same successes, expected counts of 30 % rather than 50 %: its own level is higher."""
    share = np.full(len(rows["trials"]), 0.5)
    share[np.array(rows["facility"]) == "F0"] = 0.3
    study = Study.from_long(
        rows | {"expected": TRIALS * share}, options=StudyOptions(reference={"a": 0.5, "b": 0.5})
    )
    before, after = (
        pdsim.levels(pdsim.fit(one, engine="laplace", seed=1)).mean(("chain", "draw"))
        for one in (Study.from_long(rows), study)
    )
    moved = (after - before).mean(("indicator", "period"))
    assert float(moved.sel(facility="F0")) > 0.08
    assert float(np.abs(moved.sel(facility=[f"F{i}" for i in range(1, 8)])).max()) < 0.04


@pytest.mark.parametrize(
    ("expected", "message"),
    [(TRIALS, "must lie above 0 and below trials"), (float("nan"), "expected is blank")],
)
def test_what_is_no_expected_count(rows, expected, message):
    values = [10.0] * len(rows["trials"])
    values[3] = expected
    with pytest.raises(InputError, match=message):
        Study.from_long(rows | {"expected": values})


def test_reference_without_expected_counts_and_of_nobody(rows):
    with pytest.raises(InputError, match="there are no expected counts"):
        Study.from_long(rows, options=StudyOptions(reference={"a": 0.5}))
    with pytest.raises(InputError, match="which is no indicator"):
        Study.from_long(
            rows | {"expected": [9.0] * len(rows["trials"])},
            options=StudyOptions(reference={"c": 0.5}),
        )


def test_expected_counts_survive_their_file(rows, tmp_path):
    study = Study.from_long(rows | {"expected": [9.0] * len(rows["trials"])})
    back = study_from_dataset(study_to_dataset(study))
    assert back.data.identical(study.data)


def test_observed_over_expected_by_hand(rows):
    share = np.random.default_rng(4).uniform(0.2, 0.7, len(rows["trials"]))
    study = Study.from_long(
        rows | {"expected": TRIALS * share},
        indicators={
            "indicator": ["a", "b"], "direction": ["lower", "higher"], "weight": [1.0, 3.0],
        },
    )  # fmt: skip
    found = observed_over_expected(study)
    observed = np.array(rows["successes"]).reshape(8, 2, 2) / TRIALS
    expected = share.reshape(8, 2, 2)
    for values in (observed, expected):
        values[:, 0] = 1 - values[:, 0]
    by_hand = [(values * np.array([0.25, 0.75])[:, None]).sum(axis=1) for values in
               (observed, expected)]  # fmt: skip
    np.testing.assert_allclose(found["observed"], 100 * by_hand[0])
    np.testing.assert_allclose(found["ratio"], by_hand[0] / by_hand[1])
    with pytest.raises(InputError, match="no expected counts"):
        observed_over_expected(Study.from_long(rows))


def test_the_report_has_it_beside_the_level_and_small_counts_are_held_back(rows):
    successes = np.array(rows["successes"])
    successes[0] = 2
    share = np.random.default_rng(4).uniform(0.2, 0.7, len(rows["trials"]))
    study = Study.from_long(
        rows | {"successes": successes, "expected": TRIALS * share},
        options=StudyOptions(suppress_below=5),
    )
    analysis = pdsim.analyse(study, seed=1, sampler=SamplerSettings(draws=250))
    table = case_mix_table(Results(analysis.results))
    found = observed_over_expected(study)
    level = pdsim.levels(analysis.fit).mean(("chain", "draw", "indicator"))
    assert np.isnan(table.value("F0", "baseline ratio"))
    assert np.isnan(table.value("F0", "baseline observed"))
    for name in ("F1", "F7"):
        one = found.sel(facility=name, period="endline")
        assert table.value(name, "endline ratio") == pytest.approx(float(one["ratio"]))
        assert table.value(name, "endline level") == pytest.approx(
            100 * float(level.sel(facility=name, period="endline"))
        )
    sections = build_document(Results(analysis.results)).sections
    blocks = [block for section in sections for block in section.blocks]
    assert "case_mix" in [getattr(block, "key", "") for block in blocks]
