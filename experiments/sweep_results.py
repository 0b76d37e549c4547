"""What the sweep experiments share: run or resume, keep the Dataset, a figure and one sentence.

Run an experiment from the top of the repository, for example

    python -m experiments.sample_size.run

The replicates go to results/large/<experiment> (not kept), the rest to results/<experiment>.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pdsim.files import write_atomically
from pdsim.reports.plots.style import SERIES
from pdsim.sweeps import SweepProgress, sweep, write_result

RESULTS = Path(__file__).resolve().parents[1] / "results"


def arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, help="processes; default: all cores")
    parser.add_argument("--block", type=int, help="replicates in one task")
    return parser.parse_args()


def store_of(name: str) -> Path:
    return RESULTS / "large" / name


def run(folder: Path, given: argparse.Namespace) -> xr.Dataset:
    """Complete the sweep of sweep.toml in a folder."""

    def tell(event: SweepProgress) -> None:
        sys.stderr.write(f"\r{event.done}/{event.total}, {event.remaining:.0f} s left   ")

    result = sweep(
        folder / "sweep.toml",
        store=store_of(folder.name),
        workers=given.workers,
        block=given.block,
        progress=tell,
    )
    sys.stderr.write("\n")
    return result


def over_assumptions(result: xr.Dataset, found: Callable[[int, float], xr.Dataset]) -> xr.Dataset:
    """Add what is found for the published percentages at every trials and correlation."""
    grid = [
        xr.concat([found(int(n), float(r)) for n in result.trials.values], dim="trials")
        for r in result.case_correlation.values
    ]
    return result.merge(xr.concat(grid, dim="case_correlation"))


def publish(name: str, result: xr.Dataset, figure: Figure, title: str, finding: str) -> None:
    """Write the Dataset, the figure, and a README with the finding."""
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    write_result(result, folder / f"{name}.nc")
    figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
    text = (
        f"# {title}\n\n{finding}\n\n"
        f"`{name}.nc` holds every measure with its Monte Carlo standard error (MCSE); the settings "
        f"are in its attribute `configuration`. Made by `python -m experiments.{name}.run`.\n\n"
        f"![{title}]({name}.png)\n"
    )
    write_atomically(folder / "README.md", text)


def curves(axes: Axes, result: xr.DataArray, error: xr.DataArray, *, x: str, by: str) -> None:
    """Draw one line for each level of `by`, with bars of two MCSEs."""
    places = np.arange(result.sizes[x])
    for colour, level in zip(SERIES, result[by].values, strict=False):
        axes.errorbar(
            places,
            result.sel({by: level}),
            yerr=2 * error.sel({by: level}),
            color=colour,
            marker="o",
            markersize=3,
            linewidth=1.2,
            label=str(level),
        )
    axes.set_xticks(places, [str(value) for value in result[x].values])
    axes.set_xlabel(x.replace("_", " "))
    if float(result.min()) >= 0 and float(result.max()) <= 1:
        axes.set_ylim(-0.02, 1.02)


def said(cell: xr.Dataset, name: str) -> str:
    """Return a measure of one cell with its MCSE as text."""
    return f"{float(cell[name]):.3f} (MCSE {float(cell[f'{name}_mcse']):.3f})"
