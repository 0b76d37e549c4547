"""Fixtures and settings shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a failing example must fail again on the next run, and no example is late on a slow machine
settings.register_profile("pdsim", deadline=None, derandomize=True)
settings.load_profile("pdsim")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the CMS and PISA tables; they are not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PDSIM_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}: set PDSIM_DATA to the folder with cms_ten.csv")
    return folder
