"""The reference engine: NUTS, explicit in every setting, compiled once per shape."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import nutpie
import xarray as xr

from pdsim.model.data import ModelData
from pdsim.model.pymc_model import BASELINE, FIXED, build_model, centring_and_offset

TARGET_ACCEPT = 0.95


def sample_nuts(
    data: ModelData,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    cores: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw from the posterior with the No-U-Turn sampler of nutpie.

    Parameters
    ----------
    data : ModelData
    draws, tune : int
        Draws kept and warm-up draws, per chain.
    chains, seed : int
    cores : int, optional
        Chains run at the same time; the draws do not depend on it.
    progress : callable, optional
        Called with (draws done, draws in all) over all chains, from another thread.

    Returns
    -------
    posterior, sample_stats : xarray.Dataset
        Over (chain, draw, ...); see `pdsim.model.fit`.
    """

    def report(states: list[Any]) -> None:
        if progress is not None:
            progress(
                sum(state.finished_draws for state in states),
                sum(state.total_draws for state in states),
            )

    tree = nutpie.sample(
        _compiled(data),
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        cores=cores,
        save_warmup=False,
        progress_bar=False,
        progress_callback=report,
        target_accept=TARGET_ACCEPT,
    )
    stats = tree["sample_stats"].to_dataset()[["diverging", "depth", "energy"]]
    return tree["posterior"].to_dataset(), stats


def _compiled(data: ModelData) -> Any:
    """Return the compiled model of the shape of `data`, holding the numbers of `data`."""
    blank = replace(data, observed=np.zeros(data.shape), size=np.zeros(data.shape))
    compiled = _compile(_Shape(blank))
    centring, offset = centring_and_offset(data)
    values = {"observed": data.observed, "size": data.size, "centring": centring, "offset": offset}
    if data.error_correlation is not None:
        values["error_precision"] = data.error_precision
    return compiled.with_data(**values)


class _Shape:
    """A ModelData without numbers, hashable by all that the compiled model depends on."""

    __slots__ = ("data", "key")

    def __init__(self, data: ModelData) -> None:
        self.data = data
        self.key = (
            data.kind,
            data.shape,
            data.domain.tobytes(),
            data.case_group.tobytes(),
            data.cell_correlation.tobytes(),
            data.visit_variance.tobytes(),
            data.facility_df,
            data.arms,
            data.arm_codes.tobytes(),
            data.covariate_values.shape,
            data.covariate_values.tobytes(),
            data.case_mix.tobytes(),
            data.error_correlation is None,
            data.priors,
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shape) and self.key == other.key


@lru_cache(maxsize=16)
def _compile(shape: _Shape) -> Any:
    model = build_model(shape.data)
    kept = [name for name in model.named_vars if _kept(name)]
    return nutpie.compile_pymc_model(model, var_names=kept)


def _kept(name: str) -> bool:
    """Keep what `fit` documents, not the standardised effects behind it."""
    if name in FIXED or name in {"eta", "eta_expected", "factor_facility", BASELINE}:
        return True
    return name.startswith(("sd_", "corr_")) and not name.endswith(("_half", "_squared"))
