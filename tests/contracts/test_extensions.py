"""What a user registers works like what is built in: studies, reports, sweeps, plans."""

import sys

import numpy as np
import pytest

import pdsim
from pdsim.analysis.all_tables import gather
from pdsim.errors import InputError
from pdsim.reports.study.explorer import explorer_payload, explorer_table
from pdsim.reports.study.view import Results
from pdsim.scoring import normalise, score
from pdsim.simulation import Scenario
from pdsim.sweeps import replay
from pdsim.terms.estimands import ESTIMANDS
from pdsim.terms.measures import MEASURES
from pdsim.terms.process import PROCESSES
from pdsim.terms.rules import RULES
from pdsim.terms.scales import SCALES
from pdsim.weights.choices import multiverse

MODULE = """
import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

def normal_scores(values, pool):
    return ndtri((rankdata(values, axis=-1) - 0.5) / values.shape[-1])

def log_ratio(first, last):
    return np.log(last / first)

def lower_90(found, m):
    return np.quantile(found.draws, 0.1, axis=1)

def all_above_median(judged):
    median = np.median(judged.truth, axis=1, keepdims=True)
    return 1.0 * (judged.top * (judged.truth <= median) == 0).all(axis=1)

def beta_binomial(scenario, level, trials, rng):
    size = scenario.process_values[0]
    return rng.binomial(trials, rng.beta(size * level, size * (1 - level)))
"""
SCENARIO = {
    "facilities": 8,
    "trials": 20,
    "process": "beta_binomial",
    "process_values": [10.0],
    "estimand": "log_ratio",
    "rule": "lower_90",
    "draws": 100,
    "m": 2,
}
SWEEP = {
    "replicates": 4,
    "seed": 1,
    "scenario": SCENARIO,
    "factors": {"process_values": {"loose": [3.0], "tight": [1000.0]}},
}


OWN = (
    (ESTIMANDS, "log_ratio"),
    (SCALES, "normal_scores"),
    (PROCESSES, "beta_binomial"),
    (RULES, "lower_90"),
    (MEASURES, "all_above_median"),
)


@pytest.fixture
def own(tmp_path_factory, monkeypatch):
    """Import and register the module of a user."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_terms.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    module = __import__("own_terms")
    pdsim.register_estimand(
        "log_ratio", module.log_ratio, noun="log ratio of endline to baseline", units="log ratio"
    )
    pdsim.register_process("beta_binomial", module.beta_binomial)
    pdsim.register_scale("normal_scores", module.normal_scores, label="normal scores")
    pdsim.register_rule("lower_90", module.lower_90, label="lower 90 % bound")
    pdsim.register_measure(
        "all_above_median",
        module.all_above_median,
        words="chance that every named facility is above the median",
        scale="probability",
    )
    yield module
    for terms, name in OWN:
        terms.unregister(name)
    sys.modules.pop("own_terms", None)


@pytest.fixture(scope="module")
def study():
    return pdsim.simulate(Scenario(facilities=8, indicators=2, trials=40), seed=2)[1]


@pytest.fixture(scope="module")
def fit(study):
    return pdsim.fit(study, engine="laplace", seed=1, draws=50)


def test_an_estimand_is_analysed_and_reported(own, study, fit, tmp_path):
    found = pdsim.composite(fit, estimand="log_ratio")
    np.testing.assert_allclose(found, np.log(pdsim.composite(fit, estimand="ratio")), rtol=1e-9)
    assert found.attrs["units"] == "log ratio"
    pdsim.analyse(study, out=tmp_path / "out", engine="laplace", seed=1, formats=("md",))
    files = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".md", ".csv")]
    texts = [path.read_text() for path in files]
    assert any("Log ratio of endline to baseline" in text for text in texts)


def test_a_scale_is_used_in_scores_and_offered_by_the_explorer(own, study, fit):
    level = pdsim.levels(fit)
    scaled = normalise(level, "normal_scores")
    cells = scaled.stack(cell=("facility", "period"))
    # the same numbers in every indicator and draw, in the order of the levels
    np.testing.assert_allclose(np.sort(cells, axis=-1).std(axis=(0, 1, 2)), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled.mean(("facility", "period")), 0.0, atol=1e-12)
    weights = level["weight"].reset_coords(drop=True)
    by_hand = (scaled * weights).sum("indicator")
    found = score(level, weights, normalisation="normal_scores")
    np.testing.assert_allclose(
        found, by_hand.isel(period=1) - by_hand.isel(period=0), rtol=1e-9, atol=1e-9
    )
    with pytest.raises(InputError, match="not defined with normalisation 'normal_scores'"):
        score(level, weights, normalisation="normal_scores", estimand="ratio")
    table = multiverse(level, weights, m=2, left_out=0)
    assert "normal_scores" in table["normalisation"].values
    results = Results(gather(fit, study))
    payload = explorer_payload(results)
    assert payload["normalisations"]["normal_scores"] == "normal scores"
    shown = explorer_table(payload, [w["weight"] for w in payload["indicators"]], "normal_scores")
    assert shown["p_top"].sum() == pytest.approx(payload["m"])


def test_the_data_are_those_of_the_process(own):
    counts = {}
    for size in (3.0, 1000.0):
        scenario = Scenario(**{**SCENARIO, "facilities": 200, "process_values": (size,)})
        truth, study = pdsim.simulate(scenario, seed=3)
        share = study.data.successes / study.data.trials
        counts[size] = float(
            (((share - truth.level) ** 2) / (truth.level * (1 - truth.level) / 20)).mean()
        )
    # the variance is 1 + 19 / (size + 1) times that of a binomial; 400 cells
    assert counts[3.0] == pytest.approx(1 + 19 / 4, rel=0.3)
    assert counts[1000.0] == pytest.approx(1.0, rel=0.3)
    again = pdsim.simulate(scenario, seed=3)[1]
    assert again.data.equals(study.data)


def test_a_sweep_is_the_same_by_every_executor_and_its_store_says_what_it_needs(own, tmp_path):
    from distributed import Client, LocalCluster

    one = pdsim.sweep(SWEEP, store=tmp_path / "serial", executor="serial")
    two = pdsim.sweep(SWEEP, store=tmp_path / "processes", executor="processes", workers=1)
    assert one.equals(two)
    share = one["all_above_median"].values
    assert ((share >= 0) & (share <= 1)).all()
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        three = pdsim.sweep(SWEEP, store=tmp_path / "dask", executor=client)
    assert one.equals(three)
    key = str(one.key.values[0])
    assert replay(tmp_path / "serial", key, 1).measures.notnull().any()
    for terms, name in OWN:
        if terms is not MEASURES:
            terms.unregister(name)
    # found again by where its functions are
    assert replay(tmp_path / "serial", key, 1).measures.notnull().any()
    for terms, name in OWN:
        if terms is not MEASURES:
            terms.unregister(name)
    folder = sys.path.pop(0)
    sys.modules.pop("own_terms")
    with pytest.raises(InputError, match="needs the estimand 'log_ratio' that a user registered"):
        replay(tmp_path / "serial", key, 1)
    sys.path.insert(0, folder)
    MEASURES.unregister("all_above_median")
    # its measures too, before any of them is read
    assert pdsim.open_sweep(tmp_path / "serial").equals(one)
    MEASURES.unregister("all_above_median")
    sys.path.pop(0)
    sys.modules.pop("own_terms")
    needed = (
        "needs the performance measure 'all_above_median' that a user registered, and its module"
    )
    with pytest.raises(InputError, match=needed):
        pdsim.open_sweep(tmp_path / "serial")
    sys.path.insert(0, folder)


def test_two_processes_never_share_data(own):
    first = Scenario(**{**SCENARIO, "process_values": (3.0,)})
    keys = {first.data_key}
    pdsim.register_process("beta_binomial", lambda scenario, level, trials, rng: 0 * trials)
    keys.add(Scenario(**{**SCENARIO, "process_values": (3.0,)}).data_key)
    keys.add(Scenario(**{**SCENARIO, "process_values": (4.0,)}).data_key)
    keys.add(Scenario(facilities=8, trials=20, m=2).data_key)
    assert len(keys) == 4


def test_what_a_key_needs_may_not_be_left_out(own, tmp_path):
    with pytest.raises(InputError, match="there is no process 'beta_binomal'"):
        Scenario(process="beta_binomal")
    with pytest.raises(InputError, match="process_values belong to a process of your own"):
        Scenario(process_values=(1.0,))
    with pytest.raises(InputError, match="knows of no case_correlation"):
        Scenario(**{**SCENARIO, "case_correlation": 0.2})
    hidden = object()
    with pytest.raises(InputError, match="cannot be part of a key"):
        pdsim.register_process("hidden", lambda scenario, level, trials, rng: hidden)
    pdsim.register_process("beta_binomial", lambda scenario, level, trials, rng: 0 * trials)
    with pytest.raises(InputError, match="no other process can import"):
        pdsim.sweep(SWEEP, store=tmp_path / "store", executor="processes")
    assert not (tmp_path / "store").exists()


def test_counts_that_cannot_be_are_refused(own):
    pdsim.register_process("beta_binomial", lambda scenario, level, trials, rng: trials + 1)
    with pytest.raises(InputError, match="must return counts between 0 and the cases"):
        pdsim.simulate(Scenario(**{**SCENARIO, "process_values": (1.0,)}))


def test_a_rule_is_compared_in_a_report_and_chooses_in_it(own, study, fit, tmp_path):
    score = pdsim.composite(fit)
    found = pdsim.select(score, m=2, rule="lower_90")
    bound = score.quantile(0.1, ("chain", "draw")).values
    assert set(np.flatnonzero(found.selected)) == set(np.argsort(-bound)[:2])
    pdsim.analyse(study, out=tmp_path / "out", engine="laplace", seed=1, formats=("md",))
    files = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".md", ".csv")]
    assert any("lower 90 % bound" in path.read_text() for path in files)


@pytest.mark.parametrize("rule", ["observed_change", "lower_90"])
def test_a_plan_knows_them(own, rule):
    scenario = {**SCENARIO, "rule": rule, "process_values": (1000.0,)}
    plan = pdsim.plan(
        Scenario(**scenario),
        target="all_above_median >= 0.5",
        over="trials",
        low=5,
        high=200,
        sensitivity=False,
        precision=0.5,
        most=1000,
        seed=1,
    )
    assert plan["answer"].attrs["status"]
