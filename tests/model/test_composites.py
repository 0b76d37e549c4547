"""Estimands against their formulas, and the observed change against the published table."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

import pdsim
from pdsim.errors import InputError
from pdsim.model import composite, levels, observed_change, variance_share
from pdsim.model.composites import expected_endline

CHAINS, DRAWS, FACILITIES, INDICATORS = 2, 50, 4, 3


def fake_fit(kind="counts", periods=2, seed=0):
    """Return a fit whose draws are random numbers: the estimands are arithmetic on them."""
    rng = np.random.default_rng(seed)
    shape = (CHAINS, DRAWS, FACILITIES, INDICATORS)
    dims = ("chain", "draw", "facility", "indicator")
    posterior = xr.Dataset(
        {
            "eta": ((*dims, "period"), rng.normal(size=(*shape, periods))),
            "eta_expected": (dims, rng.normal(size=shape)),
            "sd_change_facility": (dims[:2], rng.uniform(0.1, 1, size=shape[:2])),
            "corr_facility": (dims[:2], rng.uniform(-0.9, 0.9, size=shape[:2])),
            "sd_change_indicator": (dims[:2], rng.uniform(0.1, 1, size=shape[:2])),
            "corr_indicator": (dims[:2], rng.uniform(-0.9, 0.9, size=shape[:2])),
        },
        coords={
            "facility": list("ABCD"),
            "indicator": ["x", "y", "z"],
            "period": ["baseline", "endline"][-periods:],
            "weight": ("indicator", [0.5, 0.3, 0.2]),
        },
    )
    constant = xr.Dataset(
        {"center": ("indicator", [10.0, 20.0, 30.0]), "scale": ("indicator", [1.0, 2.0, 3.0])},
        coords={"indicator": ["x", "y", "z"]},
    )
    tree = xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant})
    tree.attrs |= {"kind": kind, "engine": "nuts", "convergence": "passed"}
    return tree


def parts(tree, weight=(0.5, 0.3, 0.2)):
    p = expit(tree["posterior"]["eta"].to_numpy())
    overall = (p * np.array(weight)[:, None]).sum(axis=3)
    return p, overall[..., 0], overall[..., 1]


@pytest.mark.parametrize(
    ("estimand", "formula", "units"),
    [
        ("change", lambda a, b: 100 * (b - a), "pp"),
        ("endline", lambda a, b: 100 * b, "pp"),
        ("change_logit", lambda a, b: logit(b) - logit(a), "logit"),
        ("gap_closed", lambda a, b: (b - a) / (1 - a), "share of the gap"),
        ("ratio", lambda a, b: b / a, "ratio"),
    ],
)
def test_composite_is_the_formula_on_the_weighted_levels(estimand, formula, units):
    tree = fake_fit()
    _, first, last = parts(tree)
    score = composite(tree, estimand=estimand)
    np.testing.assert_allclose(score.to_numpy(), formula(first, last), rtol=1e-12)
    assert score.dims == ("chain", "draw", "facility")
    assert score.attrs["units"] == units
    assert score.attrs["convergence"] == "passed"
    same = composite(levels(tree), estimand=estimand)
    xr.testing.assert_identical(same, score)


@pytest.mark.parametrize("tails", [False, True])
def test_expected_endline_is_the_mean_over_the_unexplained_change(tails):
    tree = fake_fit()
    factor = np.random.default_rng(5).uniform(0.5, 1.5, size=(CHAINS, DRAWS, FACILITIES))
    if tails:
        named = (("chain", "draw", "facility"), factor)
        drawn = tree["posterior"].to_dataset().assign(factor_facility=named)
        tree["posterior"] = xr.DataTree(drawn)
    posterior = tree["posterior"]
    own, inner = (
        (posterior[f"sd_change_{n}"] ** 2 * (1 - posterior[f"corr_{n}"] ** 2)).to_numpy()
        for n in ("facility", "indicator")
    )
    own = own[..., None] * (factor**2 if tails else 1.0)
    variance = (own + inner[..., None])[..., None]
    # 10,000 equally likely quantiles of v: a plain Riemann sum of the same integral
    from scipy.stats import norm

    v = norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    mean = np.zeros(posterior["eta_expected"].shape)
    for value in v:
        mean += expit(posterior["eta_expected"].to_numpy() + np.sqrt(variance) * value) / v.size
    np.testing.assert_allclose(expected_endline(tree).to_numpy(), mean, atol=2e-5)
    p, _, _ = parts(tree)
    net = 100 * ((p[..., 1] - mean) * np.array([0.5, 0.3, 0.2])).sum(axis=-1)
    np.testing.assert_allclose(composite(tree, estimand="change_net").to_numpy(), net, atol=2e-3)


def test_scores_are_in_their_own_units():
    tree = fake_fit(kind="scores")
    eta = tree["posterior"]["eta"].to_numpy()
    change = (
        (eta[..., 1] - eta[..., 0]) * np.array([1.0, 2.0, 3.0]) * np.array([0.5, 0.3, 0.2])
    ).sum(-1)
    score = composite(tree, estimand="change")
    np.testing.assert_allclose(score.to_numpy(), change, rtol=1e-9)
    assert score.attrs["units"] == "score"
    expected = tree["posterior"]["eta_expected"].to_numpy()
    net = ((eta[..., 1] - expected) * np.array([0.5, 0.6, 0.6])).sum(-1)
    np.testing.assert_allclose(composite(tree, estimand="change_net").to_numpy(), net, rtol=1e-9)
    for estimand in ("change_logit", "gap_closed"):
        with pytest.raises(InputError, match="does not fit a study of scores"):
            composite(tree, estimand=estimand)


@given(weights=st.lists(st.floats(0.01, 100), min_size=3, max_size=3), factor=st.floats(0.01, 1000))
def test_scaling_all_weights_changes_nothing(weights, factor):
    tree = fake_fit()
    one = composite(tree, weights=weights)
    other = composite(tree, weights=[factor * w for w in weights])
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-9, atol=1e-9)


def test_weights_by_name_are_taken_by_name():
    tree = fake_fit()
    by_name = composite(tree, weights={"z": 0.2, "x": 0.5, "y": 0.3})
    np.testing.assert_allclose(by_name, composite(tree), rtol=1e-12)
    array = xr.DataArray([0.2, 0.5, 0.3], dims="indicator", coords={"indicator": ["z", "x", "y"]})
    np.testing.assert_allclose(composite(tree, weights=array), composite(tree), rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"x": 1.0, "y": 1.0}, "'z'.*no weight"),
        ({"x": 1.0, "y": 1.0, "z": 1.0, "q": 1.0}, "'q'.*not in the study"),
        ([1.0, 2.0], "3 weights"),
        ([1.0, -1.0, 1.0], "not negative"),
        ([0.0, 0.0, 0.0], "not all zero"),
        ([1.0, float("nan"), 1.0], "finite"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        composite(fake_fit(), weights=weights)


@pytest.mark.parametrize(
    ("periods", "estimand", "message"),
    [
        (1, "change", "use one of: level"),
        (2, "level", "use one of: change, change_net"),
        (2, "improvement", "unknown estimand"),
        (2, "change_observed", "unknown estimand"),
    ],
)
def test_estimands_that_do_not_fit_are_refused(periods, estimand, message):
    with pytest.raises(InputError, match=message):
        composite(fake_fit(periods=periods), estimand=estimand)


def test_change_net_needs_the_fit():
    with pytest.raises(InputError, match="pass the fit"):
        composite(levels(fake_fit()), estimand="change_net")


def test_shares_of_variance_sum_to_one_and_follow_the_spread():
    level = levels(fake_fit())
    table = variance_share(level)
    assert float(table["share"].sum()) == pytest.approx(1.0)
    spread = 100 * (level[..., 1] - level[..., 0]).std("facility")
    np.testing.assert_allclose(table["spread"], spread.mean(("chain", "draw")))
    assert (table["spread_lower"] < table["spread"]).all()
    # an indicator without weight has no share, one alone has all of it
    alone = variance_share(level, weights=[0.0, 1.0, 0.0])
    np.testing.assert_allclose(alone["share"], [0.0, 1.0, 0.0], atol=1e-12)


def test_observed_change_turns_directions_and_names_a_missing_policy():
    table = {
        "facility": ["A"] * 4 + ["B"] * 3,
        "indicator": ["good", "good", "bad", "bad", "good", "good", "bad"],
        "period": ["baseline", "endline"] * 3 + ["baseline"],
        "successes": [5, 9, 8, 2, 1, 3, 4],
        "trials": [10] * 7,
    }
    indicators = {"indicator": ["good", "bad"], "direction": ["higher", "lower"]}
    study = pdsim.Study.from_long(table, indicators=indicators, options=pdsim.StudyOptions(m=1))
    change = observed_change(study)
    assert float(change.sel(facility="A")) == pytest.approx(50.0)
    assert np.isnan(change.sel(facility="B"))
    spread = observed_change(study, missing="renormalise")
    assert float(spread.sel(facility="B")) == pytest.approx(20.0)


@pytest.mark.parametrize("estimand", ["change", "change_logit", "gap_closed", "ratio", "endline"])
def test_levels_that_round_to_one_or_nothing_have_a_number(estimand):
    # counts that all succeed reach logits at which a share is 1 to the last digit
    logits = np.array([[[40.0, 72.0], [-800.0, -900.0], [0.0, 40.0]]])
    level = xr.DataArray(
        expit(logits)[None, ..., None, :],
        dims=("chain", "draw", "facility", "indicator", "period"),
        coords={
            "facility": ["full", "none", "risen"],
            "indicator": ["one"],
            "weight": ("indicator", [1.0]),
        },
    )
    found = composite(level, estimand=estimand).squeeze(("chain", "draw"))
    assert np.isfinite(found).all()
    stood = {"change": 0.0, "change_logit": 0.0, "gap_closed": 0.0, "ratio": 1.0}
    if estimand in stood:
        np.testing.assert_allclose(
            found.sel(facility=["full", "none"]), stood[estimand], atol=1e-12
        )
        assert float(found.sel(facility="risen")) > stood[estimand]
