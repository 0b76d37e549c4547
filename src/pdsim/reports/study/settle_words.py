"""Whether more data would settle the choice, as sentences."""

import xarray as xr

from pdsim.weights import settle
from pdsim.weights.outcomes import MEMBERS, POSTERIOR, SET, WEIGHTS


def settle_words(parts: xr.Dataset, outcome: str | None = None) -> str:
    """Return one or two sentences on what would settle the choice, with the numbers of `settle`.

    Parameters
    ----------
    parts : Dataset
        From `pdsim.weights.decompose`.
    outcome : str, optional
        As in `settle`.

    Raises
    ------
    InputError
        If the outcome is not in `parts`.

    Examples
    --------
    >>> import xarray as xr
    >>> from pdsim.weights import decompose, weight_space
    >>> levels = xr.DataArray(
    ...     [[[0.1, 0.9]], [[0.1, 0.2]]], dims=("facility", "indicator", "period")
    ... )
    >>> weights = weight_space.flat(["a"], size=2, seed=0)
    >>> settle_words(decompose(levels, weights, m=1, normalisations=["pp"]))
    'There is nothing to settle: the top 1 is the same under all draws, weights and choices.'
    """
    found = settle(parts, outcome)
    m, side = int(parts.attrs["m"]), parts.attrs["side"]
    group = found.outcome in (SET, MEMBERS)
    what = f"the {side} {m}" if group else f"whether {found.outcome} is in the {side} {m}"
    factors = parts["factor"].values.tolist()
    others = "weights" if factors == [POSTERIOR, WEIGHTS] else "weights and choices"
    if found.nothing_open:
        return (
            f"There is nothing to settle: {what} is the same under all draws, weights and choices."
        )
    error = f"(MCSE {found.apart_mcse:.3f})"
    apart = {
        SET: f"choose different sets with probability {found.apart:.2f} {error}",
        MEMBERS: f"have {m * (1.0 - found.apart):.2f} of the {m} in common on average "
        f"(MCSE {m * found.apart_mcse:.3f})",
    }.get(found.outcome, f"differ about it with probability {found.apart:.2f} {error}")
    readings = f"two readings (draw, {others}) {apart}"
    if found.little_open:
        return f"{what[0].upper()}{what[1:]} is all but settled: {readings}."
    if found.by_data:
        verdict, degree, also = "would", " for the most part", ""
    else:
        verdict, degree = "would not", ""
        also = f"; agreement on {others} alone would{'' if found.by_agreement else ' not either'}"
    return (
        f"More data {verdict} settle {what}{degree}{' (a close call)' if found.close_call else ''}"
        f", because {100 * found.posterior:.0f} % (MCSE {100 * found.posterior_mcse:.1f}) of the "
        f"variance comes from the posterior alone, {100 * found.agreed:.0f} % (MCSE "
        f"{100 * found.agreed_mcse:.1f}) from {others} alone and {100 * found.both:.0f} % from "
        f"both together{also}. As it is, {readings}."
    )
