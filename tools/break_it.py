"""Kill, fill up and damage: what is left must be old or new, and whole.

`python tools/break_it.py kill | full | damage [--times N] [--only NAME]` prints a line for each
command or file; it ends with 1 if anything is neither. Runs on Linux.

Half of the moments of `kill` are drawn uniformly over the time that a command takes; the others
fall right before one of its changes of files, drawn from all that it makes: what can be torn apart
is done in the last hundredth of a run.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from pdsim import sweeps
from pdsim.analysis import load_fit
from pdsim.arraytypes import Bytes, Floats
from pdsim.cli import main
from pdsim.errors import DamagedError, PdsimError
from pdsim.files import published, recover
from pdsim.sweeps.reading import read_store
from pdsim.sweeps.store import StoreWarning


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, the folder that it writes, and what may stand there before."""

    arguments: tuple[str, ...]
    target: str
    befores: tuple[str, ...]


_ANALYSE = ("analyse", "s", "--engine", "laplace", "--out")
_SWEEP = ("sweep", "sweep.toml", "--block", "100", "--store", "store")
COMMANDS = {
    "analyse": Command((*_ANALYSE, "out", "--seed", "5", "-f", "md"), "out", ("", "analysed")),
    "report": Command(("report", "out", "-f", "md", "-f", "docx"), "out", ("analysed",)),
    "plan": Command(("plan", "plan.toml", "--out", "plan"), "plan", ("",)),
    "sweep serial": Command((*_SWEEP, "--executor", "serial"), "store", ("", "begun")),
    "sweep processes": Command((*_SWEEP, "--workers", "2"), "store", ("", "begun")),
}

REPLICATES = 400
SWEEP = "replicates = {}\nseed = 1\n[scenario]\nfacilities = 6\n[factors]\ntrials = [10, 20, 40]\n"
PLAN = """target = "pcs_top >= 0.7"
precision = 0.3
sensitivity = false
[scenario]
kind = "normal"
means = [0.5, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]
"""

_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}


@dataclass(frozen=True, slots=True)
class Started:
    """A command that runs, and what it says on stderr: its changes of files at the end."""

    pid: int
    told: IO[str]

    def end(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit code and what it said."""
        with self.told:
            told = self.told.read()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), told


def start(
    place: Path, arguments: tuple[str, ...], *, moment: int = -1, bytes_at_most: int | None = None
) -> Started:
    """Start a command in a copy of this process, which has imported all that is needed.

    It is killed right before the change of files number `moment`, counted from 0.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Started(pid=pid, told=os.fdopen(reading, encoding="utf-8"))
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(writing, 2)
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(n, "w", closefd=False)) for n in (1, 2))
    if bytes_at_most is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, bytes_at_most))
    counted = watch(place, moment)
    code = command_line(arguments)
    print("changes of files:", counted(), file=sys.stderr, flush=True)
    os._exit(code)


def watch(place: Path, moment: int) -> Callable[[], int]:
    """Count the changes of files in `place` from now on; return what tells their number."""
    counted = 0

    def hear(event: str, given: tuple[Any, ...]) -> None:
        nonlocal counted
        if event == "open":
            if isinstance(given[0], int) or not given[2] & (os.O_WRONLY | os.O_RDWR):
                return
        elif event not in _CHANGES:
            return
        if os.path.abspath(os.fsdecode(given[0])).startswith(str(place)):
            if counted == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            counted += 1

    sys.addaudithook(hear)
    return lambda: counted


def command_line(arguments: tuple[str, ...]) -> int:
    """Run a command in this process; return its exit code."""
    sys.argv = ["pdsim", *arguments]
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def run(place: Path, *arguments: str) -> str:
    """Run a command that must succeed; return what it said on stderr."""
    code, told = start(place, arguments).end()
    if code:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}: {told}")
    return told


def state(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder; of run.json what does not tell the time."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    if "run.json" in found:
        told = json.loads(found["run.json"])
        for name in ("digest", "finished", "seconds"):
            told.pop(name, None)
        found["run.json"] = json.dumps(told).encode()
    return found


def numbers(store: Path) -> tuple[Floats, Bytes]:
    """Return the measures of every replicate of a store, and what became of it."""
    opened = read_store(store)
    return opened.read(opened.keys, 0, REPLICATES)


def prepare(place: Path) -> None:
    """Make the inputs, and what may stand in the folders before a command.

    Every command runs in this process first, so that it has imported all, and has machine code.
    """
    (place / "plan.toml").write_text(PLAN, encoding="utf-8")
    (place / "sweep.toml").write_text(SWEEP.format(REPLICATES // 2), encoding="utf-8")
    silent = io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(silent):
        command_line(("example", "surgical", "s"))
        command_line((*_ANALYSE, "analysed"))
        shutil.copytree("analysed", "out")
        for command in COMMANDS.values():
            if command_line(command.arguments):
                raise SystemExit(f"{' '.join(command.arguments)} failed")
    (place / "store").rename(place / "begun")
    (place / "sweep.toml").write_text(SWEEP.format(REPLICATES), encoding="utf-8")


class Bench:
    """A place where a command starts from the same state again and again."""

    def __init__(self, place: Path, command: Command) -> None:
        self.place, self.command = place, command
        self.target = place / command.target
        self.new: dict[str, dict[str, bytes]] = {}
        self.lasts: dict[str, float] = {}
        self.changes: dict[str, int] = {}
        for before in command.befores:
            taken = []
            for _ in range(2):
                self.lay(before)
                started = time.perf_counter()
                told = run(place, *command.arguments)
                taken.append(time.perf_counter() - started)
            self.lasts[before] = statistics.mean(taken)
            self.changes[before] = int(told.rpartition(":")[2])
            self.new[before] = state(self.target)
        self.whole = numbers(self.target) if command.target == "store" else None

    def lay(self, before: str) -> None:
        """Lay out what stands there before the command, and nothing else."""
        shutil.rmtree(self.target, ignore_errors=True)
        for stray in self.place.glob(".*.pdsim"):
            shutil.rmtree(stray)
        if before:
            shutil.copytree(self.place / before, self.target)

    def kill(self, before: str, rng: random.Random, *, by_clock: bool) -> bool:
        """Kill the command at a random moment; return whether it was in time."""
        self.lay(before)
        moment = -1 if by_clock else rng.randrange(self.changes[before])
        started = start(self.place, self.command.arguments, moment=moment)
        if by_clock:
            time.sleep(self.lasts[before] * rng.random())
            os.kill(started.pid, signal.SIGKILL)
        return started.end()[0] == -signal.SIGKILL

    def wrong(self, before: str) -> list[str]:
        """Say what is wrong with what is left."""
        if self.whole is not None:
            return self._wrong_store(self.whole)
        recover(self.target)
        found, old = state(self.target), state(self.place / before) if before else {}
        if found not in (old, self.new[before]):
            parts = _differ(found, old), _differ(found, self.new[before])
            return ["neither old nor new: {} and {} differ".format(*parts)]
        return self._strays()

    def _strays(self) -> list[str]:
        """Say what of a killed command is still there when the folder was written once more."""
        with published(self.target, keep=lambda _: True):
            pass
        return [
            f"{part} of a killed command stays"
            for stage in self.place.glob(".*.pdsim")
            for part in ("old", "new")
            if (stage / part).exists()
        ]

    def _wrong_store(self, whole: tuple[Floats, Bytes]) -> list[str]:
        """Read a store as it was left, then go on with the sweep."""
        wrong = []
        try:
            measures, status = numbers(self.target)
            there = status != 0
            if not np.array_equal(measures[there], whole[0][there], equal_nan=True):
                wrong.append("other numbers")
            sweeps.open_sweep(self.target)
        except sweeps.StoreError:
            pass  # no sweep was started yet
        except PdsimError as error:
            wrong.append(str(error))
        with warnings.catch_warnings():
            # a kill is no damage, and must not be told as such
            warnings.simplefilter("error", StoreWarning)
            try:
                sweeps.sweep(self.place / "sweep.toml", store=self.target, executor="serial")
            except (PdsimError, StoreWarning) as error:
                return [*wrong, str(error)]
        after = numbers(self.target)
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(after, whole, strict=True)):
            wrong.append("other numbers when it had gone on")
        return wrong


def _differ(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def kill(place: Path, times: int, rng: random.Random, only: str) -> int:
    """Kill every command at random moments."""
    bad = 0
    for name, command in COMMANDS.items():
        if only not in name:
            continue
        bench, wrong = Bench(place, command), []
        in_time = {True: 0, False: 0}
        for number in range(times):
            before = command.befores[number // 2 % len(command.befores)]
            by_clock = number % 2 == 0
            in_time[by_clock] += bench.kill(before, rng, by_clock=by_clock)
            wrong += bench.wrong(before)
        bad += len(wrong)
        lasts = " and ".join(f"{seconds:.1f}" for seconds in bench.lasts.values())
        changes = " and ".join(map(str, bench.changes.values()))
        print(
            f"{name} ({lasts} s, {changes} changes of files): {sum(in_time.values())} of {times} "
            f"killed in time ({in_time[True]} by the clock, {in_time[False]} at a change of "
            f"files), {len(wrong)} not whole {wrong[:3] or ''}",
            flush=True,
        )
    return bad


def full(place: Path, times: int, rng: random.Random, only: str) -> int:
    """Let every command meet a limit on the size of files: a real error of the kernel."""
    bad = 0
    for name, command in COMMANDS.items():
        if only not in name:
            continue
        bench, told = Bench(place, command), []
        for number, before in itertools.product(range(times), command.befores):
            bench.lay(before)
            code, text = start(place, command.arguments, bytes_at_most=200 * 4**number).end()
            found = state(bench.target)
            lines = [line for line in text.splitlines() if "File too large" in line]
            right = code == 0 or (code == 1 and len(lines) == 1 and "Traceback" not in text)
            if command.target != "store":
                old = state(place / before) if before else {}
                right &= found == (old if code else bench.new[before])
            wrong = bench.wrong(before)
            bad += not right or bool(wrong)
            told.append(f"{code}{'' if right else f' WRONG {text[-300:]}'}{wrong or ''}")
        print(
            f"{name}: exit codes with files of up to 200, 800, ... bytes, each from "
            f"{len(command.befores)} beginnings: {', '.join(told)}",
            flush=True,
        )
    return bad


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def harm(content: bytes, rng: random.Random) -> bytes:
    """Return a content with a bit flipped, or bytes blanked, repeated, cut out or cut off."""
    while True:
        at, length = rng.randrange(len(content)), rng.choice([1, 100, 10_000])
        part, rest = content[at : at + length], content[at + length :]
        match rng.choice(["flip", "blank", "repeat", "cut out", "cut off"]):
            case "flip":
                harmed = content[:at] + bytes([part[0] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
            case "blank":
                harmed = content[:at] + bytes(len(part)) + rest
            case "repeat":
                harmed = content[:at] + part + part + rest
            case "cut out":
                harmed = content[:at] + rest
            case _:
                harmed = content[:at]
        if harmed != content:
            return harmed


def damage(place: Path, times: int, rng: random.Random, only: str) -> int:
    """Damage fit.nc, results.nc and a store, read them, and go on with the store."""
    bad = 0
    for name in ("fit.nc", "results.nc"):
        if only not in name:
            continue
        path = place / "analysed" / name
        content, right = path.read_bytes(), load_fit(path)
        told = harmless = 0
        for _ in range(times):
            path.write_bytes(harm(content, rng))
            try:
                with limited(20):
                    xr.testing.assert_identical(load_fit(path), right)
                harmless += 1
            except DamagedError:
                told += 1
            except Exception as error:
                bad += 1
                print(name, repr(error)[:200])
        path.write_bytes(content)
        print(f"{name}: of {times} damages {told} told, {harmless} harmless, {bad} wrong")
    return bad + (damage_store(place, times, rng) if only in "store" else 0)


def damage_store(place: Path, times: int, rng: random.Random) -> int:
    """Damage one file of a store, or lose it; read the store, and go on with the sweep."""
    run(place, *_SWEEP)
    store, kept, config = place / "store", place / "kept", place / "sweep.toml"
    store.rename(kept)
    whole, right = numbers(kept), sweeps.open_sweep(kept)
    names = sorted(path.name for path in kept.iterdir() if path.stat().st_size)
    counts = dict.fromkeys(("told", "harmless", "healed", "refused"), 0)
    bad = 0
    for number in range(times):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(kept, store)
        path = store / names[number % len(names)]
        if rng.random() < 0.1:
            path.unlink()
        else:
            path.write_bytes(harm(path.read_bytes(), rng))
        try:
            with limited(20), warnings.catch_warnings():
                warnings.simplefilter("ignore", StoreWarning)
                try:
                    xr.testing.assert_identical(sweeps.open_sweep(store), right)
                    counts["harmless"] += 1
                except PdsimError:
                    counts["told"] += 1
                try:
                    result = sweeps.sweep(config, store=store, executor="serial")
                    xr.testing.assert_identical(result, right)
                    if not all(map(np.array_equal, numbers(store), whole, (True, True))):
                        raise AssertionError("other replicates")
                    counts["healed"] += 1
                except PdsimError:
                    counts["refused"] += 1
        except Exception as error:
            bad += 1
            print(path.name, repr(error)[:200])
    found = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"store ({', '.join(names)}): of {times} damages {found}, {bad} wrong")
    return bad


if __name__ == "__main__":
    jobs = {"kill": kill, "full": full, "damage": damage}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=jobs)
    parser.add_argument("--times", type=int, default=8)
    parser.add_argument("--only", default="", help="commands or files that have this in their name")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        wrong = jobs[given.job](Path(folder), given.times, random.Random(1), given.only)
        sys.exit(bool(wrong))
