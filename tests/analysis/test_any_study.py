"""Whatever `check` accepts, `analyse` completes."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import pdsim
from pdsim.errors import InputError
from pdsim.study import SamplerSettings, StudyOptions, read_study

STUDIES = int(os.environ.get("PDSIM_STUDIES", "3"))
"""Random studies; more by the environment, and `--hypothesis-show-statistics` counts their ends."""

NAMES = ["none", "nan", "NA", "null", "TRUE", "F", "1e5", "=1", "<b>x</b>", "é", "[red]", "{0}"]
BLANKS = ["", "NA", "n/a", "-", "*", "<5"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, float], str]:
    """Draw a long table of counts, or a table of scores, with holes and odd names."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    facilities, indicators = draw(st.integers(2, 9)), draw(st.integers(1, 5))
    periods = draw(st.sampled_from([("baseline", "endline"), ("endline",)]))
    odd = draw(st.booleans())
    names = NAMES if odd else [f"Unit {k}" for k in range(12)]
    kinds = NAMES[::-1] if odd else [f"item {k}" for k in range(12)]
    index = pd.MultiIndex.from_product(
        [names[:facilities], kinds[:indicators], periods],
        names=["facility", "indicator", "period"],
    )
    trials = rng.integers(1, draw(st.sampled_from([2, 6, 60])), len(index), endpoint=True)
    rate = draw(st.sampled_from([0.0, 0.03, 0.5, 1.0]))
    if draw(st.integers(0, 4)) == 0:
        values = {
            "mean": rng.normal(0, 5, len(index)).round(3),
            "se": rng.uniform(0.1, 3, len(index)),
        }
    else:
        values = {"successes": rng.binomial(trials, rate), "trials": trials}
    table = pd.DataFrame(values, index=index).reset_index().astype(object)
    hole = rng.random(len(table)) < draw(st.sampled_from([0.0, 0.3, 0.8]))
    first = next(iter(values))
    word = draw(st.sampled_from(BLANKS))
    if word == "" or "mean" in values:
        table = table[~hole]
    else:
        table.loc[hole, first] = word
        table.loc[hole, "trials"] = "40" if word in ("*", "<5") else word
    weights = rng.integers(0, 3, indicators).astype(float)
    return table, dict(zip(kinds, weights, strict=False)), word


@pytest.mark.slow
# few cells and odd ones may fail a gate, which labels the numbers; a library of the engine raises
# the limit of recursion
@pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning")
@pytest.mark.filterwarnings("ignore:The recursion limit")
@settings(max_examples=STUDIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.booleans())
def test_what_check_accepts_analyse_completes(
    drawn: tuple[pd.DataFrame, dict[str, float], str], weighted: bool
) -> None:
    table, weights, _ = drawn
    with TemporaryDirectory() as name:
        folder = Path(name)
        table.to_csv(folder / "t.csv", index=False)
        options = StudyOptions(
            weights=weights if weighted else None,
            # few draws of NUTS where it takes over: only the tables count
            sampler=SamplerSettings(engine="laplace", draws=400, tune=100, chains=2),
        )
        try:
            study = read_study(folder / "t.csv", options=options)
        except InputError:
            event("refused")
            return
        result = pdsim.analyse(study, out=folder / "out")
        assert result.fit is not None
        event("handed over" if result.fit.attrs["engine"] == "nuts" else "fast engine")
        selection = pd.read_csv(folder / "out" / "selection.csv", keep_default_na=False)
        assert selection["facility"].astype(str).tolist() != []
        assert len(selection) == study.data.sizes["facility"]
        for side in ("top", "bottom"):
            shares = pd.to_numeric(selection[f"p_{side}"])
            assert shares.sum() == pytest.approx(study.m, abs=1e-6)
        assert (folder / "out" / "report.html").stat().st_size > 0
