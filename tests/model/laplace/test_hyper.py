import numpy as np
import pytest
from scipy import stats

from pdsim.model.laplace.hyper import (
    at_points,
    build_hyper,
    control_slope,
    expected_variance,
    hyper_slices,
    inverse_softplus,
    own_slots,
)
from pdsim.model.predictive import draw_parameters
from pdsim.priors import CorrelationPrior, PooledScalePrior, Priors, ScalePrior

BY_ARM = Priors(change_spread="by_arm")


def _values(data, x):
    """Return values, their slopes, the log prior and its slopes, points by rows."""
    return at_points(build_hyper(data), x)


def test_start_is_where_it_is_meant_to_be(make_data):
    heights = np.array([0.01, 0.3, 1.0, 8.0, 200.0])
    data = make_data(domains=(0,), periods=1)
    values = _values(data, inverse_softplus(heights)[:, None])[0]
    unit = build_hyper(data).unit[0]
    np.testing.assert_allclose(values[:, 0], unit * (0.02 + heights), rtol=1e-12)


FAMILIES = [
    (ScalePrior(scale=0.7), lambda s: stats.halfnorm(scale=0.7).logpdf(s)),
    (ScalePrior(family="half_cauchy", scale=0.7), lambda s: stats.halfcauchy(scale=0.7).logpdf(s)),
    (
        ScalePrior(family="half_t", scale=0.7, df=3.0),
        lambda s: stats.t(df=3, scale=0.7).logpdf(s),
    ),
    (ScalePrior(family="exponential", scale=0.7), lambda s: stats.expon(scale=0.7).logpdf(s)),
    (
        ScalePrior(family="inverse_gamma_variance", scale=0.2, shape=0.5),
        lambda s: stats.invgamma(0.5, scale=0.2).logpdf(s**2) + np.log(s),
    ),
]


@pytest.mark.parametrize(("prior", "log_density"), FAMILIES)
def test_prior_of_a_standard_deviation_with_its_jacobian(make_data, prior, log_density):
    priors = Priors(sd_baseline_facility=prior)
    data = make_data(domains=(0,), periods=1, priors=priors)
    x = np.linspace(-2.0, 25.0, 4001)[:, None]
    values, slopes, log_prior, pull = _values(data, x)
    s = values[:, 0]
    assert (np.diff(s) > 0).all()
    off = log_prior - (log_density(s) + np.log(slopes[:, 0]))
    assert np.ptp(off) < 1e-9
    # differences over 0.016 are good to about 1e-3
    np.testing.assert_allclose(slopes[5:-5, 0], np.gradient(s, x[:, 0])[5:-5], rtol=1e-3, atol=1e-6)
    by_differences = np.gradient(log_prior, x[:, 0])
    np.testing.assert_allclose(pull[5:-5, 0], by_differences[5:-5], rtol=2e-3, atol=2e-3)


def test_prior_of_a_correlation_is_lkj(make_data):
    priors = Priors(corr_facility=CorrelationPrior(eta=3.0))
    data = make_data(domains=(0,), priors=priors)
    x = np.zeros((2001, 3))
    x[:, 2] = np.linspace(-4, 4, 2001)
    values, slopes, log_prior, pull = _values(data, x)
    rho = values[:, 2]
    # Page (1977): nearly the normal distribution function
    np.testing.assert_allclose(rho, 2 * stats.norm.cdf(x[:, 2]) - 1, atol=3e-4)
    np.testing.assert_allclose(np.gradient(rho, x[:, 2]), slopes[:, 2], atol=1e-4)
    exact = stats.beta(3, 3).logpdf((rho + 1) / 2) + np.log(slopes[:, 2])
    assert np.ptp(log_prior - exact) < 1e-9
    by_differences = np.gradient(log_prior, x[:, 2])
    np.testing.assert_allclose(pull[2:-2, 2], by_differences[2:-2], atol=1e-4)


def test_pooled_standard_deviations_are_jointly_student_t(make_data):
    prior = PooledScalePrior(median=0.3, spread=0.5, common=1.5, df=5.0)
    data = make_data(priors=Priors(sd_baseline_indicator=prior), periods=1, domains=(0, 0, 0))
    part = hyper_slices(data)["sd_baseline_indicator"]
    x = np.random.default_rng(1).normal(3.0, 1.0, size=(50, part.stop))
    values, slopes, log_prior, pull = _values(data, x)
    s = values[:, part]
    shape = 0.25 * (np.eye(3) + 1.5)
    exact = stats.multivariate_t(np.full(3, np.log(0.3)), shape, df=5.0).logpdf(np.log(s))
    exact += np.sum(np.log(slopes[:, part] / s), axis=1)
    first = values[:, 0]
    exact += stats.halfnorm(scale=1.0).logpdf(first) + np.log(slopes[:, 0])
    assert np.ptp(log_prior - exact) < 1e-9
    for j in range(part.stop):
        step = 1e-5 * np.eye(part.stop)[j]
        by_differences = (_values(data, x + step)[2] - _values(data, x - step)[2]) / 2e-5
        np.testing.assert_allclose(pull[:, j], by_differences, atol=1e-6)


def test_pooled_standard_deviations_are_drawn_from_their_density(make_data):
    """Logs: variance spread^2 (1 + common) df / (df - 2), correlation common / (1 + common)."""
    prior = PooledScalePrior(median=0.3, spread=0.5, common=1.5, df=9.0)
    data = make_data(priors=Priors(sd_change_indicator=prior))
    rng = np.random.default_rng(1)
    logs = np.log([draw_parameters(data, rng).sd_change["indicator"] for _ in range(20_000)])
    assert np.median(logs) == pytest.approx(np.log(0.3), abs=0.03)
    np.testing.assert_allclose(logs.var(axis=0), 0.25 * 2.5 * 9 / 7, rtol=0.06)
    assert np.corrcoef(logs.T)[0, 1] == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(
    ("spread", "size"), [("own", {"facility": 1, "domain": 1, "indicator": 4}), ("shared", {})]
)
def test_places_of_the_levels(make_data, spread, size):
    data = make_data(priors=Priors(indicator_spread=spread))
    slices = hyper_slices(data)
    for name, part in slices.items():
        assert part.stop - part.start == size.get(name.rpartition("_")[2], 1)
    place = build_hyper(data).place
    stems = ("sd_baseline", "sd_change", "corr")
    assert place[0].tolist() == [*(slices[f"{stem}_facility"].start for stem in stems), -1]
    assert place[1].tolist() == [*(slices[f"{stem}_domain"].start for stem in stems), -1]
    step = 1 if spread == "own" else 0
    for k in range(4):
        expected = [slices[f"{stem}_indicator"].start + step * k for stem in stems]
        assert place[2 + k].tolist() == [*expected, -1]


@pytest.mark.parametrize("facility_df", [None, 4.0])
def test_places_where_each_arm_has_its_own_spread_of_change(make_data, facility_df):
    arm = (1, 0, 1, 1)
    data = make_data(priors=BY_ARM, arm=arm, facility_df=facility_df)
    slices, place = hyper_slices(data), build_hyper(data).place
    part = slices["sd_change_facility"]
    assert part.stop - part.start == 2
    assert place[0].tolist() == [-1, -1, -1, -1]
    for i, slot in enumerate(own_slots(data)):
        s, t, rho, factor = place[slot]
        assert s == slices["sd_baseline_facility"].start
        assert t == part.start + arm[i]
        assert rho == slices["corr_facility"].start
        assert factor == (-1 if facility_df is None else slices["factor_facility"].start + i)
    # without controls or change there is nothing to tell apart
    for one in (make_data(priors=BY_ARM), make_data(priors=BY_ARM, arm=arm, periods=1)):
        assert not own_slots(one).any()
        assert all(p.stop - p.start in (1, 4) for p in hyper_slices(one).values())


def test_squares_of_the_factors_of_t_effects_are_inverse_gamma(make_data):
    data = make_data(domains=(0,), periods=1, facility_df=5.0)
    part = hyper_slices(data)["factor_facility"]
    assert part == slice(1, 5)
    x = np.zeros((2001, 5))
    x[:, 2] = np.linspace(-2.0, 20.0, 2001)
    values, slopes, log_prior, _ = _values(data, x)
    s = values[:, 2]
    exact = stats.invgamma(2.5, scale=2.5).logpdf(s**2) + np.log(s * slopes[:, 2])
    assert np.ptp(log_prior - exact) < 1e-9
    # no facility has a slot of cells: the effects stand where the factors can reach them
    place = build_hyper(data).place
    assert (place[:3] == -1).all()
    assert place[3:].tolist() == [[0, -1, -1, n] for n in (1, 2, 3, 4)]


def test_the_innermost_level_stands_in_the_cells(make_data):
    data = make_data(domains=(0,), periods=1)
    assert list(hyper_slices(data)) == ["sd_baseline_facility"]
    assert build_hyper(data).place.tolist() == [[-1] * 4, [-1] * 4, [0, -1, -1, -1]]


def test_what_the_baseline_leaves_open_is_each_facility_s_own_with_t_effects(make_data, by_name):
    data = make_data(facility_df=4.0)
    x = np.random.default_rng(1).normal(2.0, 0.5, size=(3, build_hyper(data).family.size))
    found = expected_variance(data, x)
    assert found.shape == (3, 4, 4)
    for n, row in enumerate(at_points(build_hyper(data), x)[0]):
        v = by_name(data, row)
        left = {
            level: v[f"sd_change_{level}"] ** 2 * (1 - v[f"corr_{level}"] ** 2)
            for level in data.levels
        }
        own = np.outer(v["factor_facility"] ** 2, left["facility"] * np.ones(4))
        np.testing.assert_allclose(found[n], own + left["domain"] + left["indicator"], rtol=1e-12)
    assert expected_variance(make_data(), x[:, :-4]).shape == (3, 1, 4)


def test_what_the_baseline_leaves_open_and_foretells_is_that_of_the_arm(make_data, by_name):
    data = make_data(priors=BY_ARM, arm=(0, 1, 1, 0), domains=(0, 0, 0))
    x = np.random.default_rng(1).normal(2.0, 0.5, size=(3, build_hyper(data).family.size))
    found = expected_variance(data, x)
    control, slope = expected_variance(data, x, as_control=True), control_slope(data, x)
    for n, row in enumerate(at_points(build_hyper(data), x)[0]):
        v = by_name(data, row)
        t, rho, s = (v[f"{stem}_facility"] for stem in ("sd_change", "corr", "sd_baseline"))
        inner = v["sd_change_indicator"] ** 2 * (1 - v["corr_indicator"] ** 2)
        for i, own in enumerate((t[0], t[1], t[1], t[0])):
            np.testing.assert_allclose(found[n, i], own**2 * (1 - rho**2) + inner, rtol=1e-12)
            np.testing.assert_allclose(control[n, i], t[0] ** 2 * (1 - rho**2) + inner, rtol=1e-12)
            assert slope[n, i] == pytest.approx(float(rho[0] * (t[0] - own) / s[0]), rel=1e-12)
