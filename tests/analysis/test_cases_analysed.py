"""Tables as people have them, from the file to the answer: what an analysis of each must say."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdsim
from pdsim.analysis import Analysis
from pdsim.analysis.handout import write_table
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.sections import build_document
from pdsim.reports.study.view import read_results
from pdsim.scoring import normalise, observed_levels
from pdsim.study import SamplerSettings, Study, StudyOptions, read_study

CASES = Path(__file__).parents[1] / "cases"

# few cells may fail a gate, which labels the numbers; a library of the engine raises the limit of
# recursion
pytestmark = [
    pytest.mark.filterwarnings("ignore::pdsim.errors.PdsimWarning"),
    pytest.mark.filterwarnings("ignore:The recursion limit"),
]


def analysed(path: Path, **options: object) -> tuple[Study, Analysis]:
    sampler = SamplerSettings(engine="laplace")
    study = read_study(path, options=StudyOptions(sampler=sampler, **options))
    return study, pdsim.analyse(study)


def improvement(result: Analysis) -> xr.Dataset:
    table = result.results["improvement"].to_dataset()
    return table.isel(estimand=0) if "estimand" in table.dims else table


def named(result: Analysis) -> dict[str, set[str]]:
    ranking = result.results["ranking"].to_dataset()
    names = ranking["facility"].to_numpy()
    return {
        side: set(names[ranking[f"selected_{side}"].to_numpy().astype(bool)].tolist())
        for side in ("top", "bottom")
    }


@pytest.mark.slow
@pytest.mark.parametrize(("file", "lost"), [("drop.csv", "D"), ("new.csv", "E"), ("ind.csv", "")])
def test_a_unit_that_is_seen_in_one_round_is_ranked_with_a_wider_interval(
    file: str, lost: str
) -> None:
    study, result = analysed(CASES / "lost_unit" / file)
    table = improvement(result)
    assert set(table["facility"].to_numpy()) == set(study.data["facility"].to_numpy())
    low, high = (table["interval"].isel(ci_bound=k) for k in (0, 1))
    width = high - low
    assert bool(np.isfinite(width).all())
    if lost:
        assert np.isnan(float(table["observed"].sel(facility=lost)))
        assert float(width.sel(facility=lost)) > float(width.drop_sel(facility=lost).max())


@pytest.mark.slow
def test_a_domain_without_weight_is_left_out_with_a_note() -> None:
    study, result = analysed(CASES / "zero_weight_domain" / "study.toml")
    assert "weigh 0: 'B'" in " ".join(study.assumptions)
    assert "domains" not in result.results.children
    assert set(improvement(result)["facility"].to_numpy()) == set(study.data["facility"].to_numpy())


@pytest.mark.slow
def test_equal_data_share_equally_whatever_the_seed() -> None:
    study, result = analysed(
        CASES / "equal_data" / "counts.csv", indicators=str(CASES / "equal_data" / "ind.csv")
    )
    cells = study.data["successes"].to_numpy().reshape(study.data.sizes["facility"], -1)
    ranking = result.results["ranking"].to_dataset()
    sides = named(result)
    for row in np.unique(cells, axis=0):
        same = np.flatnonzero((cells == row).all(axis=1))
        for side in ("top", "bottom"):
            p = ranking[f"p_{side}"].to_numpy()[same]
            np.testing.assert_allclose(p, p[0], rtol=1e-12)
            names = study.data["facility"].to_numpy()[same]
            assert len({str(name) in sides[side] for name in names}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("case", ["same_side_twice", "order_words"])
def test_what_does_not_differ_is_not_told_apart(case: str) -> None:
    _, result = analysed(CASES / case / "study.toml")
    sides = named(result)
    assert not sides["top"] & sides["bottom"]
    assert sides == {"top": set(), "bottom": set()}
    said = words_of(build_document(read_results(result.results)).title)
    assert "cannot be told apart" in said
    assert "has the larger mean, but" not in result.summary()


@pytest.mark.slow
def test_no_word_on_equal_weights_where_one_indicator_has_nearly_all() -> None:
    _, result = analysed(CASES / "false_equal_weights" / "study.toml")
    document = build_document(read_results(result.results))
    text = " ".join(
        words_of(item)
        for section in document.sections
        for block in section.blocks
        for item in getattr(block, "items", ())
    )
    assert "Equal weights" not in text


@pytest.mark.slow
def test_names_with_accents_come_back_from_a_spreadsheet_of_any_locale(tmp_path: Path) -> None:
    study = read_study(CASES / "spreadsheet_csv" / "klinik.csv")
    pdsim.analyse(study, out=tmp_path / "results")
    out = tmp_path / "selection.csv"
    write_table(tmp_path / "results", "selection", out, spreadsheet=True, decimal=",")
    content = out.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    text = content.decode("utf-8-sig")
    for name in study.data["facility"].to_numpy().tolist():
        assert str(name) in text
    assert ";" in text.splitlines()[0]


def test_min_max_where_lower_is_better() -> None:
    # by hand: the goalposts are the smallest and the largest of the six
    study = read_study(
        CASES / "minmax_lower" / "scores.csv",
        options=StudyOptions(
            periods=("2015", "2022"),
            indicators=str(CASES / "minmax_lower" / "ind.csv"),
        ),
    )
    scaled = 100 * normalise(observed_levels(study), "min_max")
    found = scaled.transpose("facility", "indicator", "period").to_numpy().ravel()
    expected = [91.278, 100.0, 0.0, 5.354, 27.236, 52.455]
    np.testing.assert_allclose(found, expected, atol=5e-4)
