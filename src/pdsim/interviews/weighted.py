"""Summaries of a theme over draws that were drawn again by weight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Bools, Floats
from pdsim.interviews.groups import TAILS, Groups
from pdsim.interviews.lambdas import difference
from pdsim.ranking.draws import mean_and_error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedGroups:
    """Two groups and the draws of the scores that one theme's codes speak for.

    Attributes
    ----------
    groups : Groups
    which : ndarray (draw,)
        The draws of the scores.
    effective : float
        Share of equally weighted draws that are worth as much.
    """

    groups: Groups
    which: NDArray[np.int64]
    effective: float

    def _drawn(self, values: Floats) -> Floats:
        """Return (batch, chain, draw, facility) as (draw, facility), by weight."""
        return values.reshape(-1, values.shape[-1])[self.which]

    def true_contrast(self, values: Floats) -> Floats:
        """Return the mean over each draw's own top minus that over its bottom.

        Parameters
        ----------
        values : ndarray (draw, facility)
        """
        groups = self.groups
        top = self._drawn(groups.at_top) / groups.m_top
        bottom = self._drawn(groups.at_bottom) / groups.m_bottom
        return np.asarray(((top - bottom) * values).sum(axis=-1))

    def _size(self) -> float:
        """Return the number of independent draws that the weighted ones are worth."""
        _, _, size = mean_and_error(self.groups.leads, ess=self.groups.draws.ess)
        # drawing again by weight adds the error of as many draws
        return 1.0 / (1.0 / (float(size.min()) * self.effective) + 1.0 / len(self.which))

    def _chance(self, event: Bools) -> tuple[float, float]:
        share, size = float(event.mean()), self._size()
        return share, max(float(np.sqrt(share * (1.0 - share) / size)), 1.0 / size)

    def contrast(self, values: Floats, certain: Floats, interviewed: Bools) -> dict[str, float]:
        """Return the contrast of one theme in one round.

        Parameters
        ----------
        values : ndarray (draw, facility)
            Shares, drawn with the divisions.
        certain : ndarray (draw, facility)
            Shares, drawn as if the groups were certain.
        interviewed : ndarray (facility,)
        """
        series = self.true_contrast(values)
        named = difference(certain, self.groups.high, self.groups.low)
        positive, positive_error = self._chance(series > 0)
        low, high = np.quantile(series, TAILS)
        named_low, named_high = np.quantile(named, TAILS)
        worst, best = self._bounds(values, interviewed)
        return {
            "contrast": float(series.mean()),
            "contrast_mcse": float(series.std(ddof=1) / np.sqrt(self._size())),
            "low": float(low),
            "high": float(high),
            "p_positive": positive,
            "p_positive_mcse": positive_error,
            "named": float(named.mean()),
            "named_low": float(named_low),
            "named_high": float(named_high),
            "widening": float((high - low) / (named_high - named_low)),
            "worst_low": float(np.quantile(worst, TAILS[0])),
            "worst_high": float(np.quantile(best, TAILS[1])),
            "effective": self.effective,
            **self._slope(values, interviewed),
        }

    def _bounds(self, values: Floats, interviewed: Bools) -> tuple[Floats, Floats]:
        """Return the contrast where those not interviewed would have said least or most for it."""
        top = self._drawn(self.groups.at_top) > 0
        unknown = ~interviewed
        least = np.where(unknown, np.where(top, 0.0, 1.0), values)
        most = np.where(unknown, np.where(top, 1.0, 0.0), values)
        return self.true_contrast(least), self.true_contrast(most)

    def _slope(self, values: Floats, interviewed: Bools) -> dict[str, float]:
        """Return the least-squares slope of the shares on the score, per unit of the score."""
        if interviewed.sum() < 3:
            return dict.fromkeys(("slope", "slope_low", "slope_high", "p_slope"), np.nan)
        score = self._drawn(self.groups.draws.values)[:, interviewed]
        centred = score - score.mean(axis=1, keepdims=True)
        slope = (centred * values[:, interviewed]).sum(axis=1) / (centred**2).sum(axis=1)
        low, high = np.quantile(slope, TAILS)
        return {
            "slope": float(slope.mean()),
            "slope_low": float(low),
            "slope_high": float(high),
            "p_slope": self._chance(slope > 0)[0],
        }

    def change(self, values: Floats, certain: Floats) -> dict[str, float]:
        """Return the change of a theme between two rounds, in the contrast and in each group.

        The shares of two rounds are drawn independently: where the same informants spoke in both,
        the intervals are too wide rather than too narrow.

        Parameters
        ----------
        values, certain : ndarray (draw, facility)
            Differences of shares, see `contrast`.
        """
        parts = {
            "contrast": self.true_contrast(values),
            "high_group": certain[:, self.groups.high].mean(axis=1),
            "low_group": certain[:, self.groups.low].mean(axis=1),
        }
        row: dict[str, float] = {}
        for name, series in parts.items():
            low, high = np.quantile(series, TAILS)
            row |= {
                f"{name}_change": float(series.mean()),
                f"{name}_change_mcse": float(series.std(ddof=1) / np.sqrt(self._size())),
                f"{name}_low": float(low),
                f"{name}_high": float(high),
            }
        row["p_positive"], row["p_positive_mcse"] = self._chance(parts["contrast"] > 0)
        return row
