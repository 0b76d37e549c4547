"""Registries: lookups, what a record's key depends on, and the way to another process."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pdsim.errors import InputError
from pdsim.terms import registry
from pdsim.terms.registry import Registry, check_portable, source_key, take_over


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    name: str
    function: Callable | None = None
    constant: float = 0.0


TERMS = Registry("test term", [Term(name="first"), Term(name="second")])


@pytest.fixture(autouse=True)
def _clean():
    yield
    for name in list(TERMS):
        TERMS.unregister(name)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write and import a module of the user's own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def write(text, name="own_terms"):
        (tmp_path / f"{name}.py").write_text(text)
        for old in [name, *made]:
            sys.modules.pop(old, None)
        made.append(name)
        return __import__(name)

    yield write
    for name in made:
        sys.modules.pop(name, None)


def bound(share):
    def function(draws):
        return np.quantile(draws, share)

    return function


def test_an_unknown_name_raises_and_suggests():
    with pytest.raises(InputError, match="unknown test term 'secnd'; perhaps 'second' was meant"):
        TERMS["secnd"]
    with pytest.raises(InputError, match="use one of: first, second"):
        TERMS["zzz"]


def test_what_is_built_in_cannot_be_replaced_and_what_is_registered_can():
    with pytest.raises(InputError, match="is built in"):
        TERMS.register(Term(name="first"))
    TERMS.register(Term(name="own", constant=1.0))
    TERMS.register(Term(name="own", constant=2.0))
    assert TERMS["own"].constant == 2.0
    assert list(TERMS) == ["first", "second", "own"]


@pytest.mark.parametrize("name", ["", "Own", "own term", "1st", "own-term", "<b>"])
def test_a_name_is_plain(name):
    with pytest.raises(InputError, match="cannot be the name"):
        TERMS.register(Term(name=name))


def test_built_in_records_stand_in_keys_by_their_name_alone():
    assert TERMS.key("first") == "first"
    TERMS.register(Term(name="own"))
    assert TERMS.key("own").startswith("own ")
    assert len(TERMS.key("own")) == len("own ") + 64


def test_a_key_depends_on_values_and_on_what_a_function_encloses():
    keys = {
        source_key(Term(name="own", function=function, constant=constant))
        for function in (bound(0.1), bound(0.2), np.add)
        for constant in (0.0, 1.0)
    }
    assert len(keys) == 6
    assert source_key(Term(name="a", function=bound(0.1))) == source_key(
        Term(name="a", function=bound(0.1))
    )


def test_a_key_depends_on_the_module_and_on_the_modules_it_uses(module):
    def key(own, other):
        module(other, "own_helpers")
        used = module(own)
        return source_key(Term(name="own", function=used.rule))

    own = "import own_helpers\nLIMIT = 1\ndef rule(x):\n    return own_helpers.f(x) + LIMIT\n"
    other = "def f(x):\n    return x\n"
    first = key(own, other)
    assert key(own, other) == first
    assert key(own.replace("LIMIT = 1", "LIMIT = 2"), other) != first
    assert key(own, other.replace("x\n", "2 * x\n")) != first
    direct = own.replace("import own_helpers", "from own_helpers import f").replace(
        "own_helpers.f", "f"
    )
    assert key(direct, other) != key(direct, other.replace("return x", "return -x"))


def test_what_cannot_be_part_of_a_key_is_refused():
    hidden = object()

    def function(draws):
        return hidden

    with pytest.raises(InputError, match="cannot be part of a key"):
        TERMS.register(Term(name="own", function=function))
    assert "own" not in TERMS


def test_a_function_of_no_file_depends_on_what_it_reads(tmp_path):
    code = (
        "import linecache\n"
        "from dataclasses import dataclass\n"
        "from typing import Any\n"
        "from pdsim.terms.registry import source_key\n"
        "@dataclass(frozen=True)\n"
        "class Term:\n    name: str\n    function: Any\n"
        "def key(limit):\n"
        "    text = 'def helper(x):\\n    return x + limit\\n'\n"
        "    text += 'def rule(x):\\n    return helper(x)\\n'\n"
        "    linecache.cache['<cell>'] = (len(text), None, text.splitlines(True), '<cell>')\n"
        "    space = {'__name__': '__main__', 'limit': limit}\n"
        "    e" + "xec(compile(text, '<cell>', 'exec'), space)\n"
        "    return source_key(Term('own', space['rule']))\n"
        "assert key(1) == key(1) != key(2)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_record_goes_to_another_process_by_the_place_of_its_functions(module):
    function = module("def rule(x):\n    return 2 * x\n").rule
    TERMS.register(Term(name="own", function=function, constant=3.0))
    text, key = TERMS.hand_over("own"), TERMS.key("own")
    TERMS.unregister("own")
    # the class of the record is found by its module's name
    sys.modules[__name__] = sys.modules.get(__name__) or sys.modules[Term.__module__]
    take_over(text)
    assert TERMS["own"].function(2) == 4
    assert TERMS.key("own") == key


def test_another_source_at_the_other_end_is_refused(module):
    function = module("def rule(x):\n    return 2 * x\n").rule
    TERMS.register(Term(name="own", function=function))
    text = TERMS.hand_over("own")
    TERMS.unregister("own")
    module("def rule(x):\n    return 3 * x\n")
    with pytest.raises(InputError, match="another source"):
        take_over(text)
    sys.modules.pop("own_terms")
    sys.path_importer_cache.clear()
    module("def other(x):\n    return 3 * x\n")
    with pytest.raises(InputError, match="cannot be imported here"):
        take_over(text)


def test_a_function_that_no_other_process_finds_is_not_handed_over():
    TERMS.register(Term(name="own", function=bound(0.1)))
    text = TERMS.hand_over("own")
    take_over(text)
    with pytest.raises(InputError, match="put it at the top of a module"):
        check_portable([text])
    TERMS.unregister("own")
    with pytest.raises(InputError, match=r"needs the test term .own. .* register it first"):
        take_over(text)


def test_entry_points_are_loaded_once_and_a_fault_is_named(monkeypatch):
    class Point:
        name, value = "mine", "mine:register"

        def __init__(self, function):
            self.function = function

        def load(self):
            return self.function

    def register():
        TERMS.register(Term(name="own"))

    def fail():
        raise KeyError("lost")

    def use(function):
        registry.load_extensions.cache_clear()
        monkeypatch.setattr(registry, "entry_points", lambda group: [Point(function)])

    use(register)
    assert list(TERMS) == ["first", "second", "own"]
    use(fail)
    with pytest.raises(InputError, match=r"extension 'mine' .* cannot be loaded"):
        TERMS["third"]
    monkeypatch.undo()
    registry.load_extensions.cache_clear()
