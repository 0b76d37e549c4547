"""Scores of a fit by their names in criteria: an estimand, of everything or of one part."""

import xarray as xr

from pdsim.model.composites import composite, levels
from pdsim.terms.criteria import check_score, score_names


def names_of_scores(fit: xr.DataTree) -> list[str]:
    """Return the names that `named_score` knows, see `pdsim.terms.criteria.score_names`."""
    eta = fit["posterior"]["eta"]
    labels = (
        [str(name) for name in eta[dim].to_numpy()] for dim in ("period", "indicator", "domain")
    )
    return score_names(str(fit.attrs["kind"]), *labels)


def named_score(fit: xr.DataTree, name: str) -> xr.DataArray:
    """Return one score per facility and posterior draw by its name.

    Parameters
    ----------
    fit : xarray.DataTree
        From `pdsim.fit`.
    name : str
        An estimand, ``change``; of one domain or indicator, ``change[safety]``, whose indicators
        keep their weights among each other; or the level in one period, ``level[baseline]``.

    Returns
    -------
    xarray.DataArray (chain, draw, facility)

    Raises
    ------
    InputError
        If there is no such score.

    Examples
    --------
    >>> import pdsim
    >>> fit = pdsim.fit(pdsim.load_example("safe_surgery_like"), engine="laplace", seed=1)
    >>> endline = pdsim.composite(fit, estimand="endline")
    >>> xr.testing.assert_allclose(named_score(fit, "level[endline]"), endline, rtol=1e-12)
    """
    check_score(name, names_of_scores(fit), where="the fit")
    estimand, _, part = name.removesuffix("]").partition("[")
    level = levels(fit)
    if not part:
        return composite(fit, estimand=estimand)
    if estimand == "level" and part in level["period"].values:
        return composite(level.sel(period=[part]), estimand="level")
    own = level["indicator"].values == part
    own = own if own.any() else level["domain"].values == part
    weight = level["weight"].values * own
    return composite(fit, estimand=estimand, weights=weight if weight.any() else own * 1.0)
