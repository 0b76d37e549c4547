"""Priors of scale scores, stated in points."""

import json

import numpy as np
import pandas as pd
import pytest

import pdsim
from pdsim.analysis import gather
from pdsim.errors import InputError
from pdsim.model.data import fitted_data, model_data
from pdsim.priors import Priors
from pdsim.reports.study.settings_table import priors_table
from pdsim.reports.study.view import Results
from pdsim.settings import from_mapping

SPREAD = {"family": "half_normal", "scale": 6.0, "unit": "points"}


def scores(direction="higher", **options):
    """A study of two scores with SDs of 9 and 12 points within facilities, thus 10.6 together."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        [
            (f, k, t, rng.normal(60 + 5 * (t == "endline"), 4), sd, 50)
            for f in "ABCDEF"
            for k, sd in (("trust", 9.0), ("safety", 12.0))
            for t in ("baseline", "endline")
        ],
        columns=["facility", "indicator", "period", "mean", "sd", "n"],
    )
    about = pd.DataFrame({"indicator": ["trust", "safety"], "direction": ["higher", direction]})
    options = pdsim.StudyOptions(m=1, **options)
    return pdsim.Study.from_long(table, indicators=about, options=options)


UNIT = np.sqrt((9.0**2 + 12.0**2) / 2)


def test_a_prior_in_points_counts_in_one_standard_deviation_for_all():
    data = model_data(
        scores(), Priors(sd_change_facility=SPREAD, beta={"mean": 5.3, "unit": "points", "sd": 2.0})
    )
    np.testing.assert_allclose(data.scale, UNIT)
    assert data.priors.sd_change_facility.scale == pytest.approx(6.0 / UNIT)
    assert data.priors.beta.mean == pytest.approx(5.3 / UNIT)
    assert data.priors.beta.mean_sd == pytest.approx(1.5 / UNIT)
    assert not data.priors.in_points
    assert data.priors.sd_baseline_facility == Priors().sd_baseline_facility
    variance = {"family": "inverse_gamma_variance", "shape": 2.0, "scale": 9.0, "unit": "points"}
    data = model_data(scores(), Priors(sd_change_facility=variance))
    assert data.priors.sd_change_facility.scale == pytest.approx(9.0 / UNIT**2)
    assert data.priors.sd_change_facility.shape == 2.0


def test_a_baseline_in_points_is_of_the_score_as_it_is():
    alpha = {"mean": 70.0, "mean_sd": 0.001, "sd": 0.001, "unit": "points"}
    data = model_data(scores("lower"), Priors(alpha=alpha))
    # a score of which lower is better is turned
    np.testing.assert_allclose(data.center, [70.0, -70.0])
    fitted = pdsim.fit(scores("lower"), engine="laplace", priors=Priors(alpha=alpha), draws=250)
    level = fitted["posterior"]["alpha"].mean(("chain", "draw")).to_numpy()
    # nothing moves a baseline that is known to a thousandth of a point
    np.testing.assert_allclose(data.center + data.scale * level, data.center, atol=0.01)


@pytest.mark.parametrize("name", ["sd_change_facility", "sd_baseline_indicator", "beta"])
def test_points_give_what_the_same_prior_in_standard_deviations_gives(name):
    made = {
        "sd_change_facility": SPREAD,
        "sd_baseline_indicator": {"median": 3.0, "unit": "points"},
        "beta": {"mean": 4.0, "mean_sd": 3.0, "sd": 2.0, "unit": "points"},
    }[name]
    # scores of one SD, so that the standard unit is the same without points
    study = scores()
    table = study.data[["mean", "se"]].to_dataframe().reset_index()
    even = pdsim.Study.from_long(
        pd.DataFrame(
            {
                "facility": table["facility"], "indicator": table["indicator"],
                "period": table["period"], "mean": table["mean"], "sd": 10.0, "n": 50,
            }
        ),
        options=pdsim.StudyOptions(m=1),
    )  # fmt: skip
    points = Priors(**{name: made})
    plain = points.standardised(10.0)
    one, other = (
        pdsim.fit(even, engine="laplace", priors=priors, draws=250) for priors in (points, plain)
    )
    np.testing.assert_array_equal(one["posterior"]["eta"], other["posterior"]["eta"])
    assert json.loads(one.attrs["priors"])[name]["unit"] == "points"
    # what is drawn after the fit counts in its unit
    np.testing.assert_array_equal(fitted_data(one).scale, model_data(even, points).scale)


def test_counts_have_no_points():
    with pytest.raises(InputError, match="prior of sd_change_facility is in points"):
        pdsim.fit(pdsim.load_example("surgical"), priors=Priors(sd_change_facility=SPREAD))
    with pytest.raises(InputError, match="sd_change_facility is in points"):
        pdsim.Scenario(priors=Priors(sd_change_facility=SPREAD))


def test_study_toml_takes_points_and_the_report_names_them():
    options = from_mapping(pdsim.StudyOptions, {"m": 1, "priors": {"sd_change_facility": SPREAD}})
    study = scores(priors=options.priors)
    fitted = pdsim.fit(study, engine="laplace", draws=250)
    table = priors_table(Results(gather(fitted, study)))
    words = table.frame["prior"]
    assert words["sd_change_facility"] == "half-normal, scale 6 (points)"
    assert words["sd_baseline_facility"] == "half-normal, scale 1"
    assert "one unit is 10.6 points" in table.notes[0][0]
    for wrong in (
        lambda: from_mapping(Priors, {"beta": {"unit": "pounds"}}),
        lambda: Priors(beta={"unit": "pounds"}),
    ):
        with pytest.raises(InputError, match="unit"):
            wrong()
