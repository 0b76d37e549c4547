"""Kill, fill up and damage: what is left must be old or new, and whole.

`python tools/break_it.py kill | full | damage [--times N]` prints a line for each command;
it ends with 1 if anything is neither. Runs on Linux.
"""

import argparse
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "analyse": ("analyse", "s", "--out", "out", "--engine", "laplace"),
    "report": ("report", "out", "--format", "md", "--format", "docx"),
    "plan": ("plan", "plan.toml", "--out", "plan"),
    "sweep serial": ("sweep", "sweep.toml", "--store", "one", "--executor", "serial"),
    "sweep processes": ("sweep", "sweep.toml", "--store", "two", "--workers", "2"),
}

SWEEP = "replicates = 3000\nseed = 1\n[scenario]\nfacilities = 6\n[factors]\ntrials = [10, 20]\n"
PLAN = """target = "pcs_top >= 0.9"
[scenario]
kind = "normal"
means = [0.5, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]
"""


def pdsim(place: Path, *arguments: str, bytes_at_most: int | None = None) -> subprocess.Popen[str]:
    """Start a command."""

    def limit() -> None:
        if bytes_at_most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, bytes_at_most))

    return subprocess.Popen(
        [sys.executable, "-m", "pdsim", *arguments],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit,
    )  # fmt: skip


def run(place: Path, *arguments: str, bytes_at_most: int | None = None) -> tuple[int, str]:
    """Run a command to its end; return exit code and what it said on stderr."""
    process = pdsim(place, *arguments, bytes_at_most=bytes_at_most)
    _, told = process.communicate()
    return process.returncode, told


def state(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder of results."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def whole(place: Path) -> list[str]:
    """Return what is wrong with the results and stores in a place."""
    from pdsim.analysis import load_fit
    from pdsim.errors import PdsimError
    from pdsim.files import read_json, recover
    from pdsim.sweeps import open_sweep

    wrong = []
    out = place / "out"
    recover(out)
    if out.exists():
        try:
            run_json = read_json(out / "run.json")
            missing = [name for name in run_json["files"] if not (out / name).exists()]
            wrong += [f"missing: {name}" for name in missing]
            seed = load_fit(out / "fit.nc").attrs["seed"]
            if load_fit(out / "results.nc").attrs["seed"] != seed or run_json["seed"] != seed:
                wrong.append("files of two runs")
        except (PdsimError, OSError) as error:
            wrong.append(str(error))
    recover(place / "plan")
    if (place / "plan").exists():
        load_fit(place / "plan" / "plan.nc")
        if not (place / "plan" / "planning.html").exists():
            wrong.append("a plan without its page")
    for store in (place / "one", place / "two"):
        if (store / "run.json").exists():
            try:
                open_sweep(store)
            except PdsimError as error:
                wrong.append(str(error))
    return wrong


def prepare(place: Path) -> None:
    """Make the inputs, and a first result of each command."""
    run(place, "example", "surgical", "s")
    (place / "sweep.toml").write_text(SWEEP, encoding="utf-8")
    (place / "plan.toml").write_text(PLAN, encoding="utf-8")
    run(place, *COMMANDS["analyse"])


def kill(place: Path, times: int, rng: random.Random) -> int:
    """Kill every command at random moments."""
    bad = 0
    for name, arguments in COMMANDS.items():
        started = time.perf_counter()
        run(place, *arguments)
        lasts = time.perf_counter() - started
        killed, wrong = 0, []
        for number in range(times):
            if name == "plan":
                shutil.rmtree(place / "plan", ignore_errors=True)
            seed = ("--seed", str(number)) if name == "analyse" else ()
            process = pdsim(place, *arguments, *seed)
            # most of what is written is written at the end
            time.sleep(lasts * (1.0 - rng.random() ** 2))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            wrong += whole(place)
        bad += len(wrong)
        print(f"{name}: {killed} of {times} killed in time, {len(wrong)} not whole {wrong[:2]}")
    return bad


def full(place: Path, times: int, rng: random.Random) -> int:
    """Let every command meet a limit on the size of files: a real error of the kernel."""
    bad = 0
    for name, arguments in COMMANDS.items():
        told = []
        for number in range(times):
            for folder in ("plan", "one", "two"):
                shutil.rmtree(place / folder, ignore_errors=True)
            before = state(place / "out")
            code, text = run(place, *arguments, bytes_at_most=200 * 4**number)
            lines = [line for line in text.splitlines() if "File too large" in line]
            right = code == 0 or (code in (1, 2) and len(lines) == 1 and "Traceback" not in text)
            if code and state(place / "out") != before:
                right = False
            bad += not right
            told.append(f"{code}{'' if right else ' WRONG ' + text[-200:]}")
        print(f"{name}: exit codes with files of up to 200, 800, ... bytes: {', '.join(told)}")
    return bad


def damage(place: Path, times: int, rng: random.Random) -> int:
    """Damage fit.nc and results.nc and read them."""
    import xarray as xr

    from pdsim.analysis import load_fit
    from pdsim.errors import DamagedError

    bad = 0
    for name in ("fit.nc", "results.nc"):
        path = place / "out" / name
        content, right = path.read_bytes(), load_fit(path)
        told = harmless = 0
        for _ in range(times):
            at, length = rng.randrange(len(content)), rng.choice([1, 100, 10_000])
            part = bytearray(content[at : at + length])
            change = rng.choice(["flip", "zero", "remove", "cut"])
            if change == "flip":
                part[0] ^= 1 << rng.randrange(8)
            rest = b"" if change == "cut" else content[at + length :]
            middle = {"flip": bytes(part), "zero": bytes(len(part))}.get(change, b"")
            path.write_bytes(content[:at] + middle + rest)
            try:
                xr.testing.assert_identical(load_fit(path), right)
                harmless += 1
            except DamagedError:
                told += 1
            except Exception as error:
                bad += 1
                print(name, change, repr(error)[:200])
        path.write_bytes(content)
        print(f"{name}: of {times} damages {told} told, {harmless} harmless")
    return bad


if __name__ == "__main__":
    jobs = {"kill": kill, "full": full, "damage": damage}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=jobs)
    parser.add_argument("--times", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        sys.exit(bool(jobs[given.job](Path(name), given.times, random.Random(1))))
