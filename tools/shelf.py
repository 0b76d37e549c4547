"""List what no command, public name, experiment, benchmark or page of the documentation reaches.

Run from the repository: python tools/shelf.py. It prints one line for each definition at the top of
a module, and for each method, that nothing reaches, and ends with exit code 1 if there is any.

A name counts as reached where a reached definition mentions it, under what the imports of its
module say that it means; so a few dead ones may be missed, but what is listed is dead.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
READERS = ("experiments", "benchmarks", "docs")
CODE_CELL = re.compile(r"```(?:\{code-cell\} )?python\n(.*?)```", re.DOTALL)

type Place = tuple[str, str]
"""Module and name; an empty name stands for what runs when the module is imported."""


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[str, Place]]:
    """Yield what each imported name stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pdsim"):
            for alias in node.names:
                yield alias.asname or alias.name, (node.module or "", alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("pdsim"):
                    yield alias.asname or alias.name.partition(".")[0], (alias.name, "")


def mentioned(node: ast.AST, known: dict[str, Place]) -> Iterator[Place]:
    """Yield the places that a piece of code mentions."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in known:
            yield known[part.id]
        elif isinstance(part, ast.Attribute):
            path, inner = [part.attr], part.value
            while isinstance(inner, ast.Attribute):
                path.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in known:
                module, name = known[inner.id]
                full = [module, *([name] if name else []), *reversed(path)]
                for cut in range(1, len(full)):
                    yield ".".join(full[:cut]), full[cut]
    yield from (place for _, place in imports(node))


def defined(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a module defines, and the statements that do; "" for the others."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.TypeAlias):
            yield node.name.id, node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            yield "", node


def is_kept(node: ast.stmt) -> bool:
    """Whether a decorator with arguments takes a definition, as numba's extensions do."""
    kept = getattr(node, "decorator_list", [])
    if isinstance(node, ast.FunctionDef):
        kept = [decorator for decorator in kept if isinstance(decorator, ast.Call)]
    names = [getattr(getattr(part, "func", part), "id", "") for part in kept]
    return any(name not in ("dataclass", "lru_cache", "cache") for name in names)


def graph() -> tuple[dict[Place, set[Place]], dict[Place, int], list[tuple[str, str]]]:
    """Return what each definition mentions, the line of each, and the methods of classes."""
    edges: dict[Place, set[Place]] = {}
    lines: dict[Place, int] = {}
    methods = []
    for path in sorted(SOURCE.rglob("*.py")):
        module, tree = module_name(path), ast.parse(path.read_text(encoding="utf-8"))
        known = dict(imports(tree))
        known |= {name: (module, name) for name, _ in defined(tree) if name}
        for name, node in defined(tree):
            edges.setdefault((module, name), set()).update(mentioned(node, known))
            if name.startswith("__") or is_kept(node):
                edges.setdefault((module, ""), set()).add((module, name))
            lines[module, name] = node.lineno
            if isinstance(node, ast.ClassDef) and not node.bases:
                methods += [
                    (f"{module}.{name}", item.name)
                    for item in node.body
                    if isinstance(item, ast.FunctionDef)
                    and not item.name.startswith(("__", "_repr_"))
                ]
        # a name that a package hands on
        for name, place in imports(tree):
            edges.setdefault((module, name), set()).add(place)
    return edges, lines, methods


def texts_of_readers() -> Iterator[str]:
    """Yield the Python code outside the package that uses it."""
    for folder in READERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*.md")):
            yield "\n".join(CODE_CELL.findall(path.read_text(encoding="utf-8")))


def roots(edges: dict[Place, set[Place]]) -> set[Place]:
    """Return the places from which all else must be reached."""
    import pdsim

    found = {place for place in edges if place[0].startswith("pdsim.cli")}
    packages = [pdsim]
    for path in SOURCE.glob("pdsim/*/__init__.py"):
        packages.append(import_module(module_name(path)))
    # each has a page in the reference, and so have the modules that they offer
    for package in packages:
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if inspect.ismodule(value):
                packages.append(value)
            home = getattr(value, "__module__", None) or package.__name__
            found |= {(package.__name__, name), (home, getattr(value, "__name__", name))}
    found |= {("pdsim.sweeps.worker", "serve")}  # started by its name in a new process
    found |= {("pdsim.accessor", "Shown")}  # xarray's `.pdsim`
    for text in texts_of_readers():
        try:
            tree = ast.parse(text)
        except SyntaxError:  # cells that are not Python alone
            continue
        found |= set(mentioned(tree, dict(imports(tree))))
    return found


def reached(edges: dict[Place, set[Place]]) -> set[Place]:
    """Return all places that the roots lead to."""
    waiting, seen = list(roots(edges)), set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        waiting += edges.get(place, ())
        waiting.append((place[0], ""))
    return seen


def main() -> int:
    """Print what lies on the shelf."""
    sys.path.insert(0, str(SOURCE))
    edges, lines, methods = graph()
    seen = reached(edges)
    dead = [
        f"{module}:{lines[module, name]} {name}"
        for module, name in sorted(lines)
        if name and not name.startswith("__") and (module, name) not in seen
    ]
    code = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*") if path.suffix in _CODE]
    words = {word for text in [*code, *texts_of_readers()] for word in re.findall(r"\.(\w+)", text)}
    dead += [f"{owner}.{name}" for owner, name in methods if name not in words]
    for line in dead:
        print(line)
    return int(bool(dead))


_CODE = (".py", ".html", ".js", ".jinja")

if __name__ == "__main__":
    raise SystemExit(main())
