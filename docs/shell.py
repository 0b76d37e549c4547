"""Commands for the pages of commands: run in one folder, printed as a terminal shows them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "_build" / "commands"
"""Where the commands of all pages run; what one page makes the next may read."""

_WIDE = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def run(command: str, *, quiet: bool = False) -> None:
    """Run a command of pdsim and print what it prints; a failure fails the page."""
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=FOLDER, env=os.environ | _WIDE,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    if not quiet:
        print(f"$ {command}\n{done.stdout.rstrip()}")


def made() -> None:
    """Make the example and its analysis, once for all pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not (FOLDER / "lake").exists():
        run("pdsim example lake_zone lake --trials 20 --case-correlation 0.1", quiet=True)
    if not (FOLDER / "results" / "run.json").exists():
        run("pdsim analyse lake --out results", quiet=True)


def file(name: str, text: str) -> None:
    """Write a small file that a command reads, and show it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{name}:\n\n{text}")
