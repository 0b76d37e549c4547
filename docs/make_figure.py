"""Draw the figure of the README and of the first page: ``python docs/make_figure.py``."""

import re
from pathlib import Path

from gallery import study_results

from pdsim.reports import plots
from pdsim.reports.formats.svg import figure_to_svg


def main() -> None:
    """Write docs/_static/forest.svg."""
    results = study_results("lake_zone")
    improvement = results.improvement.assign_coords(facility=_names(results.facilities))
    ranking = results.group("ranking").assign_coords(facility=_names(results.facilities))
    figure, _ = plots.forest(improvement, ranking, label="Improvement (percentage points)")
    text = figure_to_svg(figure, key="readme")
    # trailing spaces would only be noise in the repository
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    Path(__file__).with_name("_static").joinpath("forest.svg").write_text(text)


def _names(facilities: list[str]) -> list[str]:
    return [f"Facility {name}" for name in facilities]


if __name__ == "__main__":
    main()
