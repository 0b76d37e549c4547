"""Fit the data sets of nuts_reference.json by NUTS again and write what it gives; minutes each.

python tests/model/laplace/make_nuts_reference.py n3_correlated n10_correlated
"""

import argparse
import json
from pathlib import Path

import arviz_stats as azs
import numpy as np
import xarray as xr
from scipy.special import expit

from pdsim.model.data import ModelData
from pdsim.model.nuts import sample_nuts
from pdsim.priors import Priors

FILE = Path(__file__).parent / "nuts_reference.json"


def main() -> None:
    reference = json.loads(FILE.read_text())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=sorted(reference))
    for case in parser.parse_args().cases:
        reference[case] |= summaries(reference[case])
        FILE.write_text(json.dumps(reference))


def summaries(known: dict) -> dict:
    """Return mean, sd and P(top 3) of the composites, and mean, sd and ESS of hyperparameters."""
    observed = np.array(known["observed"], dtype=float)
    data = ModelData(
        kind="counts",
        observed=observed,
        size=np.full(observed.shape, float(known["trials"])),
        domain=np.repeat([0, 1], 7),
        case_group=np.zeros(14, dtype=np.int64),
        case_correlation=known["case_correlation"],
        weight=np.full(14, 1 / 14),
        center=np.zeros(14),
        scale=np.ones(14),
        priors=Priors(
            indicator_spread="shared", change_spread=known.get("change_spread", "shared")
        ),
        facility_df=known.get("facility_df"),
        arm=np.array(known["arm"]) if "arm" in known else None,
    )
    posterior, _ = sample_nuts(data, draws=5000, tune=1000, chains=4, seed=1)
    p = 100 * expit(posterior["eta"].to_numpy()).mean(axis=3)
    p = p.reshape(-1, *p.shape[2:])
    found = {
        name: {
            "mean": value.mean(axis=0).tolist(),
            "sd": value.std(axis=0).tolist(),
            "top3": ((-value).argsort(axis=1).argsort(axis=1) < 3).mean(axis=0).tolist(),
        }
        for name, value in (("change", p[..., 1] - p[..., 0]), ("endline", p[..., 1]))
    }
    if data.change_by_arm:
        posterior = apart(posterior, data.arm)
    hyper = {}
    for name in known["hyper"]:
        value = posterior[name]
        hyper[name] = [float(value.mean()), float(value.std()), float(azs.ess(value))]
    return found | {"hyper": hyper}


def apart(posterior: xr.Dataset, arm: np.ndarray) -> xr.Dataset:
    """Add the SDs of change of the arms under names of their own, and two means over indicators.

    Those are the endline logits that the baseline foretells in the programme, and in the same
    facilities were they controls.
    """
    control, programme = (posterior["sd_change_facility"].isel(arm=n, drop=True) for n in (0, 1))
    own = xr.where(xr.DataArray(arm, dims="facility") == 1, programme, control)
    slope = posterior["corr_facility"] * (control - own) / posterior["sd_baseline_facility"]
    expected = posterior["eta_expected"].drop_vars("facility", errors="ignore")
    as_control = expected - posterior["arm_effect"] + slope * posterior["baseline_facility"]
    means = {"expected": expected, "expected_of_control": as_control}
    return posterior.assign(
        {"sd_change: control": control, "sd_change: programme": programme}
        | {
            name: v.isel(facility=arm == 1).mean(("facility", "indicator"))
            for name, v in means.items()
        }
    )


if __name__ == "__main__":
    main()
