"""Chains that follow a surrogate draw the same posterior, whatever the surrogate has learnt."""

from dataclasses import replace

import numpy as np
import pytest

from pdsim.model.data import ModelData
from pdsim.model.laplace import surrogate
from pdsim.model.laplace.chains import effective_number, split_rhat
from pdsim.model.laplace.hmc import GradientChains
from pdsim.model.laplace.hyper import hyper_slices
from pdsim.model.laplace.mode import find_mode
from pdsim.model.laplace.setup import set_up
from pdsim.model.laplace.surrogate import Surrogate, SurrogateChains, Warp
from pdsim.model.laplace.trajectories import evaluate
from pdsim.priors import Priors


def skewed(rng, number):
    """Return points (n, 3) with a density of x that is known, and its slope.

    exp(-e^x + 2 x) for the first, normal with a mean that follows the first for the others.
    """
    first = np.log(rng.gamma(2.0, size=number))
    others = 0.5 * first[:, None] + rng.standard_normal((number, 2))
    x = np.column_stack([first, others])
    rest = others - 0.5 * first[:, None]
    slope = np.column_stack([2.0 - np.exp(first) + 0.5 * rest.sum(axis=1), -rest])
    return x, slope


def test_a_warp_takes_skewness_away_and_back():
    x, _ = skewed(np.random.default_rng(1), 4000)
    warp = Warp(x)
    y = warp.inward(x)
    skewness = ((y - y.mean(axis=0)) ** 3).mean(axis=0) / y.std(axis=0) ** 3
    before = ((x - x.mean(axis=0)) ** 3).mean(axis=0) / x.std(axis=0) ** 3
    assert abs(before[0]) > 0.7
    # the grid of skews is .05 apart, which moves the skewness by about three times as much
    assert np.abs(skewness).max() < 0.1
    back, speed, lean = warp.outward(y)
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
    step = 1e-5
    (up, faster, _), (down, slower, _) = warp.outward(y + step), warp.outward(y - step)
    np.testing.assert_allclose(speed, (up - down) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(lean, np.log(faster / slower) / (2 * step), atol=1e-6)


def test_a_surrogate_learns_the_slope():
    rng = np.random.default_rng(2)
    x, slope = skewed(rng, 600)
    groups = [np.array([0]), np.array([1, 2])]
    center, root = np.array([np.log(2.0), 0.3, 0.3]), np.diag([0.7, 1.0, 1.0])
    learnt = Surrogate(x[:400], slope[:400], center, root, groups)
    u = learnt.inward(x[400:])
    step = 1e-5
    jac = np.empty((200, 3, 3))
    volume = np.empty((200, 3))
    for h in range(3):
        (up, more), (down, less) = (learnt.outward(u + s * np.eye(3)[h]) for s in (step, -step))
        jac[:, :, h], volume[:, h] = (up - down) / (2 * step), (more - less) / (2 * step)
    np.testing.assert_allclose(learnt.outward(u)[0], x[400:], atol=1e-9)
    # the log determinant is that of dx / du but for the constant of the root
    difference = np.linalg.slogdet(jac)[1] - learnt.outward(u)[1]
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)
    truth = np.einsum("nah,na->nh", jac, slope[400:]) + volume
    near = np.abs(u).max(axis=1) < 2.0
    left = np.mean((learnt(u) - truth)[near] ** 2, axis=0)
    assert np.all(left < 0.05 * truth[near].var(axis=0))
    assert left.sum() < 0.5 * np.mean((truth + u)[near] ** 2, axis=0).sum()


def test_groups_are_levels_together_and_each_indicator(make_data):
    data = make_data(facilities=8)
    slices, setup = hyper_slices(data), set_up(data)
    groups = [tuple(g) for g in surrogate._groups(setup.hyper, data.shape[1])]
    stems = ("sd_baseline", "sd_change", "corr")
    outer = tuple(
        sorted(
            slices[f"{stem}_{level}"].start for stem in stems for level in ("facility", "domain")
        )
    )
    cells = [
        tuple(slices[f"{stem}_indicator"].start + k for stem in stems) for k in range(data.shape[1])
    ]
    assert sorted(groups) == sorted([outer, *cells])


@pytest.mark.parametrize("lie", [0.0, 1.0])
def test_chains_draw_the_posterior_whatever_the_surrogate(make_data, monkeypatch, lie):
    """With a surrogate that lies, too: it costs acceptance alone."""
    setup = set_up(make_data(facilities=8, domains=(0, 0, 1, 1)))
    mode = find_mode(setup)
    plain = Surrogate.__call__
    monkeypatch.setattr(
        Surrogate, "__call__", lambda self, u: plain(self, u) * (1.0 - 0.1 * lie) + 0.1 * lie
    )
    found, accepted = [], []
    for follow in (GradientChains, SurrogateChains):
        chains = follow(setup, mode, np.random.default_rng(3))
        chains.extend(1200)
        x = chains.x
        size = effective_number(x)
        assert size.min() > 400
        assert split_rhat(x).max() < 1.03
        flat = x.reshape(-1, x.shape[-1])
        found.append((flat.mean(axis=0), flat.std(axis=0), size))
        accepted.append(chains.tracks[0].acceptance.mean())
    (mean, sd, size), (other, spread, others) = found
    error = sd * np.sqrt(1.0 / size + 1.0 / others)
    assert np.abs((mean - other) / error).max() < 4.5  # the largest of 18: once in 8,000 times
    np.testing.assert_allclose(spread, sd, rtol=0.15)
    assert lie or accepted[1] > 0.5


def many(facilities, cases):
    """Return counts of facilities whose changes as a whole hardly differ, and follow baselines."""
    rng = np.random.default_rng(5)
    domain = np.array([0, 0, 0, 1, 1, 1])
    base, change = rng.normal(0, 0.3, (2, facilities, 2))
    change = 0.04 * change / 0.3 - 0.1 * base
    cells = np.stack([base, base + change], axis=-1)[:, domain]
    cells = cells + rng.normal(0, 0.3, cells.shape)
    return ModelData(
        kind="counts",
        observed=rng.binomial(cases, 1 / (1 + np.exp(-cells))).astype(float),
        size=np.full(cells.shape, float(cases)),
        domain=domain,
        case_group=np.full(6, -1),
        case_correlation=0.0,
        weight=np.full(6, 1 / 6),
        center=np.zeros(6),
        scale=np.ones(6),
        priors=Priors(),
    )


def test_the_mode_is_found_however_high_the_density():
    """Ended at a share of its height, 3e8, the search is 8.6 standard deviations away."""
    setup = set_up(many(400, 100_000))
    mode = find_mode(setup)
    found = evaluate(setup, mode.center[None], mode.eta, mode.shock, 1e-6)
    assert np.linalg.norm(mode.root.T @ found.slope[0]) < 1.0


@pytest.mark.slow
def test_many_facilities_mix():
    setup = set_up(many(1000, 10))
    chains = SurrogateChains(setup, find_mode(setup), np.random.default_rng(1))
    chains.extend(48)
    assert effective_number(chains.x).min() > 100
    assert split_rhat(chains.x).max() < 1.1


def test_threads_find_what_one_finds():
    setup = set_up(many(300, 20))
    mode = find_mode(setup)
    chains = SurrogateChains(setup, mode, np.random.default_rng(1))
    x = mode.center + 0.01 * np.arange(21)[:, None]
    here = chains.evaluate(x)
    alone = evaluate(setup, x, mode.eta, mode.shock, chains.tolerance)
    for one, other in zip(here[:3], alone[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(here.latent, alone.latent, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("facilities", "cases"), [(40, 20), (150, 150), (200, 20)])
def test_the_density_is_known_where_chains_follow_gradients(facilities, cases):
    """Searches go on from the last point: ended at .1 logit they left .16 and .31."""
    data = replace(many(facilities, cases), priors=Priors(indicator_spread="shared"))
    setup = set_up(data)
    mode = find_mode(setup)
    chains = GradientChains(setup, mode, np.random.default_rng(1))
    chains.extend(40)
    exact = evaluate(setup, chains.x.reshape(-1, mode.center.size), mode.eta, mode.shock, 1e-8)
    error = chains.tracks[0].value.reshape(-1) - exact.plain - exact.correction
    assert error.std() < 0.1
