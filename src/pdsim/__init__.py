"""Say who improved most and least, how sure that is, and what would change the choice.

The names below are imported on first use (PEP 562), so ``import pdsim`` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdsim.analysis import analyse, load_fit, report, save_fit
    from pdsim.interviews import contrast_themes, plan_interviews
    from pdsim.model import composite, fit, fit_many, levels
    from pdsim.planning import plan
    from pdsim.priors import (
        CorrelationPrior,
        MeanPrior,
        PooledScalePrior,
        Priors,
        ScalePrior,
        SlopePrior,
    )
    from pdsim.ranking import (
        Evidence,
        Rule,
        criteria,
        expected_rank,
        naming_costs,
        observed_of,
        rank_confidence_set,
        rank_interval,
        rank_probability,
        register_rule,
        select,
        set_probability,
        top_probability,
    )
    from pdsim.simulation import Scenario, register_measure, simulate
    from pdsim.study import Study, StudyOptions, load_example, read_study, recognise
    from pdsim.sweeps import open_sweep, replay, sweep
    from pdsim.terms.estimands import register_estimand
    from pdsim.terms.process import register_process
    from pdsim.terms.scales import register_scale
    from pdsim.weights import (
        acceptability,
        flip_distance,
        pairwise_acceptability,
        weight_space,
    )

__version__ = "0.1.0"

_HOME = {
    "Study": "pdsim.study",
    "StudyOptions": "pdsim.study",
    "read_study": "pdsim.study",
    "recognise": "pdsim.study",
    "load_example": "pdsim.study",
    "Priors": "pdsim.priors",
    "MeanPrior": "pdsim.priors",
    "ScalePrior": "pdsim.priors",
    "SlopePrior": "pdsim.priors",
    "PooledScalePrior": "pdsim.priors",
    "CorrelationPrior": "pdsim.priors",
    "fit": "pdsim.model",
    "fit_many": "pdsim.model",
    "levels": "pdsim.model",
    "composite": "pdsim.model",
    "rank_probability": "pdsim.ranking",
    "expected_rank": "pdsim.ranking",
    "rank_interval": "pdsim.ranking",
    "top_probability": "pdsim.ranking",
    "set_probability": "pdsim.ranking",
    "select": "pdsim.ranking",
    "observed_of": "pdsim.ranking",
    "Rule": "pdsim.ranking",
    "Evidence": "pdsim.ranking",
    "register_rule": "pdsim.ranking",
    "rank_confidence_set": "pdsim.ranking",
    "criteria": "pdsim.ranking",
    "naming_costs": "pdsim.ranking",
    "weight_space": "pdsim.weights",
    "acceptability": "pdsim.weights",
    "pairwise_acceptability": "pdsim.weights",
    "flip_distance": "pdsim.weights",
    "Scenario": "pdsim.simulation",
    "simulate": "pdsim.simulation",
    "register_measure": "pdsim.simulation",
    "sweep": "pdsim.sweeps",
    "open_sweep": "pdsim.sweeps",
    "replay": "pdsim.sweeps",
    "plan": "pdsim.planning",
    "register_estimand": "pdsim.terms.estimands",
    "register_scale": "pdsim.terms.scales",
    "register_process": "pdsim.terms.process",
    "plan_interviews": "pdsim.interviews",
    "contrast_themes": "pdsim.interviews",
    "report": "pdsim.analysis",
    "analyse": "pdsim.analysis",
    "save_fit": "pdsim.analysis",
    "load_fit": "pdsim.analysis",
}

_SHOWN = frozenset({"fit", "load_fit", "plan", "sweep", "open_sweep"})

__all__ = [  # noqa: RUF022 - in the order of use
    "Study",
    "StudyOptions",
    "read_study",
    "recognise",
    "load_example",
    "Priors",
    "MeanPrior",
    "ScalePrior",
    "PooledScalePrior",
    "SlopePrior",
    "CorrelationPrior",
    "fit",
    "fit_many",
    "levels",
    "composite",
    "rank_probability",
    "expected_rank",
    "rank_interval",
    "top_probability",
    "set_probability",
    "select",
    "observed_of",
    "Rule",
    "Evidence",
    "register_rule",
    "rank_confidence_set",
    "criteria",
    "naming_costs",
    "weight_space",
    "acceptability",
    "pairwise_acceptability",
    "flip_distance",
    "Scenario",
    "simulate",
    "register_measure",
    "sweep",
    "open_sweep",
    "replay",
    "plan",
    "register_estimand",
    "register_scale",
    "register_process",
    "plan_interviews",
    "contrast_themes",
    "report",
    "analyse",
    "save_fit",
    "load_fit",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'pdsim' has no attribute {name!r}")
    if name in _SHOWN:
        # xarray objects that they return print what they say: `.pdsim`
        import_module("pdsim.accessor")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
