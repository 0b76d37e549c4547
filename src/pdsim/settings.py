"""Settings: frozen dataclasses to and from TOML and canonical JSON.

A settings class is a frozen dataclass with ``__pydantic_config__ = FORBID_EXTRA``; its
own ``__post_init__`` checks values. pydantic checks types and unknown keys.
"""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast, get_args, get_type_hints

from pdsim.errors import InputError, Problem, suggestion

FORBID_EXTRA: Final = {"extra": "forbid"}

_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def from_mapping[T](cls: type[T], mapping: Mapping[str, Any], *, file: str | None = None) -> T:
    """Build the settings class `cls` from a mapping such as a TOML table.

    Parameters
    ----------
    cls : type
        A frozen dataclass (nested ones are built too).
    mapping : mapping of str to object
    file : str, optional
        Named in error messages.

    Raises
    ------
    InputError
        With one problem for every unknown key, wrong type and broken rule.
    """
    from pydantic import ValidationError

    try:
        # mypy doubts that a class can be hashed
        return cast(T, _adapter(cls).validate_python(dict(mapping)))  # type: ignore[arg-type]
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = [_problem(cls, detail, file) for detail in details]
    # rules of several keys are looked at only where every key is known
    unknown = {detail["loc"] for detail in details if detail["type"] in _UNKNOWN}
    known = {key: value for key, value in mapping.items() if (key,) not in unknown}
    if len(known) < len(mapping):
        try:
            from_mapping(cls, known, file=file)
        except InputError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    raise InputError(problems)


@lru_cache(maxsize=64)
def _adapter(cls: type) -> Any:
    """Build the validator of a class once: a sweep reads thousands of scenarios."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _problem(cls: type, detail: Any, file: str | None) -> Problem:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] in _UNKNOWN:
        *places, last = (str(part) for part in detail["loc"])
        names = _keys_at(cls, places)
        meant = suggestion(last, names)
        cure = "correct it" if meant else f"remove it or use one of: {', '.join(names)}"
        return Problem(
            file=file,
            rule=f"unknown key {key!r}{meant}",
            cure=cure if names else "remove or correct it",
        )
    if detail["type"] in {"missing", "missing_argument"}:
        return Problem(file=file, rule=f"key {key!r} is missing", cure=f"add {key!r}")
    message = detail["msg"].removeprefix("Value error, ").removesuffix(".")
    received = "" if isinstance(detail["input"], dict) else f" (received {detail['input']!r:.80})"
    return Problem(file=file, rule=f"{key}: {message}{received}" if key else message)


def _keys_at(cls: Any, places: Sequence[str]) -> list[str]:
    """Return the keys of a settings class, or of the table in it that `places` lead to."""
    for place in places:
        kinds = get_type_hints(cls).get(place) if dataclasses.is_dataclass(cls) else None
        several = [kinds, *get_args(kinds)]
        # pydantic names the kinds of a union as places too
        cls = next((kind for kind in several if dataclasses.is_dataclass(kind)), cls)
    return [item.name for item in dataclasses.fields(cls)]


def from_toml[T](cls: type[T], path: str | Path) -> T:
    """Read the settings class `cls` from a TOML file; everything wrong is named at once.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from pdsim.interviews import InterviewSettings
    >>> from_toml(InterviewSettings, "none.toml")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: none.toml: does not exist; check the path.
    """
    path = Path(path)
    return from_mapping(cls, read_toml(path), file=path.name)


def to_mapping(settings: Any) -> dict[str, Any]:
    """Return the settings as nested plain dicts without the unset (None) keys."""
    return _without_none(dataclasses.asdict(settings))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, tuple | list):
        return [_without_none(item) for item in value]
    return value


def canonical_json(value: Any) -> str:
    """Return one and only one JSON text for equal values (sorted keys, no blanks, no NaN)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problem = Problem(file=str(path), rule="does not exist", cure="check the path")
    except OSError as error:
        problem = Problem(
            file=path.name, rule=f"cannot be read ({error.strerror})", cure="check the path"
        )
    except UnicodeDecodeError:
        problem = Problem(file=path.name, rule="is not UTF-8 text", cure="save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problem = Problem(file=path.name, rule=f"is not valid TOML: {error}")
    raise InputError(problem)
