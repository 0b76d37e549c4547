from dataclasses import replace

import numpy as np
import pytest

import pdsim
from pdsim.errors import InputError
from pdsim.model.data import model_data
from pdsim.model.laplace import fit_many


@pytest.fixture
def three(make_data):
    sets = [make_data(seed=s) for s in (1, 2, 3)]
    return sets[0], np.stack([d.observed for d in sets]), np.stack([d.size for d in sets])


def test_a_fit_depends_on_its_data_and_seed_alone(three):
    template, observed, size = three
    seeds = np.array([11, 12, 13])
    options = {"draws": 100, "keep_draws": True}
    whole = fit_many(template, observed, size=size, seeds=seeds, **options)
    order = [2, 0]
    part = fit_many(template, observed[order], size=size[order], seeds=seeds[order], **options)
    for name in whole.data_vars:
        np.testing.assert_array_equal(whole[name].isel(replicate=order), part[name])
    again = fit_many(template, observed[:1], size=size[:1], seeds=[99], **options)
    assert not np.array_equal(again["draws"][0], whole["draws"][0])


def test_summaries_are_those_of_the_draws(three):
    template, observed, size = three
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]])
    found = fit_many(
        template, observed, size=size, seeds=[1, 2, 3], weights=weights, draws=150,
        covariance=True, keep_draws=True, quantiles=(0.1, 0.5),
    )  # fmt: skip
    draws = found["draws"]
    assert draws.dims == ("replicate", "weighting", "draw", "facility")
    np.testing.assert_allclose(found["mean"], draws.mean("draw"))
    np.testing.assert_allclose(found["sd"], draws.std("draw", ddof=1))
    np.testing.assert_allclose(
        found["quantile_value"].sel(quantile=0.1), draws.quantile(0.1, "draw").drop_vars("quantile")
    )
    one = found["covariance"].isel(replicate=1, weighting=1).to_numpy()
    np.testing.assert_allclose(one, np.cov(draws.isel(replicate=1, weighting=1).to_numpy().T))
    assert found.attrs["estimand"] == "change"


def test_estimands_hang_together(three):
    template, observed, size = three
    of = {
        name: fit_many(
            template,
            observed,
            size=size,
            seeds=[1, 2, 3],
            estimand=name,
            draws=60,
            keep_draws=True,
        )["draws"]
        for name in ("change", "endline", "change_net", "change_logit", "gap_closed", "ratio")
    }
    last = of["endline"] / 100
    first = last - of["change"] / 100
    np.testing.assert_allclose(of["ratio"], last / first)
    np.testing.assert_allclose(of["gap_closed"], (last - first) / (1 - first))
    logit = np.log(last / (1 - last)) - np.log(first / (1 - first))
    np.testing.assert_allclose(of["change_logit"], logit)
    assert (of["change_net"] < of["endline"]).all()


def test_one_size_for_all(three):
    template, observed, _ = three
    observed = np.minimum(observed, template.size)
    once = fit_many(template, observed, size=template.size, seeds=[1, 2, 3], draws=40)
    each = fit_many(
        template, observed, size=np.stack([template.size] * 3), seeds=[1, 2, 3], draws=40
    )
    np.testing.assert_array_equal(once["mean"], each["mean"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": [1, 2]}, "seeds must be 3 whole numbers"),
        ({"seeds": [0.5, 1.0, 2.0]}, "seeds must be 3 whole numbers"),
        ({"weights": np.ones((1, 3))}, "weights must be"),
        ({"size": np.ones((4, 4))}, "size must be"),
        ({"size": np.ones((4, 4, 2))}, "successes must lie between 0 and trials"),
        ({"estimand": "level"}, "estimand must be one of change"),
    ],
)
def test_input_that_does_not_fit(three, change, message):
    template, observed, size = three
    with pytest.raises(InputError, match=message):
        fit_many(template, observed, **({"seeds": [1, 2, 3], "size": size} | change))


def test_data_of_another_shape(three):
    template, observed, _ = three
    with pytest.raises(InputError, match="observed must be"):
        fit_many(template, observed[:, :2], seeds=[1, 2, 3])


def test_no_data_set(three):
    template, observed, _ = three
    with pytest.raises(InputError, match="no data set to fit"):
        fit_many(template, observed[:0], seeds=np.empty(0, dtype=int))


@pytest.fixture(scope="module")
def surgical():
    return pdsim.load_example("surgical")


def test_studies_give_what_their_stacked_counts_give(surgical):
    template = model_data(surgical)
    stacked = np.stack([template.observed] * 2)
    options = {"seeds": [3, 4], "estimand": "level", "draws": 80, "covariance": True}
    of_studies = fit_many([surgical, surgical], **options)
    of_counts = fit_many(template, stacked, **options)
    assert (
        of_studies["facility"].to_numpy().tolist() == surgical.data["facility"].to_numpy().tolist()
    )
    for name in of_counts.data_vars:
        np.testing.assert_array_equal(of_studies[name], of_counts[name])


def test_studies_of_unlike_design_are_refused(surgical):
    priors = pdsim.Priors().scaled(2.0)
    other = replace(surgical, options=replace(surgical.options, priors=priors))
    with pytest.raises(InputError, match="study 2 differs from the first in priors"):
        fit_many([surgical, other], seeds=[1, 2], estimand="level")
    with pytest.raises(InputError, match="no study"):
        fit_many([], seeds=[])
    with pytest.raises(InputError, match="belong to a template"):
        fit_many([surgical], np.zeros((1, 12, 1, 1)), seeds=[1])
    with pytest.raises(InputError, match="needs observed"):
        fit_many(model_data(surgical), seeds=[1])
