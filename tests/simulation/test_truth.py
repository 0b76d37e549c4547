from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from pdsim.simulation import Scenario, preset
from pdsim.simulation.targets import analysis_weights, true_values
from pdsim.simulation.truth import domain_of, draw_truth

FULL = Scenario(
    facilities=6, indicators=6, domains=3, m=2, baseline_level=0.4, improvement=10.0,
    sd_baseline_facility=0.5, sd_change_facility=0.8, corr_facility=-0.6,
    sd_baseline_domain=0.3, sd_change_domain=0.4, corr_domain=0.5,
    sd_baseline_indicator=0.2, sd_change_indicator=0.6, corr_indicator=0.3,
)  # fmt: skip
MANY = range(20_000)


def effects(scenario, replicates=MANY):
    """Return baseline and change logits (R, F, K) around those of an average facility."""
    level = draw_truth(scenario, replicates, 1).level
    eta = logit(level / scenario.ceiling)
    return eta[..., 0] - eta[..., 0].mean(), (eta[..., 1] - eta[..., 0])


def covariance(a, b):
    """Return the covariance over replicates of two columns, and its standard error."""
    product = (a - a.mean()) * (b - b.mean())
    return product.mean(), product.std() / np.sqrt(product.size)


def test_covariances_of_the_three_levels():
    base, change = effects(FULL)
    facility = {"bb": 0.25, "cc": 0.64, "bc": -0.6 * 0.5 * 0.8}
    domain = {"bb": 0.09, "cc": 0.16, "bc": 0.5 * 0.3 * 0.4}
    indicator = {"bb": 0.04, "cc": 0.36, "bc": 0.3 * 0.2 * 0.6}
    # indicators 0 and 1 share a domain, 0 and 5 do not
    for other, parts in (
        (0, (facility, domain, indicator)),
        (1, (facility, domain)),
        (5, (facility,)),
    ):
        for name, (one, two) in {
            "bb": (base, base), "cc": (change, change), "bc": (base, change)
        }.items():  # fmt: skip
            found, error = covariance(one[:, 2, 0], two[:, 2, other])
            assert abs(found - sum(part[name] for part in parts)) < 4.5 * error, (other, name)
    found, error = covariance(change[:, 0, 0], change[:, 1, 0])
    assert abs(found) < 4.5 * error


def test_levels_of_an_average_facility():
    still = replace(
        FULL, **{f"sd_{k}_{lv}": 0.0 for k in ("baseline", "change")
                 for lv in ("facility", "domain", "indicator")},
        baseline_level=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7), improvement=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        secular_trend=3.0, ceiling=0.9,
    )  # fmt: skip
    truth = draw_truth(still, range(2), 1)
    assert truth.level[0, 3, :, 0] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert truth.level[1, 0, :, 1] == pytest.approx([0.24, 0.35, 0.46, 0.57, 0.68, 0.79])
    assert true_values(still, truth) == pytest.approx(np.full((2, 6), 6.5))
    programme = replace(still, target="programme")
    assert true_values(programme, truth) == pytest.approx(np.full((2, 6), 3.5))


def test_given_levels_are_the_truth():
    scenario = preset("lake_zone")
    value = true_values(scenario, draw_truth(scenario, range(3), 1))
    assert value == pytest.approx(np.tile([76, 74, 65, 60, 49, 44, 36, 31, 30, 19], (3, 1)))


def test_outlying_facilities_are_shifted_in_logits():
    still = replace(FULL, sd_change_facility=0.0, sd_change_domain=0.0, sd_change_indicator=0.0)
    _, plain = effects(still, range(2))
    _, shifted = effects(replace(still, outlying=(2.0, -1.0)), range(2))
    gap = shifted[0, :, 0] - plain[0, :, 0].mean()
    assert gap == pytest.approx([2, -1, 0, 0, 0, 0], abs=1e-9)


def test_indicators_differ_where_asked():
    scenario = replace(FULL, sd_alpha=0.7, sd_beta=0.4, heterogeneity=0.5)
    base, change = effects(scenario)
    # the effect of an indicator is common to all facilities
    found, error = covariance(base[:, 0, 0], base[:, 3, 0])
    assert abs(found - 0.49) < 4.5 * error
    found, error = covariance(change[:, 0, 0], change[:, 3, 0])
    assert abs(found - 0.16) < 4.5 * error
    # E exp(2 h z) = exp(2 h^2) for the squared factor on all effects
    found, error = covariance(base[:, 0, 0] - base[:, 1, 0], base[:, 0, 0] - base[:, 1, 0])
    assert abs(found - 2 * (0.25 + 0.09 + 0.04) * np.exp(0.5)) < 4.5 * error


def test_trend_differs_between_facilities():
    scenario = replace(FULL, sd_secular_trend=0.5, secular_trend=5.0)
    truth = draw_truth(scenario, MANY, 1)
    drift = truth.trend[:, 0, 0]
    assert drift.std() == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(2 * len(MANY)))
    assert drift.mean() == pytest.approx(
        logit(0.55) - logit(0.5), abs=4.5 * 0.5 / np.sqrt(len(MANY))
    )
    with_trend = true_values(scenario, truth)
    without = true_values(replace(scenario, target="programme"), truth)
    assert ((with_trend > without) == (drift[:, None] > 0)[:, :1])[:, 0].all()


@pytest.mark.parametrize("kind", ["counts", "normal"])
def test_a_replicate_does_not_depend_on_the_others(kind):
    scenario = FULL if kind == "counts" else Scenario(kind="normal")
    whole = draw_truth(scenario, range(40), 1).level
    assert (draw_truth(scenario, range(17, 20), 1).level == whole[17:20]).all()
    assert (draw_truth(scenario, range(39, 40), 1).level == whole[39:]).all()
    assert not (draw_truth(scenario, range(40), 2).level == whole).any()


def test_normal_truth():
    scenario = Scenario(kind="normal", sd_change_facility=2.0, outlying=(5.0,))
    value = true_values(scenario, draw_truth(scenario, MANY, 1))
    assert value[:, 0].mean() == pytest.approx(5, abs=4.5 * 2 / np.sqrt(len(MANY)))
    assert value[:, 1:].std() == pytest.approx(2, abs=4.5 * 2 / np.sqrt(2 * 9 * len(MANY)))
    given = replace(scenario, means=tuple(range(10)), outlying=())
    assert true_values(given, draw_truth(given, range(2), 1))[1].tolist() == list(range(10))


def test_estimands():
    truth = draw_truth(FULL, range(4), 1)
    before, after = truth.level.mean(axis=2)[..., 0], truth.level.mean(axis=2)[..., 1]
    expected = {
        "change": 100 * (after - before),
        "endline": 100 * after,
        "gap_closed": (after - before) / (1 - before),
        "ratio": after / before,
        "change_logit": logit(after) - logit(before),
    }
    for name, value in expected.items():
        assert true_values(replace(FULL, estimand=name), truth) == pytest.approx(value), name


def test_weights():
    uneven = Scenario(indicators=5, domains=2, weighting="domain")
    assert domain_of(uneven).tolist() == [0, 0, 0, 1, 1]
    assert analysis_weights(uneven) == pytest.approx([1 / 6] * 3 + [1 / 4] * 2)
    given = Scenario(indicators=2, weighting="given", weights=(3.0, 1.0), target_weights=(0.0, 2.0))
    assert analysis_weights(given) == pytest.approx([0.75, 0.25])
    truth = draw_truth(given, range(2), 1)
    assert true_values(given, truth) == pytest.approx(
        100 * (truth.level[:, :, 1, 1] - truth.level[:, :, 1, 0])
    )
