"""What the house style says of the whole package, held by the code itself."""

import ast
import importlib
import inspect
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pdsim

ROOT = Path(pdsim.__file__).parent
FOUNDATION = (
    "conventions",
    "errors",
    "arraytypes",
    "files",
    "settings",
    "provenance",
    "priors",
    "jit",
    "lazily",
    "unforeseen",
)
ORDER = (
    "terms",
    "study",
    "model",
    "scoring",
    "ranking",
    "weights",
    "simulation",
    "sweeps",
    "planning",
    "interviews",
    "reports",
    "analysis",
    "accessor",
    "cli",
)
MODULES = sorted(ROOT.rglob("*.py"))


def part_of(path):
    """Return the top-level package or module of pdsim that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path):
    """Return the parts of pdsim that a file imports, other than for annotations."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    parts = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pdsim."):
            parts.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            parts |= {a.name.split(".")[1] for a in node.names if a.name.startswith("pdsim.")}
    return parts


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    part = part_of(path)
    if part in {"__init__", "__main__"}:
        return
    allowed = set(FOUNDATION) | {part}
    if part in ORDER:
        allowed |= set(ORDER[: ORDER.index(part)])
    assert imported_parts(path) <= allowed


def test_every_part_has_its_place():
    parts = {part_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert parts <= set(FOUNDATION) | set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short_and_plain(path):
    text = path.read_text()
    tree = ast.parse(text)
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    if part_of(path) != "model":
        assert not names & {"pymc", "pytensor", "nutpie"}, "PyMC stays inside model"
    assert "pickle" not in names
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"eval", "exec"}
    if part_of(path) != "cli":
        assert "print" not in calls, "the library prints nothing"


@pytest.mark.parametrize("name", pdsim.__all__)
def test_public_names_are_documented_and_have_no_kwargs(name):
    value = getattr(pdsim, name)
    text = inspect.getdoc(value)
    assert text
    assert len(text.split()) > 10
    if inspect.isfunction(value):
        kinds = [p.kind for p in inspect.signature(value).parameters.values()]
        assert inspect.Parameter.VAR_KEYWORD not in kinds
        for section in ("Parameters", "Examples"):
            assert f"{section}\n---" in text, f"{name} has no section {section}"


def test_array_types_have_one_home():
    others = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in MODULES
        if path.name != "arraytypes.py"
        for line in path.read_text().splitlines()
        if line.startswith("type ") and "= NDArray[" in line
    ]
    assert not others


def test_no_package_bears_the_name_of_a_public_function():
    parts = {part_of(path) for path in MODULES}
    assert not parts & set(pdsim.__all__)


def test_import_is_lazy():
    heavy = ("numpy", "xarray", "pandas", "pymc", "scipy", "numba", "matplotlib", "pydantic")
    code = f"import sys, pdsim; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


LAZY = [p.parent for p in MODULES if p.name == "__init__.py" and "on_first_use(" in p.read_text()]


PUBLIC_MODULES = {"weight_space"}


@pytest.mark.parametrize("folder", LAZY, ids=lambda p: p.name)
def test_names_imported_on_first_use(folder):
    package = importlib.import_module(module_of(folder / "__init__.py"))
    for name in package.__all__:
        # a module, once imported, takes the place of a name of the package that it bears too
        has_module = (folder / f"{name}.py").exists()
        assert has_module == inspect.ismodule(getattr(package, name)) == (name in PUBLIC_MODULES)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018 - looked up, and not there


def test_reading_a_study_and_its_results_imports_no_figures_and_no_compiler():
    code = (
        "import sys, pdsim.study.read, pdsim.analysis.fits, pdsim.reports.study.sections\n"
        "print([m for m in ('matplotlib', 'numba', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_one_interval_default():
    conventions = importlib.import_module("pdsim.conventions")
    assert conventions.CI_PROB == 0.95
    others = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if path.name != "conventions.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in (0.89, 0.025, 0.975)
    ]
    assert not others, "interval bounds follow from CI_PROB"


def module_of(path):
    """Return the dotted name of a file of the package."""
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


def test_no_circle_between_modules():
    """Nor through what is imported for annotations alone."""
    modules = {module_of(path): path for path in MODULES}
    needs = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(modules)
                needs[name] |= inner or {node.module}
    TopologicalSorter({name: needs[name] - {name} for name in modules}).prepare()


def test_no_file_name_stands_twice():
    names = [path.name for path in MODULES if path.name != "__init__.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def types_of(path):
    """Yield the names of the classes and types that a file defines at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                yield name
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Subscript(value=ast.Name(id="Annotated"))
            ):
                yield name


def test_no_type_name_has_two_meanings():
    names = [name for path in MODULES for name in types_of(path)]
    assert {"Rule", "Scenario", "StudyPath"} <= set(names)
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_shelf_is_empty():
    """All of src is reached by a command, a public name, an experiment, a benchmark or a page."""
    tool = ROOT.parent.parent / "tools" / "shelf.py"
    run = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("", 0)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_fit_on_a_screen(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            text = node.body[0] if ast.get_docstring(node) else None
            words = text.end_lineno - text.lineno + 1 if text else 0
            assert node.end_lineno - node.lineno + 1 - words <= 80, node.name
