"""Ask whether other weights, scales or indicators would have chosen other facilities.

    python -m experiments.weighting.robustness [--data FOLDER] [--only STUDY ...]

Of safe_surgery_like and of ten and all hospitals of the CMS data. FOLDER holds the CMS tables
(default: the environment variable PDSIM_DATA, else ../shared/data beside the checkout). The
tables of a study go to one netCDF file in results/weighting/robustness, with a README of what was
found.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import xarray as xr

import pdsim
from pdsim.analysis import WeightSettings, weight_tables
from pdsim.files import write_atomically
from pdsim.scoring import observed_sources

TOP = Path(__file__).resolve().parents[2]
RESULTS = TOP / "results" / "weighting" / "robustness"
STUDIES = {"safe_surgery_like": "", "cms_ten": "cms_ten.csv", "cms_full": "cms_2021_2023.csv.gz"}
MANY = 200
LARGE = WeightSettings(draws=200, weight_draws=200, grid_draws=80)
LISTED = 30
"""Facilities of each end whose rows are kept of a study of more than `MANY`."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = TOP.parent / "shared" / "data"
    parser.add_argument("--only", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PDSIM_DATA", beside)))
    return parser.parse_args()


def study_of(name: str, data: Path) -> pdsim.Study:
    if not STUDIES[name]:
        return pdsim.load_example(name)
    indicators = str(data / "cms_indicators.csv")
    options = pdsim.StudyOptions(indicators=indicators, periods=("2021", "2023"))
    return pdsim.read_study(data / STUDIES[name], options=options)


def kept_tables(tables: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Keep the facilities that any weights or choice of method bring near either end."""
    tables = {key: _leaner(table) for key, table in tables.items()}
    names = tables["weights_acceptability"]["facility"].values
    if len(names) <= MANY:
        return tables
    ends = []
    for side in ("top", "bottom"):
        share = tables["weights_acceptability"][f"{side}_acceptability"].max("space").values
        stays = tables[f"weights_multiverse_{side}"]["stays"].values
        ends += np.argsort(-np.maximum(share, stays), kind="stable")[:LISTED].tolist()
    own = names[np.unique(ends)]
    result = {}
    for key, table in tables.items():
        kept = table.sel(facility=own) if "facility" in table.dims else table
        if "outcome" in kept.dims:
            kept = kept.sel(outcome=[*own, "members", "set"])
        result[key] = kept.drop_vars("central_weight", errors="ignore")
    return result


def _leaner(table: xr.Dataset) -> xr.Dataset:
    """Drop who swaps in each draw, and choice factors of one level: text takes most room."""
    text = [name for name in ("leaves", "enters") if name in table and table[name].ndim]
    if "choice" in table.dims:
        text += [str(key) for key, item in table.coords.items() if len(np.unique(item)) == 1]
    return table.drop_vars(text)


def write(tables: dict[str, xr.Dataset], path: Path) -> None:
    tree = xr.DataTree.from_dict(tables)
    packed = {"zlib": True, "complevel": 5}
    encoding = {
        f"/{key}": {
            name: packed for name, item in table.variables.items() if item.dtype.kind in "fib"
            and item.ndim
        }
        for key, table in tables.items()
    }  # fmt: skip
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def finding(tables: dict[str, xr.Dataset], side: str) -> str:
    flip = tables[f"weights_flip_{side}"].sel(within=0.2, method="nearest")
    stay, error = float(flip["survival"]), float(flip["survival_mcse"])
    chance = f"{stay:.2f} (MCSE {error:.3f})" if stay > 0 else f"below {3 * error:.3f}"
    same = tables[f"weights_multiverse_{side}"]["same"]
    sentences = " ".join(
        tables[f"weights_decomposition_{side}{known}"].attrs["sentence"]
        for known in ("", "_nominal")
    )
    return (
        f"- The {side} {flip.attrs['m']} ({', '.join(flip.attrs['selected'])}) survives every "
        f"re-weighting within 0.2 (sum of all changes) with probability {chance}; "
        f"{100 * float(same.mean()):.0f} % of {same.size:,} choices of method select the same set. "
        f"{sentences}\n"
    )


def main() -> None:
    given = arguments()
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = "# Would other weights have chosen other facilities?\n"
    for name in given.only:
        study = study_of(name, given.data)
        sizes = study.data.sizes
        large = sizes["facility"] > MANY
        fit = pdsim.fit(study, engine="laplace", seed=1, draws=200 if large else 1000, chains=1)
        tables = weight_tables(
            pdsim.levels(fit),
            m=study.m,
            settings=LARGE if large else None,
            sources=observed_sources(study),
        )
        write(kept_tables(tables), RESULTS / f"{name}.nc")
        text += (
            f"\n## {name}: {sizes['facility']:,} facilities, {sizes['indicator']} indicators\n\n"
            + "".join(finding(tables, side) for side in ("top", "bottom"))
        )
    text += (
        "\nEach file holds the tables of `pdsim.analysis.weight_tables`, one group each, every "
        "probability with its Monte Carlo standard error (MCSE); of a study of more than "
        f"{MANY} facilities only the {LISTED} of each end that weights or methods ever bring "
        "nearest. Made by "
        "`python -m experiments.weighting.robustness`.\n"
    )
    write_atomically(RESULTS / "README.md", text)


if __name__ == "__main__":
    main()
