"""The rules that the data of every study keep, however it was made."""

from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Bools
from pdsim.conventions import PERIODS
from pdsim.errors import Problem
from pdsim.study.facilities import facility_findings
from pdsim.study.indicators import DIRECTIONS
from pdsim.study.names import broken_name
from pdsim.study.options import StudyOptions, whole_from_1
from pdsim.study.problems import LISTED, PLURAL, Findings, quote
from pdsim.terms.kinds import COUNTS, KINDS, SCORES

_DIMS: Final = ("facility", "indicator", "period")
_TEXTS: Final = ("direction", "domain", "label", "case_group")


def data_findings(data: xr.Dataset, period_labels: tuple[str, ...], found: Findings) -> None:
    """Report the rules that the data of a study break."""
    before = found.count
    _structure(data, found)
    if found.count > before:
        return
    found.size("facility", data.sizes["facility"])
    found.size("indicator", data.sizes["indicator"])
    _coordinates(data, found)
    facility_findings(data, found)
    _values(data, found)
    if len(period_labels) != data.sizes["period"]:
        found.add(
            f"there are {data.sizes['period']} periods but {len(period_labels)} period_labels",
            "give one label per period",
        )


def items_findings(data: xr.Dataset, options: StudyOptions, found: Findings) -> None:
    """Report items that are stated for a study of another kind."""
    composite = data.sizes.get("indicator") == 1 and "successes" in data
    if options.items is not None and not (composite and whole_from_1(options.items)):
        found.add(
            "items is for studies of one composite percentage, and a whole number of 1 or more "
            f"(received {options.items!r:.60})",
            "remove items",
        )


def reference_findings(data: xr.Dataset, options: StudyOptions, found: Findings) -> None:
    """Report expected counts that are none, and rates of reference that belong to nothing."""
    stated = options.reference
    if "expected" not in data:
        if stated is not None:
            found.add("reference is stated, but there are no expected counts", "remove reference")
        return
    known = set(data["indicator"].to_numpy().tolist())
    for name, rate in (stated or {}).items():
        if name not in known:
            found.add(f"reference names {quote(name)}, which is no indicator", "correct the name")
        elif not 0 < rate < 1:
            found.add(f"a rate of reference must lie between 0 and 1 (received {rate!r:.60})")
    if "trials" in data:
        expected, trials = data["expected"].to_numpy(), data["trials"].to_numpy()
        bad = (trials > 0) & ~((expected > 0) & (expected < trials))
        _cells(data, bad, "expected must lie above 0 and below trials", found)


def _structure(data: xr.Dataset, found: Findings) -> None:
    """Report variables, coordinates and labels that are missing or of the wrong form."""
    before = found.count
    names = {str(name) for name in data.data_vars}
    main = names & {name for kind in KINDS.values() for name in kind.values}
    if main not in [set(kind.values) for kind in KINDS.values()]:
        found.add("data must hold either successes and trials, or mean and se")
    for name in sorted(names):
        if data[name].dims != _DIMS:
            found.add(
                f"variable {name!r} must have the dimensions {_DIMS} in this order "
                f"(has {data[name].dims})",
                "transpose the data",
            )
        elif data[name].dtype.kind not in "fiu":
            found.add(f"variable {name!r} must be numeric")
    for name in (*_DIMS, "weight", *_TEXTS):
        dim = name if name in _DIMS else "indicator"
        if name not in data.coords or data.coords[name].dims != (dim,):
            found.add(f"coordinate {name!r} on {dim} is missing")
        elif (data.coords[name].dtype.kind in "UOT") == (name == "weight"):
            found.add(f"coordinate {name!r} must be {'numeric' if name == 'weight' else 'text'}")
    if "tier" in data.coords and data.coords["tier"].dims != ("facility",):
        found.add("coordinate 'tier' must lie on facility")
    if found.count > before:
        return
    periods = tuple(data["period"].to_numpy().tolist())
    if periods not in (PERIODS, PERIODS[1:]):
        found.add(f"period must be ('baseline', 'endline') or ('endline',), is {periods!r:.80}")


def _coordinates(data: xr.Dataset, found: Findings) -> None:
    """Report names, directions, domains and weights that break a rule."""
    for dim in ("facility", "indicator"):
        labels = data[dim].to_numpy().tolist()
        if len(set(labels)) < len(labels):
            found.add(f"two {PLURAL[dim]} have the same name")
        for label in labels:
            rule = broken_name(label) if label.strip() else "is blank"
            if rule is not None:
                cure = "give a plain name of at most 200 characters"
                found.add(f"the {dim} name {quote(label)} {rule}", cure)
    for name, direction in zip(
        data["indicator"].to_numpy().tolist(), data["direction"].to_numpy().tolist(), strict=True
    ):
        if direction not in DIRECTIONS:
            rule = f"the direction must be 'higher' or 'lower' (received {direction!r:.60})"
            found.add(rule, indicator=name)
    if "" in data["domain"].to_numpy().tolist():
        found.add("an indicator has a blank domain")
    weight = data["weight"].to_numpy()
    if not (np.isfinite(weight).all() and (weight >= 0).all() and abs(weight.sum() - 1) < 1e-9):
        found.add(f"weights must be 0 or more and sum to 1 (they sum to {weight.sum():.6g})")


def _values(data: xr.Dataset, found: Findings) -> None:
    """Report cells that break a rule, and facilities and indicators without any cell."""
    kind = COUNTS if "successes" in data else SCORES
    value, size = (data[name].to_numpy().astype(np.float64) for name in kind.values)
    if kind is COUNTS:
        bad = ~(np.isfinite(value) & np.isfinite(size))
        _cells(data, bad, "successes and trials must be finite", found)
        # rebuilt counts carry rounding errors of their products
        bad = ~bad & ((value < 0) | (value > size * (1 + 1e-12)))
        _cells(data, bad, "successes must lie between 0 and trials", found)
    else:
        _cells(data, np.isnan(value) != np.isnan(size), "mean and se must be given together", found)
        bad = ~(np.isnan(value) | np.isnan(size)) & ~(np.isfinite(value + size) & (size > 0))
        _cells(data, bad, "mean must be finite and se above 0", found)
    seen = ~kind.missing(value, size)
    for axis, dim in enumerate(("facility", "indicator")):
        has = seen.any(axis=tuple({0, 1, 2} - {axis}))
        for name in data[dim].to_numpy()[~has].tolist():
            found.take(
                [
                    Problem(
                        facility=name if dim == "facility" else None,
                        indicator=name if dim == "indicator" else None,
                        rule=f"the {dim} has no observed cell",
                        cure="remove it, or add its data",
                    )
                ]
            )


def _cells(data: xr.Dataset, bad: Bools, rule: str, found: Findings) -> None:
    places = np.argwhere(bad)
    facility, indicator, period = (data[dim].to_numpy() for dim in _DIMS)
    for i, k, t in places[:LISTED]:
        found.add(
            rule, facility=str(facility[i]), indicator=str(indicator[k]), period=str(period[t])
        )
    found.count += max(0, len(places) - LISTED)
