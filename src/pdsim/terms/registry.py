"""Records by name: the built-in ones, and those that a user registers.

A record is a frozen dataclass with a field ``name``; its functions are plain Python. What is
registered counts in every key of a sweep by its source, and goes along to workers by the place
from which its functions can be imported.
"""

import dataclasses
import dis
import functools
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, Protocol

from pdsim.errors import InputError, Problem
from pdsim.settings import canonical_json, digest

GROUP: Final = "pdsim.extensions"
"""Entry points of this group are loaded, and called where they are functions."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_ELSEWHERE: Final = "put it at the top of a module of its own and import it from there"


class Record(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """The name in settings, tables and stores."""


class Registry[R: Record]:
    """The records of one sort, in the order of their definition.

    Parameters
    ----------
    sort : str
        What a record is, for messages: "estimand".
    records : iterable
        The built-in ones.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Colour:
    ...     name: str
    >>> colours = Registry("example colour", [Colour("red"), Colour("green")])
    >>> list(colours), colours["red"]
    (['red', 'green'], Colour(name='red'))
    >>> colours["gren"]
    Traceback (most recent call last):
    pdsim.errors.InputError: unknown example colour 'gren'; perhaps 'green' was meant.
    """

    def __init__(self, sort: str, records: Iterable[R]) -> None:
        self.sort = sort
        self._records = {record.name: record for record in records}
        self._sources: dict[str, str] = {}
        _REGISTRIES[sort] = self

    def __getitem__(self, name: str) -> R:
        """Return the record of a name.

        Raises
        ------
        InputError
            If there is none; the message names the nearest.
        """
        if name not in self:
            close = get_close_matches(str(name), self._records, n=1)
            cure = f"perhaps {close[0]!r} was meant" if close else f"use one of: {', '.join(self)}"
            raise InputError(Problem(rule=f"unknown {self.sort} {name!r}", cure=cure))
        return self._records[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a record of that name."""
        if name not in self._records:
            load_extensions()
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        """Yield the names, the built-in ones first."""
        load_extensions()
        return iter(tuple(self._records))

    def __len__(self) -> int:
        """Return the number of records."""
        return len(tuple(iter(self)))

    def get(self, name: str, default: R) -> R:
        """Return the record of a name, or a default where names may come from elsewhere."""
        return self._records[name] if name in self else default

    def values(self) -> tuple[R, ...]:
        """Return the records, the built-in ones first."""
        return tuple(self._records[name] for name in self)

    def register(self, record: R) -> R:
        """Add a record; one registered before under the same name is replaced.

        Raises
        ------
        InputError
            If the name is built in or no plain name, or if a function of the record depends on
            something that cannot be part of a key.
        """
        if not _NAME.fullmatch(record.name):
            rule = f"{record.name!r} cannot be the name of a {self.sort}"
            cure = "use small letters, digits and underscores, a letter first"
            raise InputError(Problem(rule=rule, cure=cure))
        if record.name in self._records and record.name not in self._sources:
            rule = f"the {self.sort} {record.name!r} is built in"
            raise InputError(Problem(rule=rule, cure="choose another name"))
        self._sources[record.name] = source_key(record)
        self._records[record.name] = record
        return record

    def unregister(self, name: str) -> None:
        """Take out a record that was registered."""
        if self._sources.pop(name, None) is not None:
            del self._records[name]

    def is_own(self, name: str) -> bool:
        """Whether the record was registered, not built in."""
        return self[name].name in self._sources

    def is_registered(self, name: str, key: str) -> bool:
        """Whether a record was registered under a name, with that key."""
        return name in self._sources and self.key(name) == key

    def key(self, name: str) -> str:
        """Return what stands for the record in a key: its name, and its source if registered."""
        return f"{name} {self._sources[name]}" if self.is_own(name) else name

    def hand_over(self, name: str) -> str:
        """Return a registered record as JSON text for `take_over` in another process.

        Where one of its functions cannot be imported by a name, the text is good for this
        process alone, see `check_portable`.
        """
        try:
            record, fault = _packed(self[name]), ""
        except InputError as error:
            record, fault = None, str(error)
        content = {"sort": self.sort, "name": name, "key": self.key(name), "record": record}
        return canonical_json(content | {"fault": fault})


_REGISTRIES: Final[dict[str, Registry[Any]]] = {}


def take_over(text: str) -> None:
    """Register what `Registry.hand_over` wrote in another process.

    Raises
    ------
    InputError
        If the module of a function is missing here, or is another version.
    """
    content = json.loads(text)
    sort, name, key = content["sort"], content["name"], content["key"]
    if _REGISTRIES[sort].is_registered(name, key):
        return
    needed = f"needs the {sort} {name!r} that a user registered"
    if content["record"] is None:
        raise InputError(Problem(rule=f"{needed}: {content['fault']}", cure="register it first"))
    try:
        record = _unpacked(content["record"])
    except (ImportError, AttributeError) as error:
        rule = f"{needed}, and its module cannot be imported here ({error})"
        raise InputError(Problem(rule=rule, cure="put the module where Python finds it")) from error
    if f"{name} {source_key(record)}" != key:
        rule = f"{needed}, and it has another source here"
        raise InputError(Problem(rule=rule, cure="use the module as it was then"))
    _REGISTRIES[sort].register(record)


def check_portable(texts: Iterable[str]) -> None:
    """Check that other processes can take over what `Registry.hand_over` wrote.

    Raises
    ------
    InputError
        If a function can only be found in this process.
    """
    for text in texts:
        content = json.loads(text)
        if content["record"] is None:
            raise InputError(f"the {content['sort']} {content['name']!r}: {content['fault']}")


@functools.cache
def load_extensions() -> None:
    """Load the entry points of `GROUP`, once.

    Raises
    ------
    InputError
        If one of them cannot be loaded.
    """
    for point in entry_points(group=GROUP):
        try:
            found = point.load()
            if not isinstance(found, ModuleType):
                found()
        except Exception as error:
            rule = f"the extension {point.name!r} ({point.value}) cannot be loaded: {error}"
            raise InputError(Problem(rule=rule, cure="mend or uninstall it")) from error


def source_key(record: Any) -> str:
    """Return a hash of a record: its values, and the source of all that its functions use.

    Of a function in a module, that is the text of the module and of all modules of the user's own
    that it uses; of one typed in a notebook, its text, what it encloses, and the functions and
    plain values that it reads.

    Raises
    ------
    InputError
        If a function reads something that has no source and is no plain value.
    """
    sources: dict[str, str] = {}
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return digest([_content(fields, sources, direct=True), sources])


def _content(value: Any, sources: dict[str, str], *, direct: bool = False) -> Any:
    """Return a value as plain data; the text of what its functions are made of goes to `sources`.

    A function of an installed package that a record holds `direct` brings its package along.
    """
    value = getattr(value, "py_func", value)  # of a compiled function
    if value is None or isinstance(value, str | int | float | bool):
        return value if value == value else "nan"
    if isinstance(value, tuple | list):
        return [_content(item, sources, direct=direct) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _content(value[name], sources, direct=direct) for name in value}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _content(fields, sources, direct=direct)
    if isinstance(value, functools.partial):
        return _content([value.func, value.args, value.keywords], sources, direct=direct)
    if isinstance(value, FunctionType):
        return _function(value, sources, direct)
    if isinstance(value, ModuleType) or (
        callable(value) and not inspect.ismethod(value) and hasattr(value, "__name__")
    ):
        _add_modules(value, sources, "")
        return f"{_module_name(value)}:{value.__name__}"
    rule = f"a function uses {value!r:.60}, which cannot be part of a key"
    raise InputError(Problem(rule=rule, cure=_ELSEWHERE))


def _function(function: FunctionType, sources: dict[str, str], direct: bool) -> Any:
    label = f"{function.__module__}:{function.__qualname__}"
    package = function.__module__.partition(".")[0] if direct else ""
    of_a_file = _add_modules(function, sources, package)
    if of_a_file and function.__closure__ is None:
        return [label, _content([function.__defaults__, function.__kwdefaults__], sources)]
    try:
        enclosed = inspect.getclosurevars(function)
        text = inspect.getsource(function)
    except (OSError, TypeError, ValueError) as error:
        rule = f"the source of the function {function.__qualname__!r} cannot be read"
        raise InputError(Problem(rule=rule, cure=_ELSEWHERE)) from error
    used = {**enclosed.nonlocals, "": function.__defaults__, "*": function.__kwdefaults__}
    if not of_a_file and label not in sources:  # it may call itself
        sources[label] = text
        used |= _globals_read(function)
    return [label, text, _content(used, sources)]


def _globals_read(function: FunctionType) -> dict[str, Any]:
    """Return the global names that a function and those defined in it read, with their values.

    `inspect.getclosurevars` takes names of attributes for names of globals.
    """
    names, waiting = set(), [function.__code__]
    while waiting:
        code = waiting.pop()
        names |= {
            step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"
        }
        waiting += [part for part in code.co_consts if isinstance(part, CodeType)]
    return {name: function.__globals__[name] for name in sorted(names & set(function.__globals__))}


def _add_modules(value: Any, sources: dict[str, str], package: str) -> bool:
    """Add the text of a value's module and of the user's own modules, and those of `package`.

    Return whether there is a file that its functions come from.
    """
    name = value.__name__ if isinstance(value, ModuleType) else _module_name(value)
    start = sys.modules.get(name)
    waiting = [] if start is None else [start]
    while waiting:
        module = waiting.pop()
        file = Path(getattr(module, "__file__", None) or "")
        if module.__name__ in sources or not _is_own(module.__name__, file, package):
            continue
        sources[module.__name__] = file.read_text(encoding="utf-8")
        for item in list(vars(module).values()):
            name = item.__name__ if isinstance(item, ModuleType) else _module_name(item)
            if name in sys.modules:
                waiting.append(sys.modules[name])
    return bool(getattr(start, "__file__", None))


def _module_name(value: Any) -> str:
    name = getattr(value, "__module__", None) if callable(value) else None
    return name if isinstance(name, str) else ""


def _is_own(name: str, file: Path, package: str) -> bool:
    """Whether a module is the user's: not installed beside Python, or of `package`."""
    first = name.partition(".")[0]
    if file.suffix != ".py" or first == "pdsim":
        return False
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    standard = file.is_relative_to(Path(inspect.__file__).parent)
    return first == package or not (installed or standard)


def _packed(value: Any) -> Any:
    """Return a value as plain data that `_unpacked` turns back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _packed(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": _place(type(value)), "fields": fields}
    if isinstance(value, tuple):
        return {"tuple": [_packed(item) for item in value]}
    if callable(value):
        return {"place": _place(value)}
    return value


def _place(value: Any) -> str:
    """Return the place from which another process can import a value."""
    module, name = str(value.__module__), str(value.__qualname__)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value or module == "__main__":
        rule = f"no other process can import {name!r} of {module}"
        cure = f"{_ELSEWHERE}, or use the executor 'serial'"
        raise InputError(Problem(rule=rule, cure=cure))
    return f"{module}:{name}"


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_unpacked(item) for item in value["tuple"])
    module, _, name = (value.get("type") or value["place"]).partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if "type" not in value:
        return found
    return found(**{name: _unpacked(item) for name, item in value["fields"].items()})
