"""The command line: messages, exit codes, files; the statistics are tested elsewhere."""

import csv
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pdsim
from pdsim import cli
from pdsim.analysis import save_fit

ESTIMATES = "facility,estimate,se\nA,3,1\nB,2,1\nC,1,1\nD,0,1\nE,-1,1\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in this process; returns exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pdsim", *map(str, arguments)])
        # main replaces it for the life of its process
        monkeypatch.setattr("warnings.showwarning", lambda *_: None)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_help_names_the_commands(run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in ("check", "analyse", "rank", "sweep", "plan", "report", "example"):
        assert re.search(rf"^  {name}\b", out, re.MULTILINE)


def test_terms_are_listed_and_a_wrong_sort_is_refused(run) -> None:
    code, out, _ = run("terms")
    assert code == 0
    for name in ("gap_closed", "p_top", "overlap_top", "min_max", "geometric"):
        assert re.search(rf"^  {name} +\w", out, re.MULTILINE)
    code, _, err = run("terms", "colours")
    assert (code, "use one of: estimands" in err) == (2, True)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['pdsim', '--help']\n"
        "from pdsim.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'xarray', 'pymc', 'matplotlib', 'scipy', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_wrong_usage_is_exit_2(run) -> None:
    assert run("analyse")[0] == 2
    assert run("nonsense")[0] == 2


def test_check_prints_what_was_read_and_the_assumptions(run, tmp_path: Path) -> None:
    code, out, _ = run("example", "lake_zone", tmp_path / "lake", "--trials", "20")
    assert code == 0
    code, out, err = run("check", tmp_path / "lake")
    assert (code, err) == (0, "")
    assert "The within-case correlation is not known" in out
    code, out, err = run("check", tmp_path / "lake", "--case-correlation", "0.1")
    assert (code, err) == (0, "")
    assert "10 facilities x 1 indicator x 2 periods" in out
    assert "an assumed 20 cases" in out
    assert "A within-case correlation of 0.1 is assumed" in out
    assert not list(tmp_path.glob("**/*.html"))


def test_every_problem_at_once_without_traceback_or_escapes(run, tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    rows = [
        "facility,indicator,period,successes,trials",
        "[red]A\x1b[31m,x,baseline,5,3",
        "B,x,baseline,-1,3",
        "B,x,endline,1,3",
    ]
    table.write_text("\n".join(rows))
    code, out, err = run("check", table)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert "[red]A" in err
    assert len(err.splitlines()) >= 2


@pytest.mark.parametrize("command", ["check", "analyse"])
def test_a_table_that_cannot_be_read_by_itself_is_one_for_init(run, tmp_path, command) -> None:
    (tmp_path / "a b.csv").write_text("Clinic,Hands 2021 num,Hands 2021 den\nA,1,2\nB,1,2\n")
    own = ("--out", tmp_path / "out") if command == "analyse" else ()
    code, _, err = run(command, tmp_path / "a b.csv", *own)
    assert code == 2
    assert "pdsim init '" in err.replace("\n", "")
    assert not (tmp_path / "out").exists()


def test_suppressed_counts_are_not_printed_by_check(run, tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    rows = ["facility,indicator,period,successes,trials"]
    for name, trials in (("A", 3), ("B", 50), ("C", 60), ("D", 70)):
        rows += [f"{name},x,{period},2,{trials}" for period in ("baseline", "endline")]
    table.write_text("\n".join(rows))
    _, out, _ = run("check", table)
    assert "Cases in a cell: 3 to 70" in out
    _, out, _ = run("check", table, "--suppress-below", "5")
    assert "fewer than 5 (not printed) to 70" in out


def test_a_failed_check_is_3(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pdsim.analysis

    def failed(*args: object, **kwargs: object) -> SimpleNamespace:
        return SimpleNamespace(failed="FAILED: R-hat", summary=lambda: "the answer, marked")

    monkeypatch.setattr(pdsim.analysis, "analyse", failed)
    run("example", "surgical", tmp_path / "surgical")
    code, out, _ = run("analyse", tmp_path / "surgical", "--out", tmp_path / "out")
    assert code == 3
    assert "the answer, marked" in out


@pytest.mark.slow
def test_analyse_writes_one_folder_and_refuses_another_study(run, tmp_path: Path) -> None:
    run("example", "surgical", tmp_path / "surgical")
    out = tmp_path / "out"
    arguments = ("analyse", tmp_path / "surgical", "--out", out, "--engine", "laplace")
    code, text, err = run(*arguments)
    assert code == 0
    assert "fitting" in err
    assert str(out) in text
    names = {path.name for path in out.iterdir()}
    assert {"fit.nc", "results.nc", "selection.csv", "improvement.csv"} <= names
    assert {"report.html", "run.json"} <= names
    first = (out / "selection.csv").read_bytes()
    # the command that the results hold, in another folder: the same bytes in every table
    command = tomllib.loads((out / "study.lock.toml").read_text())["command"]
    words = [tmp_path / "again" if word == str(out) else word for word in shlex.split(command)]
    assert run(*words[1:])[0] == 0
    assert (tmp_path / "again" / "selection.csv").read_bytes() == first
    for path in (out / "tables").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "tables" / path.name).read_bytes()
    assert "settings and versions are the same" in run("compare", out, tmp_path / "again")[1]
    run("example", "safe_surgery_like", tmp_path / "safe")
    code, _, err = run("analyse", tmp_path / "safe", "--out", out, "--engine", "laplace")
    assert code == 2
    assert "another study" in err
    assert (out / "selection.csv").read_bytes() == first
    code, text, _ = run("report", out, "--format", "md", "--brief")
    assert code == 0
    assert (out / "report.md").is_file()
    assert "report.md" in text
    assert "What to do?" in (out / "report.md").read_text()


def test_rank_of_estimates_is_exact(run, tmp_path: Path) -> None:
    table = tmp_path / "e.csv"
    table.write_text("facility,estimate,se\nA,1,1\nB,0,1\n[red]C,-30,1\n")
    out = tmp_path / "out"
    code, text, _ = run("rank", table, "--m", "1", "--out", out)
    assert code == 0
    assert "[red]C" in text
    rows = {row["facility"]: row for row in _read(out / "selection.csv")}
    # P(A above B) = Phi(1 / sqrt 2)
    assert float(rows["A"]["p_top"]) == pytest.approx(0.7602499389, abs=1e-8)
    assert float(rows["A"]["p_top_mcse"]) == 0.0
    turned = tmp_path / "turned"
    run("rank", table, "--m", "1", "--lower-is-better", "--out", turned)
    rows = {row["facility"]: row for row in _read(turned / "selection.csv")}
    assert float(rows["[red]C"]["p_top"]) == pytest.approx(1.0, abs=1e-12)
    assert float(rows["B"]["p_bottom"]) == pytest.approx(1 - 0.7602499389, abs=1e-8)


def test_rank_prints_names_from_draws_as_they_are(run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal([2.0, 1.0, 0.0, -1.0], 1.0, (200, 4))
    path = tmp_path / "draws.csv"
    pd.DataFrame(values, columns=["[red]A", "\x1b[31mB", "=C", "D"]).to_csv(path, index=False)
    code, out, _ = run("rank", path, "--m", "1")
    assert code == 0
    assert "[red]A" in out
    assert r"\x1b[31mB" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A,B\n1,2\n3,x\n1,1\n", "row 3, facility 'B': a draw must be a finite number"),
        ("A\n1\n2\n", "two columns and two rows"),
        ("facility,estimate,se\nA,1,0\nB,2,1\n", "an estimate needs a positive se"),
        ("", "the file is empty"),
        ("chain,A,B\n1,1,2\n1,2,3\n2,1,1\n", "chains differ in length"),
    ],
)
def test_rank_refuses_bad_files(run, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    code, out, err = run("rank", path, "--m", "1")
    assert (code, out) == (2, "")
    assert message in err


def test_rank_refuses_a_missing_file_and_an_ambiguous_one(run, tmp_path: Path) -> None:
    code, _, err = run("rank", tmp_path / "none.csv")
    assert code == 2
    assert "does not exist" in err
    data = xr.Dataset(
        {name: (("sample", "facility"), np.zeros((9, 3))) for name in ("one", "two")},
        coords={"facility": ["A", "B", "C"]},
    )
    data.to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    code, _, err = run("rank", tmp_path / "two.nc")
    assert code == 2
    assert "'one', 'two'" in err


def test_no_folder_is_overwritten(run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    table = tmp_path / "e.csv"
    table.write_text(ESTIMATES)
    for arguments in (
        ("example", "surgical", tmp_path / "mine"),
        ("rank", table, "--m", "2", "--out", tmp_path / "mine"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert "not an empty folder" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_unknown_format_writes_nothing(run, tmp_path: Path) -> None:
    table = tmp_path / "e.csv"
    table.write_text(ESTIMATES)
    code, _, err = run("rank", table, "--m", "2", "--out", tmp_path / "out", "-f", "pdf")
    assert code == 2
    assert "no report format 'pdf'" in err
    assert not (tmp_path / "out").exists()


PLAN = """
name = "Three of ten"
target = "pcs_top >= 0.95"
[scenario]
kind = "normal"
means = [0.5, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]
[costs]
per_case = 2
"""


def test_plan_prints_the_answer_and_writes_it(run, tmp_path: Path) -> None:
    config, out = tmp_path / "plan.toml", tmp_path / "answer"
    config.write_text(PLAN)
    code, text, err = run("plan", config, "--out", out, "-f", "html", "-f", "md")
    assert code == 0, err
    files = {path.name for path in out.iterdir()}
    assert {"plan.nc", "planning.html", "planning.md"} <= files
    answer = xr.open_datatree(out / "plan.nc", engine="h5netcdf")["answer"]
    n = int(answer["n"])
    assert f"With {n} cases observed per facility and period" in " ".join(text.split())
    assert f"{20 * n:,}" in text  # ten facilities, one period, 2 a case
    code, _, err = run("plan", config, "--out", out)
    assert code == 2
    assert "not an empty folder" in err


def test_a_bad_plan_writes_nothing(run, tmp_path: Path) -> None:
    config = tmp_path / "plan.toml"
    config.write_text(PLAN.replace("pcs_top", "pcs_tpo").replace("per_case", "per_cas"))
    code, _, err = run("plan", config, "--out", tmp_path / "answer")
    assert code == 2
    assert "per_cas" in err
    config.write_text(PLAN.replace("pcs_top", "pcs_tpo"))
    code, _, err = run("plan", config, "--out", tmp_path / "answer")
    assert code == 2
    assert "pcs_tpo" in err
    assert not (tmp_path / "answer").exists()


def test_a_plan_from_a_pilot(run, tmp_path: Path) -> None:
    study = pdsim.load_example("safe_surgery_like")
    save_fit(pdsim.fit(study, engine="laplace", seed=1, draws=200), tmp_path / "fit.nc")
    config = tmp_path / "plan.toml"
    config.write_text('target = "overlap_top >= 0.7"\nprecision = 0.5\nstand_in = 0\n')
    pilot = ("--pilot", tmp_path / "fit.nc")
    code, text, err = run("plan", config, "--out", tmp_path / "answer", *pilot)
    assert code == 0, err
    assert "averaged" in text
    code, _, err = run("plan", config, "--out", tmp_path / "other", "--pilot", tmp_path / "no.nc")
    assert code == 2
    assert "no.nc" in err


def test_a_bad_job_is_refused(run, tmp_path: Path) -> None:
    config = tmp_path / "sweep.toml"
    config.write_text("replicates = 1\nseed = 1\n")
    code, _, err = run("sweep", config, "--store", tmp_path / "store", "--job", "eight")
    assert code == 2
    assert "not of the form k/n" in err
    assert not (tmp_path / "store").exists()


def test_interrupt_is_130(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pdsim.analysis

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pdsim.analysis, "analyse", interrupted)
    run("example", "surgical", tmp_path / "surgical")
    code, _, err = run("analyse", tmp_path / "surgical", "--out", tmp_path / "out")
    assert code == 130
    assert "Interrupted" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_real_interrupt_leaves_nothing(tmp_path: Path) -> None:
    # a test run in the background ignores SIGINT, and a child would inherit that
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heed}; from pdsim.cli import main; main()"]
    folder = tmp_path / "safe"
    subprocess.run(
        [*command, "example", "safe_surgery_like", folder], check=True, capture_output=True
    )
    process = subprocess.Popen(
        [*command, "analyse", folder, "--out", tmp_path / "out", "--engine", "nuts"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "sampling with NUTS" in process.stderr.readline()
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["safe"]


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_no_traceback_reaches_a_user(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pdsim.study

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(pdsim.study, "example_files", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = run("example", "surgical", tmp_path / "a")
    assert (code, out) == (1, "")
    assert "ZeroDivisionError: a bug" in err
    [log] = tmp_path.glob("pdsim-error-*.log")
    assert str(log) in err
    assert len(err.splitlines()) == 1
    assert "Traceback" in log.read_text()
    monkeypatch.setattr(pdsim.study, "example_files", lambda *a, **k: _raise(MemoryError()))
    assert run("example", "surgical", tmp_path / "a")[::2] == (
        1,
        "There is not enough memory for this.\n",
    )


def test_a_sweep_on_a_full_disk_is_exit_1_and_one_line(run, tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pdsim.sweeps.writer.append", full)
    config = tmp_path / "sweep.toml"
    config.write_text("replicates = 3\nseed = 1\n[factors]\ntrials = [10]\n")
    code, _, err = run("sweep", config, "--store", tmp_path / "store", "--executor", "serial")
    assert code == 1
    [line] = [line for line in err.splitlines() if "No space left on device" in line]
    assert line.startswith(f"{tmp_path / 'store'} cannot be written")


def _raise(error: BaseException) -> None:
    raise error


def test_lines_tell_what_is_left_of_a_stage(monkeypatch, capsys):
    from types import SimpleNamespace

    from pdsim.cli import saying

    clock = iter([0.0, 4.0, 12.0, 20.0])
    monkeypatch.setattr(saying, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    advance = saying._lines()
    for done in range(4):
        advance("testing", done, 8)
    assert capsys.readouterr().err.splitlines() == ["testing", "testing: 2 of 8, about 36 s left"]
