"""Configuration of the documentation; `make docs` builds it with warnings as errors."""

import importlib
import inspect
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pdsim

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from command_pages import command_page, commands, file_name, index_page  # noqa: E402
from settings_page import OTHERS, file_page, settings_page  # noqa: E402

from pdsim.terms.glossary import SORTS, glossary  # noqa: E402

# the notebooks, wherever they lie, import validate.py and gallery.py
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (str(HERE), os.environ.get("PYTHONPATH", "")) if part
)

project = "pdsim"
author = "pdsim developers"
copyright = f"2026, {author}"
release = pdsim.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "terms", "**.ipynb_checkpoints", "jupyter_execute"]
html_theme = "furo"
html_title = f"pdsim {release}"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
(HERE / "_extra").mkdir(exist_ok=True)  # looked for before the sample is written
html_css_files = ["custom.css"]
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# notebooks run at every build, in a folder of their own, and an error fails the build
nb_execution_mode = "force"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache")
nb_execution_in_temp = False
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_mime_priority_overrides = [("html", "image/svg+xml", 0)]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
napoleon_use_ivar = True

_PACKAGES = {
    "terms": "everything that has a name, one record each",
    "terms.estimands": "what facilities are ranked on",
    "terms.rules": "how m facilities are chosen",
    "terms.measures": "how good choices are in simulations",
    "terms.scales": "normalisations and aggregations",
    "terms.kinds": "kinds of data",
    "terms.process": "how simulated cases come about",
    "study": "what was observed",
    "priors": "prior distributions",
    "model": "the model and its estimands",
    "scoring": "indicators to one score",
    "ranking": "scores to ranks, memberships, sets and choices",
    "weights": "weights, flips and the multiverse of choices",
    "weights.weight_space": "spaces of weights",
    "simulation": "scenario to truth, data and one decision",
    "sweeps": "many scenarios in a resumable store",
    "planning": "the smallest study that reaches a target",
    "interviews": "interviews in named facilities, and the contrast of themes",
    "reports": "results to files that people read",
    "reports.plots": "figures",
    "analysis": "one study from table to report",
    "accessor": "what fits, plans and sweeps say",
    "errors": "errors and warnings",
}


def public_names(module: Any) -> list[str]:
    """Return the public names of a package: its ``__all__``, else what it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]


def write_reference(app: Any) -> None:
    """Write one page for each package, with every public name of it."""
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    for package, text in _PACKAGES.items():
        module = importlib.import_module(f"pdsim.{package}")
        title = f"pdsim.{package}: {text}"
        lines = [title, "=" * len(title), "", f".. module:: pdsim.{package}", ""]
        for name in public_names(module):
            value = getattr(module, name)
            full = f"pdsim.{package}.{name}"
            if inspect.ismodule(value):
                lines += [f"See :doc:`{package}.{name}`.", ""]
            elif inspect.isclass(value):
                lines += [f".. autoclass:: {full}", "   :members:", ""]
            elif callable(value):
                lines += [f".. autofunction:: {full}", ""]
            else:
                lines += [f".. py:data:: {full}", "", f"   {_members(value)}", ""]
        _write(folder / f"{package}.rst", "\n".join(lines))
    _write(HERE / "howto" / "study-toml.md", settings_page())
    (HERE / "terms").mkdir(exist_ok=True)
    for sort in SORTS:
        headers, rows = glossary(sort)
        table = [headers, ("---",) * 3, *((f"`{name}`", *words) for name, *words in rows)]
        _write(HERE / "terms" / f"{sort}.md", "\n".join(f"| {' | '.join(row)} |" for row in table))
    for name in OTHERS:
        _write(HERE / "howto" / f"{name}.md", file_page(name))
    found = commands()
    (HERE / "commands").mkdir(exist_ok=True)
    for name, command in found.items():
        _write(HERE / "commands" / f"{file_name(name)}.md", command_page(name, command))
    _write(HERE / "commands" / "index.md", index_page(list(found)))
    homes = sorted(f"| `pdsim.{name}` | {{py:obj}}`{_home(name)}` |" for name in pdsim.__all__)
    pages = [f"api/{package}" for package in _PACKAGES]
    text = (HERE / "reference.md.in").read_text()
    text = text.replace("@NAMES@", "\n".join(homes)).replace("@PAGES@", "\n".join(pages))
    _write(HERE / "reference.md", text)


def write_sample(app: Any) -> None:
    """Write the report that the first page offers to open."""
    # the pages of commands begin with nothing, at every build
    shutil.rmtree(HERE / "_build" / "commands", ignore_errors=True)
    study = pdsim.load_example("safe_surgery_like")
    pdsim.analyse(study, seed=1).write(HERE / "_extra" / "sample")


def _members(value: Any) -> str:
    """Say what a constant holds: the names of a mapping or a sequence."""
    if isinstance(value, Mapping | tuple | list | frozenset):
        return "Names: " + ", ".join(f"``{name}``" for name in value) + "."
    return f"``{value!r}``"


def _home(name: str) -> str:
    """Return where a public name is documented."""
    value = getattr(pdsim, name)
    for package in _PACKAGES:
        module = importlib.import_module(f"pdsim.{package}")
        if name in public_names(module) and getattr(module, name) is value:
            return f"pdsim.{package}.{name}"
    return f"pdsim.{name}" if not inspect.ismodule(value) else value.__name__


def _write(path: Path, text: str) -> None:
    """Write a file only if it changed, so that Sphinx reads no page twice."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def plain_footnotes(*event: Any) -> None:
    """Turn numbered references into text: two functions of one page may both have a [1]."""
    lines = event[-1]
    found: list[str] = []
    inside = False
    for line in lines:
        start = re.match(r"\.\. \[(\d+)\] ?(.*)", line)
        if start:
            found += ["", f"[{start[1]}] {start[2]}"]
        elif inside and line.startswith(" "):
            found.append(line.strip())
        else:
            found.append(re.sub(r"\[(\d+)\]_", r"[\1]", line))
        inside = bool(start) or (inside and line.startswith(" "))
    lines[:] = found


def setup(app: Any) -> None:
    """Write the reference before Sphinx looks for pages."""
    app.connect("builder-inited", write_reference, priority=1)
    app.connect("builder-inited", write_sample, priority=2)
    app.connect("autodoc-process-docstring", plain_footnotes, priority=100)
