"""What to cite: the tools and methods that a report rests on, with DOIs and BibTeX."""

from dataclasses import dataclass
from typing import Final

from pdsim.reports.study.view import Results
from pdsim.terms.estimands import ESTIMANDS, SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One work to cite.

    Attributes
    ----------
    key : str
        BibTeX key.
    authors : str
        Joined by "; ", family name first.
    title, where, year : str
        ``where`` is the journal with volume and pages.
    doi : str
    url : str
        Where there is no DOI.
    kind : str
        BibTeX entry type.
    why : str
        What the report takes from it.
    """

    key: str
    authors: str
    title: str
    where: str
    year: str
    why: str
    doi: str = ""
    url: str = ""
    kind: str = "article"

    @property
    def text(self) -> str:
        """The reference as one sentence."""
        link = f" doi:{self.doi}" if self.doi else f" {self.url}" if self.url else ""
        place = f" {self.where}." if self.where else ""
        authors = self.authors.replace("others", "and others")
        return f"{authors} ({self.year}). {self.title}.{place}{link}"


_NUTS: Final = (
    Reference(
        key="pymc",
        authors="Abril-Pla, O.; Andreani, V.; Carroll, C.; Dong, L.; Fonnesbeck, C. J.; others",
        title="PyMC: a modern, and comprehensive probabilistic programming framework in Python",
        where="PeerJ Computer Science 9:e1516",
        year="2023",
        doi="10.7717/peerj-cs.1516",
        why="the model",
    ),
    Reference(
        key="nuts",
        authors="Hoffman, M. D.; Gelman, A.",
        title="The No-U-Turn Sampler: adaptively setting path lengths in Hamiltonian Monte Carlo",
        where="Journal of Machine Learning Research 15:1593–1623",
        year="2014",
        doi="10.48550/arXiv.1111.4246",
        why="the sampler",
    ),
    Reference(
        key="arviz",
        authors="Kumar, R.; Carroll, C.; Hartikainen, A.; Martin, O.",
        title="ArviZ a unified library for exploratory analysis of Bayesian models in Python",
        where="Journal of Open Source Software 4(33):1143",
        year="2019",
        doi="10.21105/joss.01143",
        why="convergence diagnostics",
    ),
)
_RHAT: Final = Reference(
    key="rhat",
    authors="Vehtari, A.; Gelman, A.; Simpson, D.; Carpenter, B.; Bürkner, P.-C.",
    title="Rank-normalization, folding, and localization: an improved R-hat for assessing "
    "convergence of MCMC",
    where="Bayesian Analysis 16(2):667–718",
    year="2021",
    doi="10.1214/20-BA1221",
    why="R-hat, effective sample size and Monte Carlo standard errors",
)
_LAPLACE: Final = (
    Reference(
        key="inla",
        authors="Rue, H.; Martino, S.; Chopin, N.",
        title="Approximate Bayesian inference for latent Gaussian models by using integrated "
        "nested Laplace approximations",
        where="Journal of the Royal Statistical Society B 71(2):319–392",
        year="2009",
        doi="10.1111/j.1467-9868.2008.00700.x",
        why="the Laplace approximation of the fast engine",
    ),
    Reference(
        key="psis",
        authors="Vehtari, A.; Simpson, D.; Gelman, A.; Yao, Y.; Gabry, J.",
        title="Pareto smoothed importance sampling",
        where="Journal of Machine Learning Research 25(72):1–58",
        year="2024",
        doi="10.48550/arXiv.1507.02646",
        why="the check of the importance weights",
    ),
)
_LKJ: Final = Reference(
    key="lkj",
    authors="Lewandowski, D.; Kurowicka, D.; Joe, H.",
    title="Generating random correlation matrices based on vines and extended onion method",
    where="Journal of Multivariate Analysis 100(9):1989–2001",
    year="2009",
    doi="10.1016/j.jmva.2009.04.008",
    why="the prior of correlations",
)
_RANKS: Final = (
    Reference(
        key="goldstein",
        authors="Goldstein, H.; Spiegelhalter, D. J.",
        title="League tables and their limitations: statistical issues in comparisons of "
        "institutional performance",
        where="Journal of the Royal Statistical Society A 159(3):385–443",
        year="1996",
        doi="10.2307/2983325",
        why="ranks with their uncertainty",
    ),
    Reference(
        key="lin",
        authors="Lin, R.; Louis, T. A.; Paddock, S. M.; Ridgeway, G.",
        title="Loss function based ranking in two-stage, hierarchical models",
        where="Bayesian Analysis 1(4):915–946",
        year="2006",
        doi="10.1214/06-BA130",
        why="selection by the posterior probability of membership",
    ),
)
_MEAN: Final = Reference(
    key="regression",
    authors="Barnett, A. G.; van der Pols, J. C.; Dobson, A. J.",
    title="Regression to the mean: what it is and how to deal with it",
    where="International Journal of Epidemiology 34(1):215–220",
    year="2005",
    doi="10.1093/ije/dyh299",
    why="regression to the mean",
)
_WEIGHTS: Final = Reference(
    key="smaa",
    authors="Lahdelma, R.; Hokkanen, J.; Salminen, P.",
    title="SMAA – Stochastic multiobjective acceptability analysis",
    where="European Journal of Operational Research 106(1):137–143",
    year="1998",
    doi="10.1016/S0377-2217(97)00163-X",
    why="the survival of the selection under other weights",
)
_FUNNEL: Final = Reference(
    key="funnel",
    authors="Spiegelhalter, D. J.",
    title="Funnel plots for comparing institutional performance",
    where="Statistics in Medicine 24(8):1185–1202",
    year="2005",
    doi="10.1002/sim.1970",
    why="funnel plots with over-dispersed limits",
)


def references(results: Results) -> tuple[Reference, ...]:
    """Return what the report of these results has to cite, in order of use."""
    versions = results.loads("versions", {})
    engine = str(results.attr("engine", ""))
    pdsim = Reference(
        key="pdsim",
        authors="pdsim developers",
        title="pdsim: simulation and sensitivity toolkit for naming the facilities that improved "
        "most and least",
        where=f"Version {versions['pdsim']}" if "pdsim" in versions else "Python package",
        year="2026",
        kind="software",
        why="the analysis",
    )
    chosen = [pdsim]
    if engine == "nuts":
        chosen += _NUTS
    if engine == "laplace":
        chosen += _LAPLACE
    if engine in ("nuts", "laplace"):
        chosen += [_RHAT, _LKJ]
    chosen += _RANKS
    if any(ESTIMANDS.get(name, SCORE).net for name in results.estimands):
        chosen.append(_MEAN)
    if results.has("study") and results.estimand in ("change", "level"):
        chosen.append(_FUNNEL)
    if any(name.startswith("weights") for name in results.tree.children):
        chosen.append(_WEIGHTS)
    return tuple(chosen)
