"""Whether other weights, scales or indicators would have chosen other facilities.

Everything public is imported from here, on first use.
"""

from typing import TYPE_CHECKING

from pdsim.lazily import on_first_use

if TYPE_CHECKING:
    from pdsim.weights import weight_space
    from pdsim.weights.acceptances import acceptability, confidence_factor
    from pdsim.weights.choices import by_factor, multiverse
    from pdsim.weights.decomposition import decompose
    from pdsim.weights.flips import flip_distance, flip_survival
    from pdsim.weights.pairwise import pairwise_acceptability
    from pdsim.weights.polytopes import constraints
    from pdsim.weights.programmes import facility_flip_distance, membership_bounds
    from pdsim.weights.reversal import rank_reversal
    from pdsim.weights.settling import Settled, settle, settled_outcome
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

__getattr__ = on_first_use(
    __name__,
    {
        "Settled": "settling",
        "acceptability": "acceptances",
        "by_factor": "choices",
        "confidence_factor": "acceptances",
        "constraints": "polytopes",
        "decompose": "decomposition",
        "domain_sweep": "stability",
        "facility_flip_distance": "programmes",
        "flip_distance": "flips",
        "flip_survival": "flips",
        "membership_bounds": "programmes",
        "multiverse": "choices",
        "pairwise_acceptability": "pairwise",
        "rank_reversal": "reversal",
        "set_acceptability": "topsets",
        "settle": "settling",
        "settled_outcome": "settling",
        "sobol_indices": "sobol",
        "stability_interval": "stability",
        "weight_space": "weight_space",
    },
)
