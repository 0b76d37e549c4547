"""The model: priors and data in, posterior draws of every facility's improvement out."""

from typing import TYPE_CHECKING, Any

from pdsim.model.adequacy import model_checks
from pdsim.model.composites import (
    composite,
    expected_endline,
    levels,
    observed_change,
    variance_share,
)
from pdsim.model.controls import beyond_unseen_control, programme_effect
from pdsim.model.fit import fit
from pdsim.model.named_scores import named_score
from pdsim.model.next_round import next_round
from pdsim.model.outlying import outlying
from pdsim.model.predictive import posterior_predictive, prior_predictive

if TYPE_CHECKING:
    from pdsim.model.laplace import fit_many

__all__ = [
    "beyond_unseen_control",
    "composite",
    "expected_endline",
    "fit",
    "fit_many",
    "levels",
    "model_checks",
    "named_score",
    "next_round",
    "observed_change",
    "outlying",
    "posterior_predictive",
    "prior_predictive",
    "programme_effect",
    "variance_share",
]


def __getattr__(name: str) -> Any:
    """Import the fast engine, and numba with it, on first use."""
    if name != "fit_many":
        raise AttributeError(f"module 'pdsim.model' has no attribute {name!r}")
    from pdsim.model.laplace import fit_many

    return fit_many
