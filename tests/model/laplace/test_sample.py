from dataclasses import replace

import numpy as np
import pytest

from pdsim.model.data import ModelData
from pdsim.model.laplace import hmc, sample_laplace
from pdsim.model.laplace.blocks import Points, allocate_draws, fill_draws, spread_evenly
from pdsim.model.laplace.hyper import CORRELATION, hyper_slices, natural_values
from pdsim.model.laplace.mode import start_logits
from pdsim.model.laplace.sample import _resample
from pdsim.model.laplace.setup import set_up
from pdsim.model.laplace.trajectories import evaluate
from pdsim.model.laplace.weighting import systematic
from pdsim.model.predictive import draw_eta, draw_parameters, draw_proportion
from pdsim.priors import Priors

BY_ARM = Priors(change_spread="by_arm")


def _draws_at(data, draws):
    """Return draws with the hyperparameters held at one point, and these."""
    setup = set_up(data)
    x = np.where(setup.hyper.family == CORRELATION, 0.7, 3.5)[None]
    x += 0.1 * np.arange(x.size)
    shock = np.zeros(setup.work.shock.shape[:-1])
    found = evaluate(setup, x, start_logits(setup.problem), shock, 1e-9)
    drawn = allocate_draws(setup, data.shape[2], draws)
    points = Points(x, found.plain + found.correction, found.latent, np.zeros(1, np.int64))
    fill_draws(setup, points, np.random.default_rng(1), 1, np.arange(draws), drawn)
    return drawn, natural_values(setup.hyper, x)[0]


def _expected_rows(data, values, a, offset, change_spread_of):
    """Return the rows of eta_expected over the oracle's latent vector."""
    facilities, indicators, _ = data.shape
    cell = np.arange(data.observed.size).reshape(data.shape)
    base, end = a[cell[..., 0].ravel()], a[cell[..., 1].ravel()]
    rows = base.copy()
    # beta is what the fixed effects add at the endline; the change effects are left out
    covariates = 0 if data.covariates is None else data.covariates.shape[1]
    at = 2 * (data.arms * indicators + covariates)
    rows[:, :at] = end[:, :at]
    for level in data.levels:
        count = {"facility": 1, "domain": data.domains, "indicator": indicators}[level]
        spreads = [change_spread_of(data, values, level, i) for i in range(facilities)]
        slope = np.array([np.resize(t * values[f"corr_{level}"], indicators) for t in spreads])
        factor = values.get("factor_facility") if level == "facility" else None
        factor = np.ones(facilities) if factor is None else factor
        width = facilities * count * 2
        loads = base[:, at : at + width] != 0
        rows[:, at : at + width] += (factor[:, None] * slope).reshape(-1, 1) * loads
        at += width
    return rows, offset[cell[..., 1].ravel()]


def _covariance_error(draws, exact):
    """Return the largest difference from the exact covariance, in standard errors."""
    variance = np.diag(exact)
    error = np.sqrt((exact**2 + np.outer(variance, variance)) / len(draws))
    return np.max(np.abs(np.cov(draws.T) - exact) / error)


CASES = {
    "three levels": {"domains": (0, 0, 1, 1)},
    "two levels": {"domains": (0, 0, 0)},
    "one level": {"domains": (0,)},
    "one period": {"periods": 1},
    "missing": {"missing": 0.4},
    "arms and covariate": {"arm": (1, 0, 1), "covariates": 1},
    "t effects": {"facility_df": 4.0},
    "t effects, one level": {"facility_df": 4.0, "domains": (0,)},
    "SD of change by arm": {"arm": (1, 0, 1), "priors": BY_ARM},
    "SD of change by arm, one level": {"arm": (1, 0, 1), "priors": BY_ARM, "domains": (0,)},
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_draws_given_hyperparameters(
    make_data, dense_laplace, dense_design, by_name, change_spread_of, case
):
    """Normal data make every step exact: the draws have the dense mean and covariance."""
    data = make_data(kind="scores", facilities=3, **CASES[case])
    n = 40_000
    drawn, hyper = _draws_at(data, n)
    values = by_name(data, hyper)
    exact = dense_laplace(data, values)
    flat, covariance = drawn.eta.reshape(n, -1), exact["covariance"]
    sd = np.sqrt(np.diag(covariance))
    z = (flat.mean(axis=0) - exact["mean"].ravel()) / (sd / np.sqrt(n))
    assert np.abs(z).max() < 4.5
    assert _covariance_error(flat, covariance) < 4.5
    if data.shape[2] == 2:
        a, offset = dense_design(data, values)
        rows, start = _expected_rows(data, values, a, offset, change_spread_of)
        cells = a[: data.observed.size]
        weight = np.sqrt(data.size.ravel())[:, None]
        posterior = np.linalg.inv(np.eye(a.shape[1]) + (weight * cells).T @ (weight * cells))
        residual = (data.size.ravel() * (data.observed.ravel() - offset)) @ cells
        mean = start + rows @ posterior @ residual
        spread = rows @ posterior @ rows.T
        found = drawn.expected.reshape(n, -1)
        sd = np.sqrt(np.diag(spread))
        assert np.abs((found.mean(axis=0) - mean) / sd).max() < 4.5 / np.sqrt(n)
        assert _covariance_error(found, spread) < 4.5
    if data.change_by_arm:
        # the facility's own effect on its baseline: its first normal times s
        fixed = 2 * (data.arms * data.shape[1])
        rows = np.zeros((data.shape[0], a.shape[1]))
        rows[np.arange(data.shape[0]), fixed + 2 * np.arange(data.shape[0])] = values[
            "sd_baseline_facility"
        ]
        spread = rows @ posterior @ rows.T
        off = (drawn.baseline.mean(axis=0) - rows @ posterior @ residual) / np.sqrt(np.diag(spread))
        assert np.abs(off).max() < 4.5 / np.sqrt(n)
        assert _covariance_error(drawn.baseline, spread) < 4.5


SHAPES = {
    "counts": {},
    "one period": {"periods": 1},
    "one indicator": {"domains": (0,)},
    "one indicator, one period": {"domains": (0,), "periods": 1},
    "scores": {"kind": "scores"},
    "case correlation": {"correlation": 0.3},
    "six domains": {"domains": (0, 1, 2, 3, 4, 5, 0)},
    "two facilities": {"facilities": 2},
    "half missing": {"missing": 0.5},
    "arms and covariates": {"arm": (0, 1, 0, 1), "covariates": 2},
    "t effects": {"facility_df": 4.0},
    "t effects, one indicator": {"facility_df": 4.0, "domains": (0,), "facilities": 8},
    "t effects, one period": {"facility_df": 4.0, "periods": 1},
    "SD of change by arm": {"arm": (0, 1, 0, 1), "priors": BY_ARM},
    "SD of change by arm, t effects": {
        "arm": (0, 1, 0, 1),
        "priors": BY_ARM,
        "facility_df": 4.0,
    },
}


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_every_kind_of_study(make_data, case):
    data = make_data(**SHAPES[case])
    result = sample_laplace(data, draws=64, seed=0)
    facilities, indicators, periods = data.shape
    assert result.eta.shape == (64, facilities, indicators, periods)
    assert {name: values[0].size for name, values in result.hyper.items()} == {
        name: part.stop - part.start for name, part in hyper_slices(data).items()
    }
    assert (result.eta_expected is None) == (periods == 1)
    assert ("beta" in result.fixed) == (periods == 2)
    for name, values in result.draws().items():
        assert np.isfinite(values).all(), name
        assert len(values) == 64
    assert result.reliable
    assert result.ess > 0
    assert set(result.diagnostics()) >= {"ess", "hyper_ess", "rhat", "joint_share", "joint_k"}


def test_copies_of_a_draw_lie_anywhere():
    rng = np.random.default_rng(1)
    weight = rng.exponential(size=2000)
    counts = systematic(weight / weight.sum(), 2000, 0.5)
    ids = np.arange(2000)
    found, other = ids.copy(), ids[:, None].copy()
    _resample((found, np.empty((0, 1)), other), counts, rng)
    np.testing.assert_array_equal(np.bincount(found, minlength=2000), counts)
    np.testing.assert_array_equal(other[:, 0], found)
    moved = np.abs(found - ids)[found != ids]
    # two places of 2,000 at random lie 667 apart, with a standard deviation of 471
    assert moved.mean() == pytest.approx(667, abs=4 * 471 / np.sqrt(moved.size))


def test_points_that_memory_does_not_hold(make_data, monkeypatch):
    """Their moments are found again, a part at a time."""
    data = make_data()
    whole = sample_laplace(data, draws=4000, seed=1)
    room = 2 * 8 * data.observed.size * 100
    monkeypatch.setattr(hmc, "_MOST_BYTES", room)
    again = sample_laplace(data, draws=4000, seed=1)
    one, two = (r.eta[..., 1].mean(axis=2) for r in (whole, again))
    # the same points: only the draws from them are others
    np.testing.assert_array_equal(*(np.unique(r.hyper["corr_facility"]) for r in (whole, again)))
    error = one.std(axis=0) * np.sqrt(2 / whole.ess)
    assert np.abs((one.mean(axis=0) - two.mean(axis=0)) / error).max() < 4.5


@pytest.mark.parametrize("most", [1, 3, 100])
def test_heavy_points_are_spread_over_lanes(most):
    counts = np.array([0, 7, 1, 0, 30, 2])
    used, numbers = spread_evenly(counts, most)
    assert used.size % 8 == 0
    np.testing.assert_array_equal(np.bincount(used, numbers, minlength=6), counts)
    assert numbers.max() <= most
    assert (np.diff(numbers) <= 0).all()


def test_same_seed_same_draws_and_no_other(make_data):
    data = make_data()
    one, two, other = (sample_laplace(data, draws=50, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.eta, two.eta)
    assert not np.array_equal(one.eta, other.eta)


def test_draws_come_in_no_order(make_data):
    """Draws of one hyperparameter point must not lie side by side."""
    result = sample_laplace(make_data(), draws=600, seed=1)
    s = result.hyper["sd_change_facility"]
    repeats = np.mean(s[1:] == s[:-1])
    _, counts = np.unique(s, return_counts=True)
    assert repeats < 3 * np.sum((counts / 600) ** 2)


def test_turning_facilities_round_turns_the_result(make_data):
    data = make_data(seed=5)
    order = np.array([2, 0, 3, 1])
    turned = make_data(seed=5)
    turned.observed[:] = data.observed[order]
    turned.size[:] = data.size[order]
    n = 4000
    one, two = (sample_laplace(d, draws=n, seed=1) for d in (data, turned))
    first, second = one.eta.mean(axis=0)[order], two.eta.mean(axis=0)
    error = one.eta.std(axis=0)[order] * np.sqrt(1 / one.ess + 1 / two.ess)
    assert np.abs((first - second) / error).max() < 4.5


def test_without_data_the_posterior_is_the_prior(make_data):
    data = make_data(facilities=6)
    data.size[:] = 0.0
    data.observed[:] = 0.0
    result = sample_laplace(data, draws=4000, seed=1)
    # HalfNormal(1): mean sqrt(2 / pi), sd sqrt(1 - 2 / pi)
    s = result.hyper["sd_change_facility"]
    error = np.sqrt(1 - 2 / np.pi) / np.sqrt(result.hyper_ess)
    assert s.mean() == pytest.approx(np.sqrt(2 / np.pi), abs=4 * error)
    rho = result.hyper["corr_facility"]
    assert rho.var() == pytest.approx(0.2, abs=4 * 0.2 / np.sqrt(result.hyper_ess))
    alpha = result.fixed["alpha"]
    assert alpha.std() == pytest.approx(np.hypot(2.0, 1.5), rel=0.05)
    correlation = np.corrcoef(alpha.T)[0, 1]
    assert correlation == pytest.approx(1.5**2 / 6.25, abs=5 / np.sqrt(4000))


def _from_the_priors(number, trials, correlation):
    """Return data set `number` of experiments/engine_panel/silent.py, without missing cells."""
    rng = np.random.default_rng([20260815, number])
    size = np.full((10, 14, 2), float(trials))
    blank = ModelData(
        kind="counts",
        observed=np.zeros(size.shape),
        size=size,
        domain=np.repeat([0, 1], 7),
        case_group=np.zeros(14, dtype=np.int64),
        case_correlation=correlation,
        weight=np.full(14, 1 / 14),
        center=np.zeros(14),
        scale=np.ones(14),
        priors=Priors(indicator_spread="shared"),
    )
    eta, _ = draw_eta(draw_parameters(blank, rng), blank, rng)
    return replace(blank, observed=draw_proportion(eta, blank, rng) * size)


def test_a_fit_that_is_off_says_so():
    """A mean of this one was off by 21 posterior standard deviations, with no gate failed."""
    result = sample_laplace(_from_the_priors(714, 3, 0.3), draws=2000, seed=714)
    assert not result.reliable


@pytest.mark.parametrize("number", [2, 5, 8])
def test_effort_grows_until_there_are_enough_draws(number):
    """With few trials the hyperparameters are uncertain, and few points a large error."""
    data = _from_the_priors(number, 3, 0.0)
    result = sample_laplace(data, draws=1000, seed=1, steps=16)
    assert result.escalations > 0
    assert result.ess > 250
    assert result.reliable


def test_candidates_are_raised_twice_at_most(monkeypatch):
    """Also where the draws pass only then, and are fewer than what is worked for."""
    tails = iter([1.0, 1.0, 0.0])  # a fourth look would end in StopIteration
    monkeypatch.setattr("pdsim.model.laplace.sample.pareto_k", lambda weight: next(tails))
    monkeypatch.setattr("pdsim.model.laplace.sample._WANTED", np.inf)
    sample_laplace(_from_the_priors(4, 10, 0.0), draws=1000, seed=1)
    assert next(tails, None) is None


def test_mean_of_few_points_is_that_of_many():
    """Chains start about the mode; were the warm-up too short, means would lean to one side."""
    data = _from_the_priors(4, 10, 0.0)
    many = sample_laplace(data, draws=40_000, seed=1, steps=3_000)
    few = [sample_laplace(data, draws=1000, seed=n) for n in range(100)]
    composites = np.array([_change(result).mean(axis=0) for result in few])
    exact = _change(many)
    off = (composites.mean(axis=0) - exact.mean(axis=0)) / exact.std(axis=0)
    error = np.hypot(composites.std(axis=0) / exact.std(axis=0) / 10, 1 / np.sqrt(many.ess))
    assert np.abs(off / error).max() < 4.0
    assert error.max() < 0.012
    ratio = np.mean([_change(r).std(axis=0) for r in few], axis=0) / exact.std(axis=0)
    assert np.abs(ratio - 1.0).max() < 0.03


def _change(result):
    p = 1 / (1 + np.exp(-result.eta))
    return (p[..., 1] - p[..., 0]).mean(axis=2)
