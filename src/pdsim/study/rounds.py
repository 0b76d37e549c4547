"""More than two rounds: all are kept, and windows of them make baseline and endline."""

from typing import Any

import numpy as np
import xarray as xr

from pdsim.conventions import PERIODS
from pdsim.study.errormatrix import COLUMN
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed, quote
from pdsim.terms.kinds import KINDS


def windows_of(
    labels: tuple[str, ...], options: StudyOptions, found: Findings
) -> dict[str, tuple[str, ...]]:
    """Return the rounds that make baseline and endline; by default the first and the last.

    Parameters
    ----------
    labels : tuple of str
        Of all rounds, in order.
    options : StudyOptions
    found : Findings
    """
    stated: dict[str, Any] = options.windows or {
        PERIODS[0]: labels[:1],
        PERIODS[1]: labels[-1:],
    }
    cure = f'write [windows] baseline = ["{labels[0]}"] and endline = ["{labels[-1]}"]'
    if set(stated) != set(PERIODS):
        found.add(f"windows are baseline and endline (received {listed(list(stated))})", cure)
        return {}
    known = {label.casefold(): label for label in labels}
    windows: dict[str, tuple[str, ...]] = {}
    for name in PERIODS:
        texts = [str(label).strip() for label in stated[name]]
        strangers = [text for text in texts if text.casefold() not in known]
        if strangers or not texts:
            rule = f"the window {name} has {listed(strangers) or 'no round'}"
            found.add(f"{rule}; the rounds are {listed(labels)}", cure)
            return {}
        windows[name] = tuple(known[text.casefold()] for text in texts)
    both = set(windows[PERIODS[0]]) & set(windows[PERIODS[1]])
    if both or any(len(set(rounds)) < len(rounds) for rounds in windows.values()):
        found.add(f"a round stands in the windows twice ({listed(sorted(both)) or 'in one'})", cure)
        return {}
    return windows


def windowed(
    rounds: xr.Dataset, options: StudyOptions, found: Findings
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Return the study of two periods that windows of rounds make, and what they are called.

    Counts of the rounds of a window are summed; a suppressed one brings its range along.

    Parameters
    ----------
    rounds : Dataset (facility, indicator, round)
    options : StudyOptions
    found : Findings
    """
    labels = tuple(str(label) for label in rounds["round"].to_numpy())
    windows = windows_of(labels, options, found)
    if not windows:
        return rounds.isel(round=[0, -1]).rename(round="period"), labels
    if "successes" not in rounds and max(map(len, windows.values())) > 1:
        found.add(
            "scores of several rounds cannot be summed",
            "give each window one round, or join the cases of its rounds first",
        )
    parts = [_summed(rounds.sel(round=list(names))) for names in windows.values()]
    data = xr.concat(parts, "period", coords="minimal", compat="override", join="override")
    data = data.transpose("facility", "indicator", "period")
    names = tuple(
        names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}" for names in windows.values()
    )
    left = [label for label in labels if not any(label in part for part in windows.values())]
    between = f" {listed(left)} {'is' if len(left) == 1 else 'are'} in neither." if left else ""
    found.notes.append(
        f"Of {len(labels)} rounds, {quote(names[0])} is the baseline and {quote(names[1])} the "
        f"endline.{between} P(top m) of every round is stated beside the answer."
    )
    return data.assign_coords(period=np.array(PERIODS, dtype=str)), names


def _summed(part: xr.Dataset) -> xr.Dataset:
    """Return one period of the rounds of a window."""
    if part.sizes["round"] == 1 or "successes" not in part:
        return part.isel(round=0, drop=True)
    total = part[["successes", "trials"]].sum("round")
    if "of" in part:
        hidden = part["of"].notnull()
        some = hidden.any("round")
        for name, seen in (("low", "successes"), ("high", "successes"), ("of", "trials")):
            total[name] = part[name].where(hidden, part[seen]).sum("round").where(some)
    if "visits" in part:
        squares = (part["trials"] ** 2 / part["visits"]).sum("round")
        total["visits"] = total["trials"] ** 2 / squares.where(squares > 0)
    kept = {name: part[name] for name in part.coords if "round" not in part[name].dims}
    return total.assign_coords(kept)


def of_round(rounds: xr.Dataset, number: int) -> xr.Dataset:
    """Return the data of one round as a study of one period has them."""
    one = rounds.isel(round=[number]).rename(round="period")
    # the errors of two rounds have nothing to correlate in one
    one = one.drop_vars(COLUMN, errors="ignore")
    return one.assign_coords(period=np.array(PERIODS[1:], dtype=str))


def in_every_round(rounds: xr.Dataset) -> xr.Dataset:
    """Return the rounds without what was not observed in one of them; weights sum to 1 again."""
    kind = next(kind for kind in KINDS.values() if kind.values[0] in rounds)
    seen = ~kind.missing(*(rounds[name].to_numpy() for name in kind.values))
    facility, indicator = seen.any(axis=1).all(axis=1), seen.any(axis=0).all(axis=1)
    kept = rounds.isel(facility=np.flatnonzero(facility), indicator=np.flatnonzero(indicator))
    weight = kept["weight"]
    return kept.assign_coords(weight=weight / weight.sum() if weight.sum() > 0 else weight)
