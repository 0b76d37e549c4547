"""R2: the random-effects model of the Surgical example, exact by quadrature, from `pdsim.fit`.

BUGS 0.5 Examples Volume 1 (1996), Surgical: institutional ranking.
"""

import numpy as np
import pytest

import pdsim

# E[rank], P(best), P(lowest 3 mortality), P(highest 3), published 2.5 / 50 / 97.5 % ranks
EXACT = {
    "A": (3.3403, 0.3617, 0.6349, 0.0292, (1, 2, 10)),
    "B": (10.0390, 0.0008, 0.0067, 0.7208, (6, 10, 12)),
    "C": (6.0515, 0.0477, 0.2162, 0.1010, (1, 6, 11)),
    "D": (3.9465, 0.0820, 0.4441, 0.0018, (1, 4, 8)),
    "E": (2.8081, 0.3194, 0.7213, 0.0051, (1, 2, 8)),
    "H": (11.4121, 0.0001, 0.0005, 0.9535, (9, 12, 12)),
    "K": (10.1361, 0.0003, 0.0025, 0.7519, (6, 10, 12)),
}
# mean and sd of the mortality p
MORTALITY = {
    "A": (0.05323, 0.01964),
    "B": (0.10316, 0.02195),
    "C": (0.07075, 0.01751),
    "D": (0.05930, 0.00794),
    "E": (0.05178, 0.01328),
    "H": (0.12315, 0.02245),
    "K": (0.10214, 0.01756),
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["nuts", "laplace"])
def test_random_effects_table(engine):
    # the tolerances hold for 10,000 effective draws or more; the engine's own is tighter
    probability_off, rank_off = (0.02, 0.1) if engine == "nuts" else (0.005, 0.05)
    draws = 8000 if engine == "nuts" else 25_000
    fit = pdsim.fit(pdsim.load_example("surgical"), engine=engine, seed=1, draws=draws)
    score = pdsim.composite(fit)
    rank = pdsim.expected_rank(score)
    assert rank.attrs["ess"] > 10_000
    best = pdsim.rank_probability(score)["rank_probability"].sel(rank=1)
    lowest = pdsim.top_probability(score, m=3)["top_probability"]
    highest = pdsim.top_probability(score, m=3, side="bottom")["top_probability"]
    limits = pdsim.rank_interval(score)["rank_interval"]
    for name, (mean, first, low, high, (lower, _, upper)) in EXACT.items():
        here = {"facility": name}
        assert float(rank["expected_rank"].sel(here)) == pytest.approx(mean, abs=rank_off)
        assert float(best.sel(here)) == pytest.approx(first, abs=probability_off)
        assert float(lowest.sel(here)) == pytest.approx(low, abs=probability_off)
        assert float(highest.sel(here)) == pytest.approx(high, abs=probability_off)
        # a quantile of a discrete rank may sit on the edge of two ranks
        assert np.all(np.abs(limits.sel(here).to_numpy() - (lower, upper)) <= 1)
    sets = pdsim.set_probability(score, m=3, side="bottom")
    members = sets["member"].sel(facility=["B", "H", "K"]).all("facility")
    probability = float(sets["set_probability"].where(members, drop=True)[0])
    assert probability == pytest.approx(0.4783, abs=probability_off)
    p = 1 - pdsim.levels(fit).isel(indicator=0, period=0)
    for name, (mean, sd) in MORTALITY.items():
        one = p.sel(facility=name)
        assert float(one.mean()) == pytest.approx(mean, abs=4 * sd / 100)
        assert float(one.std()) == pytest.approx(sd, rel=0.05)
    above = (score.sel(facility="K") > score.sel(facility="H")).mean()
    assert float(above) == pytest.approx(0.7938, abs=probability_off)
    sigma = fit["posterior"]["sd_baseline_facility"].mean()
    assert float(sigma) == pytest.approx(0.4035, abs=0.02)
