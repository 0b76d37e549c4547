"""Observed over expected: what a facility did beside what is expected of its mix of cases."""

import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.scoring.missing import observed_levels
from pdsim.study import Study


def observed_over_expected(study: Study) -> xr.Dataset:
    """Return the observed composite of every facility over that expected of its cases; no model.

    Parameters
    ----------
    study : Study
        Counts with a column ``expected``.

    Returns
    -------
    Dataset (facility, period)
        ``observed`` and ``expected`` composites in percent, turned so that higher is better, and
        their ``ratio``: above 1, a facility did better than its mix of cases leads one to expect.
        Weights are spread over the cells that were observed; NaN where none was.

    Raises
    ------
    InputError
        Without expected counts.

    Examples
    --------
    >>> from pdsim.study import Study
    >>> table = {"facility": ["A", "B"], "indicator": ["x", "x"], "successes": [12, 9],
    ...          "trials": [30, 30], "expected": [10.0, 12.0]}
    >>> observed_over_expected(Study.from_long(table))["ratio"].values.ravel().round(2).tolist()
    [1.2, 0.75]
    """
    data = study.data
    if "expected" not in data:
        raise InputError(
            Problem(rule="the study has no expected counts", cure="give a column expected")
        )
    observed = observed_levels(study)
    share = data["expected"] / data["trials"].where(data["trials"] > 0)
    expected = share.where(data["direction"] != "lower", 1.0 - share)
    weight = observed["weight"].where(observed.notnull(), 0.0)
    whole = weight.sum("indicator")
    means = {
        name: 100.0 * (value.fillna(0.0) * weight).sum("indicator") / whole.where(whole > 0)
        for name, value in (("observed", observed), ("expected", expected))
    }
    found = xr.Dataset({**means, "ratio": means["observed"] / means["expected"]})
    return found.drop_attrs().transpose("facility", "period")
