"""`contrast_themes`: themes of truly higher against truly lower facilities."""

import json

import numpy as np
import xarray as xr

from pdsim.conventions import CI_PROB, DEFAULT_M, SCHEMA_VERSION
from pdsim.errors import InputError, Problem
from pdsim.interviews.agreement import Metric, alpha_bootstrap, krippendorff_alpha
from pdsim.interviews.assignments import least_p, permutation_contrasts, permutation_p
from pdsim.interviews.conditions import consistency, coverage, meets, separating_combinations
from pdsim.interviews.groups import TAILS, Groups, groups_of, roles, separation
from pdsim.interviews.pooling import ShareDraws, share_draws
from pdsim.interviews.themesettings import ContrastSettings
from pdsim.interviews.themetable import ALL_ROUNDS, ThemeTable, theme_shares
from pdsim.interviews.weighted import WeightedGroups
from pdsim.settings import to_mapping


def contrast_themes(
    score: xr.DataArray,
    themes: ThemeTable,
    *,
    settings: ContrastSettings | None = None,
    m: int = DEFAULT_M,
) -> xr.DataTree:
    """Compare themes between truly higher and truly lower facilities.

    For every draw of the score the contrast is between that draw's own top and bottom, so that
    the interval holds both sources of doubt: which facilities are high and low, and what their
    informants would say. Draws count by how well they explain the codes of the theme, for its
    contrast alone (see `pdsim.interviews.pooling`). Interviews never move a rank.

    Parameters
    ----------
    score : DataArray
        Draws over (``chain``, ``draw``, ``facility``) or (``sample``, ``facility``), larger is
        better; of a fit, `pdsim.composite`.
    themes : ThemeTable
        From `pdsim.interviews.read_themes`.
    settings : ContrastSettings, optional
    m : int
        Facilities named at each end, where the settings do not say.

    Returns
    -------
    DataTree
        ``roles`` and ``groups`` (see `pdsim.interviews`); ``shares`` (descriptive, with the
        partially pooled ``pooled``, ``pooled_low``, ``pooled_high``); ``contrast`` over
        (``theme``, ``round``): ``contrast``, ``low``, ``high`` and ``p_positive`` with errors,
        the same with the groups taken as certain (``named``, ``named_low``, ``named_high``),
        ``widening`` (ratio of the widths), ``worst_low`` and ``worst_high`` (whatever facilities
        without interviews would have said), ``slope`` (share per unit of the score) with
        interval; ``corrected`` if the coders' error is stated; ``rounds`` (last minus first);
        ``permutation``; ``agreement`` with two or more coders; ``combinations`` if stated.

    Raises
    ------
    InputError

    Examples
    --------
    >>> import pandas as pd
    >>> from pdsim.interviews.themetable import theme_table
    >>> values = np.random.default_rng(1).normal([9.0, 8.0, 1.0, 0.0], 1.0, (1000, 4))
    >>> score = xr.DataArray(values, dims=("sample", "facility"),
    ...                      coords={"facility": list("ABCD")})
    >>> rows = [(f, i, "trust", int(f in "AB")) for f in "ABCD" for i in range(5)]
    >>> table = theme_table(pd.DataFrame(rows, columns=["facility", "informant", "theme", "value"]))
    >>> found = contrast_themes(score, table, m=2)["contrast"]
    >>> bool(found.p_positive.sel(theme="trust", round="all") > 0.9)
    True
    """
    settings = settings or ContrastSettings()
    groups = groups_of(
        score,
        high=settings.top,
        low=settings.bottom,
        m_top=settings.m_top or len(settings.top) or m,
        m_bottom=settings.m_bottom or len(settings.bottom) or m,
    )
    shares = theme_shares(themes, groups.names.tolist())
    _refuse_unknown_themes(settings, themes)
    found = [
        _theme(groups, shares.isel(theme=t), settings.seed + t) for t in range(len(shares.theme))
    ]
    names = list(shares["theme"].values)
    parts = {
        "roles": roles(groups, score),
        "groups": separation(groups),
        "shares": shares.merge(_stacked([one["pooled"] for one in found], names)),
        "contrast": _corrected(_stacked([one["contrast"] for one in found], names), settings),
        "permutation": _permutation(groups, shares),
    }
    if len(shares["round"]) > 2:
        parts["rounds"] = _stacked([one["rounds"] for one in found], names)
    if themes.frame["coder"].nunique() > 1:
        parts["agreement"] = _agreement(themes, settings)
    if settings.combinations:
        parts["combinations"] = _combinations(groups, shares, settings)
    tree = xr.DataTree.from_dict(parts)
    tree.attrs |= {
        "schema_version": SCHEMA_VERSION,
        "name": settings.name,
        "settings": json.dumps(to_mapping(settings)),
        "m_top": groups.m_top,
        "m_bottom": groups.m_bottom,
        "ci_prob": CI_PROB,
        "units": str(score.attrs.get("units", "")),
        **groups.draws.origin,
    }
    return tree


def _refuse_unknown_themes(settings: ContrastSettings, themes: ThemeTable) -> None:
    named = {n for one in settings.combinations for n in (*one.present, *one.absent)}
    unknown = sorted(named - set(themes.themes))
    if unknown:
        rule = "combinations: there is no theme {!r}"
        cure = f"use any of: {', '.join(themes.themes)}"
        raise InputError([Problem(rule=rule.format(name), cure=cure) for name in unknown])


def _stacked(parts: list[xr.Dataset], names: list[str]) -> xr.Dataset:
    return xr.concat(parts, xr.DataArray(names, dims="theme", name="theme"))


def _corrected(table: xr.Dataset, settings: ContrastSettings) -> xr.Dataset:
    """Add the contrast without the coders' error, where that is stated."""
    if settings.sensitivity is None:
        return table
    return table.assign(
        corrected=table["contrast"] / settings.youden,
        corrected_low=table["low"] / settings.youden,
        corrected_high=table["high"] / settings.youden,
    )


def _theme(groups: Groups, shares: xr.Dataset, seed: int) -> dict[str, xr.Dataset]:
    """Return pooled shares, contrast and change of one theme.

    The divisions are weighted by the codes of all rounds, and serve every round.
    """
    voiced, informants = shares["voiced"].values, shares["informants"].values
    truth, named = groups.classes(), groups.named_classes()
    whole: ShareDraws | None = None
    pooled, rows, values, as_named = [], [], [], []
    streams = np.random.SeedSequence(seed).generate_state(2 * len(voiced))
    for r in range(len(voiced)):
        which = None if whole is None else whole.which
        drawn = share_draws(voiced[r], informants[r], truth, seed=int(streams[2 * r]), which=which)
        whole = whole or drawn
        certain = share_draws(voiced[r], informants[r], named, seed=int(streams[2 * r + 1]))
        weighted = WeightedGroups(groups=groups, which=whole.which, effective=whole.effective)
        rows.append(weighted.contrast(drawn.share, certain.share, informants[r] > 0))
        low, high = np.quantile(drawn.share, TAILS, axis=0)
        pooled.append({"pooled": drawn.share.mean(axis=0), "pooled_low": low, "pooled_high": high})
        values.append(drawn.share)
        as_named.append(certain.share)
    rounds = {"round": shares["round"].values}
    result = {
        "contrast": xr.Dataset(
            {name: ("round", [row[name] for row in rows]) for name in rows[0]},
            coords=rounds,
            attrs=dict(groups.draws.origin),
        ),
        "pooled": xr.Dataset(
            {name: (("round", "facility"), [row[name] for row in pooled]) for name in pooled[0]},
            coords={**rounds, "facility": groups.names},
        ),
    }
    if len(values) > 2:
        ends = {"first": str(rounds["round"][1]), "last": str(rounds["round"][-1])}
        change = weighted.change(values[-1] - values[1], as_named[-1] - as_named[1])
        result["rounds"] = xr.Dataset(change, attrs={**groups.draws.origin, **ends})
    return result


def _permutation(groups: Groups, shares: xr.Dataset) -> xr.Dataset:
    """Return the exact permutation of facilities, on descriptive shares over all rounds."""
    share = shares["share"].sel(round=ALL_ROUNDS).values
    spoke = ~np.isnan(share).all(axis=0)
    high, low = np.flatnonzero(groups.high & spoke), np.flatnonzero(groups.low & spoke)
    themes = shares["theme"]
    names = ("observed", "p_higher", "p_lower", "p_any")
    found = {name: np.full(len(themes), np.nan) for name in names}
    attrs: dict[str, float] = {"high": len(high), "low": len(low)}
    if len(high) and len(low):
        used = share[:, np.concatenate([high, low])]
        whole = ~np.isnan(used).any(axis=1)
        if whole.any():
            observed, every = permutation_contrasts(used[whole], len(high))
            found["observed"][whole] = observed
            for name, value in permutation_p(observed, every).items():
                found[name][whole] = value
        attrs["least_p"] = least_p(len(high), len(low))
    return xr.Dataset(
        {name: ("theme", value) for name, value in found.items()},
        coords={"theme": themes},
        attrs=attrs,
    )


def _agreement(themes: ThemeTable, settings: ContrastSettings) -> xr.Dataset:
    """Return Krippendorff's alpha of each theme with its bootstrap interval over informants."""
    rng = np.random.default_rng(settings.seed)
    rows = []
    for theme in themes.themes:
        values = themes.units(theme)
        seen = values[~np.isnan(values)]
        metric: Metric = "nominal" if set(np.unique(seen)) <= {0.0, 1.0} else "ordinal"
        drawn = alpha_bootstrap(values, metric=metric, replicates=settings.bootstrap, rng=rng)
        low, high = np.quantile(drawn, TAILS) if len(drawn) else (np.nan, np.nan)
        rows.append(
            {
                "alpha": krippendorff_alpha(values, metric=metric),
                "low": low,
                "high": high,
                "coders": len(values),
                "doubly_coded": int(((~np.isnan(values)).sum(axis=0) > 1).sum()),
                "metric": metric,
            }
        )
    return xr.Dataset(
        {name: ("theme", [row[name] for row in rows]) for name in rows[0]},
        coords={"theme": list(themes.themes)},
    )


def _combinations(groups: Groups, shares: xr.Dataset, settings: ContrastSettings) -> xr.Dataset:
    share = shares["share"].sel(round=ALL_ROUNDS).values
    themes = tuple(shares["theme"].values.tolist())
    spoke = ~np.isnan(share).any(axis=0)
    has = np.where(spoke, share >= settings.threshold, False)
    order = np.concatenate(
        [np.flatnonzero(groups.high & spoke), np.flatnonzero(groups.low & spoke)]
    )
    high = int((groups.high & spoke).sum())
    rows = []
    for one in settings.combinations:
        met = meets(has, themes, one) & spoke
        size = len(one.present) + len(one.absent)
        every, dividing, chance = separating_combinations(has[:, order], high, size)
        sufficient = consistency(met, groups.at_top)
        necessary = coverage(met, groups.at_top * spoke)
        rows.append(
            {
                "facilities": int(met.sum()),
                "consistency": groups.average(sufficient)[0] if met.any() else np.nan,
                "consistency_named": float(groups.high[met].mean()) if met.any() else np.nan,
                "coverage": float(np.nanmean(necessary)),
                "coverage_named": float(met[groups.high & spoke].mean()) if high else np.nan,
                "possible": every,
                "dividing": dividing,
                "dividing_by_chance": chance,
            }
        )
    return xr.Dataset(
        {name: ("combination", [row[name] for row in rows]) for name in rows[0]},
        coords={"combination": [one.name for one in settings.combinations]},
        attrs={"threshold": settings.threshold},
    )
