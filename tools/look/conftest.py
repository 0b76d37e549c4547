"""What the looks share: reports of odd and plain studies, a browser, and LibreOffice.

Nothing here is skipped: what is not installed fails, and says what to install.
"""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import pdsim
from pdsim.analysis import write_report
from pdsim.analysis.result import Analysis
from pdsim.reports.formats.html import to_html
from pdsim.reports.study.sections import build_document
from pdsim.reports.study.view import read_results

TESTS = Path(__file__).resolve().parents[2] / "tests" / "reports"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"look_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_results():
    """The function that invents a results tree."""
    return _load("synthetic").synthetic_results


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory, make_results) -> Path:
    """One report of facilities with hostile names whose fit failed."""
    folder = tmp_path_factory.mktemp("hostile")
    results = make_results(facilities=_load("conftest").HOSTILE, failed=True, draws=200)
    write_report(results, folder, formats=("html", "csv"))
    return folder


def _simulated(*, seed: int, spread: float) -> pdsim.Study:
    """Return 12 facilities by 14 indicators in two domains, 30 cases each."""
    scenario = pdsim.Scenario(
        facilities=12, indicators=14, domains=2, trials=30, case_correlation=0.1,
        sd_change_facility=spread, sd_change_domain=0.3 * spread,
    )  # fmt: skip
    _, study = pdsim.simulate(scenario, replicate=0, seed=seed)
    return study


def _tied() -> pdsim.Study:
    """Return eight facilities of which three at the top have the very same counts."""
    rows = {"facility": [], "indicator": [], "period": [], "successes": [], "trials": []}
    ends = [34, 34, 34, 28, 24, 20, 16, 14]
    for f, last in enumerate(ends):
        for period, met in (("baseline", 10), ("endline", last)):
            values = (f"Ward {f + 1}", "checklist", period, met, 40)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
    options = pdsim.StudyOptions(name="Three wards tie", m=2)
    return pdsim.Study.from_long(rows, options=options)


STUDIES: dict[str, Callable[[], pdsim.Study]] = {
    "large": lambda: _simulated(seed=3, spread=0.6),
    "unclear": lambda: _simulated(seed=5, spread=0.05),
    "tied": _tied,
    "surgical": lambda: pdsim.load_example("surgical"),
    "lake_zone": lambda: pdsim.load_example("lake_zone", trials=20, case_correlation=0.1),
}


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Analysis]:
    """Analyse each study once, with the whole report, the brief and the Word document."""
    found: dict[str, Analysis] = {}

    def get(name: str) -> Analysis:
        if name not in found:
            folder = tmp_path_factory.mktemp(name) / "results"
            formats = ("html", "docx")
            found[name] = pdsim.analyse(STUDIES[name](), out=folder, seed=1, formats=formats)
            brief = build_document(read_results(found[name].results), brief=True)
            (folder / "brief.html").write_text(to_html(brief), encoding="utf-8")
        return found[name]

    return get


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Return where one of some programs lies."""
    return _program


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.fail(f"{' or '.join(names)} must be installed for this look")


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Run Chromium without a window; anything on its console fails the test."""

    def run(*arguments: str) -> str:
        command = [
            _program("chromium", "google-chrome", "chromium-browser"), "--headless", "--no-sandbox",
            "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000", *arguments,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
        assert ":CONSOLE" not in done.stderr, done.stderr
        return done.stdout

    return run


@pytest.fixture
def open_page(chromium: Callable[..., str]) -> Callable[[Path], str]:
    """Open a page; return what became of it."""
    return lambda page: chromium("--dump-dom", page.as_uri())


@pytest.fixture
def office(tmp_path: Path) -> Callable[..., Path]:
    """Convert a file by LibreOffice."""

    def convert(path: Path, kind: str, reader: str = "") -> Path:
        command = [
            _program("soffice", "libreoffice"), f"-env:UserInstallation=file://{tmp_path}/office",
            "--headless", *([f"--infilter={reader}"] if reader else []), "--convert-to", kind,
            "--outdir", str(tmp_path), str(path),
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        return tmp_path / f"{path.stem}.{kind.partition(':')[0]}"

    return convert


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    import axe_core_python

    return (Path(axe_core_python.__path__[0]) / "axe.min.js").read_text(encoding="utf-8")
