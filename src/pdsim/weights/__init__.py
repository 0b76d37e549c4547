"""Whether other weights, scales or indicators would have chosen other facilities."""

from pdsim.weights import weight_space
from pdsim.weights.acceptability import acceptability, confidence_factor
from pdsim.weights.constraints import constraints
from pdsim.weights.flips import flip_distance, flip_survival
from pdsim.weights.pairwise import pairwise_acceptability
from pdsim.weights.programmes import facility_flip_distance, membership_bounds
from pdsim.weights.stability import domain_sweep, stability_interval

__all__ = [
    "acceptability",
    "confidence_factor",
    "constraints",
    "domain_sweep",
    "facility_flip_distance",
    "flip_distance",
    "flip_survival",
    "membership_bounds",
    "pairwise_acceptability",
    "stability_interval",
    "weight_space",
]
