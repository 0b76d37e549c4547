"""Seconds of every command from the prompt, beside another checkout of pdsim.

Usage: python benchmarks/commands.py [--before FOLDER] [--repeats 3]

Each command is run in turn with this source and with that of FOLDER; the least CPU seconds (which
other work on the machine hardly changes) and the least seconds by the clock are printed. What
importing xarray alone takes in the same run is printed beside them: no command that reads data can
take less. dask, which only clusters need, is hidden: xarray would import it where it is there.
Modules are compiled to bytecode by the first run, as an installation does, whatever the environment
says: to compile those of pdsim at every start takes .3 s.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent

ESTIMATES = "facility,estimate,se\nA,3,1\nB,2,1\nC,1,1\nD,0,1\nE,-1,1\n"
SWEEP = "replicates = 2\nseed = 1\n[factors]\ntrials = [10, 20]\n"
GOALS = {
    "--help": 0.2, "unknown option": 0.3, "unknown format": 0.3, "check": 0.5,
    "check 1,000 rows": 0.5,
    "check 100,000 cases": 2.0, "analyse": 4.0, "report": 2.0, "rank": 1.5, "sweep": 2.0
}  # fmt: skip
COMMANDS = {
    "--help": ("--help",),
    "unknown option": ("check", "s", "--nonsense"),
    "unknown format": ("check", "s", "--format", "nonsense"),
    "check": ("check", "s"),
    "check 1,000 rows": ("check", "rows.csv"),
    "check 100,000 cases": ("check", "cases"),
    "analyse": ("analyse", "s", "--out", "results", "--engine", "laplace"),
    "report": ("report", "results"),
    "rank": ("rank", "e.csv", "--m", "2"),
    "sweep": ("sweep", "sweep.toml", "--store", "store", "--executor", "serial"),
}


def run(source: Path, place: Path, *arguments: str) -> tuple[float, float]:
    """Run a command of one source; return CPU seconds, children included, and seconds."""
    code = (
        "import resource, sys\n"
        "sys.modules['dask'] = None\n"
        "from pdsim.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    failed = stop.code\n"
        "used = [resource.getrusage(who) for who in (0, -1)]\n"
        "print('CPU', sum(u.ru_utime + u.ru_stime for u in used), file=sys.stderr)\n"
        "sys.exit(failed)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (2 if "nonsense" in arguments[-1] else 0), done.stderr
    return float(done.stderr.rpartition("CPU ")[2]), time.perf_counter() - started


def write_tables(place: Path) -> None:
    """Write a table of 1,000 rows, and a study of 100,000 cases with five indicators."""
    rows = ["facility,indicator,period,successes,trials"]
    for k in range(1000):
        period = ("baseline", "endline")[k % 2]
        rows.append(f"Unit {k // 20},item {k // 2 % 10},{period},{k * 7 % 40},{40 + k % 9}")
    (place / "rows.csv").write_text("\n".join(rows), encoding="utf-8")
    rows = ["facility,period,a,b,c,d,e"]
    for k in range(100_000):
        marks = ",".join("10"[k * p % 13 % 2] if k * p % 17 else "" for p in (1, 3, 5, 7, 11))
        rows.append(f"Unit {k % 40},{('baseline', 'endline')[k // 50_000]},{marks}")
    (place / "cases").mkdir()
    (place / "cases" / "c.csv").write_text("\n".join(rows), encoding="utf-8")
    (place / "cases" / "study.toml").write_text('data = "c.csv"\nformat = "cases"\n')


def import_alone(repeats: int) -> float:
    """Return the least CPU seconds of importing xarray alone."""
    code = "import time, xarray; print(time.process_time())"
    done = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(repeats)
    ]
    return min(float(one.stdout) for one in done)


def main() -> None:
    """Time the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="Commands that begin so.")
    given = parser.parse_args()
    if given.before and not (given.before / "src" / "pdsim").is_dir():
        parser.error(f"{given.before} is no checkout of pdsim: this one would be timed twice")
    sources = {"now": HERE} | ({"before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory() as name:
        places = {key: Path(name) / key for key in sources}
        for key, place in places.items():
            place.mkdir()
            (place / "e.csv").write_text(ESTIMATES, encoding="utf-8")
            (place / "sweep.toml").write_text(SWEEP, encoding="utf-8")
            write_tables(place)
            run(sources[key], place, "example", "safe_surgery_like", "s")
            # compiled code is kept from here on
            if given.only is None:
                run(sources[key], place, *COMMANDS["analyse"])
        print(f"import xarray alone: {import_alone(given.repeats):.2f} CPU s", flush=True)
        for command, arguments in COMMANDS.items():
            if given.only and not command.startswith(given.only):
                continue
            times = {key: [] for key in sources}
            for _ in range(given.repeats):
                for key, source in sources.items():
                    times[key].append(run(source, places[key], *arguments))
            told = "; ".join(
                f"{key} {min(cpu for cpu, _ in found):.2f} CPU s, {min(s for _, s in found):.2f} s"
                for key, found in times.items()
            )
            print(f"{command}: {told} (goal {GOALS[command]} s)", flush=True)


if __name__ == "__main__":
    main()
