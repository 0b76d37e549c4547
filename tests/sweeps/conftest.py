"""The fake simulation of the storage tests, importable here and in every worker."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pdsim.sweeps as sweeps

FAKE = "fake_simulation"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File with one line `key replicate pid` for every replicate that was run."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [folder, before])))
    path = tmp_path / "executed.log"
    path.touch()
    monkeypatch.setenv("PDSIM_FAKE_LOG", str(path))
    return path


@pytest.fixture
def run(log: Path, tmp_path: Path) -> Callable[..., Any]:
    """Sweep the fake simulation, serially and into `tmp_path/store` unless told otherwise."""

    def sweep(config: dict[str, Any], **options: Any) -> Any:
        options = {"store": tmp_path / "store", "executor": "serial", **options}
        return sweeps.sweep(config, simulation=FAKE, **options)

    return sweep
