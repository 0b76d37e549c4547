"""Start a sweep again and again and kill it at a random moment; used by test_kill.

Arguments: store, log, executor, number of kills, seed of the moments, JSON of the settings. A
forked child runs the sweep, so that each start costs next to nothing. Prints one line of JSON for
every kill: how many blocks the ledger named, and how many replicates of those ran again later.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pydantic  # noqa: F401 - so that no child need import it

import pdsim.sweeps.progress as progress
import pdsim.sweeps.writer as writer
from pdsim.sweeps import sweep
from pdsim.sweeps.ledger import read_ledger
from pdsim.sweeps.store import Contents


def committed(store: Path) -> set[tuple[str, int]]:
    contents = Contents()
    for line in read_ledger(store).lines:
        contents.record(line)
    return {
        (contents.cells[row].key, replicate)
        for row, done in contents.done.items()
        for start, stop in done
        for replicate in range(start, stop)
    }


def executed(log: Path, skip: int) -> tuple[list[tuple[str, int]], int]:
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(key, int(replicate)) for key, replicate, _ in lines[skip:]], len(lines)


def run(settings: dict[str, object], store: Path, executor: str, told: int) -> None:
    sweep(
        settings,
        store=store,
        executor=executor,
        workers=2 if executor == "processes" else None,
        block=7,
        progress=lambda event: os.write(told, b"x"),
        simulation="fake_simulation",
    )


def main() -> None:
    store, log, executor = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    kills, moments = int(sys.argv[4]), random.Random(int(sys.argv[5]))
    settings = json.loads(sys.argv[6])
    writer.COMMIT_SECONDS = 0.02
    progress.TELL_SECONDS = -1.0
    seen = 0
    for _ in range(kills):
        before = committed(store) if (store / "store.json").exists() else set()
        reader, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            run(settings, store, executor, told)
            os._exit(0)
        os.close(told)
        # one byte comes at the start and one for every block: most kills are while blocks come in,
        # some while the store is being opened, however slow the machine is
        for _ in range(moments.choice([0, *range(2, 18)])):
            os.read(reader, 1)
        time.sleep(moments.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reader)
        time.sleep(0.05 if executor == "processes" else 0.0)
        ran, seen = executed(log, seen)
        again = len(before & set(ran))
        done = len(committed(store)) if (store / "store.json").exists() else 0
        lost = len(before - committed(store)) if before else 0
        line = {"done": done, "again": again, "lost": lost, "killed": os.WIFSIGNALED(status)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
