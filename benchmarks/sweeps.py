"""What a sweep costs beside its fits: overhead, scaling, opening, memory.

    python benchmarks/sweeps.py overhead scaling open memory

Every figure is printed with the alternative that it is compared with, from the same run.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS: dict[str, Any] = {
    "replicates": 100,
    "seed": 1,
    "scenario": {"facilities": 10, "indicators": 14, "domains": 2},
    "factors": {"trials": [20, 40], "rule": ["observed_change", "posterior_mean", "p_top"]},
}

FITS: dict[str, Any] = {**SETTINGS, "replicates": 300}

CHEAP: dict[str, Any] = {
    "replicates": 100_000,
    "seed": 1,
    "scenario": {"facilities": 10, "indicators": 14, "domains": 2},
    "factors": {"trials": [10, 20, 30, 40, 50, 60]},
}


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def overhead() -> None:
    """Seconds of a whole serial sweep against the seconds spent inside the fits."""
    from pdsim.simulation import posterior
    from pdsim.sweeps import sweep

    inside = 0.0
    fit_many = posterior.fit_many

    def measured(*arguments: Any, **settings: Any) -> Any:
        nonlocal inside
        started = time.perf_counter()
        try:
            return fit_many(*arguments, **settings)
        finally:
            inside += time.perf_counter() - started

    posterior.fit_many = measured
    with tempfile.TemporaryDirectory() as warm:
        sweep({**SETTINGS, "replicates": 2}, store=warm, executor="serial")
    inside = 0.0
    with tempfile.TemporaryDirectory() as store:
        total = timed(lambda: sweep(SETTINGS, store=store, executor="serial"))
    posterior.fit_many = fit_many
    cells = 6 * SETTINGS["replicates"]
    print(
        f"overhead: {cells} cell-replicates in {total:.2f} s, of which fits {inside:.2f} s; "
        f"everything else {100 * (total - inside) / total:.1f} % (line: under 10 %)"
    )


def scaling(rounds: int = 3) -> None:
    """Two processes against one in turn, from the first block to the last commit."""
    from pdsim.sweeps import sweep

    for name, settings in (("no posterior", CHEAP), ("fits", FITS)):
        with tempfile.TemporaryDirectory() as store:
            # after any change of the source the first process compiles for half a minute
            sweep({**settings, "replicates": 2}, store=store, executor="serial")
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for workers in (1, 2) * rounds:
            marks: list[float] = []

            def mark(event: Any, marks: list[float] = marks) -> None:
                if event.done > event.reused:
                    marks.append(time.perf_counter())

            with tempfile.TemporaryDirectory() as store:
                sweep(settings, store=store, workers=workers, progress=mark)
            # from the first report, so that the start of the interpreters is left out
            seconds[workers].append(marks[-1] - marks[0])
        one, two = sum(seconds[1]), sum(seconds[2])
        times = ", ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(*seconds.values(), strict=True))
        print(
            f"scaling, {name}: seconds with one process/with two: {times}; "
            f"{one / two:.2f} times as fast (line: 1.8)"
        )


def opening(scenarios: int = 10_000, lines: int = 10) -> None:
    """Metadata and ledger of a store of many scenarios, against reading one chunk of each."""
    from pdsim.files import write_json
    from pdsim.provenance import versions
    from pdsim.simulation import COLUMNS, Scenario
    from pdsim.sweeps.crossing import Cell
    from pdsim.sweeps.ledger import BlockLine, append_lines
    from pdsim.sweeps.packing import BLOCKS, frame_of, pack
    from pdsim.sweeps.reading import read_store
    from pdsim.sweeps.store import SWEEP, Contents, Identity, add_run, locked
    from pdsim.sweeps.writer import Writer

    cells = [Cell.of(Scenario(trials=trials)) for trials in range(1, scenarios + 1)]
    by_key = {cell.key: cell for cell in cells}
    identity = Identity(
        simulation="pdsim.simulation", seed=1, measures=tuple(COLUMNS), versions=versions()
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        step = 1000 // lines
        frame = pack(np.zeros((step, len(COLUMNS))), np.ones(step, dtype=np.uint8))
        (store / BLOCKS).write_bytes(frame)
        with (
            locked(store, identity),
            Writer(store, Contents(), width=len(COLUMNS)) as writer,
        ):
            writer.add_cells(by_key)
            append_lines(
                store,
                [
                    BlockLine(
                        first=row, last=row + 1, start=at, stop=at + step, at=0,
                        frames=[frame_of(frame)],
                    )
                    for row in range(scenarios)
                    for at in range(0, 1000, step)
                ],
            )  # fmt: skip
            add_run(store, {}, new=True)
            record = {
                "settings": {"replicates": 1000},
                "dims": [["trials", list(range(scenarios))]],
                "keys": list(by_key),
            }
            write_json(store / SWEEP, record)
        opened = timed(lambda: read_store(store))
        found = read_store(store)
        some = timed(lambda: found.read(found.keys[:100], 0, found.replicates))
        size = (store / "ledger.txt").stat().st_size / 1e6
    print(
        f"open: {scenarios} scenarios, {scenarios * lines} ledger lines ({size:.1f} MB) in "
        f"{opened:.2f} s (line: 2 s); reading their replicates would take "
        f"{some * scenarios / 100:.0f} s more"
    )


MEMORY = """
import resource, sys, tempfile
from pdsim.sweeps import open_sweep, sweep
settings = {"replicates": int(sys.argv[1]), "seed": 1, "factors": {"trials": [10, 20]}}
with tempfile.TemporaryDirectory() as store:
    after = []
    sweep(settings, store=store, executor="serial", block=1000, progress=lambda event: after.append(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    print(after[-1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory() -> None:
    """Highest resident memory while a sweep runs, and after its summary, by replicates."""
    for replicates in (1_000, 10_000, 100_000):
        told = subprocess.run(
            [sys.executable, "-c", MEMORY, str(replicates)],
            capture_output=True,
            text=True,
            check=True,
        )
        running, summarised = (int(number) / 1024 for number in told.stdout.split())
        print(
            f"memory: {replicates:>7} replicates of 2 cells: {running:.0f} MB while running, "
            f"{summarised:.0f} MB with the summary"
        )


def main() -> None:
    choices = {"overhead": overhead, "scaling": scaling, "open": opening, "memory": memory}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=list(choices))
    for name in parser.parse_args().what:
        choices[name]()


if __name__ == "__main__":
    main()
