"""The cells of a sweep: factors crossed, or cells listed, over a base scenario."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from pdsim.errors import InputError, Problem, suggestion
from pdsim.settings import canonical_json, from_mapping, to_mapping
from pdsim.sweeps.contract import Simulation, SweptScenario
from pdsim.sweeps.sweepfile import SweepSettings

type Label = bool | int | float | str

RESERVED = frozenset({"scenario", "replicate", "measure", "key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A scenario with its keys, which cost more to compute than to keep."""

    scenario: SweptScenario
    key: str
    data_key: str
    fit_key: str

    @classmethod
    def of(cls, scenario: SweptScenario) -> Self:
        """Compute the keys of a scenario."""
        return cls(
            scenario=scenario,
            key=scenario.decision_key,
            data_key=scenario.data_key,
            fit_key=scenario.fit_key,
        )

    @property
    def text(self) -> str:
        """Settings of the scenario as one line of JSON, with what others need to read them."""
        found = to_mapping(self.scenario)
        if self.scenario.extensions:
            found["extensions"] = self.scenario.extensions
        return canonical_json(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells in the order of the result, the last dimension running fastest.

    Attributes
    ----------
    dims : dict of str to tuple
        Dimension names and the labels of their levels.
    cells : tuple of Cell
        Equal scenarios have equal keys.
    """

    dims: dict[str, tuple[Label, ...]]
    cells: tuple[Cell, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Key of every cell."""
        return tuple(cell.key for cell in self.cells)

    def labels(self) -> list[str]:
        """Return a text for each cell that names its levels."""
        return [
            ", ".join(f"{name} = {label}" for name, label in zip(self.dims, cell, strict=True))
            for cell in itertools.product(*self.dims.values())
        ]

    def by_data(self) -> dict[str, Cell]:
        """Return the different cells by key, those that share their data side by side."""
        groups: dict[str, dict[str, Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.data_key, {}).setdefault(cell.key, cell)
        return {key: cell for group in groups.values() for key, cell in group.items()}


def expand(settings: SweepSettings, simulation: Simulation) -> Grid:
    """Build and check every scenario of a sweep.

    Parameters
    ----------
    settings : SweepSettings
    simulation : module
        See `pdsim.sweeps.contract.Simulation`.

    Raises
    ------
    InputError
        With every problem of every factor and cell, each named once.
    """
    fields = {
        field.name: dataclasses.is_dataclass(field.default)
        for field in dataclasses.fields(simulation.Scenario)
    }
    unknown = _unknown_keys(settings.scenario, fields)
    changes: Iterable[_Change]
    try:
        dims, changes = _listed(settings) if settings.cells else _crossed(settings, fields)
    except InputError as error:
        raise InputError([*unknown, *error.problems]) from None
    problems = {(problem.rule, problem.cure): problem for problem in unknown}
    # what is wrong besides is told at the same time
    base = {name: value for name, value in settings.scenario.items() if name in fields}
    cells: list[Cell] = []
    for place, change in changes:
        try:
            mapping = {**base, **change}
            cells.append(Cell.of(from_mapping(simulation.Scenario, mapping, file=place)))
        except InputError as error:
            for problem in error.problems:
                problems.setdefault((problem.rule, problem.cure), problem)
    if problems:
        raise InputError(problems.values())
    return Grid(dims=dims, cells=tuple(cells))


type _Change = tuple[str, dict[str, Any]]

type _SettingFields = Mapping[str, bool]
"""Settings of a scenario, and whether the value of each is itself a table."""


def _unknown_keys(scenario: Mapping[str, Any], fields: _SettingFields) -> list[Problem]:
    problems = []
    for name in scenario:
        if name not in fields:
            close = get_close_matches(name, fields, n=1)
            cure = (
                f"perhaps {close[0]!r} was meant" if close else "use some of: " + ", ".join(fields)
            )
            problems.append(Problem(file="[scenario]", rule=f"unknown key {name!r}", cure=cure))
    return problems


def _listed(settings: SweepSettings) -> tuple[dict[str, tuple[Label, ...]], list[_Change]]:
    labels = [cell.get("label") for cell in settings.cells]
    problems = [
        Problem(rule=f"cell {number} has no text as label", cure="give every cell a label")
        for number, label in enumerate(labels, start=1)
        if not isinstance(label, str) or not label
    ]
    problems += [
        Problem(rule=f"two cells have the label {label!r}", cure="give every cell its own label")
        for label in dict.fromkeys(labels)
        if isinstance(label, str) and labels.count(label) > 1
    ]
    if problems:
        raise InputError(problems)
    changes = [
        (f"cell {cell['label']!r}", {name: cell[name] for name in cell if name != "label"})
        for cell in settings.cells
    ]
    return {"scenario": tuple(str(label) for label in labels)}, changes


def _crossed(
    settings: SweepSettings, fields: _SettingFields
) -> tuple[dict[str, tuple[Label, ...]], Iterator[_Change]]:
    problems: list[Problem] = []
    levels: dict[str, dict[Label, dict[str, Any]]] = {}
    for name, given in settings.factors.items():
        try:
            levels[name] = _levels(name, given, fields)
        except InputError as error:
            problems.extend(error.problems)
    owner: dict[str, str] = {}
    for name, table in levels.items():
        for key in dict.fromkeys(key for change in table.values() for key in change):
            if owner.setdefault(key, name) != name:
                rule = f"factors {owner[key]!r} and {name!r} both set {key!r}"
                problems.append(Problem(rule=rule, cure="let one factor set it"))
    if problems:
        raise InputError(problems)
    if not levels:
        return {"scenario": (settings.name or "base",)}, iter([("scenario", {})])
    return {name: tuple(table) for name, table in levels.items()}, _cross(levels)


def _cross(levels: Mapping[str, Mapping[Label, dict[str, Any]]]) -> Iterator[_Change]:
    for cell in itertools.product(*(table.items() for table in levels.values())):
        place = ", ".join(
            f"{name} = {label}" for name, (label, _) in zip(levels, cell, strict=True)
        )
        yield place, {key: value for _, change in cell for key, value in change.items()}


def _levels(name: str, given: Any, fields: _SettingFields) -> dict[Label, dict[str, Any]]:
    """Return the settings that each labelled level of a factor changes."""
    if not name.isidentifier() or name in RESERVED:
        raise InputError(
            Problem(
                rule=f"{name!r} cannot be the name of a factor",
                cure="use letters, digits and underscores, and none of: "
                + ", ".join(sorted(RESERVED)),
            )
        )
    if isinstance(given, Mapping) and given:
        return {str(label): _labelled(name, label, value, fields) for label, value in given.items()}
    if not isinstance(given, list | tuple) or not given:
        rule = f"factor {name!r} is neither a list of levels nor a table of labelled levels"
        raise InputError(Problem(rule=rule, cure="give one level or more"))
    if name not in fields:
        raise InputError(
            Problem(
                rule=f"factor {name!r} is not a scenario setting{suggestion(name, fields)}",
                cure=_unknown(name, fields),
            )
        )
    return {label: {name: value} for label, value in zip(_labels(name, given), given, strict=True)}


def _labelled(name: str, label: str, value: Any, fields: _SettingFields) -> dict[str, Any]:
    """Return what a labelled level changes: the setting of that name, or a table of settings."""
    if name in fields and (fields[name] or not isinstance(value, Mapping)):
        return {name: value}
    if not isinstance(value, Mapping):
        rule = f"level {label!r} of factor {name!r} is not a table of scenario settings"
        raise InputError(Problem(rule=rule, cure=_unknown(name, fields)))
    return dict(value)


def _unknown(name: str, fields: _SettingFields) -> str:
    return f"label its levels ({name} = {{a = {{...}}, b = {{...}}}}) or use one of: " + ", ".join(
        fields
    )


def _labels(name: str, given: list[Any] | tuple[Any, ...]) -> list[Label]:
    """Return the levels of a list as labels: one type of number or text, none of them twice."""
    kinds = {type(value) for value in given}
    labels = [float(value) for value in given] if kinds == {int, float} else list(given)
    if not (kinds <= {int, float} or kinds in ({bool}, {str})):
        raise InputError(
            Problem(
                rule=f"the levels of factor {name!r} are not all numbers, or all texts",
                cure=f"label them: {name} = {{a = ..., b = ...}}",
            )
        )
    repeated = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
    if repeated:
        raise InputError(Problem(rule=f"factor {name!r} has the level {repeated[0]!r} twice"))
    return labels
