"""Sentences about what the data of a study cannot tell; printed with every result."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.study.problems import listed

if TYPE_CHECKING:
    from pdsim.study.core import Study


def derived_assumptions(study: "Study") -> tuple[str, ...]:
    """Return the sentences that follow from the study's own figures.

    They cover the within-case correlation, composite percentages, clustering, missing cells,
    facilities without data in a period, and unequal trials of indicators that share cases.
    """
    sentences = [
        _correlation(study),
        _composite(study),
        _clustering(study),
        *_missing(study),
        _unequal(study),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def shared_groups(data: xr.Dataset) -> list[NDArray[np.intp]]:
    """Return the positions of the indicators of every case group that holds two or more."""
    labels = data["case_group"].to_numpy()
    sizes = Counter(labels.tolist())
    return [np.flatnonzero(labels == name) for name, n in sizes.items() if name and n > 1]


def _correlation(study: "Study") -> str:
    r, limits = study.case_correlation, study.case_correlation_limits
    if study.kind == "scores":
        several = study.data.sizes["indicator"] > 1
        unused = "" if r is None else f" (the stated within-case correlation {r:g} is not used)"
        return (
            f"The errors of the scores of one facility are taken as independent{unused}."
            if several or unused
            else ""
        )
    if not study.shares_cases:
        return ""
    if r is None:
        return (
            "The within-case correlation is not known: results are for r = 0 unless they name "
            "another value, and should be read beside those for r = 0.1 and 0.3."
        )
    if study.case_correlation_source == "stated":
        return f"A within-case correlation of {r:g} is assumed, not estimated."
    reach = "" if limits is None else f" (95 % jackknife limits {limits[0]:.3f} to {limits[1]:.3f})"
    return f"The within-case correlation, {r:.3f}{reach}, was estimated from the cases."


def _composite(study: "Study") -> str:
    if study.items is None or study.items == 1:
        return ""
    factor = 1.0 + (study.items - 1) * (study.case_correlation or 0.0)
    return (
        f"Each percentage counts as {study.items} items scored on every case; the trials (cases "
        f"times items) are divided by 1 + ({study.items} - 1) r = {factor:.3g}, which is exact "
        "for items met equally often and conservative otherwise."
    )


def _clustering(study: "Study") -> str:
    if study.design_effect == 1.0:
        return ""
    if study.kind == "counts":
        return f"Trials are divided by a stated design effect of {study.design_effect:g}."
    return (
        f"Squared standard errors are multiplied by a stated design effect of "
        f"{study.design_effect:g}."
    )


def _observed(data: xr.Dataset) -> NDArray[np.bool_]:
    if "trials" in data:
        return np.asarray(data["trials"].to_numpy() > 0)
    return ~np.isnan(data["mean"].to_numpy())


def _missing(study: "Study") -> list[str]:
    observed = _observed(study.data)
    missing = int((~observed).sum())
    if not missing:
        return []
    sentences = [
        f"{missing:,} of {observed.size:,} cells are missing; the model predicts them as if they "
        "were missing at random."
    ]
    names = study.data["facility"].to_numpy()
    for position, period in enumerate(study.data["period"].to_numpy().tolist()):
        empty = names[~observed[:, :, position].any(axis=1)].tolist()
        if empty:
            sentences.append(
                f"Nothing was observed at {period} in {listed(empty)}: the level there is "
                "predicted from the other facilities."
            )
    return sentences


def _unequal(study: "Study") -> str:
    """Say what unequal trials within a case group mean for the covariance."""
    if study.kind == "scores" or not study.case_correlation:
        return ""
    trials = study.data["trials"].to_numpy()
    largest = 1.0
    for group in shared_groups(study.data):
        some = trials[:, group, :]
        most = some.max(axis=1)
        least = np.where(some > 0, some, np.inf).min(axis=1)
        largest = max(largest, float(np.max(most / least, where=most > 0, initial=1.0)))
    if largest == 1.0:
        return ""
    return (
        "Indicators taken as scored on the same cases have unequal trials (up to "
        f"{largest:,.3g} to 1), and how many cases they share is not known: the covariance of two "
        "proportions is taken at its upper limit, r sqrt(p q p' q' / (n n'))."
    )
