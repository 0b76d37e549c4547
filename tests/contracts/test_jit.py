"""Machine code kept on disk must not outlive the source that it was built from."""

from pathlib import Path

import pdsim.simulation.normal
from pdsim.jit import _sources


def test_hash_follows_every_file_of_the_folder(tmp_path):
    (tmp_path / "caller.py").write_text("from other import f")
    (tmp_path / "other.py").write_text("f = 1")
    before = _sources(tmp_path)
    (tmp_path / "other.py").write_text("f = 2")
    _sources.cache_clear()
    assert _sources(tmp_path) != before


def test_kernels_carry_the_hash():
    stamp = pdsim.simulation.normal.expit._cache._cache_file._source_stamp
    assert stamp[1] == _sources(Path(pdsim.simulation.normal.__file__).parent)
