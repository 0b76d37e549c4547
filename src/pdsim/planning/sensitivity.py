"""How the answer moves when one assumption at a time goes to the ends of its range."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError
from pdsim.planning.curve import Crossing
from pdsim.planning.question import Question, answer
from pdsim.planning.runs import CHEAP_RULE, has_control, serial
from pdsim.planning.uncertain import Range

_STREAM: Final = 3_000
_LOOSER: Final = 1.5


def tornado(question: Question, ranges: Mapping[str, Range], *, found: Crossing) -> xr.Dataset:
    """Plan again at both ends of every range, all else as assumed.

    Where the rule needs a posterior, the ends are planned for the observed ranking of the same
    data, and the ratio of its answers is applied to the planned answer: the ratio moves far less
    from rule to rule than n does, and costs a thousandth.

    Parameters
    ----------
    question : Question
    ranges : mapping of str to Range
    found : Crossing
        The answer at the assumed values.

    Returns
    -------
    Dataset
        Over (``assumption``, ``end`` = "low", "high"): ``n``, ``n_low``, ``n_high`` (NaN or
        infinite where the target is not reached), ``setting`` (the value as text), ``status``
        (``as stated`` where the end is the assumed value itself),
        ``replicates``; over ``assumption``: ``swing``, the larger n over the smaller. In the
        order of swing, the largest first. Attributes ``n``, ``rule`` (that the ends were planned
        for) and ``planned_rule``.
    """
    scenario = question.scenario
    scaled = has_control(scenario, question.target.measure)
    if scaled:
        scenario = replace(scenario, rule=CHEAP_RULE)
    asked = replace(
        question, scenario=scenario, precision=min(1.0, _LOOSER * question.precision),
        workers=1 if scaled else question.workers, apply=serial if scaled else question.apply,
    )  # fmt: skip
    base = found
    if scaled:
        base = answer(
            asked, stream=_STREAM, stage="sensitivity", start=found.n, display=False
        ).crossing
    rows: list[list[dict[str, Any]]] = []
    for number, (name, ends) in enumerate(ranges.items(), start=1):
        stage = f"sensitivity to {name}"
        sides = []
        for side, value in enumerate((ends.low, ends.high)):
            if value == getattr(scenario, name):
                sides.append(_as_stated(value, found))
                continue
            moved = replace(asked, scenario=replace(scenario, **{name: value}))
            stream = _STREAM + 2 * number + side
            row = _at(moved, value, stream=stream, stage=stage, start=base.n)
            sides.append(_scaled(row, found, base) if scaled else row)
        rows.append(sides)
    moves = _dataset(list(ranges), rows, n=found.n)
    return moves.assign_attrs(n=found.n, rule=scenario.rule, planned_rule=question.scenario.rule)


def _as_stated(value: Any, found: Crossing) -> dict[str, Any]:
    return {
        "n": found.n, "n_low": found.low, "n_high": found.high, "setting": str(value),
        "status": "as stated", "replicates": 0,
    }  # fmt: skip


def _at(question: Question, value: Any, *, stream: int, stage: str, start: float) -> dict[str, Any]:
    try:
        root = answer(question, stream=stream, stage=stage, start=start, display=False)
    except InputError as error:
        raise InputError(f"{stage} = {value!r}: {error}") from error
    reached = root.status != "not_reachable" and root.n is not None
    return {
        "n": float(root.crossing.n if np.isfinite(root.crossing.n) else root.n or np.nan)
        if reached else np.nan,
        "n_low": root.crossing.low,
        "n_high": root.crossing.high,
        "setting": str(value),
        "status": root.status,
        "replicates": root.spent,
    }  # fmt: skip


def _scaled(row: dict[str, Any], found: Crossing, base: Crossing) -> dict[str, Any]:
    """Return an end in terms of the planned answer, with the errors of all three searches."""
    n = row["n"] * found.n / base.n
    end = Crossing(n=row["n"], low=row["n_low"], high=row["n_high"])
    half = float(np.sqrt(sum(one.half_width**2 for one in (end, found, base))))
    return row | {"n": n, "n_low": n * np.exp(-half), "n_high": n * np.exp(half)}


def _dataset(names: list[str], rows: list[list[dict[str, Any]]], *, n: float) -> xr.Dataset:
    dims = ("assumption", "end")
    columns = {key: (dims, [[side[key] for side in row] for row in rows]) for key in rows[0][0]}
    found = xr.Dataset(columns, coords={"assumption": names, "end": ["low", "high"]})
    # an end that never reaches the target swings further than any that does
    bounded = found["n"].fillna(np.inf)
    swing = bounded.max("end") / bounded.min("end")
    swing = swing.where(np.isfinite(bounded.min("end")), np.inf)
    found["swing"] = np.maximum(swing, np.maximum(bounded.max("end") / n, n / bounded.min("end")))
    order = np.argsort(-found["swing"].to_numpy(), kind="stable")
    return found.isel(assumption=order)
