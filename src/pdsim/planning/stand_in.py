"""A rule that stands in for that of the analysis: how far the two are apart at the answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import betaincinv

from pdsim.arraytypes import Floats
from pdsim.conventions import CI_PROB
from pdsim.planning.question import Question
from pdsim.planning.runs import USABLE
from pdsim.planning.sizes import resize
from pdsim.simulation import COLUMNS, Scenario, run_block

_STREAM: Final = 5_000
_AT_ONCE: Final = 10


def compare_rules(question: Question, *, n: float, rule: str, replicates: int) -> xr.Dataset:
    """Return the measures at n under the planned rule and under that of the analysis.

    Both decide on the same simulated studies.

    Parameters
    ----------
    question : Question
    n : float
        The answer.
    rule : str
        Of the analysis.
    replicates : int

    Returns
    -------
    Dataset
        Over ``measure`` (that of the target, where it is a mean over studies, and ``pcs_top``):
        ``planned``, ``analysed``, ``difference`` (analysed less planned), each with ``_mcse``;
        ``differ_high``, the upper end of a 95 % interval for the share of studies in which the two
        differ (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404). Where they differ in none,
        ``difference_mcse`` is NaN: nothing tells it.
        Attributes ``planned_rule``, ``analysed_rule``, ``replicates``.
    """
    sized = resize(question.scenario, question.over, int(n))
    names = [
        name for name in dict.fromkeys((question.target.measure, "pcs_top")) if name in COLUMNS
    ]
    seed = (question.seed, _STREAM)
    parts = [
        range(start, min(start + _AT_ONCE, replicates)) for start in range(0, replicates, _AT_ONCE)
    ]
    question.tell(f"the rule {sized.rule} beside {rule}", 0, replicates)
    rows = np.concatenate(
        question.apply(_both, [(sized, rule, part, names, seed) for part in parts])
    )
    rows = rows[~np.isnan(rows).any(axis=(1, 2))]
    columns = {
        "planned": rows[:, 0], "analysed": rows[:, 1], "difference": rows[:, 1] - rows[:, 0],
    }  # fmt: skip
    root = np.sqrt(len(rows))
    differ = (columns["difference"] != 0).sum(axis=0)
    high = np.where(
        differ < len(rows),
        betaincinv(differ + 1.0, np.maximum(len(rows) - differ, 1), 0.5 + CI_PROB / 2),
        1.0,
    )
    errors = {name: values.std(axis=0, ddof=1) / root for name, values in columns.items()}
    errors["difference"] = np.where(differ > 0, errors["difference"], np.nan)
    return xr.Dataset(
        {name: ("measure", values.mean(axis=0)) for name, values in columns.items()}
        | {f"{name}_mcse": ("measure", values) for name, values in errors.items()}
        | {"differ_high": ("measure", high)},
        coords={"measure": names},
        attrs={"planned_rule": sized.rule, "analysed_rule": rule, "replicates": len(rows)},
    )


def _both(
    scenario: Scenario, rule: str, replicates: range, names: Sequence[str], seed: tuple[int, ...]
) -> Floats:
    """Return measures (replicate, rule, measure), NaN where a replicate is of no use."""
    block = run_block([scenario, replace(scenario, rule=rule)], replicates, seed=seed)
    usable = np.isin(block.status, USABLE)
    columns = [COLUMNS.index(name) for name in names]
    found = np.where(usable[:, :, None], block.measures[:, :, columns], np.nan)
    return np.asarray(found.transpose(1, 0, 2))
