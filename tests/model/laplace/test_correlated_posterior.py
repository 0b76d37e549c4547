"""NUTS with errors that correlate against the exact normal posterior, by dense matrices."""

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim import Study
from pdsim.model.data import model_data
from pdsim.priors import MeanPrior, Priors, ScalePrior
from pdsim.study import ErrorCorrelation, StudyOptions


@pytest.mark.slow
def test_posterior_is_the_exact_normal_one(caplog, dense_design):
    """Given the spreads of a draw, its levels are exactly normal: y ~ N(eta, D R D), eta normal.

    Whitened by that posterior, the draws are standard normal: means and second moments within 4
    Monte Carlo errors. One cell is missing.
    """
    rng = np.random.default_rng(11)
    rows = [
        {"facility": f, "indicator": k, "period": t, "mean": 50 + 10 * rng.standard_normal(),
         "se": rng.uniform(2.0, 6.0)}
        for f in "ABC" for k in ("reading", "maths", "absence") for t in ("baseline", "endline")
        if (f, k, t) != ("B", "reading", "endline")
    ]  # fmt: skip
    stated = ErrorCorrelation(
        periods=0.5, indicators=(("reading", "maths", 0.4), ("absence", "reading", -0.3))
    )
    study = Study.from_long(
        {name: [row[name] for row in rows] for name in rows[0]},
        indicators={"indicator": ["reading", "maths", "absence"],
                    "direction": ["higher", "higher", "lower"]},
        options=StudyOptions(error_correlation=stated),
    )  # fmt: skip
    # spreads away from 0, where three facilities would leave the sampler in a funnel
    spread = ScalePrior(family="inverse_gamma_variance", shape=10.0, scale=5.0)
    names = [f"sd_{what}_{level}" for what in ("baseline", "change")
             for level in ("facility", "indicator")]  # fmt: skip
    priors = Priors(**dict.fromkeys(names, spread))
    fit = pdsim.fit(study, engine="laplace", priors=priors, seed=4, draws=1500)
    assert fit.attrs["engine"] == "nuts"
    assert "independent" in fit.attrs["escalated"]
    assert any("which takes" in record.message for record in caplog.records)
    data = model_data(study, priors)
    seen = data.size.ravel() > 0
    cells = seen.size
    errors = np.zeros((cells, cells))
    for i in range(3):
        own = slice(6 * i, 6 * i + 6)
        errors[own, own] = data.error_correlation[i]
    se = np.where(seen, 1.0 / np.sqrt(np.where(seen, data.size.ravel(), 1.0)), 0.0)
    errors = (errors * np.outer(se, se))[np.ix_(seen, seen)]
    posterior = fit["posterior"].to_dataset().isel(draw=slice(None, None, 3))
    names = [name for name in posterior if name.startswith(("sd_", "corr_"))]
    eta = posterior["eta"].to_numpy().reshape(*posterior["eta"].shape[:2], cells)
    white = np.empty_like(eta)
    for c, s in np.ndindex(eta.shape[:2]):
        loads, offset = dense_design(
            data, {name: posterior[name][c, s].to_numpy() for name in names}
        )
        prior = loads @ loads.T
        gain = np.linalg.solve(prior[np.ix_(seen, seen)] + errors, prior[seen]).T
        mean = offset + gain @ (data.observed.ravel() - offset)[seen]
        factor = np.linalg.cholesky(prior - gain @ prior[seen] + 1e-12 * np.eye(cells))
        white[c, s] = np.linalg.solve(factor, eta[c, s] - mean)
    moments = {"mean": white, "second": white[..., :, None] * white[..., None, :]}
    for name, expected in (("mean", np.zeros(cells)), ("second", np.eye(cells))):
        values = moments[name].reshape(*white.shape[:2], -1)
        drawn = xr.DataArray(values, dims=("chain", "draw", "moment"))
        error = azs.mcse(drawn.to_dataset(name="x"), method="mean")["x"].to_numpy()
        gap = np.abs(values.mean(axis=(0, 1)) - expected.ravel())
        assert (gap < 4 * error).all(), (name, (gap / error).max())


@pytest.mark.slow
def test_difference_in_differences_of_a_panel():
    """Card and Krueger (1994), Table 3, had the errors of both waves correlated by one half.

    2.75 with the root of the sum of se0^2 + se1^2 - 2 r se0 se1 over the states, 1.305. States are
    made independent by a standard deviation between them that far exceeds the errors.
    """
    states = {"NJ": ((20.44, 0.51), (21.03, 0.52)), "PA": ((23.33, 1.35), (21.17, 0.94))}
    rows = [
        {"facility": name, "arm": arm, "indicator": "employment", "period": period,
         "mean": value[0], "se": value[1]}
        for name, key, arm in (("NJ", "NJ", "programme"), ("NJ again", "NJ", "programme"),
                               ("PA", "PA", "control"))
        for period, value in zip(("baseline", "endline"), states[key], strict=True)
    ]  # fmt: skip
    far = ScalePrior(family="inverse_gamma_variance", shape=2000.0, scale=2000.0 * 12.0**2)
    wide = MeanPrior(mean_sd=30.0, sd=30.0)
    priors = Priors(
        alpha=wide, beta=wide, imbalance=wide, arm_effect=wide,
        sd_baseline_facility=far, sd_change_facility=far,
    )  # fmt: skip
    study = Study.from_long(
        {name: [row[name] for row in rows] for name in rows[0]},
        options=StudyOptions(priors=priors, error_correlation=ErrorCorrelation(periods=0.5)),
    )
    effect = pdsim.composite(pdsim.fit(study, seed=2, draws=800), estimand="effect_change").sel(
        facility="NJ"
    )
    drawn = effect.drop_vars([n for n in effect.coords if n not in effect.dims]).to_dataset(
        name="x"
    )
    expected = np.sqrt(sum(a**2 + b**2 - a * b for (_, a), (_, b) in states.values()))
    assert expected == pytest.approx(1.305, abs=5e-4)
    for value, exact, method in (
        (effect.mean(), 2.75, "mean"), (effect.std(), expected, "sd"),
    ):  # fmt: skip
        error = float(azs.mcse(drawn, method=method)["x"])
        # 12 standard deviations of 1.67 draw a standard error of 1.3 in by less than 1 %
        assert float(value) == pytest.approx(exact, abs=0.01 * exact + 4 * error)
