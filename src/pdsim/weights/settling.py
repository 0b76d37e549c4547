"""Whether more data would settle the choice, read off the decomposition of its variance."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from pdsim.conventions import CERTAIN
from pdsim.errors import InputError
from pdsim.weights.outcomes import MEMBERS, POSTERIOR, SET

_MOST: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What would settle a choice.

    Attributes
    ----------
    outcome : str
        As in `decompose`.
    apart : float
        How far two readings (draw, weights, choices) are apart: the probability that they
        choose different sets, or differ about the facility; for ``"members"`` the share of the
        m that they do not have in common.
    apart_mcse : float
    posterior, posterior_mcse : float
        First-order share of the posterior: what perfect data would take away on average.
    agreed, agreed_mcse : float
        Share of all components without the posterior: what agreement on weights and choices
        would take away.
    both, both_mcse : float
        The rest, which takes data and agreement; its error is a bound, the sum of the others.
    """

    outcome: str
    apart: float
    apart_mcse: float
    posterior: float
    posterior_mcse: float
    agreed: float
    agreed_mcse: float
    both: float
    both_mcse: float

    @property
    def nothing_open(self) -> bool:
        """Whether all readings choose alike."""
        return bool(np.isnan(self.posterior))

    @property
    def little_open(self) -> bool:
        """Whether two readings are apart at most as often as what counts as certain allows."""
        return self.apart <= 1.0 - CERTAIN

    @property
    def by_data(self) -> bool:
        """Whether perfect data would take away most of the variance."""
        return self.posterior >= _MOST

    @property
    def by_agreement(self) -> bool:
        """Whether agreement on weights and choices would take away most of the variance."""
        return self.agreed >= _MOST

    @property
    def close_call(self) -> bool:
        """Whether the Monte Carlo error leaves open what data would do."""
        return abs(self.posterior - _MOST) < 2.0 * self.posterior_mcse


def settled_outcome(parts: xr.Dataset) -> str:
    """Return ``"set"``, or ``"members"`` where too many sets are too rare to be told apart."""
    return MEMBERS if bool(parts["variance"].sel(outcome=SET).isnull()) else SET


def settle(parts: xr.Dataset, outcome: str | None = None) -> Settled:
    """Say whether more data would settle the choice, and why.

    Parameters
    ----------
    parts : Dataset
        From `decompose`.
    outcome : str, optional
        A facility, ``"set"`` or ``"members"``. Default: see `settled_outcome`.

    Returns
    -------
    Settled
        NaN shares where nothing is open.

    Raises
    ------
    InputError
        If the outcome is not in `parts`.

    Examples
    --------
    >>> from pdsim.weights import decompose, weight_space
    >>> levels = xr.DataArray(
    ...     [[[0.1, 0.9]], [[0.1, 0.2]]], dims=("facility", "indicator", "period")
    ... )
    >>> weights = weight_space.flat(["a"], size=2, seed=0)
    >>> settle(decompose(levels, weights, m=1, normalisations=["pp"])).nothing_open
    True
    """
    outcome = settled_outcome(parts) if outcome is None else outcome
    if outcome not in parts["outcome"].values.tolist():
        raise InputError(f"{outcome!r} is not an outcome of the decomposition")
    row = parts.sel(outcome=outcome)
    # of a single facility p (1 - p): two readings differ in one of two orders
    factor = {SET: 1.0, MEMBERS: 1.0 / int(parts.attrs["m"])}.get(outcome, 2.0)
    posterior, total = row["first"].sel(factor=POSTERIOR), row["total"].sel(factor=POSTERIOR)
    errors = (
        float(row["first_mcse"].sel(factor=POSTERIOR)),
        float(row["total_mcse"].sel(factor=POSTERIOR)),
    )
    return Settled(
        outcome=outcome,
        apart=factor * float(row["variance"]),
        apart_mcse=factor * float(row["variance_mcse"]),
        posterior=float(posterior),
        posterior_mcse=errors[0],
        agreed=1.0 - float(total),
        agreed_mcse=errors[1],
        both=float(total - posterior),
        both_mcse=sum(errors),
    )
