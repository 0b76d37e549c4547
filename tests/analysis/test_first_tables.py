"""The first analysis on a machine: another process compiles what the tables run."""

import subprocess
import sys

import pytest
from numba.core.dispatcher import Dispatcher

import pdsim
from pdsim.analysis import gather
from pdsim.analysis.first_tables import compile_tables, compile_tables_aside


def machine_code() -> dict[str, int]:
    """Return how many versions there are of each compiled function."""
    return {
        f"{made.py_func.__module__}.{made.py_func.__name__}": len(made.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("pdsim")
        for made in vars(module).values()
        if isinstance(made, Dispatcher)
    }


def test_an_analysis_runs_what_was_compiled_aside() -> None:
    compile_tables()
    study = pdsim.load_example("lake_zone", trials=20, case_correlation=0.1)
    fit = pdsim.fit(study, engine="laplace", seed=1)
    before = machine_code()
    gather(fit, study)
    assert machine_code() == before


def test_a_second_process_compiles_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("pdsim.analysis.first_tables.on_disk", lambda function: False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", lambda call, **_: asked.append(call))
    compile_tables_aside.cache_clear()
    try:
        compile_tables_aside()
    finally:
        compile_tables_aside.cache_clear()
    # what it is told to run is there, and runs
    monkeypatch.undo()
    assert subprocess.run(asked[0], check=False).returncode == 0


def test_what_comes_after_a_fit_is_not_imported_before_it() -> None:
    code = (
        "import sys, pdsim.analysis.run; print(*{'matplotlib', 'h5py', 'jinja2'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
