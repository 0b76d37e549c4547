"""The committed calibration of the contrast of themes, and that its script still runs."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


def test_intervals_cover_as_they_say():
    table = pd.read_csv(ROOT / "results" / "interview_calibration" / "cover.csv")
    overall = table[table["theme"] == "all"]
    # 2,000 programmes for each reliability: standard error .005
    assert overall["cover_pdsim"].between(0.93, 0.97).all()
    assert (overall["cover_as_if_certain"] < 0.9).all()
    assert (table["cover_pdsim"] > table["cover_as_if_certain"]).all()


def test_the_script_runs():
    path = ROOT / "experiments" / "interview_calibration" / "run.py"
    spec = importlib.util.spec_from_file_location("interview_calibration", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    covers, widths = module.programme(np.random.default_rng(1), 0.7, module.THEMES[1], 1)
    assert covers.shape == (3,)
    assert (widths > 0).all()
    assert widths[2] == pytest.approx(0.4, abs=0.25)
