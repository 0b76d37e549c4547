"""Student-t effects of the facilities beside normal ones: who is unlike the rest, what changes."""

import warnings

import xarray as xr

from pdsim.analysis.refits import compare_selections, refit
from pdsim.analysis.summaries import SAMPLE, interval
from pdsim.errors import ConvergenceWarning
from pdsim.model import outlying
from pdsim.model.outlying import FEWEST
from pdsim.study import Study


def t_effects(fit: xr.DataTree, study: Study, score: xr.DataArray) -> xr.Dataset:
    """Return what Student-t effects say of each facility, and whom normal ones would choose.

    Parameters
    ----------
    fit : xarray.DataTree
        With Student-t effects.
    study : Study
        That of the fit.
    score : DataArray (chain, draw, facility)
        What is ranked, of the facilities that are ranked.

    Returns
    -------
    xarray.Dataset (effects, facility)
        `compare_selections` for the effects ``t`` and ``normal`` (left out where the refit failed
        its gates); ``factor`` (facility), the posterior median of a facility's own spread over the
        common one, with its ``interval``. Attributes: ``facility_df``; ``unlike``, the facility
        with the largest factor; and of it, against a fit of all others with normal effects,
        ``p_extreme`` with ``p_extreme_mcse``, see `pdsim.model.outlying` (none with fewer than
        four facilities, or where that fit failed its gates).
    """
    seed, names = int(fit.attrs["seed"]), score["facility"].to_numpy()
    factor = fit["posterior"].to_dataset()["factor_facility"].sel(facility=names)
    plain = study.with_facility_df(None)
    normal = refit(plain, None, engine="laplace", seed=seed)
    scores = {"t": score} if isinstance(normal, str) else {"t": score, "normal": normal}
    middle = factor.median(SAMPLE)
    unlike = str(names[int(middle.argmax("facility"))])
    attrs: dict[str, str | float] = {
        "facility_df": float(fit.attrs["facility_df"]),
        "unlike": unlike,
    }
    ranked = plain.programme
    if len(names) >= FEWEST:
        with warnings.catch_warnings():
            # its label says what failed
            warnings.simplefilter("ignore", ConvergenceWarning)
            apart = outlying(ranked, facilities=[unlike], hand_over=False, seed=seed)
        if apart.attrs["convergence"] == "passed":
            attrs |= {name: float(apart[name][0]) for name in ("p_extreme", "p_extreme_mcse")}
    table = compare_selections(scores, dim="effects", m=study.m)
    return table.assign(factor=middle, interval=interval(factor)).assign_attrs(attrs)
