"""Build a wheel, install it into an empty environment, and run the main commands with it.

`python tools/try_wheel.py [PYTHON ...]`: with each of these Pythons, by default the one that runs
this. Nothing of the project is on the path then but the wheel.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ESTIMATES = "facility,estimate,se\nA,3,1\nB,2,1\nC,1,1\nD,0,1\nE,-1,1\n"
SWEEP = "replicates = 20\nseed = 1\n[factors]\ntrials = [10, 20]\n"


def call(*command: str | Path, cwd: Path) -> None:
    """Run a command; an error ends all."""
    print(">", *[part.name if isinstance(part, Path) else part for part in command], flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def attempt(python: str, wheel: Path) -> None:
    """Install the wheel with one Python and use it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        call(python, "-m", "venv", "env", cwd=place)
        scripts = place / "env" / ("Scripts" if sys.platform == "win32" else "bin")
        call(scripts / "python", "-m", "pip", "install", "--quiet", str(wheel), cwd=place)
        (place / "e.csv").write_text(ESTIMATES, encoding="utf-8")
        (place / "sweep.toml").write_text(SWEEP, encoding="utf-8")
        fast = ("--engine", "laplace")
        for arguments in (
            ("--help",),
            ("example", "surgical", "s"),
            ("check", "s"),
            ("analyse", "s", "--out", "results", *fast),
            ("report", "results", "--format", "md"),
            ("rank", "e.csv", "--m", "2", "--out", "ranked"),
            ("sweep", "sweep.toml", "--store", "store", "--out", "sweep.nc"),
        ):
            call(scripts / "pdsim", *arguments, cwd=place)
    print(f"The wheel works with {python}")


def main() -> None:
    """Build the wheel and try it."""
    with tempfile.TemporaryDirectory() as name:
        made = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", name, str(ROOT))
        call(sys.executable, *made, cwd=ROOT)
        [wheel] = Path(name).glob("*.whl")
        for python in sys.argv[1:] or [sys.executable]:
            attempt(python, wheel)


if __name__ == "__main__":
    main()
