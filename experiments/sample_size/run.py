"""Find how many cases, facilities and indicators it takes to name the right three.

python -m experiments.sample_size.run
"""

from pathlib import Path

from experiments.sweep_results import arguments, curves, publish, run, said

from pdsim.reports.plots.style import new_figure, styled

FOLDER = Path(__file__).parent


def main() -> None:
    result = run(FOLDER, arguments(__doc__))
    plain = result.sel(heterogeneity=0.0)
    with styled():
        figure, axes = new_figure(3.4)
        shown = plain.sel(indicators=14)
        curves(axes, shown.pcs_top, shown.pcs_top_mcse, x="trials", by="facilities")
        axes.set_xlabel("cases per facility and period")
        axes.set_ylabel("P(top 3 right), 14 indicators")
        axes.legend(title="facilities")
        few, many = (plain.sel(facilities=10, indicators=14, trials=n) for n in (20, 160))
        one = plain.sel(facilities=10, indicators=1, trials=160)
        large = plain.sel(facilities=40, indicators=14, trials=160)
        mixed = result.sel(heterogeneity=1.0, facilities=10, indicators=14, trials=160)
        publish(
            FOLDER.name,
            result,
            figure,
            "How many cases does it take to name the right three?",
            "With 10 facilities and 14 indicators the observed change names exactly the right "
            f"three with probability {said(few, 'pcs_top')} at 20 cases and "
            f"{said(many, 'pcs_top')} at 160, with one indicator at 160 cases with "
            f"{said(one, 'pcs_top')}, among 40 facilities with {said(large, 'pcs_top')}, and where "
            "indicators differ strongly in how far they tell facilities apart with "
            f"{said(mixed, 'pcs_top')}; the expected overlap of 10 facilities rises from "
            f"{said(few, 'overlap_top')} to {said(many, 'overlap_top')}.",
        )


if __name__ == "__main__":
    main()
