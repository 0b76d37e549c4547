"""Plans of interviews: roles, lambda, designs, additions, visits."""

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.interviews import (
    InterviewSettings,
    groups_of,
    plan_interviews,
    roles,
    separation,
    visits,
)
from pdsim.ranking import top_probability
from pdsim.settings import from_toml


def test_certain_sets_have_lambda_one(certain):
    found = separation(groups_of(certain))
    for name in ("class_lambda", "dose_lambda", "all_above", "all_on_side"):
        assert float(found[name]) == pytest.approx(1.0, abs=1e-12), name


def test_equal_probabilities_have_lambda_zero():
    # every facility is at every place once, so all probabilities are exactly equal
    values = np.array([np.roll(np.arange(6.0), k) for k in range(6)])
    score = xr.DataArray(values, dims=("sample", "facility"))
    found = separation(groups_of(score, high=["1", "3"], low=["2", "6"], m_top=2, m_bottom=2))
    assert float(found.class_lambda) == pytest.approx(0.0, abs=1e-12)
    assert float(found.dose_lambda) == pytest.approx(0.0, abs=1e-12)


def test_swapping_the_groups_flips_the_sign(score):
    given = {"m_top": 3, "m_bottom": 3}
    one = separation(groups_of(score, high=["F1", "F4"], low=["F9", "F5"], **given))
    other = separation(groups_of(score, high=["F9", "F5"], low=["F1", "F4"], **given))
    for name in ("class_lambda", "dose_lambda", "apart"):
        assert float(one[name]) == pytest.approx(-float(other[name]), abs=1e-12)


def test_class_lambda_follows_from_the_probabilities(score):
    groups = groups_of(score, m_top=2, m_bottom=3)
    table = roles(groups, score)
    lead = (table.top_probability - table.bottom_probability).values
    expected = 0.5 * (lead[groups.high].mean() - lead[groups.low].mean())
    assert float(separation(groups).class_lambda) == pytest.approx(expected, abs=1e-12)
    assert groups.high.sum() == 2
    assert groups.low.sum() == 3


def test_roles_have_the_probabilities_of_the_ranking(score):
    table = roles(groups_of(score), score)
    top = top_probability(score, m=3)
    np.testing.assert_array_equal(table.top_probability, top.top_probability)
    total = table.top_probability + table.bottom_probability + table.between_probability
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    assert table.role.values.tolist()[:3] == ["higher"] * 3
    assert table.role.values.tolist()[-3:] == ["lower"] * 3
    outside = table.where(~table.role.isin(["higher", "lower"]), drop=True)
    near = (outside.top_probability + outside.bottom_probability) >= 0.1
    assert (outside.role == "boundary").values.tolist() == near.values.tolist()


def test_broken_groups_are_all_named_at_once(score):
    with pytest.raises(InputError) as caught:
        groups_of(score, high=["F1", "F2", "nobody"], low=["F2"])
    text = str(caught.value)
    assert "nobody" in text
    assert "both groups" in text
    with pytest.raises(InputError, match="do not fit"):
        groups_of(score, m_top=6, m_bottom=5)


def test_a_plan_expects_lambda_times_the_difference(score):
    settings = InterviewSettings(
        prevalence_high=0.8, prevalence_low=0.3, sensitivity=0.9, specificity=0.95, icc=0.2,
        informants=10,
    )  # fmt: skip
    plan = plan_interviews(score, settings=settings)
    found = plan["groups"]
    assert float(found.contrast) == pytest.approx(float(found.class_lambda) * 0.5 * 0.85)
    coded = 0.55 * 0.9 + 0.45 * 0.05
    variance = (1 / 3 + 1 / 3) * coded * (1 - coded) * (0.2 + 0.8 / 10)
    assert float(found.contrast_sd) == pytest.approx(variance**0.5)
    assert float(found.least_p) == 1 / 20


def test_designs_run_to_half_and_hold_the_named_groups(score):
    plan = plan_interviews(score)
    designs = plan["designs"]
    assert designs["high"].values.tolist() == [1, 2, 3, 4, 5]
    same = designs.sel(high=3, low=3)
    assert float(same.class_lambda) == pytest.approx(float(plan["groups"].class_lambda))
    assert float(designs.least_p.sel(high=5, low=5)) == 1 / 252
    expected = designs.apart**2 / (1 / designs["high"] + 1 / designs["low"])
    np.testing.assert_allclose(designs.dose_information, expected)


def test_more_facilities_never_tell_less(score):
    added = plan_interviews(score)["additions"]
    signal = added.signal.values
    assert (signal[1:] >= signal[0] - 1e-12).all()
    assert added["choice"].values[0] == "as named"
    assert int(added.facilities[-1]) == 10


def test_signal_of_certain_groups_is_contrast_over_its_deviation(certain):
    settings = InterviewSettings(icc=0.15, informants=9)
    plan = plan_interviews(certain, settings=settings)
    expected = float(plan["groups"].contrast / plan["groups"].contrast_sd)
    assert float(plan["additions"].signal[0]) == pytest.approx(expected)


def test_blind_rounds_go_to_all_and_later_ones_to_the_groups(score):
    settings = InterviewSettings(rounds=(1, 6, 12), blind_rounds=1, budget=72)
    table = visits(groups_of(score), settings)
    assert int(table.total) == 72
    assert table.interviews.sel(round=1).values.tolist() == [3, 3, 3, 3] + [2] * 0 + [2] * 6
    assert table.interviews.sel(round=6).values.tolist() == [4, 4, 4, 0, 0, 0, 0, 4, 4, 4]
    assert int(table.in_groups) == 15 + 48


def test_visits_count_in_the_budget(score):
    settings = InterviewSettings(budget=100, cost_interview=2, cost_visit=5, rounds=(1, 6))
    table = visits(groups_of(score), settings)
    assert float(table.cost) <= 100
    assert table.interviews.sum("facility").values.tolist() == [10, 10]
    with pytest.raises(InputError, match="does not pay"):
        visits(groups_of(score), InterviewSettings(budget=5))


def test_settings_name_every_broken_rule_at_once(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text("icc = 1.5\ninformants = 0\nsensitivity = 0.4\nspecificity = 0.5\n")
    with pytest.raises(InputError) as caught:
        from_toml(InterviewSettings, file)
    for word in ("icc", "informants", "sensitivity"):
        assert word in str(caught.value)
    file.write_text("informant = 3\n")
    with pytest.raises(InputError, match="unknown key 'informant'"):
        from_toml(InterviewSettings, file)
