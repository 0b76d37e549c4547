"""The fast engine: Laplace approximation of the latent effects, Hamiltonian Monte Carlo above."""

from pdsim.model.laplace.batch import fit_many
from pdsim.model.laplace.fitted import LaplaceResult
from pdsim.model.laplace.known import composites_at_mode
from pdsim.model.laplace.sample import sample_laplace

__all__ = ["LaplaceResult", "composites_at_mode", "fit_many", "sample_laplace"]
