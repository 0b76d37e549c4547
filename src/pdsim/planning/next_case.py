"""What one more case of a fitted study shows: its covariance, and simulated cases."""

import json
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import ndtri

from pdsim.arraytypes import Floats, Ints
from pdsim.model.data import ModelData, model_data
from pdsim.priors import Priors
from pdsim.settings import from_mapping
from pdsim.simulation.casewise import loading_table
from pdsim.study import study_from_dataset

_GRID_STEP: Final = 1 / 64
_EDGE: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCases:
    """The cases that would be added to a fitted study.

    Attributes
    ----------
    data : ModelData
        What was fitted, with the priors of the fit.
    m : int
        Of the study.
    correlation : float
        Of two scores of one case.
    group : ndarray (score,)
        Scores of one number share the case; -1 shares nothing. One score for each indicator, or
        for each item of a composite.
    trials : float
        Effective trials that a case adds to each indicator.
    """

    data: ModelData
    m: int
    correlation: float
    group: Ints
    trials: float

    def noise(self, level: Floats) -> Floats:
        """Return the covariance (facility, indicator, indicator) of the proportions of one case.

        Parameters
        ----------
        level : ndarray (facility, indicator)
        """
        indicators = level.shape[1]
        sd = np.sqrt(level * (1 - level))
        apart = np.eye(indicators)
        if indicators == self.group.size:
            shared = (self.group[:, None] == self.group) & (self.group >= 0)
            apart = np.where(shared, self.correlation, 0.0)
            np.fill_diagonal(apart, 1.0)
        return np.asarray(sd[:, :, None] * sd[:, None, :] * apart / self.trials)

    def observe(self, level: Floats, most: int, rng: np.random.Generator) -> Floats:
        """Return the effective successes (facility, case, indicator) of some cases."""
        facilities, indicators = level.shape
        cut = ndtri(np.clip(level, _EDGE, 1 - _EDGE))
        cut = np.repeat(cut, self.group.size // indicators, axis=1)
        own = rng.standard_normal((facilities, most, self.group.size))
        if self.correlation > 0:
            table = loading_table(self.correlation)
            grid = np.arange(table.size) * _GRID_STEP
            loading = np.interp(np.abs(cut), grid, table) * (self.group >= 0)
            common = rng.standard_normal((facilities, most, self.group.max() + 1))
            loading = loading[:, None, :]
            own = loading * common[:, :, self.group] + np.sqrt(1 - loading**2) * own
        met = (own < cut[:, None, :]).astype(float)
        return np.asarray(self.trials * met.reshape(facilities, most, indicators, -1).mean(axis=3))


def cases_of(fit: xr.DataTree) -> NextCases:
    """Return what the next cases of a fitted study are like.

    Parameters
    ----------
    fit : DataTree
        From `pdsim.fit`: counts.
    """
    study = study_from_dataset(fit["constant_data"].to_dataset()).programme
    priors = from_mapping(Priors, json.loads(fit.attrs["priors"]))
    # of the programme alone: one spread of change
    data = model_data(study, replace(priors, change_spread="shared"))
    correlation, group, worth = data.case_correlation, data.case_group, 1.0
    if study.options.items is not None:
        # a composite of equally likely items, whose effective trials hold the correlation
        correlation = float(study.case_correlation or 0.0)
        group = np.zeros(study.options.items, dtype=np.int64)
        worth = study.options.items / (1 + (study.options.items - 1) * correlation)
    return NextCases(
        data=data,
        m=study.m,
        correlation=correlation,
        group=group,
        trials=worth / study.average_design_effect,
    )
