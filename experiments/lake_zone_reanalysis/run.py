"""Say how sure one can be of the published top 3 and bottom 3 of the founding study.

python -m experiments.lake_zone_reanalysis.run
"""

from pathlib import Path

import xarray as xr
from experiments.sweep_results import arguments, curves, over_assumptions, publish, run, said

import pdsim
from pdsim.reports.plots.style import new_figure, styled

FOLDER = Path(__file__).parent
PUBLISHED = {"top": ["1", "2", "3"], "bottom": ["8", "9", "10"]}


def posterior(trials: int, case_correlation: float) -> xr.Dataset:
    """P(the published set is the true one | the published percentages), by the model."""
    study = pdsim.load_example("lake_zone", trials=trials, case_correlation=case_correlation)
    score = pdsim.composite(pdsim.fit(study, engine="laplace", seed=1), estimand="change")
    found = {}
    for side, names in PUBLISHED.items():
        sets = pdsim.set_probability(score, m=3, side=side)
        members = sets["member"].sel(facility=names).all("facility")
        for end in ("", "_mcse"):
            column = sets[f"set_probability{end}"].where(members, 0.0)
            found[f"posterior_{side}{end}"] = column.sum("set")
    return xr.Dataset(found).reset_coords(drop=True)


def main() -> None:
    result = over_assumptions(run(FOLDER, arguments(__doc__)), posterior)
    with styled():
        figure, axes = new_figure(3.4)
        curves(axes, result.pcs_both, result.pcs_both_mcse, x="trials", by="case_correlation")
        axes.set_xlabel("cases per facility and period (assumed)")
        axes.set_ylabel("P(both sets named again)")
        axes.legend(title="within-case correlation")
        cell = result.sel(trials=20, case_correlation=0.3)
        best = result.sel(trials=50, case_correlation=0.1)
        few = result.sel(trials=5, case_correlation=0.3)
        publish(
            FOLDER.name,
            result,
            figure,
            "How sure can one be of the founding study's top 3 and bottom 3?",
            "If the published percentages were the truth, a study of 20 cases per facility and "
            "period with a within-case correlation of 0.3 would name both published sets again "
            f"with probability {said(cell, 'pcs_both')}, and one of 50 cases with a correlation of "
            f"0.1 with {said(best, 'pcs_both')}; with 5 cases and 0.3 it would be "
            f"{said(few, 'pcs_both')}, and about 0.02 if one allows for the sampling error "
            "that the published differences contain (`tests/reference/test_simulation_founding.py`"
            "); given the published percentages, the model puts "
            f"the posterior probability of the top 3 at {said(cell, 'posterior_top')} and "
            f"{said(best, 'posterior_top')}, of the bottom 3 at {said(cell, 'posterior_bottom')} "
            f"and {said(best, 'posterior_bottom')}.",
        )


if __name__ == "__main__":
    main()
