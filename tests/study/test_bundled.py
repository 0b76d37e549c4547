"""The bundled examples."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.study import EXAMPLES, example_files, load_example, read_study

PUBLISHED = {
    "baseline": [19, 18, 9, 13, 10, 11, 5, 8, 14, 15],
    "endline": [95, 92, 74, 73, 59, 55, 41, 39, 44, 34],
}


def test_lake_zone_asks_for_what_was_not_published() -> None:
    with pytest.raises(InputError) as caught:
        load_example("lake_zone")
    message = str(caught.value)
    assert "state the number that you assume, such as trials=20" in message
    assert "state the one that you assume, such as case_correlation=0.1" in message
    with pytest.raises(InputError, match="such as case_correlation"):
        load_example("lake_zone", trials=20)
    assert load_example("lake_zone", trials=20, case_correlation=0.0).case_correlation == 0.0


def test_lake_zone_says_what_was_assumed() -> None:
    study = load_example("lake_zone", trials=20, case_correlation=0.3)
    text = " ".join(study.assumptions)
    for fragment in (
        "doi:10.1136/bmjqs-2020-011795",
        "an assumed 20 cases behind each, each scored on 14 items",
        "A within-case correlation of 0.3 is assumed",
        "1 + (14 - 1) r = 4.9",
    ):
        assert fragment in text
    assert load_example("lake_zone", trials=5, items=1, case_correlation=0.0).options.items == 1


def test_surgical_ranks_levels_of_deaths_with_its_own_priors() -> None:
    study = load_example("surgical")
    assert dict(study.data.sizes) == {"facility": 12, "indicator": 1, "period": 1}
    assert study.data["direction"].to_numpy().tolist() == ["lower"]
    assert int(study.data["successes"].sum()) == 208
    assert int(study.data["trials"].sum()) == 2814
    assert float(study.data["successes"].sel(facility="H")[0, 0]) == 31
    assert study.options.priors is not None
    alpha, scale = study.options.priors.alpha, study.options.priors.sd_baseline_facility
    assert np.hypot(alpha.mean_sd, alpha.sd) == pytest.approx(1000, rel=1e-9)
    assert (scale.family, scale.shape, scale.scale) == ("inverse_gamma_variance", 0.001, 0.001)


def test_safe_surgery_like_is_simulated_near_the_published_table() -> None:
    study = load_example("safe_surgery_like")
    assert dict(study.data.sizes) == {"facility": 10, "indicator": 14, "period": 2}
    assert set(study.data["domain"].to_numpy()) == {"safety", "teamwork_communication"}
    assert "simulated" in study.name
    assert any("simulated, not observed" in text for text in study.assumptions)
    assert all("simulated" in label for label in study.data["label"].to_numpy())
    assert study.case_correlation == 0.1
    share = study.data["successes"] / study.data["trials"]
    for period, values in PUBLISHED.items():
        composite = 100 * share.sel(period=period).mean("indicator")
        np.testing.assert_allclose(composite, values, atol=4.0)
    trials = study.data["trials"]
    assert float(trials.min()) >= 5
    assert float(trials.max("indicator").max() / trials.max("indicator").min()) > 1.5


@pytest.mark.parametrize("name", EXAMPLES)
def test_files_of_an_example_are_ready_to_use(name: str, tmp_path: Path) -> None:
    stated = {"trials": 20, "case_correlation": 0.1} if name == "lake_zone" else {}
    for file, content in example_files(name, **stated).items():
        (tmp_path / file).write_bytes(content)
    study, example = read_study(tmp_path / "study.toml"), load_example(name, **stated)
    xr.testing.assert_identical(study.data, example.data)
    assert (study.name, study.m, study.assumptions) == (
        example.name,
        example.m,
        example.assumptions,
    )
    assert (study.options.priors, study.options.items) == (
        example.options.priors,
        example.options.items,
    )


def test_files_of_lake_zone_ask_for_the_number_of_cases(tmp_path: Path) -> None:
    for file, content in example_files("lake_zone").items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match="trials = 20"):
        read_study(tmp_path)


def test_unknown_example_and_idle_arguments() -> None:
    with pytest.raises(InputError, match="choose one of 'lake_zone', 'surgical'"):
        load_example("lakezone")
    with pytest.raises(InputError, match="choose one of"):
        example_files("../priors")
    with pytest.raises(InputError, match="trials and items are for 'lake_zone'"):
        load_example("surgical", trials=20)


def test_correlation_of_an_example_can_be_restated() -> None:
    assert load_example("safe_surgery_like", case_correlation=0.3).case_correlation == 0.3
