"""Cases of one visit share an error; indicators have spreads of their own."""

from dataclasses import replace

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.simulation import Scenario, run_block, simulate, summarise
from pdsim.simulation.observing import observe
from pdsim.simulation.scenario import visit_design_effect
from pdsim.simulation.truth import draw_truth

ALIKE = {
    "sd_baseline_facility": 0.0, "sd_change_facility": 0.0, "sd_baseline_indicator": 0.0,
    "sd_change_indicator": 0.0,
}  # fmt: skip
VISITS = Scenario(
    facilities=20, indicators=2, trials=24, cases_per_visit=8, visit_correlation=0.1,
    case_correlation=0.25, baseline_level=0.3, improvement=40.0, **ALIKE,
)  # fmt: skip


def observed_of(scenario, rows):
    truth = draw_truth(scenario, range(rows), 1)
    return observe(scenario, truth, range(rows), 1)


def test_design_effect():
    assert visit_design_effect(40, 10, 0.1) == pytest.approx(1.9)
    assert visit_design_effect(40, None, 0.1) == pytest.approx(4.9)
    assert visit_design_effect(5, 10, 0.1) == pytest.approx(1.4)
    # visits of 10, 10 and 5
    assert visit_design_effect(25, 10, 0.1) == pytest.approx(1 + (225 / 25 - 1) * 0.1)
    assert VISITS.analysed_design_effect == pytest.approx(1.7)


def test_counts_vary_by_the_design_effect_and_keep_their_mean():
    rows = 4000
    value = observed_of(VISITS, rows).value.reshape(-1, 2, 2)
    for t, p in enumerate((0.3, 0.7)):
        one, two = value[:, 0, t], value[:, 1, t]
        variance = 24 * p * (1 - p) * 1.7
        assert one.mean() == pytest.approx(24 * p, abs=4 * np.sqrt(variance / len(one)))
        # relative error of a variance of nearly normal counts: sqrt(2 / N)
        assert one.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / len(one)))
        # two indicators: r on one case, the visit's correlation on two cases of one visit
        shared = 24 * p * (1 - p) * (0.25 + 7 * 0.1)
        assert np.cov(one, two)[0, 1] == pytest.approx(shared, abs=4 * variance / len(one) ** 0.5)


def test_fewer_cases_are_a_prefix_of_more():
    case_by_case = [observed_of(replace(VISITS, trials=n), 5).value for n in range(1, 18)]
    steps = np.diff(case_by_case, axis=0)
    assert set(np.unique(steps)) <= {0.0, 1.0}


def test_normal_data_have_the_error_of_their_visits():
    scenario = Scenario(
        kind="normal", trials=24, cases_per_visit=8, visit_correlation=0.1, unit_sd=2.0
    )
    observed = observed_of(scenario, 3)
    assert observed.size == pytest.approx(2 * np.sqrt(1.7 / 24))


def test_the_analysis_knows_what_indicators_share():
    # of 1.7 pq / n, 0.25 are the case's and 0.7 the visit's
    assert VISITS.analysed_case_correlation == pytest.approx(0.95 / 1.7)
    assert replace(VISITS, indicators=1, case_correlation=0.0).analysed_case_correlation == 0.0
    assert replace(VISITS, assumed_case_correlation=0.1).analysed_case_correlation == 0.1


@pytest.mark.parametrize("shape", [{"indicators": 1, "case_correlation": 0.0}, {"indicators": 2}])
def test_intervals_hold_where_the_analysis_knows_of_the_visits(shape):
    scenario = replace(VISITS, trials=80, **shape)
    block = run_block([scenario, replace(scenario, assumed_design_effect=1.0)], range(1500), seed=1)
    knows, ignores = (summarise(block.measures[i], block.status[i]) for i in range(2))
    assert abs(float(knows.coverage) - 0.95) < 0.01
    if scenario.indicators == 1:
        # 1.96 / sqrt(1.7) standard errors
        assert abs(float(ignores.coverage) - 0.867) < 0.01


def test_the_study_states_the_design_effect():
    _, study = simulate(VISITS)
    assert study.options.design_effect == pytest.approx(1.7)


def test_visits_are_part_of_the_data_only_where_they_matter():
    apart = replace(VISITS, visit_correlation=0.0)
    assert apart.data_key == replace(apart, cases_per_visit=3).data_key
    assert VISITS.data_key != replace(VISITS, cases_per_visit=3).data_key
    assert VISITS.fit_key != replace(VISITS, assumed_design_effect=1.0).fit_key
    assert VISITS.truth_key == apart.truth_key
    with pytest.raises(InputError, match="raise case_correlation"):
        replace(VISITS, visit_correlation=0.3)
    with pytest.raises(InputError, match="whole number"):
        replace(VISITS, cases_per_visit=0)


def test_indicators_have_spreads_of_their_own():
    scenario = Scenario(
        facilities=50, indicators=2, sd_baseline_facility=0.0, sd_change_facility=0.0,
        sd_baseline_indicator=(0.2, 0.8), sd_change_indicator=(1.0, 0.0),
        corr_indicator=(0.5, 0.0),
    )  # fmt: skip
    level = draw_truth(scenario, range(200), 1).level.reshape(-1, 2, 2)
    logit = np.log(level / (1 - level))
    change = logit[:, :, 1] - logit[:, :, 0]
    error = 4 / np.sqrt(2 * len(level))
    assert logit[:, :, 0].std(axis=0) == pytest.approx([0.2, 0.8], rel=error)
    assert change.std(axis=0) == pytest.approx([1.0, 0.0], rel=error, abs=1e-9)
    found = np.corrcoef(logit[:, 0, 0], change[:, 0])[0, 1]
    assert found == pytest.approx(0.5, abs=4 * 0.75 / np.sqrt(len(level)))
    with pytest.raises(InputError, match="one for each indicator"):
        replace(scenario, sd_change_indicator=(1.0,))
