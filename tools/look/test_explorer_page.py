"""The weights explorer in a real browser: its numbers are Python's."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdsim.analysis import write_report
from pdsim.reports.study.explorer import explorer_payload, explorer_table, single_flips
from pdsim.reports.study.view import Results


@pytest.fixture(scope="module")
def results(make_results) -> xr.DataTree:
    return make_results(facilities=8, indicators=5, draws=300, spread=2.0, seed=4)


@pytest.fixture(scope="module")
def payload(results: xr.DataTree) -> dict:
    found = explorer_payload(Results(results))
    assert found is not None
    return found


# the script moves sliders as a user would, and leaves what the page shows in an attribute
_DRIVE = """<script>
addEventListener("load", () => {
  const sliders = document.querySelectorAll("#explorer input[type=range]");
  const set = (n, x) => { sliders[n].value = x; sliders[n].dispatchEvent(new Event("input")); };
  const select = document.getElementById("explorer-kind");
  const steps = [
    () => {},
    () => { set(1, 90); set(2, 5); },
    () => { set(0, 10); },
    () => { select.value = "rank"; select.dispatchEvent(new Event("change")); },
    () => { select.value = "z"; select.dispatchEvent(new Event("change")); },
    () => { select.value = "min_max"; select.dispatchEvent(new Event("change")); },
  ];
  const seen = [];
  const read = () => {
    const root = document.getElementById("explorer");
    const rows = [...document.querySelectorAll("#explorer-table tbody tr")].map((row) => [
      Number(row.dataset.facility),
      ...[...row.querySelectorAll("td.num")].map((cell) => Number(cell.dataset.value)),
      row.lastElementChild.textContent,
    ]);
    seen.push({ kind: select.value, weights: JSON.parse(root.dataset.weights),
      flip: JSON.parse(root.dataset.flip), rows,
      toml: document.getElementById("explorer-toml").value,
      status: document.querySelector("#explorer .status").textContent });
  };
  const next = (n) => {
    if (n === steps.length) {
      document.body.setAttribute("data-seen", JSON.stringify(seen));
      return;
    }
    steps[n]();
    setTimeout(() => { read(); next(n + 1); }, 100);
  };
  next(0);
});
</script></body>"""


def test_numbers_in_the_browser_are_those_of_python(
    results: xr.DataTree, payload: dict, tmp_path: Path, open_page
) -> None:
    write_report(results, tmp_path)
    page = tmp_path / "driven.html"
    page.write_text((tmp_path / "report.html").read_text().replace("</body>", _DRIVE))
    match = re.search(r'data-seen="([^"]*)"', open_page(page))
    assert match is not None
    steps = json.loads(match[1].replace("&quot;", '"').replace("&amp;", "&"))
    assert len(steps) == 6
    nominal = [one["weight"] for one in payload["indicators"]]
    assert steps[0]["weights"] == nominal
    assert steps[1]["weights"] != nominal
    assert "selection is that of" in steps[0]["status"]
    for step in steps:
        weights = step["weights"]
        assert sum(weights) == pytest.approx(1.0)
        table = explorer_table(payload, weights, step["kind"])
        for place, top, bottom, rank, text in step["rows"]:
            row = table.iloc[place]
            assert top == pytest.approx(row["p_top"], abs=1e-12)
            assert bottom == pytest.approx(row["p_bottom"], abs=1e-12)
            assert rank == pytest.approx(row["expected_rank"], abs=1e-12)
            assert ("top 3" in text) == row["selected_top"]
            assert ("bottom 3" in text) == row["selected_bottom"]
        flips = single_flips(payload, weights, step["kind"])
        assert step["flip"]["at"] == pytest.approx(flips[0].at, abs=1e-9)
        assert payload["facilities"][step["flip"]["leaves"]] == flips[0].leaves
        assert payload["facilities"][step["flip"]["enters"]] == flips[0].enters
        read = tomllib.loads(step["toml"])["weights"]
        np.testing.assert_allclose(list(read.values()), weights, atol=3e-6)
