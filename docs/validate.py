"""Every reference value beside what pdsim gives: what the validation page shows.

``python docs/validate.py`` prints the tables; ``--pisa FOLDER`` reads the PISA tables, which are
not distributed with pdsim, and keeps what came out in ``docs/validation_pisa.json``.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from references import (
    PISA,
    Value,
    attainable,
    correct_selection,
    founding_study,
    identities,
    pisa,
    planning,
    surgical_independent,
    surgical_random_effects,
    weights,
    winner,
)

from pdsim.ranking import expected_rank, normal_scores, rank_confidence_set, top_probability


def pisa_values(folder: Path) -> dict[str, list[Value]]:
    """R5 and R6: PISA mathematics, from its published tables."""
    old, new = (
        pd.read_csv(folder / f"pisa{year}.csv").set_index("jurisdiction") for year in (2018, 2022)
    )

    def over(series: pd.Series) -> xr.DataArray:
        names = series.index.astype(str).to_numpy()
        return xr.DataArray(series.to_numpy(), dims="facility", coords={"facility": names})

    five = (
        "Belgium Canada Denmark Estonia Finland Japan Korea Netherlands Poland Slovenia Sweden "
        "Switzerland"
    )
    sets = []
    for m, coverage, names in (
        (5, 0.95, five),
        (5, 0.90, five.replace("Sweden ", "")),
        (3, 0.95, "Canada Estonia Japan Korea Netherlands Poland Switzerland"),
    ):
        found = rank_confidence_set(
            over(old.math_score), over(old.math_se) ** 2, m=m, coverage=coverage, seed=1
        )
        chosen = " ".join(sorted(found.facility.to_numpy()[found.in_set.to_numpy()].tolist()))
        sets.append(Value(f"set for the top {m} at {100 * coverage:.0f} %", names, chosen))
        if (m, coverage) == (5, 0.95):
            border = " ".join(found.facility.to_numpy()[found.borderline.to_numpy()].tolist())
            sets.append(Value("borderline", "United Kingdom", border))
    both = old.index.intersection(new.index)
    difference = (new.math_score - old.math_score).loc[both]
    error = pd.Series(np.hypot(old.math_se.loc[both], new.math_se.loc[both]), index=both)
    seen = difference.notna() & error.notna()
    score = normal_scores(over(difference[seen]), over(error[seen]))
    ranks = expected_rank(score).expected_rank
    expected = {
        "top": {"Japan": (1.1759, 0.9951), "Korea": (3.1742, 0.7344), "Türkiye": (3.3371, 0.6688),
                "Israel": (7.4774, 0.1953), "Australia": (5.9515, 0.1317)},
        "bottom": {"Iceland": (36.7734, 0.9975), "Norway": (35.7820, 0.9214),
                   "Netherlands": (32.3449, 0.3435), "Poland": (32.8508, 0.3106)},
    }  # fmt: skip
    changes = []
    for side, table in expected.items():
        p = top_probability(score, m=3, side=side).top_probability
        for name, (rank, value) in table.items():
            here = {"facility": name}
            changes += [
                Value(f"E[rank], {name}", rank, float(ranks.sel(here)), 5.1e-5),
                Value(f"P({side} 3), {name}", value, float(p.sel(here)), 5.1e-5),
            ]
    return {"sets": sets, "change": changes}


SECTIONS: tuple[tuple[str, str, Callable[[], list[Value]]], ...] = (
    ("R1 The founding study's table", "Alidina et al. (2021), doi:10.1136/bmjqs-2020-011795, "
     "Table 2; exact to the digits printed. The reliabilities are a rough guide.", founding_study),
    ("R2 Surgical, independent hospitals", "BUGS 0.5 Examples Volume 1 (1996); Beta(1, 1) priors, "
     "computed exactly by two independent routes.", surgical_independent),
    ("R2 Surgical, random effects", "The same data; exact by quadrature. Tolerance 0.02 on "
     "probabilities and 0.1 on expected ranks, for draws.", surgical_random_effects),
    ("R3 What is attainable", "Ten facilities with exchangeable normal truth, observed with "
     "reliability R; 40,000 replicates, four Monte Carlo standard errors allowed.", attainable),
    ("R4 Correct selection of normal means", "Bechhofer (1954), doi:10.1214/aoms/1177728845; t "
     "best of k, lead of h standard errors.", correct_selection),
    ("R5 Confidence sets of ranks", "PISA 2018 mathematics (OECD); csranks, Mogstad et al. (2024), "
     "doi:10.1093/restud/rdad006.", lambda: pisa("sets")),
    ("R6 Improvement, PISA mathematics 2018 to 2022", "37 countries in both rounds; flat prior, "
     "exact.", lambda: pisa("change")),
    ("R7 Weights", "Exact values; four Monte Carlo standard errors are allowed where weights are "
     "drawn.", weights),
    ("R8 Planning", "Two-sample t-test, two-sided 5 %, power 0.8: the interval that the search by "
     "simulation returns must hold the exact size.", planning),
    ("R9 Winner's curse", "Estimates 0 to 4 with unit variance; quantile-unbiased for the largest.",
     winner),
    ("R10 Identities", "Largest deviation on 2,000 draws with ties.", identities),
)  # fmt: skip


def markdown(values: list[Value]) -> str:
    """Return a table of the values; raise where one does not agree."""
    wrong = [value for value in values if not value.agrees]
    if wrong:
        raise AssertionError(f"not reproduced: {wrong}")

    def text(number: float | str) -> str:
        if isinstance(number, str):
            return number
        if 0 < abs(number) < 1e-8:
            return f"{number:.0e}"
        return f"{number:.8f}".rstrip("0").rstrip(".")

    lines = ["| Quantity | Reference | pdsim | Allowed gap |", "|---|---|---|---|"]
    for one in values:
        allowed = "same" if isinstance(one.reference, str) else f"{one.allowed:.1g}"
        lines.append(f"| {one.what} | {text(one.reference)} | {text(one.found)} | {allowed} |")
    return "\n".join(lines).replace("{", "\\{").replace("}", "\\}")


def main() -> None:
    """Print every table; with ``--pisa FOLDER`` compute R5 and R6 first."""
    if sys.argv[1:2] == ["--pisa"]:
        found = pisa_values(Path(sys.argv[2]))
        rows = {part: [asdict(value) for value in values] for part, values in found.items()}
        PISA.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    for title, source, run in SECTIONS:
        print(f"\n## {title}\n\n{source}\n\n{markdown(run())}")


if __name__ == "__main__":
    main()
