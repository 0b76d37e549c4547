"""Checks of the model: silent on data of its own, loud where one indicator is unlike the rest."""

from dataclasses import replace

import numpy as np
import pytest

import pdsim
from pdsim.model.adequacy import (
    _adjusted,
    _Alone,
    _alone,
    _moved_with,
    _statistics,
    model_checks,
)
from pdsim.model.predictive import draw_eta, draw_parameters, draw_proportion

PLAIN = _Alone(precision=np.eye(2), reliability=np.ones(2))


def test_statistics_written_out(make_data):
    data = make_data(facilities=4, domains=(0, 0))
    share = np.zeros((4, 2, 2))
    share[:, 0, 1] = [0.1, 0.2, 0.3, 1.0]
    share[:, 1, 1] = [0.2, 0.2, 0.2, np.nan]
    found = _statistics(share, data, PLAIN)
    assert found["spread"][0] == pytest.approx(100 * np.std([0.1, 0.2, 0.3, 1.0]))
    assert found["spread"][1] == pytest.approx(0.0)
    assert found["extreme"][0] == pytest.approx(60.0)
    assert found["zeros"].tolist() == [5.0, 4.0]
    # the second indicator does not vary, and is not known in the last facility
    assert found["facility"][3] == pytest.approx(0.6 / np.std([0.1, 0.2, 0.3, 1.0]))
    # whole studies of replicates at once are the same
    both = _statistics(np.stack([share, share[::-1]]), data, PLAIN)
    for name, value in found.items():
        np.testing.assert_allclose(both[name][0], value)


def test_statistics_of_the_whole_study(make_data):
    data = replace(make_data(domains=(0, 0)), size=np.full((4, 2, 2), 20.0))
    met = np.full((4, 2, 2), 10.0)
    met[:, 0, 1] = [4.0, 8.0, 12.0, 16.0]
    found = _statistics(met / 20, data, PLAIN)
    logits = np.log((met[:, 0, 1] + 0.5) / (20.5 - met[:, 0, 1]))
    # one indicator does not vary: half the mean is as far away
    assert found["unequal spreads"] == pytest.approx(100.0)
    z = (logits - logits.mean()) / logits.std()
    assert found["tails"] == pytest.approx(np.mean(z**4) / 2)
    assert found["facility mean"] == pytest.approx(np.abs(z))


def test_with_how_many_others_an_indicator_moves_written_out():
    a, b = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    changes = np.stack([a, -a, a + b, 3.0 * a, b], axis=-1)
    # correlations of the first with the others: -1, 1 / sqrt(2), 1, 0
    plain = _Alone(np.eye(5), np.ones(5))
    np.testing.assert_allclose(_moved_with(changes, plain), [1.5, 0.0, 1.5, 1.5, 0.5], atol=1e-12)
    half = _Alone(np.eye(5), np.array([1.0, 1.0, 0.5, 0.5, 1.0]))
    np.testing.assert_allclose(
        _moved_with(changes, half), [0.75, 0.0, 0.625, 0.625, 0.25], atol=1e-12
    )


def test_what_facilities_and_domains_have_in_common_is_no_company():
    rng = np.random.default_rng(1)
    own = rng.standard_normal((5, 6))
    own -= own.mean(axis=0)
    domain = np.array([0, 0, 0, 1, 1, 1])
    common = 1e6 + 1e6 * (domain[:, None] == domain)
    alone = _Alone(np.linalg.inv(np.eye(6) + common), np.ones(6))
    one = np.arange(-2.0, 3.0)[:, None]
    moved = own + 3.0 * one + one**2 * (domain == 1)
    np.testing.assert_allclose(
        _moved_with(moved - moved.mean(axis=0), alone), _moved_with(own, alone), rtol=1e-3
    )


def test_own_parts_of_replicates(make_data):
    """Covariance of the changes: of facilities, of errors, and each indicator's own."""
    data = make_data(facilities=6, domains=(0, 0, 0))
    data = replace(data, size=np.full(data.shape, 400.0), observed=np.zeros(data.shape))
    rng = np.random.default_rng(2)
    given = replace(
        draw_parameters(data, rng),
        alpha=np.zeros(3),
        beta=np.zeros(3),
        sd_baseline={"facility": np.zeros(1), "indicator": np.zeros(3)},
        sd_change={"facility": np.array([0.5]), "indicator": np.array([0.1, 0.2, 0.6])},
        corr={"facility": np.zeros(1), "indicator": np.zeros(3)},
    )
    shares = np.array([
        draw_proportion(draw_eta(given, data, rng)[0], data, rng) for _ in range(4000)
    ])  # fmt: skip
    # errors of a logit at one half: 4 / n at each of two periods
    covariance = np.diag(given.sd_change["indicator"] ** 2 + 8 / 400) + 0.5**2
    precision = np.linalg.inv(covariance)
    found = _alone(shares, [given], data)
    np.testing.assert_allclose(found.precision, precision, rtol=0.1, atol=0.2)
    expected = given.sd_change["indicator"] ** 2 * np.diag(precision)
    np.testing.assert_allclose(found.reliability, expected, rtol=0.1)


@pytest.fixture(scope="module")
def unequal():
    """Sixty facilities; the change of the last indicator varies ten times as much as the others."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(60):
        for k in range(6):
            start = rng.normal(-0.5, 0.3)
            end = start + 0.8 + rng.normal(0, 1.5 if k == 5 else 0.15)
            for period, eta in (("baseline", start), ("endline", end)):
                met = rng.binomial(80, 1 / (1 + np.exp(-eta)))
                rows.append((f"f{i}", f"k{k}", period, met, 80))
    names = ("facility", "indicator", "period", "successes", "trials")
    return pdsim.Study.from_long(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def test_one_spread_for_unequal_indicators_is_seen(unequal):
    flagged = {}
    for spread in ("shared", "own"):
        priors = pdsim.Priors(indicator_spread=spread)
        fit = pdsim.fit(unequal, engine="laplace", priors=priors, draws=250, seed=1)
        table = model_checks(fit, replicates=400)
        rows = table.where(table["flagged"] & (table["statistic"] == "spread"), drop=True)
        flagged[spread] = rows["of"].to_numpy().tolist()
        apart = table["flagged"].to_numpy()[table["statistic"].to_numpy() == "unequal spreads"]
        assert apart.tolist() == [spread == "shared"]
    assert "k5" in flagged["shared"]
    assert flagged["own"] == []


@pytest.mark.parametrize("few", [[0, 1, 4, 5], []], ids=["related", "not"])
def test_indicators_of_two_domains_that_move_together_are_named(few):
    rng = np.random.default_rng(4)
    effect = rng.normal(0.0, 0.4, (40, 8))
    effect[:, few] += rng.normal(0.0, 1.2, (40, 1))
    if not few:
        effect[7] += 4.0
    rows = [
        (f"f{i}", f"k{k}", period, int(rng.binomial(60, 1 / (1 + np.exp(-eta)))), 60)
        for i in range(40)
        for k in range(8)
        for period, eta in (("baseline", -1.5), ("endline", -1.5 + effect[i, k]))
    ]
    names = ("facility", "indicator", "period", "successes", "trials")
    indicators = {"indicator": [f"k{k}" for k in range(8)], "domain": ["a"] * 4 + ["b"] * 4}
    table = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    study = pdsim.Study.from_long(table, indicators=indicators)
    fit = pdsim.fit(study, engine="laplace", draws=250, seed=1, hand_over=False)
    checks = model_checks(fit, replicates=400)
    rows = checks.where(checks["flagged"], drop=True)
    named = rows["of"].to_numpy()[rows["statistic"].to_numpy() == "correlation"].tolist()
    assert named == [f"k{k}" for k in few]
    if not few:
        alone = rows["statistic"].to_numpy() == "facility mean"
        assert rows["of"].to_numpy()[alone].tolist() == ["f7"]
        assert "facility_df" in rows["advice"].to_numpy()[alone][0]


def test_p_values_allow_for_looking_at_all():
    """Of rows that are alike each is the most extreme as often: uniform p for the smallest."""
    rng = np.random.default_rng(6)
    smallest = [
        _adjusted(rng.standard_normal((100, 30)), upwards=n % 2 == 0).min() for n in range(400)
    ]
    # a share of 400 at 5 %: 4 standard errors
    assert abs(np.mean(np.array(smallest) <= 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)


def test_one_period_has_no_checks():
    fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", draws=100)
    assert model_checks(fit).sizes["check"] == 0


def _equal_baselines(indicators: int) -> pdsim.Study:
    """Return eight facilities that all have 10 of 40 at baseline, which chance does not make."""
    rows = [
        (f"Ward {f}", f"item {k}", period, met, 40)
        for f, last in enumerate((34, 33, 31, 28, 24, 20, 16, 14))
        for k in range(indicators)
        for period, met in (("baseline", 10), ("endline", last))
    ]
    names = ("facility", "indicator", "period", "successes", "trials")
    return pdsim.Study.from_long(dict(zip(names, zip(*rows, strict=True), strict=True)))


@pytest.mark.parametrize("indicators", [1, 3])
def test_advice_can_be_followed(indicators: int) -> None:
    fit = pdsim.fit(
        _equal_baselines(indicators), engine="laplace", draws=500, seed=1, hand_over=False
    )
    checks = model_checks(fit, replicates=300)
    said = checks["advice"].to_numpy()[checks["flagged"].to_numpy()].tolist()
    assert any("check how it was recorded" in text for text in said)
    # own spreads are in force, or there is one indicator
    assert not any("indicator_spread" in text for text in said)
