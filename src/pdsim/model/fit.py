"""`fit`: a study in, a posterior out, whichever engine drew it."""

import json
import logging
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from pdsim.conventions import SCHEMA_VERSION
from pdsim.errors import ConvergenceWarning, InputError
from pdsim.model.composites import composite
from pdsim.model.convergence import Gate, describe, gates_to_json, nuts_gates
from pdsim.model.cost import longest_nuts_seconds, nuts_seconds
from pdsim.model.data import ModelData, model_data, stated_priors
from pdsim.model.memory import check_memory
from pdsim.priors import Priors
from pdsim.provenance import versions
from pdsim.settings import to_mapping
from pdsim.study import Study, study_to_dataset
from pdsim.study.facilities import CONTROL, PROGRAMME
from pdsim.study.options import Engine

_LOG: Final = logging.getLogger(__name__)
_MOST_BYTES: Final = 700_000_000
"""Of the draws of the fast engine, logits and expected endlines together."""
_FEWEST_DRAWS: Final = 500


def fit(
    study: Study,
    *,
    engine: Engine = "nuts",
    priors: Priors | None = None,
    seed: int = 1,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    hand_over: bool = True,
    facility_df: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    warn: bool = True,
) -> xr.DataTree:
    """Fit the hierarchical model to a study.

    Parameters
    ----------
    study : Study
    engine : {"nuts", "laplace"}
        ``nuts`` is the reference; ``laplace`` gives the same posterior in milliseconds, in one
        chain of independent draws. Where it cannot vouch for its draws, or errors of scores are
        stated to correlate, it hands over to ``nuts`` and the attribute ``engine`` says so.
    priors : Priors, optional
        Default: the study's own, else ``Priors()``.
    seed : int
    draws, tune, chains : int
        Draws kept and warm-up draws per chain. ``laplace`` gives chains x draws draws, fewer
        with many hundreds of facilities, where they would fill the memory.
    hand_over : bool
        False keeps the draws of the fast engine where it cannot vouch for them, with the label.
        Errors that correlate it cannot fit at all: they are always handed over.
    facility_df : float, optional
        Degrees of freedom, above 2, of Student-t effects of the facilities, for one or two that are
        unlike the rest. Default: the study's own, else normal effects.
    progress : callable, optional
        Called with (draws done, draws in all) before NUTS compiles the model, which takes a while,
        and while it runs, from another thread.
    warn : bool
        Whether a failed gate is warned of; the label says it anyway.

    Returns
    -------
    xarray.DataTree
        ``posterior`` over (chain, draw): ``eta`` (facility, indicator, period), the logits,
        turned so that higher is better (standardised scores for scale scores);
        ``eta_expected`` (facility, indicator), the endline expected from the baseline (two
        periods); ``alpha``, ``beta`` (indicator), with controls theirs, and ``imbalance``,
        ``arm_effect`` (indicator); ``covariate_level``, ``covariate_change`` (covariate);
        ``sd_*`` and ``corr_*``, those of the indicator
        level (indicator) where every indicator has its own; with ``change_spread = "by_arm"``
        ``sd_change_facility`` (arm) and ``baseline_facility`` (facility), the effect of the
        facility as a whole on its baseline; with Student-t effects ``factor_facility`` (facility),
        by which a facility's own spread exceeds that of the others.
        ``sample_stats``, ``constant_data`` (the study), and attributes ``engine``, ``seed``,
        ``convergence`` (``passed`` or what failed) and ``gates`` (JSON).

    Warns
    -----
    ConvergenceWarning
        If a gate failed; the label then goes with every number computed from the fit.

    Examples
    --------
    >>> import pdsim
    >>> tree = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1)
    >>> tree.attrs["convergence"]
    'passed'
    """
    if engine not in ("nuts", "laplace"):
        raise InputError(f"engine must be 'nuts' or 'laplace', got {engine!r}")
    if facility_df is not None:
        study = study.with_facility_df(facility_df)
    data = model_data(study, priors)
    facts: dict[str, str | float] = {"engine": engine, "seed": seed}
    gates: tuple[Gate, ...] = ()
    if engine == "laplace" and data.error_correlation is not None:
        facts = _handed_over(study, seed, "it takes the errors of scores as independent")
    elif engine == "laplace":
        posterior, stats, gates, ess = _fit_laplace(data, draws=draws * chains, seed=seed)
        facts["ess"] = ess
        if hand_over and not all(gate.passed for gate in gates):
            facts = _handed_over(study, seed, describe(gates))
    if facts["engine"] == "nuts":
        check_memory(draws=draws * chains, cells=int(np.prod(data.shape)))
        if progress is not None:
            progress(0, (draws + tune) * chains)
        from pdsim.model.nuts import sample_nuts  # compilers take seconds to import

        posterior, stats = sample_nuts(
            data, draws=draws, tune=tune, chains=chains, seed=seed, progress=progress
        )
    tree = _tree(study, data, posterior, stats)
    stated = stated_priors(study, priors).stated()
    tree.attrs["priors"] = json.dumps(to_mapping(stated), sort_keys=True)
    tree.attrs |= facts
    if data.facility_df is not None:
        tree.attrs["facility_df"] = data.facility_df
    if facts["engine"] == "nuts":
        gates = nuts_gates(posterior, _cited(tree), stats)
    tree.attrs |= {
        "convergence": describe(gates),
        "gates": gates_to_json(gates),
        "sampler": json.dumps({"draws": draws, "tune": tune, "chains": chains}),
    }
    if warn and not all(gate.passed for gate in gates):
        warnings.warn(
            f"{study.name}: convergence {tree.attrs['convergence']}; do not cite these numbers",
            ConvergenceWarning,
            stacklevel=2,
        )
    return tree


def _handed_over(study: Study, seed: int, why: str) -> dict[str, str | float]:
    """Say that NUTS takes over, and how long it will take; return the facts of such a fit."""
    reason = f"the fast engine handed over to NUTS ({why})"
    least, most = nuts_seconds(study), longest_nuts_seconds(study)
    _LOG.warning("%s: %s, which takes %.0f to %.0f s", study.name, reason, least, most)
    return {"engine": "nuts", "seed": seed, "escalated": reason}


def _fit_laplace(
    data: ModelData, *, draws: int, seed: int
) -> tuple[xr.Dataset, xr.Dataset, tuple[Gate, ...], float]:
    from pdsim.model.laplace.hyper import BY_ARM
    from pdsim.model.laplace.sample import MOST_WEIGHTED, STEPS, sample_laplace

    # draws of thousands of facilities fill the memory long before they are too few
    cells = int(np.prod(data.shape))
    draws = min(draws, max(_FEWEST_DRAWS, _MOST_BYTES // (12 * cells)))
    check_memory(draws=draws, cells=cells)
    # one fit can afford hyperparameters as good as its draws
    steps = STEPS if data.shape[0] > MOST_WEIGHTED else max(STEPS, draws // 16)
    result = sample_laplace(data, draws=draws, seed=seed, steps=steps)
    dims = {
        "eta": ("facility", "indicator", "period"),
        "eta_expected": ("facility", "indicator"),
        "alpha": ("indicator",),
        "beta": ("indicator",),
        "covariate_level": ("covariate",),
        "covariate_change": ("covariate",),
        "factor_facility": ("facility",),
        "baseline_facility": ("facility",),
    }
    arrays = result.draws()
    if data.change_by_arm:
        dims[BY_ARM] = ("arm",)
    posterior = xr.Dataset(
        {
            # standard deviations and correlations of the indicators' own
            name: (("chain", "draw", *dims.get(name, ("indicator",)[: values.ndim - 1])),
                   values[None])
            for name, values in arrays.items()
        }
    )  # fmt: skip
    stats = xr.Dataset(attrs=result.diagnostics())
    return posterior, stats, result.gates, result.ess


def _tree(study: Study, data: ModelData, posterior: xr.Dataset, stats: xr.Dataset) -> xr.DataTree:
    labels = {
        name: study.data[name].to_numpy()
        for name in ("facility", "indicator", "period", "covariate")
        if name in posterior.dims
    }
    if "arm" in posterior.dims:
        labels["arm"] = np.array([CONTROL, PROGRAMME])
    posterior = posterior.drop_vars(list(posterior.coords)).assign_coords(
        {
            "chain": np.arange(posterior.sizes["chain"]),
            "draw": np.arange(posterior.sizes["draw"]),
            "weight": ("indicator", data.weight),
            "domain": ("indicator", study.data["domain"].to_numpy()),
            **labels,
        }
    )
    constant = study_to_dataset(study).assign(
        center=("indicator", data.center), scale=("indicator", data.scale)
    )
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "sample_stats": stats, "constant_data": constant}
    )
    tree.attrs |= {
        "schema_version": SCHEMA_VERSION,
        "kind": study.kind,
        "study": study.name,
        "case_correlation": data.case_correlation,
        "versions": json.dumps(versions(), sort_keys=True),
    }
    return tree


def _cited(tree: xr.DataTree) -> xr.Dataset:
    """Return what is reported of every fit: each facility's level and change."""
    tree.attrs["convergence"] = ""
    two = tree["posterior"].sizes["period"] == 2
    names = ("change", "endline") if two else ("level",)
    return xr.Dataset({name: composite(tree, estimand=name) for name in names})
