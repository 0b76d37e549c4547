"""Both engines on one study, and whether their answers differ by more than computation error."""

import arviz_stats as azs
import numpy as np
import xarray as xr

from pdsim.analysis.exchange import exchanged, identical_facilities
from pdsim.analysis.summaries import SAMPLE
from pdsim.model import composite
from pdsim.model import fit as fit_study
from pdsim.ranking import top_probability
from pdsim.reports.study.view import SIDES
from pdsim.study import Study
from pdsim.study.options import SamplerSettings


def opinions(study: Study, fit: xr.DataTree, sampler: SamplerSettings) -> xr.Dataset:
    """Fit a study with the other engine, and return the differences.

    Returns
    -------
    Dataset (facility)
        ``mean``, ``p_top`` and ``p_bottom``: the second engine's value less the first's; each
        with ``_mcse``, the Monte Carlo error of the difference. Attributes ``first``,
        ``second`` and ``convergence`` of the second.
    """
    other = "laplace" if fit.attrs["engine"] == "nuts" else "nuts"
    second = fit_study(
        study,
        engine="nuts" if other == "nuts" else "laplace",
        seed=sampler.seed,
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        hand_over=False,
    )
    same = identical_facilities(study)
    scores = [exchanged(composite(one), same) for one in (fit, second)]
    columns: dict[str, xr.DataArray] = {}
    means = [score.mean(SAMPLE) for score in scores]
    errors = [score.std(SAMPLE) / np.sqrt(_ess(score)) for score in scores]
    columns["mean"], columns["mean_mcse"] = means[1] - means[0], _both(errors)
    for side in SIDES:
        tables = [top_probability(score, m=study.m, side=side) for score in scores]
        p = [table["top_probability"] for table in tables]
        error = [table["top_probability_mcse"] for table in tables]
        columns[f"p_{side}"], columns[f"p_{side}_mcse"] = p[1] - p[0], _both(error)
    return xr.Dataset({name: column.drop_attrs() for name, column in columns.items()}).assign_attrs(
        first=fit.attrs["engine"], second=other, convergence=second.attrs["convergence"]
    )


def _both(errors: list[xr.DataArray]) -> xr.DataArray:
    first, second = errors
    whole: xr.DataArray = (first**2 + second**2) ** 0.5
    return whole


def _ess(score: xr.DataArray) -> xr.DataArray | float:
    if "ess" in score.attrs:
        return float(score.attrs["ess"])
    sizes: xr.DataArray = azs.ess(score.rename("score"), sample_dims=SAMPLE, method="mean")
    return sizes
