"""`pdsim sweep`: what the terminal says and what is written."""

import sys

import pytest
import xarray as xr

from pdsim import cli

CONFIG = """
replicates = 2000
seed = 1
[scenario]
indicators = 14
[factors]
trials = [10, 20]
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run `pdsim sweep` on CONFIG; returns exit code, stdout and stderr."""
    config = tmp_path / "sweep.toml"
    config.write_text(CONFIG)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["pdsim", "sweep", str(config), *map(str, arguments)])
        monkeypatch.setattr("warnings.showwarning", lambda *_: None)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_dry_run_tries_each_cell_and_writes_nothing(command, tmp_path):
    code, out, err = command("--dry-run")
    assert code == 0, err
    assert "2 cells of 2,000 replicates: less than 1 s of one core" in out
    for trials in (10, 20):
        [line] = [line for line in out.splitlines() if f"trials = {trials} " in line]
        assert " ok " in line
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


def test_dry_run_of_many_cells_prints_both_ends(command, tmp_path):
    levels = list(range(2, 67))
    (tmp_path / "sweep.toml").write_text(CONFIG.replace("[10, 20]", str(levels)))
    code, out, err = command("--dry-run")
    assert code == 0, err
    assert "5 rows in between are not shown" in out
    assert "trials = 2 " in out
    assert "trials = 66 " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--store is missing"),
        (["--store", "store", "--executor", "slurm"], "there is no executor 'slurm'"),
        (["--store", "store", "--executor", "tcp://127.0.0.1:1", "--workers", "2"], "brings its"),
    ],
)
def test_what_cannot_run_is_told_before_anything_is_written(
    command, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = command(*arguments)
    assert code == 2
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


def test_store_and_summaries(command, tmp_path):
    store, out = tmp_path / "store", tmp_path / "result.nc"
    code, _, err = command("--store", store, "--executor", "serial", "--out", out)
    assert code == 0, err
    with xr.open_dataset(out) as result:
        assert (result.n_ok == 2000).all()
