"""Convergence gates: what must hold before a number of a fit is cited."""

import json
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import xarray as xr

RHAT_LIMIT: Final = 1.01
ESS_LIMIT: Final = 400
PARETO_K_LIMIT: Final = 0.7
LAPLACE_ESS_LIMIT: Final = 100
LAPLACE_RHAT_LIMIT: Final = 1.1
"""Of eight short chains: at an effective 100 chance alone makes it 1.05."""
LAPLACE_SHARE_LIMIT: Final = 0.25
LAPLACE_DRAWS_LIMIT: Final = 500
"""Effective draws of the composite, or a quarter of the draws where these are few: at 500 the
Monte Carlo error of a mean exceeds 0.2 posterior standard deviations once in 100,000 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One check of a fit.

    Attributes
    ----------
    name : str
    value, limit : float
    passed : bool
    worst : str
        The quantity with the worst value, where there are many.
    """

    name: str
    value: float
    limit: float
    passed: bool
    worst: str = ""

    def __str__(self) -> str:
        """Return the figure and the limit in words."""
        of = f" ({self.worst})" if self.worst else ""
        return f"{self.name} {self.value:.4g}{of}, limit {self.limit:g}"


def nuts_gates(posterior: xr.Dataset, cited: xr.Dataset, stats: xr.Dataset) -> tuple[Gate, ...]:
    """Return the gates of a NUTS fit.

    Parameters
    ----------
    posterior : xarray.Dataset
        All hyperparameters in it are checked.
    cited : xarray.Dataset (chain, draw, facility)
        The quantities that are reported.
    stats : xarray.Dataset
        With ``diverging``.
    """
    import arviz_stats as azs  # half a second that the fast engine need not wait for

    hyper = [str(n) for n in posterior.data_vars if str(n).startswith(("sd_", "corr_"))]
    checked = xr.merge([posterior[hyper], cited])
    divergences = float(stats["diverging"].sum())
    rhat = azs.rhat(checked, sample_dims=["chain", "draw"])
    bulk = azs.ess(checked, sample_dims=["chain", "draw"], method="bulk")
    tail = azs.ess(checked, sample_dims=["chain", "draw"], method="tail")
    r_value, r_name = _extreme(rhat, largest=True)
    b_value, b_name = _extreme(bulk, largest=False)
    t_value, t_name = _extreme(tail, largest=False)
    return (
        Gate(
            name="R-hat", value=r_value, limit=RHAT_LIMIT, passed=r_value < RHAT_LIMIT, worst=r_name
        ),
        Gate(
            name="bulk ESS",
            value=b_value,
            limit=ESS_LIMIT,
            passed=b_value > ESS_LIMIT,
            worst=b_name,
        ),
        Gate(
            name="tail ESS",
            value=t_value,
            limit=ESS_LIMIT,
            passed=t_value > ESS_LIMIT,
            worst=t_name,
        ),
        Gate(name="divergences", value=divergences, limit=0, passed=divergences == 0),
    )


def laplace_draws_limit(draws: int) -> float:
    """Return how many effective draws of the composite are enough."""
    return min(float(LAPLACE_DRAWS_LIMIT), 0.25 * draws)


def laplace_gates(
    *,
    rhat: float,
    hyper_ess: float,
    pareto_k: float,
    share: float,
    ess: float | None,
    draws: int,
) -> tuple[Gate, ...]:
    """Return the gates of a fit by the fast engine.

    Parameters
    ----------
    rhat, hyper_ess : float
        Of the chains of hyperparameters, the worst.
    pareto_k : float
        Of the weights of the draws.
    share : float
        Share of the draws that is effective once they are weighted.
    ess : float or None
        Effective number of draws of the composite; None where there are too many facilities to
        ask for more.
    draws : int
    """
    gates = [
        ("ESS of the hyperparameters", hyper_ess, LAPLACE_ESS_LIMIT),
        ("effective share of draws", share, LAPLACE_SHARE_LIMIT),
    ]
    if ess is not None:
        gates.append(("ESS of the composite", ess, laplace_draws_limit(draws)))
    below = [("R-hat", rhat, LAPLACE_RHAT_LIMIT), ("Pareto k", pareto_k, PARETO_K_LIMIT)]
    return *(
        Gate(name=name, value=value, limit=limit, passed=value < limit)
        for name, value, limit in below
    ), *(
        Gate(name=name, value=value, limit=limit, passed=value > limit)
        for name, value, limit in gates
    )


def describe(gates: tuple[Gate, ...]) -> str:
    """Return ``passed``, or ``FAILED:`` and every failed gate with its figure."""
    failed = [str(gate) for gate in gates if not gate.passed]
    return "FAILED: " + "; ".join(failed) if failed else "passed"


def gates_to_json(gates: tuple[Gate, ...]) -> str:
    """Return the gates as JSON text (netCDF takes no nested attributes)."""
    return json.dumps([asdict(gate) for gate in gates])


def _extreme(values: xr.Dataset, *, largest: bool) -> tuple[float, str]:
    """Return the worst value and the name of its quantity; NaN counts as the worst."""
    worst, name = (-np.inf if largest else np.inf), ""
    for variable, array in values.data_vars.items():
        flat = array.to_numpy().ravel()
        if not np.isfinite(flat).all():
            return float("nan"), str(variable)
        value = flat.max() if largest else flat.min()
        if (value > worst) if largest else (value < worst):
            worst, name = float(value), str(variable)
    return worst, name
