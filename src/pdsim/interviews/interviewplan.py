"""`plan_interviews`: whom to interview, how often, and what contrast to expect."""

import json

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from pdsim.conventions import DEFAULT_M, SCHEMA_VERSION
from pdsim.interviews.assignments import least_p
from pdsim.interviews.groups import Groups, groups_of, roles, separation
from pdsim.interviews.hearing import (
    chance_of_split,
    heard,
    informants_to_hear,
    pooled_false_positives,
)
from pdsim.interviews.interviewsettings import InterviewSettings
from pdsim.interviews.lambdas import class_lambda, contrast_variance, difference
from pdsim.interviews.visits import visits
from pdsim.settings import to_mapping


def plan_interviews(
    score: xr.DataArray, *, settings: InterviewSettings | None = None, m: int = DEFAULT_M
) -> xr.DataTree:
    """Plan interviews in facilities named as higher and lower, from how sure the naming is.

    Parameters
    ----------
    score : DataArray
        Draws over (``chain``, ``draw``, ``facility``) or (``sample``, ``facility``), larger is
        better; of a fit, `pdsim.composite`.
    settings : InterviewSettings, optional
    m : int
        Facilities named at each end, where the settings do not say.

    Returns
    -------
    DataTree
        ``roles`` (see `pdsim.interviews.roles`); ``groups`` (`separation`, with ``contrast``, the
        contrast to expect, ``contrast_sd``, ``right_way``, the probability that it points the
        right way, ``least_p``, ``heard_high``, ``heard_low``, ``informants_to_hear``,
        ``split_by_chance`` and ``pooled_false_positives``); ``designs`` (the same for groups of
        1 to half of all facilities, over (``high``, ``low``)); ``additions`` (what one more
        facility buys); ``visits``.

    Raises
    ------
    InputError

    Examples
    --------
    >>> values = np.random.default_rng(1).normal(np.arange(6), 1.0, (1000, 6))
    >>> score = xr.DataArray(values, dims=("sample", "facility"))
    >>> plan = plan_interviews(score, m=2)
    >>> 0 < float(plan["groups"].class_lambda) < 1
    True
    """
    settings = settings or InterviewSettings()
    groups = groups_of(
        score,
        high=settings.top,
        low=settings.bottom,
        m_top=settings.m_top or len(settings.top) or m,
        m_bottom=settings.m_bottom or len(settings.bottom) or m,
    )
    role = roles(groups, score, boundary=settings.boundary)
    parts = {
        "roles": role,
        "groups": _groups(groups, settings),
        "designs": _designs(groups, settings),
        "additions": _additions(groups, role["role"].values == "boundary", settings),
        "visits": visits(groups, settings),
    }
    tree = xr.DataTree.from_dict(parts)
    tree.attrs |= {
        "schema_version": SCHEMA_VERSION,
        "name": settings.name,
        "settings": json.dumps(to_mapping(settings)),
        "m_top": groups.m_top,
        "m_bottom": groups.m_bottom,
        **groups.draws.origin,
    }
    return tree


def _groups(groups: Groups, settings: InterviewSettings) -> xr.Dataset:
    found = separation(groups)
    high, low = int(groups.high.sum()), int(groups.low.sum())
    return found.assign(
        _expected(float(found["class_lambda"]), high, low, settings)
        | {
            "informants_to_hear": informants_to_hear(
                prevalence=settings.heard_prevalence,
                times=settings.heard_times,
                probability=settings.heard_probability,
            ),
            "split_by_chance": chance_of_split(high, low, themes=1, prevalence=settings.voiced),
            "pooled_false_positives": pooled_false_positives(
                high,
                low,
                informants=settings.informants,
                prevalence=settings.voiced,
                icc=settings.icc,
            ),
        }
    )


def _expected(factor: float, high: int, low: int, settings: InterviewSettings) -> dict[str, float]:
    """Return what groups of these sizes show where class lambda is `factor`."""
    variance = contrast_variance(
        high, low, prevalence=settings.voiced, icc=settings.icc, informants=settings.informants
    )
    contrast = factor * settings.expected
    sd = float(np.sqrt(variance))
    hears = [
        heard(
            size,
            settings.informants,
            prevalence=settings.heard_prevalence,
            times=settings.heard_times,
            icc=settings.icc,
        )
        for size in (high, low)
    ]
    return {
        "contrast": contrast,
        "contrast_sd": sd,
        "right_way": _right_way(contrast, sd, settings.expected),
        "least_p": least_p(high, low),
        "heard_high": hears[0],
        "heard_low": hears[1],
    }


def _right_way(contrast: float, sd: float, meant: float) -> float:
    """Return P(the observed contrast has the sign of the one that is meant), normally."""
    if meant == 0.0:
        return np.nan
    lead = contrast * np.sign(meant)
    return float(ndtr(lead / sd)) if sd > 0 else float(lead > 0)


def _in_order(groups: Groups) -> list[int]:
    """Return the facilities, those who lead most first; ties by the mean score."""
    lead = groups.leads.mean(axis=(0, 1, 2))
    mean = groups.draws.values.mean(axis=(0, 1, 2))
    return np.lexsort((-mean, -lead)).tolist()


def _mask(groups: Groups, members: list[int]) -> np.ndarray:
    mask = np.zeros(len(groups.names), dtype=bool)
    mask[members] = True
    return mask


def _designs(groups: Groups, settings: InterviewSettings) -> xr.Dataset:
    """Return what groups of every size up to half would show, filled by how much they lead."""
    order = _in_order(groups)
    half = max(1, len(order) // 2)
    sizes = range(1, half + 1)
    rows = []
    for high in sizes:
        for low in sizes:
            first, last = _mask(groups, order[:high]), _mask(groups, order[len(order) - low :])
            factor, error = groups.average(class_lambda(groups.leads, first, last))
            apart, apart_error = groups.average(difference(groups.draws.values, first, last))
            rows.append(
                {
                    "high": high,
                    "low": low,
                    "class_lambda": factor,
                    "class_lambda_mcse": error,
                    "apart": apart,
                    "apart_mcse": apart_error,
                    # signal of a theme that follows the score, in squared units of the score
                    "dose_information": apart**2 / (1.0 / high + 1.0 / low),
                    **_expected(factor, high, low, settings),
                }
            )
    return xr.Dataset.from_dataframe(pd.DataFrame(rows).set_index(["high", "low"]))


def _additions(groups: Groups, boundary: np.ndarray, settings: InterviewSettings) -> xr.Dataset:
    """Return what more facilities buy: one at either end, all boundary ones, or all there are.

    With facilities between the ends no two groups are compared: the shares are regressed on the
    expected leads, which for two certain groups is the same as their contrast.
    """
    outside = [i for i in _in_order(groups) if not (groups.high[i] or groups.low[i])]
    members = groups.high | groups.low
    sets = {"as named": members}
    if outside:
        sets[f"and {groups.names[outside[0]]}"] = members | _mask(groups, outside[:1])
        sets[f"and {groups.names[outside[-1]]}"] = members | _mask(groups, outside[-1:])
        if boundary.any():
            sets["and all boundary cases"] = members | boundary
        sets["all facilities"] = np.ones_like(members)
    lead = groups.leads.mean(axis=(0, 1, 2))
    n = settings.informants
    total = n * int(members.sum())
    rows = {}
    for label, inside in sets.items():
        x = lead[inside]
        spread = 0.5 * np.sqrt(((x - x.mean()) ** 2).sum())
        each, kept = ((1.0 - settings.icc) / size for size in (n, total / inside.sum()))
        scale = np.sqrt(settings.voiced * (1.0 - settings.voiced))
        signal = abs(settings.expected) * spread / scale if scale > 0 else np.inf
        rows[label] = {
            "facilities": int(inside.sum()),
            "interviews": n * int(inside.sum()),
            "signal": signal / np.sqrt(settings.icc + each),
            "signal_same_interviews": signal / np.sqrt(settings.icc + kept),
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return xr.Dataset.from_dataframe(frame.rename_axis("choice"))
