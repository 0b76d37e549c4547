"""Say how truly the facilities interviewed in the founding study stand apart.

python -m experiments.founding_interviews.run
"""

from pathlib import Path

import xarray as xr
from experiments.sweep_results import arguments, curves, over_assumptions, publish, run, said

import pdsim
from pdsim.interviews import groups_of, separation
from pdsim.reports.plots.style import new_figure, styled

FOLDER = Path(__file__).parent
HIGHER, LOWER = ["1", "2", "3"], ["8", "9", "10"]
SHOWN = ("class_lambda", "dose_lambda", "all_on_side", "all_above")


def posterior(trials: int, case_correlation: float) -> xr.Dataset:
    """How truly the published groups stand apart, given the published percentages."""
    study = pdsim.load_example("lake_zone", trials=trials, case_correlation=case_correlation)
    fit = pdsim.fit(study, engine="laplace", seed=1, draws=4_000)
    found = separation(groups_of(pdsim.composite(fit), high=HIGHER, low=LOWER))
    return found[[f"{name}{end}" for name in SHOWN for end in ("", "_mcse")]].drop_attrs()


def main() -> None:
    result = over_assumptions(run(FOLDER, arguments(__doc__)), posterior)
    with styled():
        figure, axes = new_figure(3.4)
        curves(axes, result.class_lambda, result.class_lambda_mcse, x="trials",
               by="case_correlation")  # fmt: skip
        axes.set_xlabel("cases per facility and period (assumed)")
        axes.set_ylabel("what is left of a difference (class lambda)")
        axes.legend(title="within-case correlation")
    few = result.sel(trials=5, case_correlation=0.3)
    cell = result.sel(trials=20, case_correlation=0.1)
    many = result.sel(trials=50, case_correlation=0.1)
    finding = (
        "Given the published percentages, with 20 cases per facility and period and a within-case "
        "correlation of 0.1, a theme that marks the truly best and the truly worst three keeps "
        f"{said(cell, 'class_lambda')} of its difference in the published groups, and one that "
        f"follows the improvement {said(cell, 'dose_lambda')}; all six are on their side of the "
        f"median with probability {said(cell, 'all_on_side')}. With 5 cases and 0.3 it would be "
        f"{said(few, 'class_lambda')}, {said(few, 'dose_lambda')} and {said(few, 'all_on_side')}; "
        f"with 50 cases and 0.1 {said(many, 'class_lambda')}, {said(many, 'dose_lambda')} and "
        f"{said(many, 'all_on_side')}.\n\n"
        "If the published percentages were the truth, a new study that names three and three by "
        f"the observed change would keep {said(few, 'interview_lambda')} of such a difference with "
        f"5 cases and 0.3, {said(cell, 'interview_lambda')} with 20 and 0.1, and "
        f"{said(many, 'interview_lambda')} with 50 and 0.1. Its power to find, one-sided at 0.05, "
        "a theme voiced by 70 % of 12 informants in truly higher and 30 % in truly lower ones "
        f"would be {said(few, 'theme_power')}, {said(cell, 'theme_power')} and "
        f"{said(many, 'theme_power')}."
    )
    publish(FOLDER.name, result, figure, "Do the interviews compare the right places?", finding)


if __name__ == "__main__":
    main()
