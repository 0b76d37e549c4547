"""The report of a sweep, from invented results."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.reports.sweeps import sweep_document
from pdsim.reports.write import write_document


def test_sweep_table_has_every_cell(tmp_path: Path) -> None:
    value = np.array([[0.2, 0.5], [0.1, 0.3]])
    result = xr.Dataset(
        {
            "pcs_top": (("trials", "engine"), value),
            "pcs_top_mcse": (("trials", "engine"), np.full((2, 2), 0.01)),
            "n_simulated": (("trials", "engine"), np.full((2, 2), 100)),
            "n_failed": (("trials", "engine"), np.array([[0, 0], [0, 3]])),
        },
        coords={"trials": [10, 40], "engine": ["a", "b"]},
        attrs={"configuration": json.dumps({"name": "S"}), "seed": 1},
    )
    document = sweep_document(result)
    table = document.tables["sweep"]
    assert len(table.rows) == 4
    assert table.value("40 / b", "pcs_top") == 0.3
    assert table.number("40 / b", "n_failed").text == "3"
    assert [picture.key for picture in document.pictures] == ["pcs"]
    write_document(document, tmp_path, formats=("html", "tex"))
    assert "P(top set right)" in (tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="none of the measures"):
        sweep_document(result[["n_failed"]])
