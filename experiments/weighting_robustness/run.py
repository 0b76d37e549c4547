"""Ask whether other weights, scales or indicators would have chosen other facilities.

    python -m experiments.weighting_robustness.run [--data FOLDER] [STUDY ...]

STUDY is safe_surgery_like, cms_ten or cms_full (default: all three). FOLDER holds the CMS tables
(default: the environment variable PDSIM_DATA, else ../shared/data beside the checkout). Tables go
to results/weighting_robustness/STUDY, one netCDF file each, with a README of what was found.
"""

import argparse
import os
from pathlib import Path

import xarray as xr

import pdsim
from pdsim.files import write_atomically
from pdsim.weights import WeightSettings, weight_tables

TOP = Path(__file__).resolve().parents[2]
RESULTS = TOP / "results" / "weighting_robustness"
LARGE = WeightSettings(draws=200, weight_draws=200, grid_draws=50, left_out=1)
FILES = {"cms_ten": "cms_ten.csv", "cms_full": "cms_2021_2023.csv.gz"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = TOP.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PDSIM_DATA", beside)))
    parser.add_argument("study", nargs="*", default=["safe_surgery_like", *FILES])
    return parser.parse_args()


def study_of(name: str, data: Path) -> pdsim.Study:
    if name not in FILES:
        return pdsim.load_example(name)
    return pdsim.read_study(
        data / FILES[name], indicators=data / "cms_indicators.csv", periods=["2021", "2023"]
    )


def finding(name: str, tables: dict[str, xr.Dataset], side: str) -> str:
    flip = tables[f"weights_flip_{side}"]
    stay = float(flip["survival"].sel(within=0.2, method="nearest"))
    error = float(flip["survival_mcse"].sel(within=0.2, method="nearest"))
    same = float(tables[f"weights_multiverse_{side}"]["same"].mean())
    sentence = tables[f"weights_decomposition_{side}"].attrs["sentence"]
    chosen = ", ".join(flip.attrs["selected"])
    return (
        f"- `{name}`, {side} {flip.attrs['m']} ({chosen}): P(no re-weighting within 0.2 in L1 "
        f"changes the set) = {stay:.2f} (MCSE {error:.3f}); {100 * same:.0f} % of the choices of "
        f"method name the same set. {sentence}\n"
    )


def main() -> None:
    given = arguments()
    for name in given.study:
        study = study_of(name, given.data)
        large = study.data.sizes["facility"] > 200
        fit = pdsim.fit(study, engine="laplace", seed=1, draws=200 if large else 1000, chains=1)
        tables = weight_tables(pdsim.levels(fit), m=study.m, settings=LARGE if large else None)
        folder = RESULTS / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, table in tables.items():
            table.to_netcdf(folder / f"{key}.nc", engine="h5netcdf")
        lines = [finding(name, tables, side) for side in ("top", "bottom")]
        write_atomically(folder / "README.md", f"# {study.name}\n\n" + "".join(lines))


if __name__ == "__main__":
    main()
