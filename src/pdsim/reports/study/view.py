"""The results of one study as a report reads them, and the words for its estimand."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, cast

import numpy as np
import xarray as xr

from pdsim.conventions import Side
from pdsim.errors import InputError, Problem
from pdsim.reports.formats.document import Name
from pdsim.reports.formats.numbers import NumberKind, in_words, kind_for
from pdsim.terms.estimands import ESTIMANDS, SCORE, Wording

SEPARATOR: Final = "\x1f"
"""Between the names of a set's members in a results file."""

_NEEDED: Final = ("improvement", "ranking")


def words(estimand: str) -> Wording:
    """Return the words for an estimand; draws of another sampler may bring any, called a score."""
    return ESTIMANDS.get(estimand, SCORE).wording


_LOWEST: Final = replace(
    SCORE.wording,
    top="lowest",
    bottom="highest",
    best="has the lowest score",
    worst="has the highest score",
    more="has a lower score than",
)
"""Of foreign scores whose smallest is the best, printed as they are."""


@dataclass(frozen=True)
class Results:
    """One study's results, see `pdsim.analysis.gather`; what many sentences ask is kept.

    Attributes
    ----------
    tree : xr.DataTree
    """

    tree: xr.DataTree

    @cached_property
    def _groups(self) -> dict[str, xr.Dataset]:
        return {}

    def has(self, group: str) -> bool:
        """Tell whether a group is there."""
        return group in self.tree.children

    def group(self, name: str) -> xr.Dataset:
        """Return a group as a Dataset."""
        if name not in self._groups:
            self._groups[name] = cast(xr.DataTree, self.tree[name]).to_dataset()
        return self._groups[name]

    def attr(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the root."""
        return self.tree.attrs.get(name, default)

    def loads(self, name: str, default: Any) -> Any:
        """Return an attribute that is JSON text."""
        text = self.attr(name)
        return default if text is None else json.loads(text)

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.attr("name", "study"))

    @property
    def m(self) -> int:
        """Facilities named at each end."""
        return int(self.attr("m"))

    @property
    def estimand(self) -> str:
        """The estimand that is ranked."""
        return str(self.attr("estimand"))

    @property
    def units(self) -> str:
        """Units of the main estimand; a level in percent is not a difference."""
        units = str(self.attr("units", ""))
        return "%" if units == "pp" and self.is_level else units

    @property
    def is_level(self) -> bool:
        """Whether the main estimand is a level, which says nothing of a change."""
        return ESTIMANDS.get(self.estimand, SCORE).null is None

    @property
    def null(self) -> float | None:
        """The value that says that nothing changed, where the main estimand has one."""
        term = ESTIMANDS.get(self.estimand, SCORE)
        lowest = bool(self.attr("lower_is_better", 0))
        return None if term is SCORE or term.net or lowest else term.null

    @property
    def foreign(self) -> bool:
        """Whether the scores were made elsewhere, so that nothing is known of data and model."""
        return self.attr("engine", "") in ("draws", "estimates")

    @property
    def summary_words(self) -> str:
        """What the figures of a facility are: of the model, of draws given, or of estimates."""
        interval = f"equal-tailed {self.interval_percent}"
        if self.attr("engine", "") == "estimates":
            return (
                f"Estimate as given, and {interval} interval of a normal with its standard error."
            )
        if self.foreign:
            return f"Mean and {interval} interval of the draws as given."
        return (
            f"Posterior mean and {interval} credible interval under the model; every indicator is "
            "turned so that higher is better."
        )

    @property
    def words(self) -> Wording:
        """The words for the main estimand."""
        return _LOWEST if self.attr("lower_is_better", 0) else words(self.estimand)

    @property
    def value_kind(self) -> NumberKind:
        """How values of the main estimand are written."""
        kinds: dict[str, NumberKind] = {"pp": "pp", "%": "percent"}
        if self.units in kinds:
            return kinds[self.units]
        return kind_for(float(self.improvement["sd"].median()))

    @property
    def level_unit(self) -> str:
        """Unit of a level: ``%``, or ``score``."""
        return "%" if self.attr("kind", "counts") == "counts" else "score"

    @property
    def level_kind(self) -> NumberKind:
        """How levels are written."""
        if self.level_unit == "%":
            return "percent"
        return kind_for(float(self.group("levels")["mean"].std()) / 10.0)

    def named(self, side: Side) -> str:
        """Return ``the three most improved``, or ``the most improved`` where m is 1."""
        label = str(getattr(self.words, side))
        return f"the {label}" if self.m == 1 else f"the {in_words(self.m)} {label}"

    def place(self, side: Side) -> str:
        """Return ``among the three most improved``, or ``the most improved`` where m is 1."""
        return self.named(side) if self.m == 1 else f"among {self.named(side)}"

    @property
    def failed(self) -> str:
        """What failed of the convergence gates, or nothing."""
        text = str(self.attr("convergence", "passed"))
        return "" if text == "passed" else text

    @property
    def suppress_below(self) -> int | None:
        """Counts above 0 and below this number are not printed."""
        value = int(self.attr("suppress_below", -1))
        return value if value > 0 else None

    @property
    def study_settings(self) -> dict[str, Any]:
        """The options of the study."""
        if not self.has("study"):
            return {}
        text = self.group("study").attrs.get("study")
        return {} if text is None else cast(dict[str, Any], json.loads(text).get("options", {}))

    @cached_property
    def facilities(self) -> list[str]:
        """Names of the facilities, in the order of the study."""
        return labels(self.group("ranking")["facility"])

    def called(self, facility: str) -> Name:
        """Return what a sentence calls a facility: a bare number gets the word before it."""
        return Name(f"facility {facility}" if self._numbered else facility)

    @property
    def _numbered(self) -> bool:
        return all(name.strip().isdigit() for name in self.facilities)

    def varied(self, group: str, dim: str) -> xr.Dataset:
        """Return refits under other assumptions, with the analysis itself in its own place."""
        data = self.group(group)
        if dim == "suppressed":
            # in the analysis itself they are missing, which is neither end
            return data
        own = {"prior_factor": 1.0, "design_effect": self.loads("design_effect", 1.0)}
        main = float(own.get(dim, self.attr("case_correlation", float("nan"))))
        ranking = self.group("ranking").sel(facility=labels(data["facility"]))
        shared = [
            name for name in data.data_vars if name in ranking and "facility" in data[name].dims
        ]
        return data.assign(
            {name: xr.where(data[dim] == main, ranking[name], data[name]) for name in shared}
        )

    @cached_property
    def improvement(self) -> xr.Dataset:
        """The improvement group at the main estimand, over facility."""
        group = self.group("improvement")
        if "estimand" in group.dims:
            group = group.sel(estimand=self.estimand, drop=True)
        return group

    @property
    def estimands(self) -> list[str]:
        """Estimands with a posterior, the main one first."""
        group = self.group("improvement")
        return labels(group["estimand"]) if "estimand" in group.dims else [self.estimand]

    @cached_property
    def order(self) -> list[str]:
        """Names of the facilities, the best posterior mean first."""
        mean = self.improvement["mean"].to_numpy()
        mean = -mean if self.attr("lower_is_better", 0) else mean
        names = self.facilities
        return [names[i] for i in np.argsort(-mean, kind="stable")]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The probabilities of the interval bounds."""
        low, high = self.improvement["ci_bound"].to_numpy()
        return float(low), float(high)

    @property
    def interval_percent(self) -> str:
        """The probability of the intervals, such as ``95 %``."""
        low, high = self.bounds
        return f"{100 * (high - low):.4g} %"

    def selected(self, side: Side) -> list[str]:
        """Return the selected facilities of a side, the likeliest first."""
        ranking = self.group("ranking")
        chosen = ranking[f"selected_{side}"].to_numpy().astype(bool)
        p = ranking[f"p_{side}"].to_numpy()
        names = self.facilities
        return [names[i] for i in np.argsort(-p, kind="stable") if chosen[i]]

    def period_label(self, period: str) -> str:
        """Return what the study's own table calls a period."""
        names = labels(self.group("levels")["period"]) if self.has("levels") else []
        found = [str(text) for text in self.loads("period_labels", [])]
        if period in names and len(found) == len(names):
            return found[names.index(period)]
        return period

    def tied(self, side: Side) -> list[str]:
        """Return who ties at the cut of a side, in the order of the study."""
        flags = self.group("ranking")[f"tied_{side}"].to_numpy().astype(bool)
        return [name for name, flag in zip(self.facilities, flags, strict=True) if flag]

    @property
    def all_tied(self) -> bool:
        """Whether everybody ties at both ends: the data do not tell the facilities apart."""
        return all(len(self.tied(side)) == len(self.facilities) for side in SIDES)

    @property
    def shares_cases(self) -> bool:
        """Whether indicators are scored on the same cases."""
        if not self.has("study"):
            return False
        data = self.group("study")
        if "successes" not in data:
            return False
        if int(self.study_settings.get("items") or 1) > 1:
            return True
        groups = [label for label in labels(data["case_group"]) if label]
        return len(groups) > len(set(groups))


def labels(values: xr.DataArray) -> list[str]:
    """Return labels as plain text, whatever string type holds them."""
    return [str(value) for value in values.to_numpy().tolist()]


def members(text: str) -> tuple[str, ...]:
    """Return the names in the text of a set."""
    return tuple(name for name in str(text).split(SEPARATOR) if name)


def read_results(tree: xr.DataTree) -> Results:
    """Check that a tree holds what every report needs.

    Raises
    ------
    InputError
        If a group that no report can do without is missing.
    """
    missing = [name for name in _NEEDED if name not in tree.children]
    missing += [name for name in ("m", "estimand") if name not in tree.attrs]
    if missing:
        raise InputError(
            Problem(
                rule=f"the results lack {', '.join(missing)}",
                cure="make them with pdsim.analyse",
            )
        )
    return Results(tree)


SIDES: Final[tuple[Literal["top"], Literal["bottom"]]] = ("top", "bottom")
