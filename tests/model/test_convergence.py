import json

import numpy as np
import pytest
import xarray as xr

from pdsim.model.convergence import (
    Gate,
    describe,
    gates_to_json,
    laplace_gates,
    nuts_gates,
)

GOOD = {
    "rhat": 1.04,
    "hyper_ess": 150.0,
    "pareto_k": 0.5,
    "share": 0.8,
    "ess": 600.0,
    "draws": 1000,
}


def test_fast_engine_passes():
    assert describe(laplace_gates(**GOOD)) == "passed"
    assert len(laplace_gates(**GOOD | {"ess": None})) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pareto_k": 0.71}, "Pareto k 0.71, limit 0.7"),
        ({"pareto_k": float("nan")}, "Pareto k nan, limit 0.7"),
        ({"share": 0.25}, "effective share of draws 0.25, limit 0.25"),
        ({"hyper_ess": 99.0}, "ESS of the hyperparameters 99, limit 100"),
        ({"rhat": 1.2}, "R-hat 1.2, limit 1.1"),
        ({"ess": 249.0}, "ESS of the composite 249, limit 250"),
        ({"ess": 499.0, "draws": 8000}, "ESS of the composite 499, limit 500"),
    ],
)
def test_fast_engine_fails_by_name(change, words):
    gates = laplace_gates(**GOOD | change)
    assert describe(gates) == f"FAILED: {words}"


def _chains(seed, *, shift=0.0, diverging=0):
    rng = np.random.default_rng(seed)
    dims = ("chain", "draw")
    posterior = xr.Dataset(
        {"sd_change_facility": (dims, rng.normal(size=(4, 500)) + shift * np.eye(4, 1))}
    )
    cited = xr.Dataset({"change": ((*dims, "facility"), rng.normal(size=(4, 500, 3)))})
    flags = np.zeros((4, 500), bool)
    flags[0, :diverging] = True
    return posterior, cited, xr.Dataset({"diverging": (dims, flags)})


def test_nuts_passes_and_comes_back_from_text():
    gates = nuts_gates(*_chains(1))
    assert describe(gates) == "passed"
    assert tuple(Gate(**entry) for entry in json.loads(gates_to_json(gates))) == gates


def test_nuts_fails_by_name():
    words = describe(nuts_gates(*_chains(1, shift=1.0)))
    assert words.startswith("FAILED: R-hat")
    assert "sd_change_facility" in words
    assert describe(nuts_gates(*_chains(1, diverging=2))) == "FAILED: divergences 2, limit 0"
