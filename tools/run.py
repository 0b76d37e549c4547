"""The two commands of the Makefile for every system: `python tools/run.py demo` or `test`.

Makes `.venv` itself with the Python that runs it (3.12 or later).
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv"
PYTHON = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def call(*arguments: str) -> None:
    """Run Python of the environment in the folder of the project; end as it ends."""
    done = subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def install(extra: str) -> None:
    """Make the environment and install pdsim and what it needs, unless that was done."""
    mark = HOME / f".installed{extra and '-dev'}"
    newest = (ROOT / "pyproject.toml").stat().st_mtime
    if mark.exists() and mark.stat().st_mtime >= newest:
        return
    if not PYTHON.exists():
        print(f"Making {HOME} with {sys.executable}")
        venv.create(HOME, with_pip=True)
    print("Installing pdsim and what it needs (a minute or two the first time)")
    call("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f".{extra}")
    mark.touch()


def demo() -> None:
    """Install and run the main job."""
    install("")
    assumed = ("--trials", "20", "--case-correlation", "0.1")
    for name, options in (("lake_zone", assumed), ("surgical", ())):
        folder = ROOT / "demo" / name
        if not folder.exists():
            call("-m", "pdsim", "example", name, str(folder), *options)
        results = str(folder / "results")
        call("-m", "pdsim", "analyse", str(folder / "study.toml"), "--out", results)
        print(f"The report lies in {results}: report.html")


def test() -> None:
    """Install and run the tests."""
    install("[dev]")
    call("-m", "pytest", "-n", "2", "--dist", "worksteal", "--durations", "15")


if __name__ == "__main__":
    jobs = {"demo": demo, "test": test}
    if sys.argv[1:] not in ([name] for name in jobs):
        sys.exit(f"python tools/run.py {' | '.join(jobs)}")
    jobs[sys.argv[1]]()
