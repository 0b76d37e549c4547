"""How long a user waits before anything happens: imports, --help, a first answer.

    python benchmarks/startup.py

Each command runs in a fresh process, in turn, 7 times; the median is printed.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7
CASES = {
    "python -c pass": "pass",
    "import pdsim": "import pdsim",
    "import xarray": "import xarray",
    "pdsim.Study": "import pdsim; pdsim.Study",
    "pdsim --help": "import sys; sys.argv[1:] = ['--help']; from pdsim.cli import main; main()",
    "first plan": "import sys; sys.argv[1:] = ['plan', {plan!r}, '--dry-run']; "
    "from pdsim.cli import main; main()",
}
LIMITS = {
    "import pdsim": ("python -c pass", 0.1),
    "pdsim.Study": ("import xarray", 0.3),
    "pdsim --help": (None, 0.6),
    "first plan": (None, 2.0),
}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return time.perf_counter() - start


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.toml")
        plan.write_text('preset = "like_founding"\n')
        for _ in range(RUNS + 1):
            for name, code in CASES.items():
                taken[name].append(seconds(code.replace("{plan!r}", repr(str(plan)))))
    median = {name: statistics.median(values[1:]) for name, values in taken.items()}
    for name, value in median.items():
        line = f"{name:16s} {value:6.3f} s"
        if name in LIMITS:
            base, limit = LIMITS[name]
            above = value - (median[base] if base else 0.0)
            line += f"   {above:6.3f} s above {base or 'nothing'}, wanted under {limit} s"
        print(line)


if __name__ == "__main__":
    main()
