"""How the answer moves when one assumption at a time goes to the ends of its range."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import xarray as xr

from pdsim.errors import InputError
from pdsim.planning.parameters import Range
from pdsim.planning.question import Question, answer
from pdsim.planning.runs import CHEAP_RULE, has_control, serial

_STREAM: Final = 3_000
_LOOSER: Final = 1.5


def tornado(question: Question, ranges: Mapping[str, Range], *, n: float) -> xr.Dataset:
    """Plan again at both ends of every range, all else as assumed.

    Where the rule needs a posterior, the ends are planned for the observed ranking of the same
    data, and the ratio of its answers is applied to `n`: the ratio moves far less from rule to
    rule than n does, and costs a thousandth.

    Parameters
    ----------
    question : Question
    ranges : mapping of str to Range
    n : float
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
    base = n
    if scaled:
        base = answer(asked, stream=_STREAM, stage="sensitivity", start=n, display=False).crossing.n
    rows: list[list[dict[str, Any]]] = []
    for number, (name, ends) in enumerate(ranges.items(), start=1):
        stage = f"sensitivity to {name}"
        rows.append(
            [
                _as_stated(value, n) if value == getattr(scenario, name) else
                _at(replace(asked, scenario=replace(scenario, **{name: value})),
                    value, n / base, stream=_STREAM + 2 * number + side, stage=stage, start=base)
                for side, value in enumerate((ends.low, ends.high))
            ]
        )  # fmt: skip
    found = _dataset(list(ranges), rows, n=n)
    return found.assign_attrs(n=n, rule=scenario.rule, planned_rule=question.scenario.rule)


def _as_stated(value: Any, n: float) -> dict[str, Any]:
    return {
        "n": n, "n_low": n, "n_high": n, "setting": str(value), "status": "as stated",
        "replicates": 0,
    }  # fmt: skip


def _at(
    question: Question, value: Any, factor: float, *, stream: int, stage: str, start: float
) -> dict[str, Any]:
    try:
        root = answer(question, stream=stream, stage=stage, start=start, display=False)
    except InputError as error:
        raise InputError(f"{stage} = {value!r}: {error}") from error
    reached = root.status != "not_reachable" and root.n is not None
    return {
        "n": factor * float(root.crossing.n if np.isfinite(root.crossing.n) else root.n or np.nan)
        if reached else np.nan,
        "n_low": factor * root.crossing.low,
        "n_high": factor * root.crossing.high,
        "setting": str(value),
        "status": root.status,
        "replicates": root.spent,
    }  # fmt: skip


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
