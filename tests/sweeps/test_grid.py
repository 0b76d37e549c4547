"""Settings and factors: what is a cell, and what is refused."""

from pathlib import Path

import pytest

from pdsim.errors import InputError
from pdsim.sweeps.contract import load_simulation
from pdsim.sweeps.crossing import expand
from pdsim.sweeps.sweepfile import SweepSettings, read_settings


@pytest.fixture
def grid_of(log):
    def build(factors=None, **settings):
        settings = SweepSettings(
            **{"replicates": 5, "seed": 1, "factors": factors or {}, **settings}
        )
        return expand(settings, load_simulation("fake_simulation"))

    return build


def test_factors_are_crossed_in_their_order_the_last_running_fastest(grid_of):
    grid = grid_of({"trials": [5, 10], "shift": [0.0, 0.5, 1.0]})
    assert grid.dims == {"trials": (5, 10), "shift": (0.0, 0.5, 1.0)}
    found = [(cell.scenario.trials, cell.scenario.shift) for cell in grid.cells]
    assert found == [(5, 0.0), (5, 0.5), (5, 1.0), (10, 0.0), (10, 0.5), (10, 1.0)]
    assert grid.labels()[1] == "trials = 5, shift = 0.5"


def test_base_scenario_holds_where_no_factor_says_otherwise(grid_of):
    grid = grid_of({"trials": [5, 10]}, scenario={"shift": 2.0, "trials": 99})
    assert [(c.scenario.trials, c.scenario.shift) for c in grid.cells] == [(5, 2.0), (10, 2.0)]


def test_labelled_levels_are_values_of_the_setting_or_tables_of_settings(grid_of):
    grid = grid_of(
        {
            "weighting": {"equal": "equal", "safety": {"weighting": "given", "weights": [1, 2]}},
            "nested": {"low": {"trials": 0.5}, "high": {"trials": 2.0}},
            "worlds": {"small": {"trials": 5}, "large": {"trials": 50, "shift": 1.0}},
        }
    )
    assert grid.dims == {
        "weighting": ("equal", "safety"),
        "nested": ("low", "high"),
        "worlds": ("small", "large"),
    }
    last = grid.cells[-1].scenario
    assert (last.weighting, last.weights) == ("given", (1.0, 2.0))
    assert (last.nested.trials, last.trials, last.shift) == (2.0, 50, 1.0)
    assert grid.cells[0].scenario.weights == ()


def test_listed_cells_have_labels(grid_of):
    cells = ({"label": "founding study", "trials": 20}, {"label": "next", "shift": 1.0})
    grid = grid_of(cells=cells, scenario={"trials": 7})
    assert grid.dims == {"scenario": ("founding study", "next")}
    assert [(c.scenario.trials, c.scenario.shift) for c in grid.cells] == [(20, 0.0), (7, 1.0)]


def test_no_factor_is_one_cell(grid_of):
    assert grid_of().dims == {"scenario": ("base",)}


def test_cells_that_share_data_stand_side_by_side_and_once(grid_of):
    grid = grid_of({"weighting": ["a", "b"], "trials": [5, 10]})
    keys = [cell.data_key for cell in grid.by_data().values()]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    doubled = grid_of(cells=({"label": "x"}, {"label": "y"}))
    assert len(doubled.cells) == 2
    assert len(doubled.by_data()) == 1


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"trails": [1, 2]}, "factor 'trails' is not a scenario setting"),
        ({"trials": []}, "neither a list of levels nor a table"),
        ({"trials": 5}, "neither a list of levels nor a table"),
        ({"trials": [5, 5]}, "has the level 5 twice"),
        ({"trials": [5, "a"]}, "not all numbers, or all texts"),
        ({"weights": [[1, 2], [2, 1]]}, "label them"),
        ({"flag": [True, 1]}, "not all numbers, or all texts"),
        ({"worlds": {"a": {"trails": 5}}}, "unknown key 'trails'"),
        ({"worlds": {"a": 5}}, "level 'a' of factor 'worlds' is not a table"),
        ({"trials": [5], "worlds": {"a": {"trials": 6}}}, "both set 'trials'"),
        ({"replicate": [1]}, "cannot be the name of a factor"),
        ({"a b": [1]}, "cannot be the name of a factor"),
        ({"trials": [0]}, "trials must be positive"),
        ({"trials": ["many"]}, "trials"),
    ],
)
def test_bad_factors_are_refused(grid_of, factors, message):
    with pytest.raises(InputError, match=message):
        grid_of(factors)


def test_bad_cell_names_its_levels_and_every_problem_comes_once(grid_of):
    with pytest.raises(InputError) as caught:
        grid_of({"trials": [0, 5], "shift": [0.0, 1.0]}, scenario={"nonsense": 1})
    rules = [problem.rule for problem in caught.value.problems]
    assert len(rules) == len(set(rules))
    assert any("nonsense" in rule for rule in rules)
    with pytest.raises(InputError, match=r"trials = 0, shift = 0\.0"):
        grid_of({"trials": [5, 0], "shift": [0.0, 1.0]})


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (({"trials": 5},), "no text as label"),
        (({"label": "x"}, {"label": "x"}), "two cells have the label 'x'"),
        (({"label": "x", "trails": 5},), "unknown key 'trails'"),
    ],
)
def test_bad_cells_are_refused(grid_of, cells, message):
    with pytest.raises(InputError, match=message):
        grid_of(cells=cells)


def test_unknown_keys_of_the_scenario_are_told_with_all_else_that_is_wrong(grid_of):
    with pytest.raises(InputError) as caught:
        grid_of({"weighting": ["equal"], "trials": ["many"]}, scenario={"wieghts": 5, "qqq": 1})
    rules = [(problem.file, problem.rule) for problem in caught.value.problems]
    assert rules[:2] == [
        ("[scenario]", "unknown key 'wieghts'"),
        ("[scenario]", "unknown key 'qqq'"),
    ]
    assert "perhaps 'weights' was meant" in caught.value.problems[0].cure
    assert "trials" in caught.value.problems[1].cure
    assert rules[2][0] == "weighting = equal, trials = many"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1", "'replicates' is missing"),
        ("replicates = 5", "'seed' is missing"),
        ("replicates = 5\nseed = 1\nblock = 3", "unknown key 'block'"),
        ("replicates = 0\nseed = 1", "replicates must be 1 or more"),
        ("replicates = 5\nseed = -1", "seed must be 0 or more"),
        ("replicates = 5\nseed = 1\n[factors]\nx = [1]\n[[cells]]\nlabel = 'a'", "one of the two"),
        ("replicates = ", "not valid TOML"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text, message):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(path)


def test_file_mapping_and_settings_are_the_same(tmp_path: Path):
    path = tmp_path / "sweep.toml"
    path.write_text("replicates = 5\nseed = 0\nname = 'x'\n[factors]\ntrials = [1, 2]\n")
    mapping = {"replicates": 5, "seed": 0, "name": "x", "factors": {"trials": [1, 2]}}
    settings = read_settings(path)
    assert settings == read_settings(mapping) == read_settings(settings)
