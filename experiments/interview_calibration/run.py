"""Cover of the interval of a theme's contrast when it is unsure who is high and low.

Simulated programmes: ten facilities with exchangeable normal truth, observed with reliability R;
the observed top 3 and bottom 3 are interviewed, 12 informants each. The truth is the difference of
the shares of the three truly best and the three truly worst facilities. Compared on the same codes:
the interval of `contrast_themes`, the same with every draw of the scores counted alike, and the one
that takes the named groups as certain.

Run: python experiments/interview_calibration/run.py [programmes]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.interviews.groups import TAILS, groups_of
from pdsim.interviews.lambdas import difference, ends
from pdsim.interviews.pooling import share_draws
from pdsim.interviews.weighted import WeightedGroups

FACILITIES, M, INFORMANTS, ICC, DRAWS = 10, 3, 12, 0.1, 250
RELIABILITY = (0.6, 0.9)
RESULTS = Path(__file__).parents[2] / "results" / "interview_calibration"


@dataclass(frozen=True, slots=True)
class Theme:
    """How the share of informants depends on the true score."""

    name: str
    gap: float = 0.0
    slope: float = 0.0

    def means(self, truth, at_top, at_bottom):
        """Return the expected share of each facility."""
        if self.slope:
            return 1.0 / (1.0 + np.exp(-self.slope * truth))
        return 0.5 + 0.5 * self.gap * (at_top - at_bottom)


THEMES = (
    Theme("does not differ"),
    Theme("ends differ by .2", gap=0.2),
    Theme("ends differ by .4", gap=0.4),
    Theme("follows the score", slope=0.5),
)


def programme(rng, reliability, theme, seed):
    """Return whether each interval covers the truth, and its width."""
    truth = rng.standard_normal(FACILITIES)
    noise = np.sqrt(1.0 / reliability - 1.0)
    observed = truth + noise * rng.standard_normal(FACILITIES)
    sd = np.sqrt(1.0 - reliability)
    draws = reliability * observed + sd * rng.standard_normal((DRAWS, FACILITIES))
    at_top, at_bottom = ends(truth, m_top=M, m_bottom=M)
    mean = theme.means(truth, at_top, at_bottom)
    share = rng.beta(mean * (1.0 / ICC - 1.0), (1.0 - mean) * (1.0 / ICC - 1.0))
    order = np.argsort(-observed)
    names = [str(i) for i in range(FACILITIES)]
    score = xr.DataArray(draws, dims=("sample", "facility"), coords={"facility": names})
    groups = groups_of(
        score, high=[names[i] for i in order[:M]], low=[names[i] for i in order[-M:]]
    )
    asked = np.where(groups.high | groups.low, INFORMANTS, 0)
    voiced = rng.binomial(asked, share).astype(float)
    asked = asked.astype(float)
    linked = share_draws(voiced, asked, groups.classes(), seed=seed)
    alike = share_draws(voiced, asked, groups.classes(), seed=seed, which=np.arange(DRAWS))
    certain = share_draws(voiced, asked, groups.named_classes(), seed=seed)
    series = [
        WeightedGroups(groups=groups, which=one.which, effective=one.effective).true_contrast(
            one.share
        )
        for one in (linked, alike)
    ]
    series.append(difference(certain.share, groups.high, groups.low))
    target = share[at_top > 0].mean() - share[at_bottom > 0].mean()
    bounds = np.array([np.quantile(one, TAILS) for one in series])
    return (bounds[:, 0] <= target) & (target <= bounds[:, 1]), bounds[:, 1] - bounds[:, 0]


def main(programmes):
    rows = []
    for reliability in RELIABILITY:
        for place, theme in enumerate(THEMES):
            rng = np.random.default_rng([int(100 * reliability), place])
            found = [programme(rng, reliability, theme, s) for s in range(programmes)]
            covers = np.mean([one[0] for one in found], axis=0)
            widths = np.mean([one[1] for one in found], axis=0)
            names = ("pdsim", "draws_alike", "as_if_certain")
            row = {"reliability": reliability, "theme": theme.name, "programmes": programmes}
            row |= {f"cover_{n}": round(float(c), 4) for n, c in zip(names, covers, strict=True)}
            row |= {f"width_{n}": round(float(w), 3) for n, w in zip(names, widths, strict=True)}
            rows.append(row)
            print(row, flush=True)
    table = pd.DataFrame(rows)
    mean = table.groupby("reliability").mean(numeric_only=True).round(4).reset_index()
    table = pd.concat([table, mean.assign(theme="all")], ignore_index=True)
    table = table.astype({"programmes": int})
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "cover.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
