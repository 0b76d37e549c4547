import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    path = Path(__file__).with_name("synthetic.py")
    spec = importlib.util.spec_from_file_location("report_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["report_synthetic"] = module
    spec.loader.exec_module(module)
    return module


synthetic_results = _load().synthetic_results

HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd()|'/c calc'!A0",
    "\\input{x}",
    "[red]Alpha[/red]",
    "مستشفى الملك",
    "Hôpital Édouard-Ñandú",
    "X" * 180,
    "$\\alpha$ & 100% #1_a^b~c",
    "**bold** `code` | pipe",
    "-1+2 \" ' `",
    "\x1b[31mred\x1b[0m",
    "1. first\u202e reversed",
]


@pytest.fixture(scope="session")
def make_results():
    """The function that invents a results tree."""
    return synthetic_results


@pytest.fixture(scope="session")
def hostile_names() -> list[str]:
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One report of facilities with hostile names whose fit failed."""
    from pdsim.analysis import write_report

    folder = tmp_path_factory.mktemp("hostile")
    results = synthetic_results(facilities=HOSTILE, failed=True, draws=200)
    write_report(results, folder, formats=("html", "csv"))
    return folder
