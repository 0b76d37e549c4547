"""Standard errors of observed composites, for the funnel plot."""

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.study import Study
from pdsim.study.errormatrix import variance_of_sums


def observed_se(study: Study) -> xr.DataArray:
    """Return the standard error of every facility's observed value.

    Binomial (or stated) errors of the cells, with the within-case correlation between
    indicators of one case group, design effect and items; r counts as 0 where it is not known.
    Errors of scores correlate as the study states. A cell's proportion is taken as
    (y + 1/2) / (n + 1), so that 0 of n is not exact.

    Returns
    -------
    xr.DataArray (facility)
        In the units of the observed value; NaN where a weighted cell is missing.
    """
    data = study.data
    weight = data["weight"].to_numpy().astype(float)
    r = study.case_correlation or 0.0
    factor = study.design_effect
    if "trials" in data:
        trials = data["trials"].transpose("facility", "indicator", "period").to_numpy()
        successes = data["successes"].transpose("facility", "indicator", "period").to_numpy()
        factor *= 1.0 + ((study.options.items or 1) - 1) * r
        share = (successes + 0.5) / (trials + 1.0)
        with np.errstate(divide="ignore"):
            sd = 100.0 * np.sqrt(share * (1.0 - share) * factor / trials)
        sd = np.where(trials > 0, sd, np.nan)
    else:
        sd = data["se"].transpose("facility", "indicator", "period").to_numpy() * np.sqrt(factor)
        r = 0.0
    part = np.where(weight[:, np.newaxis] > 0, weight[:, np.newaxis] * sd, 0.0)
    errors = study.error_correlation
    if errors is not None:
        # the baseline enters a change with a minus
        sign = np.array([-1.0, 1.0])[-data.sizes["period"] :]
        return _named(np.sqrt(variance_of_sums(part * sign, errors)), data)
    group = data["case_group"].to_numpy().astype(object)
    same = (group[:, np.newaxis] == group[np.newaxis, :]) & (group != "")[:, np.newaxis]
    correlation = np.where(same, r, 0.0)
    np.fill_diagonal(correlation, 1.0)
    variance = np.einsum("ikt,kl,ilt->i", part, correlation, part)
    return _named(np.sqrt(variance), data)


def _named(se: Floats, data: xr.Dataset) -> xr.DataArray:
    return xr.DataArray(se, dims="facility", coords={"facility": data["facility"]}, name="se")
