"""The effect beyond controls, against published figures and exact cases."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, ndtr

import pdsim
from pdsim.analysis.all_tables import _hyper
from pdsim.errors import InputError
from pdsim.model import beyond_unseen_control, programme_effect
from pdsim.model.composites import expected_endline
from pdsim.model.data import model_data
from pdsim.model.laplace.problem import build_problem
from pdsim.model.laplace.sample import sample_laplace
from pdsim.priors import CorrelationPrior, MeanPrior, Priors, ScalePrior, SlopePrior
from pdsim.ranking.strata import stratum_probability
from pdsim.study import Study, StudyOptions

SAMPLE = ("chain", "draw")
BY_ARM = Priors(change_spread="by_arm")


def counts(arms, successes, trials, indicator="x"):
    """Return a long table of counts (facility, period)."""
    rows = [
        {"facility": f"F{i:02}", "arm": arm, "indicator": indicator, "period": period,
         "successes": successes[i][t], "trials": trials}
        for i, arm in enumerate(arms)
        for t, period in enumerate(("baseline", "endline"))
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_difference_in_differences_of_minimum_wages():
    """Card and Krueger (1994), Table 3, row 1 and 2: full-time employment, NJ and PA.

    2.75 with SE 1.799, the root of the sum of the four squared standard errors. Cells are made
    independent by a standard deviation between facilities that far exceeds theirs.
    """
    cells = {"NJ": ((20.44, 0.51), (21.03, 0.52)), "PA": ((23.33, 1.35), (21.17, 0.94))}
    rows = [
        {"facility": name, "arm": arm, "indicator": "employment", "period": period,
         "mean": value[0], "se": value[1]}
        for name, key, arm in (("NJ", "NJ", "programme"), ("NJ again", "NJ", "programme"),
                               ("PA", "PA", "control"))
        for period, value in zip(("baseline", "endline"), cells[key], strict=True)
    ]  # fmt: skip
    table = {name: [row[name] for row in rows] for name in rows[0]}
    far = ScalePrior(family="inverse_gamma_variance", shape=2000.0, scale=2000.0 * 12.0**2)
    wide = MeanPrior(mean_sd=30.0, sd=30.0)
    priors = Priors(
        alpha=wide, beta=wide, imbalance=wide, arm_effect=wide,
        sd_baseline_facility=far, sd_change_facility=far,
    )  # fmt: skip
    study = Study.from_long(table, options=StudyOptions(priors=priors))
    fit = pdsim.fit(study, engine="laplace", seed=1, draws=4000, hand_over=False)
    effect = pdsim.composite(fit, estimand="effect_change").sel(facility="NJ")
    draws = effect.size
    # 12 standard deviations of 1.67 draw a standard error of 1.8 in by less than 1 %
    assert float(effect.mean()) == pytest.approx(2.75, abs=0.03 + 4 * 1.8 / np.sqrt(draws))
    assert float(effect.std()) == pytest.approx(1.799, rel=0.01 + 4 / np.sqrt(2 * draws))
    with pytest.raises(InputError, match="controls differ from each other"):
        beyond_unseen_control(fit, seed=1)


def test_one_or_two_controls_say_nothing_of_an_unseen_one():
    rng = np.random.default_rng(5)
    for controls in (1, 2, 3):
        arms = ["programme"] * 4 + ["control"] * controls
        table = counts(arms, rng.integers(5, 25, (len(arms), 2)), 30)
        fit = pdsim.fit(Study.from_long(table), engine="laplace", seed=1, hand_over=False)
        assert programme_effect(fit).size == 8000
        if controls < 3:
            with pytest.raises(InputError, match=f"{controls} control"):
                beyond_unseen_control(fit, seed=1)
        else:
            assert beyond_unseen_control(fit, seed=1).sizes["facility"] == 4


def test_beyond_is_the_normal_probability_where_spreads_are_known():
    """P = Phi((y_i - mean of the controls) / (t sqrt(1 + 1 / C))), uniform without an effect.

    Known means, a known spread t of the change, no correlation with the baseline, flat priors.
    """
    rng = np.random.default_rng(6)
    arms = ["programme"] * 5 + ["control"] * 4
    base = rng.normal(50, 5, 9)
    change = np.array([14.0, -9.0, 3.0, 0.0, 7.0, 1.0, 4.0, -2.0, 5.0])
    rows = [
        {"facility": f"F{i}", "arm": arm, "indicator": "score", "period": period,
         "mean": value, "se": 0.02}
        for i, arm in enumerate(arms)
        for period, value in (("baseline", base[i]), ("endline", base[i] + change[i]))
    ]  # fmt: skip
    table = {name: [row[name] for row in rows] for name in rows[0]}
    known = ScalePrior(family="inverse_gamma_variance", shape=1e5, scale=1e5)
    wide = MeanPrior(mean_sd=100.0, sd=100.0)
    priors = Priors(
        alpha=wide, beta=wide, imbalance=wide, arm_effect=wide, sd_baseline_facility=known,
        sd_change_facility=known, corr_facility=CorrelationPrior(eta=1e5),
    )  # fmt: skip
    study = Study.from_long(table, options=StudyOptions(priors=priors))
    fit = pdsim.fit(study, engine="laplace", seed=1, draws=5000, hand_over=False)
    spread = float(fit["constant_data"]["scale"][0])  # the prior's 1
    found = (beyond_unseen_control(fit, seed=1) > 0).mean(SAMPLE).to_numpy()
    exact = ndtr((change[:5] - change[5:].mean()) / (spread * np.sqrt(1 + 1 / 4)))
    assert exact.min() < 0.1
    assert exact.max() > 0.9
    error = np.sqrt(exact * (1 - exact) / 20_000)
    np.testing.assert_array_less(np.abs(found - exact), 4.5 * error + 0.002)


@pytest.fixture(scope="module")
def apart():
    """Controls that all change alike and a programme that does not, by SDs of change of each."""
    rng = np.random.default_rng(8)
    arms = ["programme"] * 12 + ["control"] * 12
    base = rng.normal(-0.3, 0.5, 24)
    change = np.where(np.arange(24) < 12, rng.normal(0.9, 1.0, 24), rng.normal(0.3, 0.1, 24))
    rate = 1 / (1 + np.exp(-np.stack([base, base + change], axis=-1)))
    one, two = (counts(arms, rng.binomial(60, rate), 60, name) for name in ("x", "y"))
    table = {name: one[name] + two[name] for name in one}
    return Study.from_long(table, options=StudyOptions(priors=BY_ARM))


def test_the_spread_of_change_is_that_of_the_arm(apart):
    fit = pdsim.fit(apart, engine="laplace", seed=3, draws=1000, chains=1)
    assert fit.attrs["convergence"] == "passed"
    posterior = fit["posterior"].to_dataset()
    spread = posterior["sd_change_facility"]
    assert spread["arm"].to_numpy().tolist() == ["control", "programme"]
    assert float((spread.sel(arm="programme") > spread.sel(arm="control")).mean()) > 0.99
    rows = _hyper(posterior)
    named = [n for n in rows["parameter"].to_numpy().tolist() if n.startswith("sd_change_facility")]
    assert named == ["sd_change_facility: control", "sd_change_facility: programme"]
    means = rows["mean"].sel(parameter=named).to_numpy()
    np.testing.assert_allclose(means, spread.mean(SAMPLE).to_numpy())


def test_a_control_is_expected_to_change_by_the_spread_of_controls(apart):
    """`effect` and the mean of an unseen control, written out with NumPy."""
    fit = pdsim.fit(apart, engine="laplace", seed=3, draws=400, chains=1)
    p = {str(n): v.to_numpy()[0] for n, v in fit["posterior"].to_dataset().data_vars.items()}
    arm, t = apart.control == 0, p["sd_change_facility"]
    own = np.where(arm, t[:, 1:], t[:, :1])
    slope = p["corr_facility"][:, None] / p["sd_baseline_facility"][:, None]
    logit = p["eta_expected"] - slope[..., None] * (own * p["baseline_facility"])[..., None]
    logit += slope[..., None] * (t[:, :1] * p["baseline_facility"])[..., None]
    logit[:, arm] -= p["arm_effect"][:, None]
    inner = p["sd_change_indicator"] ** 2 * (1 - p["corr_indicator"] ** 2)
    variance = t[:, :1] ** 2 * (1 - p["corr_facility"][:, None] ** 2) + inner
    v, mass = np.polynomial.hermite_e.hermegauss(21)  # the engine's own rule
    sd = np.sqrt(variance)[:, None, :, None]
    mean = expit(logit[..., None] + sd * v) @ (mass / mass.sum())
    found = expected_endline(fit, as_control=True).to_numpy()[0]
    np.testing.assert_allclose(found, mean, rtol=1e-9)
    variance = own[..., None] ** 2 * (1 - p["corr_facility"][:, None, None] ** 2) + inner[:, None]
    mean = expit(p["eta_expected"][..., None] + np.sqrt(variance)[..., None] * v)
    np.testing.assert_allclose(
        expected_endline(fit).to_numpy()[0], mean @ (mass / mass.sum()), rtol=1e-9
    )
    unseen = composite_level(fit) - beyond_unseen_control(fit, seed=1).to_numpy()[0] / 100
    exact = found[:, arm].mean(axis=2)
    off = (unseen - exact).mean(axis=0) / (unseen - exact).std(axis=0) * np.sqrt(len(exact))
    assert np.abs(off).max() < 4.5
    # two indicators of one facility: its own share of the variance is common to both
    spread = (unseen - exact).var() / _unseen_variance(p, logit[:, arm])
    assert spread == pytest.approx(1.0, abs=5 * np.sqrt(2 / 400))


def composite_level(fit):
    """Return the endline of the programme's facilities, equal weights, (draw, F)."""
    return pdsim.levels(fit).isel(chain=0, period=1).mean("indicator").to_numpy()


def _unseen_variance(p, logit):
    """Return the variance of an unseen control's mean of two indicators about its mean."""
    rng = np.random.default_rng(9)
    left = {
        "facility": p["sd_change_facility"][:, :1] * np.sqrt(1 - p["corr_facility"][:, None] ** 2),
        "indicator": p["sd_change_indicator"] * np.sqrt(1 - p["corr_indicator"] ** 2),
    }
    z = rng.standard_normal((400, *logit.shape[:2], 1)) * left["facility"][:, None]
    z = z + rng.standard_normal((400, *logit.shape)) * left["indicator"][:, None]
    return expit(logit + z).mean(axis=-1).var(axis=0).mean()


@pytest.mark.parametrize("estimand", ["effect", "change_net", "effect_change"])
def test_many_fits_take_the_spread_of_the_arm_too(apart, estimand):
    """The same draws, the same composites, by another way."""
    fit = pdsim.fit(apart, engine="laplace", seed=3, draws=400, chains=1)
    one = pdsim.composite(fit, estimand=estimand).to_numpy()[0]
    many = pdsim.fit_many([apart], seeds=[3], draws=400, estimand=estimand, keep_draws=True)
    drawn = many["draws"].transpose("replicate", "weighting", "draw", "facility").to_numpy()[0, 0]
    np.testing.assert_allclose(drawn, one, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_both_engines_say_the_same_of_the_arms(apart):
    """Names, dimensions and numbers, within the limits of the panel (experiments/engine_panel)."""
    nuts, fast = (pdsim.fit(apart, engine=engine, seed=1) for engine in ("nuts", "laplace"))
    assert (nuts.attrs["engine"], fast.attrs["engine"]) == ("nuts", "laplace")
    first, second = (tree["posterior"].to_dataset() for tree in (nuts, fast))
    for name in map(str, second.data_vars):
        assert first[name].dims == second[name].dims, name
        for dim in first[name].dims[2:]:
            assert first[dim].to_numpy().tolist() == second[dim].to_numpy().tolist()
    for estimand in ("effect", "change_net"):
        one, two = (pdsim.composite(tree, estimand=estimand) for tree in (nuts, fast))
        off = (one.mean(SAMPLE) - two.mean(SAMPLE)) / two.std(SAMPLE)
        ratio = one.std(SAMPLE) / two.std(SAMPLE)
        assert float(np.abs(off).max()) < 0.10
        assert 0.95 < float(ratio.min()) <= float(ratio.max()) < 1.05
    one, two = ((beyond_unseen_control(tree, seed=1) > 0).mean(SAMPLE) for tree in (nuts, fast))
    assert float(np.abs(one - two).max()) < 0.03


def test_a_spread_by_arm_needs_arms(apart):
    message = "change_spread = 'by_arm' of the priors needs controls, and the study has none"
    plain = pdsim.load_example("surgical")
    with pytest.raises(InputError, match=message):
        pdsim.fit(plain, priors=BY_ARM)
    with pytest.raises(InputError, match=message):
        replace(plain, options=replace(plain.options, priors=BY_ARM))
    # the programme alone has one spread again
    assert apart.programme.options.priors == Priors()
    with pytest.raises(ValueError, match="change_spread must be 'shared' or 'by_arm'"):
        Priors(change_spread="own")
    with pytest.raises(InputError, match=message):
        pdsim.Scenario(priors=BY_ARM)


def test_without_arm_and_covariates_nothing_is_added_to_the_fit():
    """The same draws to the last bit: a stratum is no part of the model, nor are no covariates.

    Against the commit before arms, see results/controls.
    """
    study = pdsim.load_example("safe_surgery_like")
    facilities = study.data.sizes["facility"]
    labelled = study.data.assign_coords(stratum=("facility", ["a", "b"] * (facilities // 2)))
    trees = [
        pdsim.fit(one, engine="laplace", seed=3, draws=100)["posterior"].to_dataset()
        for one in (study, Study(data=labelled, options=study.options))
    ]
    assert trees[0].identical(trees[1])
    data = model_data(study)
    empty = replace(data, covariates=np.empty((facilities, 0)))
    first, second = (sample_laplace(one, draws=200, seed=4).draws() for one in (data, empty))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    # the fixed effects are the pairs of the indicators, the same in every facility
    problem, indicators = build_problem(data), data.shape[1]
    assert problem.prior_precision.shape == (2 * indicators, 2 * indicators)
    assert not problem.column.any()
    assert problem.covariates.shape == (facilities, 0)
    alpha, beta = data.priors.alpha, data.priors.beta
    pair = np.kron(np.eye(indicators), [[1.0, 1.0], [1.0, 1.0]])
    rise = np.kron(np.eye(indicators), [[0.0, 0.0], [0.0, 1.0]])
    both = np.tile([[0.0, 0.0], [0.0, 1.0]], (indicators, indicators))
    covariance = alpha.mean_sd**2 + alpha.sd**2 * pair + beta.mean_sd**2 * both + beta.sd**2 * rise
    np.testing.assert_allclose(problem.prior_precision @ covariance, np.eye(2 * indicators),
                               atol=1e-9)  # fmt: skip


@pytest.fixture(scope="module")
def alike():
    """Two arms of the same six facilities with a million cases, and both 1 logit higher."""
    base = np.linspace(-0.6, 0.4, 6)
    move = np.array([0.9, 0.3, 0.7, 0.5, 1.1, 0.6])
    fits = []
    for shift in (0.0, 1.0):
        p = 1 / (1 + np.exp(-np.stack([base, base + move + shift], axis=-1)))
        successes = np.round(np.tile(p, (2, 1)) * 1e6)
        table = counts(["programme"] * 6 + ["control"] * 6, successes, 10**6)
        study = Study.from_long(table)
        fits.append(pdsim.fit(study, engine="laplace", seed=2, draws=2000, hand_over=False))
    return fits


def test_identical_arms_have_no_effect(alike):
    plain = alike[0]
    additive = programme_effect(plain, estimand="effect_change")
    assert float(np.abs(additive).max()) < 0.5  # a million cases leave .05 pp a cell
    effect = programme_effect(plain)
    error = float(effect.std()) / np.sqrt(500)
    assert float(effect.mean()) == pytest.approx(0.0, abs=4 * error)
    own = plain["posterior"]["arm_effect"]
    assert float(own.mean()) == pytest.approx(0.0, abs=4 * float(own.std()) / np.sqrt(500))


def logit_effects(fit):
    """Return what the programme's facilities reached beyond a control's expected logit."""
    posterior = fit["posterior"]
    as_control = posterior["eta_expected"] - posterior["arm_effect"]
    beyond = posterior["eta"].isel(period=1) - as_control
    return beyond.isel(facility=slice(6)).mean((*SAMPLE, "indicator")).to_numpy()


def test_a_shift_of_both_endlines_moves_points_but_no_logit_effect_and_no_order(alike):
    plain, shifted = alike
    first, second = (fit["posterior"]["arm_effect"] for fit in alike)
    error = float(first.std()) / np.sqrt(250)
    assert float(first.mean() - second.mean()) == pytest.approx(0.0, abs=4 * error)
    order = [np.argsort(logit_effects(fit)).tolist() for fit in (plain, shifted)]
    assert order[0] == order[1]
    points = [pdsim.composite(fit, estimand="effect_change").mean(SAMPLE) for fit in alike]
    assert float(np.abs(points[0] - points[1]).max()) > 1.0


def test_the_effect_is_the_net_change_plus_what_the_arms_differ_by(alike):
    """By hand, draw by draw: the expected endline with gamma taken off its logit."""
    fit = alike[0]
    posterior = fit["posterior"]
    mine = fit["constant_data"]["arm"] == "programme"
    variance = posterior["sd_change_facility"] ** 2 * (1 - posterior["corr_facility"] ** 2)
    logit = posterior["eta_expected"] - mine * posterior["arm_effect"]
    nodes, masses = np.polynomial.hermite_e.hermegauss(21)
    by_hand = sum(
        mass / masses.sum() / (1 + np.exp(-(logit + node * np.sqrt(variance))))
        for node, mass in zip(nodes, masses, strict=True)
    )
    np.testing.assert_allclose(
        expected_endline(fit, as_control=True), by_hand.transpose(*logit.dims), atol=1e-9
    )


def test_controls_are_not_ranked_with_the_others(alike):
    fit = alike[0]
    assert pdsim.composite(fit)["facility"].to_numpy().tolist() == [f"F{i:02}" for i in range(6)]
    other = pdsim.composite(fit, arm="control")["facility"].to_numpy().tolist()
    assert other == [f"F{i:02}" for i in range(6, 12)]
    with pytest.raises(InputError, match="needs controls"):
        pdsim.composite(pdsim.levels(fit), estimand="effect")


SEEDS = {
    "successes": [10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3],
    "trials": [39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7],
    "seed": [0] * 11 + [1] * 10,
    "root": [0] * 5 + [1] * 6 + [0] * 5 + [1] * 5,
}


def test_seeds_of_bugs():
    """Spiegelhalter and others, BUGS Examples Volume 1, Seeds: random-effects logistic regression.

    Published: -.5546, .08497, 1.356, -.8229, sigma .2731; a long run made elsewhere: -.5499,
    .0817, 1.3523, -.8245, .2843. Both are within 4 Monte Carlo errors and .02 of ours.
    """
    both = [a * b for a, b in zip(SEEDS["seed"], SEEDS["root"], strict=True)]
    table = {"facility": [f"plate {i}" for i in range(21)], "indicator": ["germinated"] * 21}
    vague = ScalePrior(family="inverse_gamma_variance", shape=0.001, scale=0.001)
    flat = SlopePrior(sd=300.0)
    study = Study.from_long(
        table | SEEDS | {"both": both},
        options=StudyOptions(
            covariates=("seed", "root", "both"),
            priors=Priors(
                alpha=MeanPrior(mean_sd=0.0, sd=1000.0),
                covariate_level=flat,
                sd_baseline_facility=vague,
            ),
        ),
    )
    fit = pdsim.fit(study, engine="laplace", seed=3, draws=5000, hand_over=False)
    assert fit.attrs["convergence"] == "passed"
    posterior = fit["posterior"]
    x = np.array([SEEDS["seed"], SEEDS["root"], both], dtype=float)
    mean, sd = x.mean(axis=1), x.std(axis=1, ddof=1)
    slopes = posterior["covariate_level"].stack(sample=SAMPLE).to_numpy() / sd[:, None]
    start = posterior["alpha"].to_numpy().reshape(-1) - mean @ slopes
    drawn = np.vstack([start, slopes, posterior["sd_baseline_facility"].to_numpy().reshape(-1)])
    error = drawn.std(axis=1) / np.sqrt(float(fit.attrs["ess"]))
    published = np.array([-0.5546, 0.08497, 1.356, -0.8229, 0.2731])
    long_run = np.array([-0.5499, 0.0817, 1.3523, -0.8245, 0.2843])
    for exact in (published, long_run):
        assert (np.abs(drawn.mean(axis=1) - exact) < 4 * error + 0.02).all()


def test_given_covariates_is_the_level_at_their_average():
    rng = np.random.default_rng(4)
    table = {
        "facility": [f"F{i}" for i in range(10)],
        "indicator": ["x"] * 10,
        "successes": rng.integers(5, 25, 10),
        "trials": [30] * 10,
        "beds": rng.normal(size=10),
    }
    study = Study.from_long(table, options=StudyOptions(covariates=("beds",)))
    fit = pdsim.fit(study, engine="laplace", seed=1, draws=200)
    x = np.asarray(table["beds"])
    x = (x - x.mean()) / x.std(ddof=1)
    posterior = fit["posterior"]
    shift = posterior["covariate_level"].to_numpy()[..., 0, None] * x
    by_hand = 1 / (1 + np.exp(-(posterior["eta"].to_numpy()[..., 0, 0] - shift)))
    found = pdsim.levels(fit, given_covariates=True).to_numpy()[..., 0, 0]
    np.testing.assert_allclose(found, by_hand)


def test_a_place_in_each_stratum():
    rng = np.random.default_rng(1)
    score = pdsim.composite(pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1))
    alone = stratum_probability(score, [str(i) for i in range(12)])
    assert (alone["probability"] == 1).all()
    assert (alone["probability_mcse"] == 0).all()
    strata = rng.permutation(np.repeat(["a", "b", "c"], 4)).tolist()
    for quota in (1, 2):
        table = stratum_probability(score, strata, quota=quota)
        share = table["probability"].groupby("stratum").sum()
        np.testing.assert_allclose(share, quota)
        assert int(table["selected"].sum()) == 3 * quota
    whole = stratum_probability(score, ["all"] * 12, quota=3)
    top = pdsim.top_probability(score, m=3)["top_probability"]
    np.testing.assert_allclose(whole["probability"], top)
