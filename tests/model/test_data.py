"""What the model sees of a study."""

import numpy as np
import pandas as pd
import pytest

import pdsim
from pdsim.model.data import model_data


def study(**options):
    rng = np.random.default_rng(0)
    rows = [
        (f, k, t, int(rng.integers(0, 20)), 20)
        for f in ("A", "B", "C")
        for k in ("one", "two", "three")
        for t in ("baseline", "endline")
    ]
    table = pd.DataFrame(rows, columns=["facility", "indicator", "period", "successes", "trials"])
    table = table[~((table.facility == "B") & (table.indicator == "two"))]
    indicators = pd.DataFrame(
        {
            "indicator": ["one", "two", "three"],
            "domain": ["d1", "d2", "d2"],
            "direction": ["higher", "lower", "higher"],
            "case_group": ["g", "g", ""],
        }
    )
    return pdsim.Study.from_long(
        table, indicators=indicators, options=pdsim.StudyOptions(**options)
    ), table


def test_counts_are_turned_and_missing_cells_are_empty():
    made, table = study()
    data = model_data(made)
    cell = table.set_index(["facility", "indicator", "period"]).sort_index()
    for i, facility in enumerate(made.data.facility.values):
        for k, indicator in enumerate(made.data.indicator.values):
            for t, period in enumerate(made.data.period.values):
                if (facility, indicator, period) not in cell.index:
                    assert data.size[i, k, t] == data.observed[i, k, t] == 0
                    continue
                y = cell.loc[(facility, indicator, period), "successes"]
                expected = 20 - y if indicator == "two" else y
                assert data.observed[i, k, t] == expected
                assert data.size[i, k, t] == 20
    assert data.levels == ("facility", "domain", "indicator")


def test_design_effect_divides_counts_and_turning_keeps_their_sum():
    plain, halved = model_data(study()[0]), model_data(study(design_effect=2.0)[0])
    np.testing.assert_allclose(halved.size, plain.size / 2)
    np.testing.assert_allclose(halved.observed, plain.observed / 2)


def test_a_case_group_of_one_shares_nothing():
    made, _ = study(case_correlation=0.2)
    names = made.data.indicator.values.tolist()
    groups = dict(zip(names, model_data(made).case_group.tolist(), strict=True))
    assert groups["one"] == groups["two"] == 0
    assert groups["three"] == -1
    assert model_data(made).case_correlation == 0.2


def test_composite_only_studies_have_their_correlation_in_the_trials():
    made = pdsim.load_example("lake_zone", trials=20, case_correlation=0.3)
    data = model_data(made)
    items = made.options.items
    np.testing.assert_allclose(data.size, 20 * items / (1 + (items - 1) * 0.3))
    assert data.case_correlation == 0.0
    assert data.levels == ("facility",)


@pytest.mark.parametrize("with_sd", [True, False])
def test_scores_are_standardised_turned_and_weighted_by_precision(with_sd):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        [
            (f, "math", t, rng.normal(500, 30), 2.5)
            for f in "ABCDE"
            for t in ("baseline", "endline")
        ],
        columns=["facility", "indicator", "period", "mean", "se"],
    )
    if with_sd:
        table = table.rename(columns={"se": "sd"}).assign(sd=90.0, n=1296)  # se = 90 / 36 = 2.5
    indicators = pd.DataFrame({"indicator": ["math"], "direction": ["lower"]})
    made = pdsim.Study.from_long(table, indicators=indicators, options=pdsim.StudyOptions(m=1))
    data = model_data(made)
    baseline = -table[table.period == "baseline"]["mean"].to_numpy()
    scale = 90.0 if with_sd else baseline.std(ddof=1)
    assert data.scale[0] == pytest.approx(scale)
    assert data.center[0] == pytest.approx(baseline.mean())
    np.testing.assert_allclose(data.observed[:, 0, 0], (baseline - baseline.mean()) / scale)
    np.testing.assert_allclose(data.size, (scale / 2.5) ** 2)


def test_a_stated_shift_by_visit_is_a_variance_that_all_share():
    made, _ = study(visit_sd=0.4, visits=2)
    data = model_data(made)
    assert data.visits is not None
    np.testing.assert_allclose(data.visits.variance, 0.08)
    np.testing.assert_allclose(data.visits.inflation, 1.0)
    # the indicator that shares no cases has visits of its own
    assert sorted(set(data.case_group.tolist())) == [0, 1]
    assert data.shocked
    assert not model_data(study()[0]).shocked
