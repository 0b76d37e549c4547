"""Paired simulation of an allocation against equal allocation."""

import numpy as np
import xarray as xr

from pdsim.arraytypes import Floats
from pdsim.errors import InputError, Problem
from pdsim.model import composite, levels
from pdsim.planning.next_case import cases_of


def check_allocation(
    fit: xr.DataTree, allocation: xr.Dataset, *, replicates: int = 400, seed: int = 1
) -> xr.Dataset:
    """Simulate the recommended and the equal allocation of the next cases, pair by pair.

    Each replicate takes one draw of the posterior as the truth, observes the next cases of it
    (fewer are a prefix of more), and fits the model with the fast engine to the old cases and the
    new ones together.

    Parameters
    ----------
    fit : DataTree
        The one that the allocation is for.
    allocation : Dataset
        From `pdsim.planning.next_cases`.
    replicates : int
    seed : int

    Returns
    -------
    Dataset
        ``pcs_recommended``, ``pcs_equal``, ``gain`` (their difference), each with its ``_mcse``.
        Attribute ``unreliable``: fits that the fast engine could not vouch for, kept all the same.

    Raises
    ------
    InputError
        If there are fewer than two replicates.
    """
    if replicates < 2:
        raise InputError(Problem(rule=f"replicates must be 2 or more, got {replicates}"))
    # the engine takes a second to import, which other plans can save
    from pdsim.model import fit_many

    case = cases_of(fit)
    template = case.data
    m, side = int(allocation.attrs["m"]), str(allocation.attrs["side"])
    level = levels(fit)
    period = level["period"].to_numpy().tolist().index(allocation.attrs["period"])
    stacked = level.stack(sample=("chain", "draw"))
    shown = stacked.transpose("sample", "facility", "indicator", "period").to_numpy()
    score = composite(fit).stack(sample=("chain", "draw")).transpose("sample", "facility")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x616C6C6F]))
    picked = rng.integers(len(shown), size=replicates)
    plans = [allocation[name].to_numpy().astype(int) for name in ("recommended", "equal")]
    most = int(max(plan.max() for plan in plans))
    observed = np.repeat(template.observed[None], 2 * replicates, axis=0)
    size = np.repeat(template.size[None], 2 * replicates, axis=0)
    for row, draw in enumerate(picked):
        met = case.observe(shown[draw, :, :, period], most, rng)
        for which, plan in enumerate(plans):
            for i, count in enumerate(plan):
                observed[2 * row + which, i, :, period] += met[i, :count].sum(axis=0)
                size[2 * row + which, i, :, period] += case.trials * count
    seeds = np.repeat(rng.integers(2**31, size=replicates), 2)
    estimand = str(score.attrs["estimand"])
    found = fit_many(template, observed, size=size, seeds=seeds, estimand=estimand)
    estimate = found["mean"].to_numpy()[:, 0].reshape(replicates, 2, -1)
    truth = score.to_numpy()[picked]
    right = np.stack([_right(estimate[:, w], truth, m, side) for w in (0, 1)])
    columns = {
        "pcs_recommended": right[0],
        "pcs_equal": right[1],
        "gain": right[0] - right[1],
    }
    return xr.Dataset(
        {name: float(values.mean()) for name, values in columns.items()}
        | {
            f"{name}_mcse": float(values.std(ddof=1) / np.sqrt(replicates))
            for name, values in columns.items()
        },
        attrs={
            "replicates": replicates,
            "seed": seed,
            "m": m,
            "side": side,
            "unreliable": int((~found["reliable"]).sum()),
        },
    )


def _right(estimate: Floats, truth: Floats, m: int, side: str) -> Floats:
    """Return 1 where the chosen m are the true m, for both sides the mean of the two ends."""
    signs = {"top": (1,), "bottom": (-1,), "both": (1, -1)}[side]
    ends = []
    for sign in signs:
        chosen = np.argsort(-sign * estimate, axis=1)[:, :m]
        true = np.argsort(-sign * truth, axis=1)[:, :m]
        ends.append((np.sort(chosen, axis=1) == np.sort(true, axis=1)).all(axis=1))
    return np.mean(np.array(ends, dtype=float), axis=0)
