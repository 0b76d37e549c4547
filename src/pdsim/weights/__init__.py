"""Whether other weights, scales or indicators would have chosen other facilities."""

from pdsim.weights import weight_space
from pdsim.weights.acceptability import acceptability, confidence_factor
from pdsim.weights.choices import by_factor, multiverse
from pdsim.weights.constraints import constraints
from pdsim.weights.decomposition import decompose
from pdsim.weights.flips import flip_distance, flip_survival
from pdsim.weights.pairwise import pairwise_acceptability
from pdsim.weights.programmes import facility_flip_distance, membership_bounds
from pdsim.weights.reversal import rank_reversal
from pdsim.weights.settle import Settled, settle, settled_outcome
from pdsim.weights.sobol import sobol_indices
from pdsim.weights.stability import domain_sweep, stability_interval
from pdsim.weights.topsets import set_acceptability

__all__ = [
    "Settled",
    "acceptability",
    "by_factor",
    "confidence_factor",
    "constraints",
    "decompose",
    "domain_sweep",
    "facility_flip_distance",
    "flip_distance",
    "flip_survival",
    "membership_bounds",
    "multiverse",
    "pairwise_acceptability",
    "rank_reversal",
    "set_acceptability",
    "settle",
    "settled_outcome",
    "sobol_indices",
    "stability_interval",
    "weight_space",
]
