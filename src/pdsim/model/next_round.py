"""What would be observed next: new cases at each facility's own level, and stated drift."""

import numpy as np
import xarray as xr

from pdsim.errors import InputError, Problem
from pdsim.model.composites import in_arm, levels
from pdsim.model.data import fitted_data
from pdsim.model.predictive import composite_of, draw_proportion
from pdsim.study import study_from_dataset
from pdsim.study.facilities import PROGRAMME


def next_round(fit: xr.DataTree, *, drift: float = 0.0, seed: int = 1) -> xr.DataArray:
    """Return draws of the composite level that a next round would observe.

    P(top m) speaks of true levels and is no forecast: a round that is yet to come has new cases,
    and levels move. With these draws in place of the scores, `pdsim.top_probability` says who will
    be *observed* at the top.

    Parameters
    ----------
    fit : xarray.DataTree
        From `pdsim.fit`.
    drift : float
        Standard deviation, in logits (of scale scores: in standard deviations of the score), by
        which each indicator of each facility moves on its own until then. Data of two rounds say
        little about it, so it is stated.
    seed : int

    Returns
    -------
    xarray.DataArray (sample, facility)
        Percent (or standardised score), turned so that higher is better; as many cases as in the
        last period, and only over the indicators observed in it.

    Raises
    ------
    InputError
        If `drift` is negative.

    Examples
    --------
    >>> import pdsim
    >>> fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1, draws=500)
    >>> ahead = next_round(fit)
    >>> level = 100 * pdsim.levels(fit).isel(period=-1, indicator=0)
    >>> bool((ahead.std("sample") > level.std(("chain", "draw"))).all())
    True
    """
    if not drift >= 0.0:
        raise InputError(Problem(rule=f"drift is a standard deviation, 0 or more, not {drift:g}"))
    study = study_from_dataset(fit["constant_data"].to_dataset())
    data = fitted_data(fit)
    rng = np.random.default_rng(seed)
    eta = fit["posterior"]["eta"].stack(sample=("chain", "draw")).transpose("sample", ...)
    moved = eta.to_numpy() + drift * rng.standard_normal(eta.shape)
    drawn = [composite_of(draw_proportion(draw, data, rng), data)[:, -1] for draw in moved]
    known = levels(fit).attrs
    ahead = xr.DataArray(
        np.array(drawn),
        dims=("sample", "facility"),
        coords={"facility": study.data["facility"].to_numpy()},
        name="next_round",
        attrs={name: known[name] for name in ("convergence", "ess") if name in known}
        | {"estimand": "next round", "units": "pp" if data.kind == "counts" else ""},
    )
    return in_arm(fit, ahead, PROGRAMME)
