"""Time and size of the full report of a large study: ``python benchmarks/reports.py``."""

import importlib.util
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from pdsim.analysis import write_report

SYNTHETIC = Path(__file__).parents[1] / "tests" / "reports" / "synthetic.py"


def main() -> None:
    """Print seconds and megabytes for studies of 10 to 200 facilities with 14 indicators."""
    spec = importlib.util.spec_from_file_location("synthetic", SYNTHETIC)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    for facilities in (10, 50, 200):
        results = synthetic.synthetic_results(facilities=facilities, indicators=14, draws=1000)
        with TemporaryDirectory() as folder:
            start, cpu = time.perf_counter(), time.process_time()
            write_report(results, folder, formats=("html",))
            taken, cpu = time.perf_counter() - start, time.process_time() - cpu
            size = (Path(folder) / "report.html").stat().st_size / 1e6
        print(f"{facilities:4d} facilities: {taken:.1f} s ({cpu:.1f} s of CPU), {size:.2f} MB")


if __name__ == "__main__":
    main()
