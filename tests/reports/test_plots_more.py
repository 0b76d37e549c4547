"""Figures of weights and simulations: the data they draw, and a look at each image."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from pdsim.errors import InputError
from pdsim.reports import plots


def has_ink(figure: Figure) -> bool:
    import io

    from matplotlib import image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    buffer.seek(0)
    return bool((image.imread(buffer)[..., :3] < 0.6).any(axis=2).mean() > 0.002)


def test_tornado_puts_the_narrowest_range_first() -> None:
    stability = xr.Dataset(
        {
            "lower": ("indicator", [0.0, 0.2, 0.1]),
            "upper": ("indicator", [1.0, 0.4, 0.9]),
            "nominal": ("indicator", [0.3, 0.3, 0.4]),
        },
        coords={"indicator": ["a", "b", "c"]},
    )
    figure, data = plots.tornado(stability)
    assert data["indicator"].tolist() == ["b", "c", "a"]
    assert data["lower"].tolist() == [0.2, 0.1, 0.0]
    assert has_ink(figure)


def test_flip_density_counts_every_draw() -> None:
    distance = [0.0, 0.1, 0.1, 0.3, np.inf]
    figure, data = plots.flip_density(xr.Dataset({"distance": ("sample", distance)}))
    assert data["share"].sum() == pytest.approx(0.8)
    assert data.attrs["never"] == pytest.approx(0.2)
    assert data["share"].iloc[0] == pytest.approx(0.2)
    assert has_ink(figure)
    with pytest.raises(InputError, match="no draw has a flip"):
        plots.flip_density(xr.Dataset({"distance": ("sample", [np.inf])}))


def test_domain_strip() -> None:
    weight = np.linspace(0, 1, 11)
    sweep = xr.Dataset(
        {
            "probability": (("domain_weight", "facility"), np.stack([weight, 1 - weight / 2], 1)),
            "nominal_weight": 0.5,
        },
        coords={"domain_weight": weight, "facility": ["A", "B"]},
        attrs={"domain": "safety"},
    )
    figure, data = plots.domain_strip(sweep)
    assert data.index.tolist() == ["B", "A"]
    np.testing.assert_allclose(data.loc["A"], weight)
    assert has_ink(figure)


def test_decomposition_bars_keep_the_sum() -> None:
    shares = xr.DataArray(
        [0.1, 0.5, 0.25, 0.15], dims="component", coords={"component": list("abcd")}
    )
    figure, data = plots.decomposition_bars(shares, most=2)
    assert data["component"].tolist() == ["b", "c", "all others"]
    assert data["share"].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert has_ink(figure)


@pytest.fixture
def sweep() -> xr.Dataset:
    value = np.array([[0.2, 0.5, 0.8], [0.1, 0.3, 0.6]])
    return xr.Dataset(
        {
            "pcs_top": (("engine", "trials"), value),
            "pcs_top_mcse": (("engine", "trials"), np.full((2, 3), 0.01)),
        },
        coords={"engine": ["x", "y"], "trials": [10, 20, 40]},
    )


def test_pcs_curves_carry_their_bands(sweep: xr.Dataset) -> None:
    figure, data = plots.pcs_curves(sweep, over="trials", by="engine")
    assert data["value"].tolist() == [0.2, 0.5, 0.8, 0.1, 0.3, 0.6]
    np.testing.assert_allclose(data["high"] - data["low"], 2 * 1.959964 * 0.01)
    assert has_ink(figure)
    with pytest.raises(InputError, match="select the rest"):
        plots.pcs_curves(sweep, over="trials")
    with pytest.raises(InputError, match="has no regret"):
        plots.pcs_curves(sweep, over="trials", by="engine", measure="regret")


def test_pcs_heatmap(sweep: xr.Dataset) -> None:
    figure, data = plots.pcs_heatmap(sweep, across="trials", down="engine")
    row = data[(data["engine"] == "y") & (data["trials"] == 40)].iloc[0]
    assert (row["value"], row["mcse"]) == (0.6, 0.01)
    assert has_ink(figure)


def test_calibration_ecdf_tells_uniform_from_not() -> None:
    uniform = (np.arange(200) + 0.5) / 200
    figure, data = plots.calibration_ecdf(uniform)
    inside = (data["difference"] >= data["low"] - 1e-9) & (
        data["difference"] <= data["high"] + 1e-9
    )
    assert inside.all()
    assert has_ink(figure)
    _, data = plots.calibration_ecdf(uniform**3)
    assert (data["difference"] > data["high"]).mean() > 0.5
    with pytest.raises(InputError, match="between 0 and 1"):
        plots.calibration_ecdf(np.array([0.5, 1.5]))
