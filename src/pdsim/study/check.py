"""The rules that every study keeps, however it was made."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.conventions import PERIODS
from pdsim.errors import Problem
from pdsim.priors import Priors
from pdsim.study.indicators import DIRECTIONS
from pdsim.study.names import broken_name
from pdsim.study.problems import LISTED, NOTHING, Findings, found, quote
from pdsim.study.sampler import SamplerSettings

if TYPE_CHECKING:
    from pdsim.study.core import Study

MAX_CASE_CORRELATION: Final = 0.9
"""Above it the model's share of shared variance leaves nothing to the indicators."""

_SIZES: Final = {"facility": (2, 10_000), "indicator": (1, 500)}
_PLURAL: Final = {"facility": "facilities", "indicator": "indicators"}
_DIMS: Final = ("facility", "indicator", "period")
_TEXTS: Final = ("direction", "domain", "label", "case_group")


def study_findings(study: "Study") -> Findings:
    """Return the rules that `study` breaks."""
    findings = option_findings(
        facilities=int(study.data.sizes.get("facility", 0)),
        name=study.name,
        m=study.m,
        case_correlation=study.case_correlation,
        design_effect=study.design_effect,
        suppress_below=study.suppress_below,
        priors=study.priors,
        sampler=study.sampler,
        notes=study.notes,
    )
    findings += _correlation_findings(study)
    structure = _structure_findings(study.data)
    if structure:
        return findings + structure
    findings += size_findings("facility", study.data.sizes["facility"])
    findings += size_findings("indicator", study.data.sizes["indicator"])
    findings += _coordinate_findings(study.data) + _value_findings(study.data)
    if study.items is not None and (
        not is_whole(study.items)
        or study.items < 1
        or study.data.sizes["indicator"] > 1
        or "successes" not in study.data
    ):
        findings += found(
            Problem(
                rule="items is for studies of one composite percentage, and a whole number of 1 "
                f"or more (received {study.items!r:.60})",
                cure="remove items",
            )
        )
    if len(study.period_labels) != study.data.sizes["period"]:
        findings += found(
            Problem(
                rule=f"there are {study.data.sizes['period']} periods but "
                f"{len(study.period_labels)} period_labels",
                cure="give one label per period",
            )
        )
    return findings


def option_findings(
    *,
    facilities: int,
    name: str,
    m: int | None,
    case_correlation: float | None,
    design_effect: float,
    suppress_below: int | None,
    priors: Priors | None,
    sampler: SamplerSettings,
    notes: Iterable[str],
    file: str | None = None,
) -> Findings:
    """Return the rules that the options of a study break.

    Parameters
    ----------
    facilities : int
        0 where the number is not known: m is then checked from below only.
    name, m, case_correlation, design_effect, suppress_below, priors, sampler, notes
        As in `Study`; m None takes the default.
    file : str, optional
        Where the options were stated.
    """
    problems = []
    if not isinstance(name, str) or not name.strip() or broken_name(name):
        problems.append(
            Problem(
                rule=f"the name of a study must be plain text (received {quote(name)})",
                cure="give a name of at most 200 characters on one line",
            )
        )
    if m is not None and (not is_whole(m) or m < 1):
        problems.append(Problem(rule=f"m must be a whole number of 1 or more (received {m!r:.60})"))
    elif m is not None and facilities > 1 and 2 * m > facilities:
        problems.append(
            Problem(
                rule=f"m = {m} is too large for {facilities} facilities: the top {m} and the "
                f"bottom {m} would overlap",
                cure=f"state an m of at most {facilities // 2}",
            )
        )
    if case_correlation is not None and not (
        _is_real(case_correlation) and 0 <= case_correlation <= MAX_CASE_CORRELATION
    ):
        problems.append(
            Problem(
                rule=f"case_correlation must be between 0 and {MAX_CASE_CORRELATION} "
                f"(received {case_correlation!r:.60})",
                cure="state a value in this range, or leave it out",
            )
        )
    if not (_is_real(design_effect) and math.isfinite(design_effect) and design_effect >= 1):
        problems.append(
            Problem(
                rule=f"design_effect must be a finite number of 1 or more "
                f"(received {design_effect!r:.60})",
                cure="leave it out where cases are not clustered",
            )
        )
    if suppress_below is not None and (not is_whole(suppress_below) or suppress_below < 1):
        problems.append(
            Problem(
                rule="suppress_below must be a whole number of 1 or more "
                f"(received {suppress_below!r:.60})",
                cure="leave it out to print all counts",
            )
        )
    for option, value, kind in (("priors", priors, Priors), ("sampler", sampler, SamplerSettings)):
        if value is not None and not isinstance(value, kind):
            problems.append(
                Problem(rule=f"{option} must be {kind.__name__} (received {type(value).__name__})")
            )
    if isinstance(notes, str) or not all(isinstance(note, str) for note in notes):
        problems.append(Problem(rule="notes must be a list of sentences"))
    return found([replace(problem, file=file) for problem in problems])


def size_findings(dim: str, size: int, *, file: str | None = None) -> Findings:
    """Report too few or too many facilities or indicators."""
    least, most = _SIZES[dim]
    if size < least:
        return found(
            Problem(
                file=file,
                rule=f"there {'is one ' + dim if size == 1 else 'are no ' + _PLURAL[dim]}: a study "
                f"needs at least {least}",
                cure=f"add {_PLURAL[dim]}",
            )
        )
    if size > most:
        return found(
            Problem(
                file=file,
                rule=f"there are {size:,} {_PLURAL[dim]}, at most {most:,} are possible",
                cure="check that the columns facility and indicator are the right ones",
            )
        )
    return NOTHING


def empty_findings(
    dim: str, names: Iterable[str], observed: NDArray[np.bool_], *, file: str | None = None
) -> Findings:
    """Report facilities or indicators without any observed cell."""
    return found(
        [
            Problem(
                file=file,
                facility=str(name) if dim == "facility" else None,
                indicator=str(name) if dim == "indicator" else None,
                rule=f"the {dim} has no observed cell",
                cure="remove it, or add its data",
            )
            for name, has in zip(names, observed, strict=True)
            if not has
        ]
    )


def _correlation_findings(study: "Study") -> Findings:
    source, limits = study.case_correlation_source, study.case_correlation_limits
    problems = []
    if (study.case_correlation is None) != (source == "unset"):
        problems.append(
            Problem(
                rule=f"case_correlation {study.case_correlation!r:.60} does not agree with its "
                f"source {source!r:.60}",
                cure="the source is 'unset' exactly where there is no case_correlation",
            )
        )
    if limits is not None and source != "estimated":
        problems.append(
            Problem(rule="only an estimated case_correlation has case_correlation_limits")
        )
    return found(problems)


def _structure_findings(data: xr.Dataset) -> Findings:
    """Report variables, coordinates and labels that are missing or of the wrong form."""
    problems = []
    names = {str(name) for name in data.data_vars}
    if names & {"successes", "trials", "mean", "se"} not in (
        {"successes", "trials"},
        {"mean", "se"},
    ):
        problems.append(Problem(rule="data must hold either successes and trials, or mean and se"))
    for name in sorted(names):
        if data[name].dims != _DIMS:
            problems.append(
                Problem(
                    rule=f"variable {name!r} must have the dimensions {_DIMS} in this order "
                    f"(has {data[name].dims})",
                    cure="transpose the data",
                )
            )
        elif data[name].dtype.kind not in "fiu":
            problems.append(Problem(rule=f"variable {name!r} must be numeric"))
    for name in (*_DIMS, "weight", *_TEXTS):
        dim = name if name in _DIMS else "indicator"
        if name not in data.coords or data.coords[name].dims != (dim,):
            problems.append(Problem(rule=f"coordinate {name!r} on {dim} is missing"))
        elif (data.coords[name].dtype.kind in "UOT") == (name == "weight"):
            problems.append(
                Problem(
                    rule=f"coordinate {name!r} must be {'numeric' if name == 'weight' else 'text'}"
                )
            )
    if "tier" in data.coords and data.coords["tier"].dims != ("facility",):
        problems.append(Problem(rule="coordinate 'tier' must lie on facility"))
    if not problems and tuple(data["period"].to_numpy().tolist()) not in (PERIODS, PERIODS[1:]):
        problems.append(
            Problem(
                rule="period must be ('baseline', 'endline') or ('endline',), is "
                f"{tuple(data['period'].to_numpy().tolist())!r:.80}"
            )
        )
    return found(problems)


def _coordinate_findings(data: xr.Dataset) -> Findings:
    """Report names, directions, domains and weights that break a rule."""
    problems = []
    for dim in ("facility", "indicator"):
        labels = data[dim].to_numpy().tolist()
        if len(set(labels)) < len(labels):
            problems.append(Problem(rule=f"two {_PLURAL[dim]} have the same name"))
        broken = [label for label in labels if not label.strip() or broken_name(label)]
        problems += [
            Problem(
                rule=f"the {dim} name {quote(label)} {broken_name(label) or 'is blank'}",
                cure="give a plain name of at most 200 characters",
            )
            for label in broken[:LISTED]
        ]
    for name, direction in zip(
        data["indicator"].to_numpy().tolist(), data["direction"].to_numpy().tolist(), strict=True
    ):
        if direction not in DIRECTIONS:
            problems.append(
                Problem(
                    indicator=name,
                    rule=f"the direction must be 'higher' or 'lower' (received {direction!r:.60})",
                )
            )
    if "" in data["domain"].to_numpy().tolist():
        problems.append(Problem(rule="an indicator has a blank domain"))
    weight = data["weight"].to_numpy()
    if not (np.isfinite(weight).all() and (weight >= 0).all() and abs(weight.sum() - 1) < 1e-9):
        problems.append(
            Problem(rule=f"weights must be 0 or more and sum to 1 (they sum to {weight.sum():.6g})")
        )
    return found(problems)


def _value_findings(data: xr.Dataset) -> Findings:
    """Report cells that break a rule, and facilities and indicators without any cell."""
    if "successes" in data:
        successes, trials = _array(data, "successes"), _array(data, "trials")
        bad = ~(np.isfinite(successes) & np.isfinite(trials))
        observed = trials > 0
        findings = _cells(data, bad, "successes and trials must be finite")
        # rebuilt counts carry rounding errors of their products
        bad = ~bad & ((successes < 0) | (successes > trials * (1 + 1e-12)))
        findings += _cells(data, bad, "successes must lie between 0 and trials")
    else:
        mean, se = _array(data, "mean"), _array(data, "se")
        observed = ~np.isnan(mean)
        bad = np.isnan(mean) != np.isnan(se)
        findings = _cells(data, bad, "mean and se must be given together")
        bad = observed & ~(np.isfinite(mean) & np.isfinite(se) & (se > 0))
        findings += _cells(data, bad & ~np.isnan(se), "mean must be finite and se above 0")
    for axis, dim in enumerate(("facility", "indicator")):
        other = tuple({0, 1, 2} - {axis})
        findings += empty_findings(dim, data[dim].to_numpy(), observed.any(axis=other))
    return findings


def _array(data: xr.Dataset, name: str) -> NDArray[np.float64]:
    return data[name].to_numpy().astype(np.float64)


def _cells(data: xr.Dataset, bad: NDArray[np.bool_], rule: str) -> Findings:
    places = np.argwhere(bad)
    if not len(places):
        return NOTHING
    facility, indicator, period = (data[dim].to_numpy() for dim in _DIMS)
    problems = tuple(
        Problem(
            rule=rule, facility=str(facility[i]), indicator=str(indicator[k]), period=str(period[t])
        )
        for i, k, t in places[:LISTED]
    )
    return Findings(shown=problems, count=len(places))


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number by its type."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
