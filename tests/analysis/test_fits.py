"""Trees on disk: what xarray itself would write and read, and nothing that is damaged."""

import numpy as np
import pytest
import xarray as xr

from pdsim.analysis import load_fit, save_fit
from pdsim.errors import DamagedError, InputError


def tree():
    data = xr.Dataset(
        {
            "real": (("x", "y"), np.arange(12.0).reshape(3, 4), {"units": "%"}),
            "float": ("x", np.array([1, np.nan, 3], dtype=np.float32)),
            "whole": ("free", np.arange(3)),
            "true": ("x", [True, False, True]),
            "text": ("x", ["ä", "", "\u2028"]),
            "number": ((), 5),
            "word": ((), "Łódź"),
            "empty": (("none", "x"), np.zeros((0, 3))),
        },
        coords={"x": ["p", "q", "r"], "label": ("x", ["P", "Q", "R"]), "y": np.arange(4)},
        attrs={"u": "text", "k": 3, "l": [1.5, 2.5], "m": ["a", "b"], "n": float("nan")},
    )
    made = xr.DataTree.from_dict({"/a": data, "/b": data[["number"]], "/b/deep": data[["real"]]})
    made.attrs |= {"seed": 4, "name": "ü"}
    return made


def test_a_tree_is_read_as_if_xarray_had_written_it(tmp_path):
    made = tree()
    made.to_netcdf(tmp_path / "xarray.nc", engine="h5netcdf")
    expected = xr.load_datatree(tmp_path / "xarray.nc", engine="h5netcdf")
    found = load_fit(save_fit(made, tmp_path / "ours.nc"))
    xr.testing.assert_identical(found, expected)
    for one, other in zip(found.subtree, expected.subtree, strict=True):
        assert list(one.variables) == list(other.variables)
        for name in one.variables:
            assert one[name].dtype == other[name].dtype
            assert one[name].attrs == other[name].attrs


def test_damage_and_absence_are_told(tmp_path):
    path = save_fit(tree(), tmp_path / "fit.nc")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"fit.nc: is damaged"):
        load_fit(path)
    with pytest.raises(InputError, match="does not exist"):
        load_fit(tmp_path / "none.nc")
