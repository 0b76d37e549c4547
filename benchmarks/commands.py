"""Seconds of every command from the prompt, beside another checkout of pdsim.

Usage: python benchmarks/commands.py [--before FOLDER] [--repeats 3]

Each command is run in turn with this source and with that of FOLDER; the least CPU seconds (which
other work on the machine hardly changes) and the least seconds by the clock are printed.
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
    "--help": 0.2, "check": 0.5, "analyse": 4.0, "report": 2.0, "rank": 1.5, "sweep": 2.0
}  # fmt: skip
COMMANDS = {
    "--help": ("--help",),
    "check": ("check", "s"),
    "analyse": ("analyse", "s", "--out", "results", "--engine", "laplace"),
    "report": ("report", "results"),
    "rank": ("rank", "e.csv", "--m", "2"),
    "sweep": ("sweep", "sweep.toml", "--store", "store", "--executor", "serial"),
}


def run(source: Path, place: Path, *arguments: str) -> tuple[float, float]:
    """Run a command of one source; return CPU seconds, children included, and seconds."""
    code = (
        "import resource, sys\n"
        "from pdsim.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    failed = stop.code\n"
        "used = [resource.getrusage(who) for who in (0, -1)]\n"
        "print('CPU', sum(u.ru_utime + u.ru_stime for u in used), file=sys.stderr)\n"
        "sys.exit(failed)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=place, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stderr.rpartition("CPU ")[2]), time.perf_counter() - started


def main() -> None:
    """Time the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    sources = {"now": HERE} | ({"before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory() as name:
        places = {key: Path(name) / key for key in sources}
        for key, place in places.items():
            place.mkdir()
            (place / "e.csv").write_text(ESTIMATES, encoding="utf-8")
            (place / "sweep.toml").write_text(SWEEP, encoding="utf-8")
            run(sources[key], place, "example", "safe_surgery_like", "s")
            # compiled code is kept from here on
            run(sources[key], place, *COMMANDS["analyse"])
        for command, arguments in COMMANDS.items():
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
