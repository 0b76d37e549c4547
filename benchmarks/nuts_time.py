"""What NUTS costs, and how well `pdsim.model.cost.nuts_seconds` foretells it.

    python benchmarks/nuts_time.py

One line per study shape: compilation, sampling, the forecast made before.
"""

import time

import numpy as np
import pandas as pd

import pdsim
from pdsim.model.cost import nuts_seconds
from pdsim.model.data import model_data
from pdsim.model.nuts import sample_nuts


def made_up(facilities: int, indicators: int, trials: int) -> pdsim.Study:
    rng = np.random.default_rng(1)
    effect = rng.normal(0, 0.6, size=facilities)
    rows = []
    for i in range(facilities):
        for k in range(indicators):
            for t, period in enumerate(("baseline", "endline")):
                p = 1 / (1 + np.exp(2 - t * (2.2 + effect[i])))
                rows.append((f"F{i}", f"I{k}", period, rng.binomial(trials, p), trials))
    table = pd.DataFrame(rows, columns=["facility", "indicator", "period", "successes", "trials"])
    names = [f"I{k}" for k in range(indicators)]
    domains = ["a" if k < (indicators + 1) // 2 else "b" for k in range(indicators)]
    frame = pd.DataFrame({"indicator": names, "domain": domains})
    return pdsim.Study.from_long(table, indicators=frame)


def main() -> None:
    print("facilities x indicators   trials   first run   second run   forecast   (seconds)")
    for facilities, indicators, trials in ((10, 1, 100), (10, 14, 40), (10, 14, 150), (40, 14, 40)):
        study = made_up(facilities, indicators, trials)
        data, settings = model_data(study), study.sampler
        taken = []
        for seed in (1, 2):
            start = time.perf_counter()
            sample_nuts(
                data,
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                seed=seed,
            )
            taken.append(time.perf_counter() - start)
        print(
            f"{facilities:10d} x {indicators:<10d} {trials:8d} {taken[0]:11.1f} {taken[1]:12.1f}"
            f" {nuts_seconds(study):10.1f}"
        )


if __name__ == "__main__":
    main()
