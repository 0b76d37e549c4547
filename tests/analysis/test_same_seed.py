"""Same seed, same machine: NUTS gives the same files on a cold and on a warm compile cache."""

import os
import subprocess
import sys

import pytest

ANALYSE = """
import sys, pdsim
study = pdsim.load_example("surgical")
pdsim.analyse(study, out=sys.argv[1], engine="nuts", seed=5)
"""


@pytest.mark.slow
def test_cold_and_warm_cache_give_the_same_files(tmp_path):
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
        "PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'pytensor'}",
    }
    for name in ("cold", "warm"):
        subprocess.run(
            [sys.executable, "-c", ANALYSE, str(tmp_path / name)], env=environment, check=True
        )
        if name == "cold":
            assert any((tmp_path / "numba").rglob("*.nbi")), "there is a cache to be warm"
    tables = sorted(path.relative_to(tmp_path / "cold") for path in tmp_path.glob("cold/**/*.csv"))
    assert len(tables) >= 2
    for table in tables:
        assert (tmp_path / "cold" / table).read_bytes() == (tmp_path / "warm" / table).read_bytes()
