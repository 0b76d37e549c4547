"""Errors of scores that correlate: the data, the model and everything that reads the errors."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim import Study
from pdsim.analysis.precision import observed_se
from pdsim.errors import InputError
from pdsim.model.data import model_data
from pdsim.model.laplace.problem import build_problem
from pdsim.model.predictive import draw_proportion
from pdsim.ranking import observed_of
from pdsim.study import ErrorCorrelation, StudyOptions, study_from_dataset, study_to_dataset

CARD_KRUEGER = {"NJ": ((20.44, 0.51), (21.03, 0.52)), "PA": ((23.33, 1.35), (21.17, 0.94))}
"""Card and Krueger (1994), Table 3, rows 1 and 2: mean and standard error, before and after."""

ITEMS = ("reading", "maths", "absence")


def scores(**column):
    """Return a table of three facilities and three indicators, one better when lower."""
    rng = np.random.default_rng(11)
    rows = [(f, k, t) for f in "ABC" for k in ITEMS for t in ("baseline", "endline")]
    table = {
        "facility": [row[0] for row in rows],
        "indicator": [row[1] for row in rows],
        "period": [row[2] for row in rows],
        "mean": (50 + 10 * rng.standard_normal(len(rows))).tolist(),
        "se": rng.uniform(2.0, 6.0, len(rows)).tolist(),
    }
    return table | column


def study_of(stated=None, **column):
    about = {"indicator": list(ITEMS), "direction": ["higher", "higher", "lower"]}
    options = StudyOptions(error_correlation=stated)
    return Study.from_long(scores(**column), indicators=about, options=options)


BOTH = ErrorCorrelation(
    periods=0.5, indicators=(("reading", "maths", 0.4), ("absence", "reading", -0.3))
)


def wages(r):
    """Return the study of employment with one indicator, and r over its periods."""
    rows = [
        {"facility": name, "indicator": "employment", "period": period, "mean": mean, "se": se,
         "correlation": r}
        for name, cells in CARD_KRUEGER.items()
        for period, (mean, se) in zip(("baseline", "endline"), cells, strict=True)
    ]  # fmt: skip
    return Study.from_long({name: [row[name] for row in rows] for name in rows[0]})


def closed_form(cells, r):
    (_, first), (_, second) = cells
    return first**2 + second**2 - 2 * r * first * second


@pytest.mark.parametrize("r", [0.0, 0.5, -0.7])
def test_standard_error_of_a_difference(r):
    """se^2 = se0^2 + se1^2 - 2 r se0 se1; of the difference in differences, their sum."""
    study = wages(r)
    observed = observed_of(study)
    variances = [closed_form(cells, r) for cells in CARD_KRUEGER.values()]
    np.testing.assert_allclose(observed["se"] ** 2, variances, rtol=1e-12)
    np.testing.assert_allclose(observed_se(study) ** 2, variances, rtol=1e-12)
    gap = float(observed["estimate"].sel(facility="NJ") - observed["estimate"].sel(facility="PA"))
    assert gap == pytest.approx(2.75, abs=1e-9)
    whole = float(np.sqrt((observed["se"] ** 2).sum()))
    assert whole == pytest.approx({0.0: 1.799, 0.5: 1.305, -0.7: 2.320}[r], abs=5e-4)


def test_correlations_are_laid_out_and_turned():
    """Within a period C, over the periods r C; signs change with a lower-is-better indicator."""
    correlation = study_of(BOTH).error_correlation
    between = np.array([[1, 0.4, 0.3], [0.4, 1, 0], [0.3, 0, 1]])
    expected = np.kron(between, [[1, 0.5], [0.5, 1]])
    np.testing.assert_allclose(correlation, np.broadcast_to(expected, (3, 6, 6)), rtol=1e-15)
    # rows of a facility and indicator go before the number for all, in either row
    own = [0.2 if n == 3 else None for n in range(18)]
    correlation = study_of(BOTH, correlation=own).error_correlation
    assert correlation[0, 2, 3] == 0.2
    assert correlation[0, 0, 1] == 0.5
    assert correlation[0, 0, 3] == pytest.approx(0.4 * 0.35)
    np.testing.assert_array_equal(correlation[1], expected)


def test_standard_error_of_the_composite_change():
    """c' D R D c by hand, with a missing cell that takes its indicator out."""
    study = study_of(BOTH)
    data = study.data.copy(deep=True)
    for name in ("mean", "se"):
        data[name][0, 1, 0] = np.nan
    study = replace(study, data=data)
    se = study.data["se"].to_numpy()
    # the score of an indicator that is better when lower counts with a minus
    sign = np.array([1.0, 1.0, -1.0])[:, None] * np.array([-1.0, 1.0])
    raw = np.kron([[1, 0.4, -0.3], [0.4, 1, 0], [-0.3, 0, 1]], [[1, 0.5], [0.5, 1]])
    for i, weight in enumerate(([1 / 2, 0, 1 / 2], [1 / 3] * 3, [1 / 3] * 3)):
        part = np.nan_to_num((np.array(weight)[:, None] * sign * se[i]).ravel())
        expected = np.sqrt(part @ raw @ part)
        assert float(observed_of(study)["se"][i]) == pytest.approx(expected, rel=1e-12)
        if i:
            assert float(observed_se(study)[i]) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(observed_se(study)[0])


def test_no_correlation_is_the_study_without_one():
    """Zeros, stated in either way, change no digit of anything."""
    plain = study_of()
    zeros = study_of(
        ErrorCorrelation(indicators=(("reading", "maths", 0.0),)), correlation=[0.0] * 18
    )
    assert zeros.error_correlation is None
    for reads in (observed_of, observed_se):
        xr.testing.assert_identical(reads(zeros), reads(plain))
    fits = [
        pdsim.fit(one, engine="laplace", seed=3, draws=250, hand_over=False)
        for one in (plain, zeros)
    ]
    assert fits[1].attrs["engine"] == "laplace"
    xr.testing.assert_identical(*(one["posterior"].to_dataset() for one in fits))
    assert zeros.assumptions == plain.assumptions
    assert any("taken as independent" in text for text in plain.assumptions)


def test_replicates_hang_together_as_stated():
    """Covariance of drawn errors, in units of the standard errors, within 4 of its own errors."""
    data = model_data(study_of(BOTH))
    draws = 20_000
    eta = np.zeros((draws, *data.shape))
    drawn = draw_proportion(eta, data, np.random.default_rng(2)) * np.sqrt(data.size)
    flat = drawn.reshape(draws, 3, 6)
    for i in range(3):
        expected = data.error_correlation[i]
        error = np.sqrt((1.0 + expected**2) / draws)
        assert (np.abs(flat[:, i].T @ flat[:, i] / draws - expected) < 4 * error).all()


def test_saved_studies_keep_their_correlations():
    study = study_of(BOTH, correlation=[0.2] * 18)
    again = study_from_dataset(study_to_dataset(study))
    np.testing.assert_array_equal(again.error_correlation, study.error_correlation)
    text = "correlate as stated: those of an indicator's two periods by 0.2; those of 'reading'"
    assert any(text in sentence for sentence in again.assumptions)
    level = replace(
        study, data=study.data.isel(period=[1]).drop_vars("correlation"), period_labels=("2023",)
    )
    assert level.error_correlation.shape == (3, 3, 3)


def test_fast_engine_is_not_given_what_it_cannot_take():
    with pytest.raises(ValueError, match="independent"):
        build_problem(model_data(study_of(BOTH)))
    with pytest.raises(InputError, match="second opinion"):
        pdsim.analyse(study_of(BOTH), second_opinion=True)
