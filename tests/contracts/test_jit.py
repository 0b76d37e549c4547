"""Machine code kept on disk must not outlive the source that it was built from."""

import ast
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


def test_kept_code_carries_the_hash():
    expit = pdsim.simulation.normal.expit
    stamp = _sources(Path(pdsim.simulation.normal.__file__).parent)
    expit(0.0)
    assert list(Path(expit.stats.cache_path).glob(f"*expit.{stamp[:16]}*"))


PUBLIC = {"numba", "numba.extending", "numba.core.cgutils"}
"""What the pages of numba on extending it use."""


def test_only_public_parts_of_numba():
    found = set()
    for path in Path(pdsim.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module in ("numba", "numba.extending"):
                found.add(node.module)
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert {name for name in found if name.partition(".")[0] == "numba"} == PUBLIC
