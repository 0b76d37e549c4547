"""The results of one study as a report reads them, and the words for its estimand."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import numpy as np
import xarray as xr

from pdsim.conventions import Side
from pdsim.errors import InputError, Problem
from pdsim.reports.numbers import Kind, in_words

SEPARATOR: Final = "\x1f"
"""Between the names of a set's members in a results file."""

_NEEDED: Final = ("improvement", "ranking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What an estimand is called.

    Attributes
    ----------
    noun : str
        The quantity: "improvement".
    column : str
        As a table header, without unit.
    top, bottom : str
        Behind a number of facilities: "most improved".
    best, worst : str
        Of one facility: "improved most".
    more : str
        In comparisons: "improved more than".
    axis : str
        Of a figure.
    """

    noun: str
    column: str
    top: str
    bottom: str
    best: str
    worst: str
    more: str
    axis: str


def _improved(noun: str, column: str, suffix: str = "") -> Words:
    return Words(
        noun=noun,
        column=column,
        top=f"most improved{suffix}",
        bottom=f"least improved{suffix}",
        best=f"improved most{suffix}",
        worst=f"improved least{suffix}",
        more=f"improved more{suffix} than",
        axis=column,
    )


def _highest(noun: str, column: str) -> Words:
    return Words(
        noun=noun,
        column=column,
        top=f"with the highest {noun}",
        bottom=f"with the lowest {noun}",
        best=f"has the highest {noun}",
        worst=f"has the lowest {noun}",
        more=f"has a higher {noun} than",
        axis=column,
    )


_WORDS: Final = {
    "change": _improved("improvement", "Improvement"),
    "change_net": _improved(
        "improvement net of regression to the mean",
        "Net improvement",
        " net of regression to the mean",
    ),
    "change_logit": _improved("improvement in logits", "Improvement (logit)", " in logits"),
    "gap_closed": _improved(
        "share of the gap to full adherence that was closed",
        "Gap closed",
        " by the share of the gap closed",
    ),
    "ratio": _improved(
        "ratio of endline to baseline", "Ratio", " by the ratio of endline to baseline"
    ),
    "endline": _highest("endline level", "Endline level"),
    "level": _highest("level", "Level"),
}


def words(estimand: str) -> Words:
    """Return the words for an estimand; one that is not known is called a score."""
    return _WORDS.get(estimand, _highest("score", "Score"))


def unit_kind(units: str) -> Kind:
    """Return how values in these units are written."""
    kinds: dict[str, Kind] = {"pp": "pp", "score": "score"}
    return kinds.get(units, "ratio")


@dataclass(frozen=True, slots=True)
class Results:
    """One study's results, see `pdsim.analysis.gather`.

    Attributes
    ----------
    tree : xr.DataTree
    """

    tree: xr.DataTree

    def has(self, group: str) -> bool:
        """Tell whether a group is there."""
        return group in self.tree.children

    def group(self, name: str) -> xr.Dataset:
        """Return a group as a Dataset."""
        return cast(xr.DataTree, self.tree[name]).to_dataset()

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
        """Units of the main estimand."""
        return str(self.attr("units", ""))

    @property
    def words(self) -> Words:
        """The words for the main estimand."""
        return words(self.estimand)

    @property
    def m_words(self) -> str:
        """``m`` in words."""
        return in_words(self.m)

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
        """Everything of the study but its data."""
        if not self.has("study"):
            return {}
        text = self.group("study").attrs.get("study")
        return {} if text is None else cast(dict[str, Any], json.loads(text))

    @property
    def facilities(self) -> list[str]:
        """Names of the facilities, in the order of the study."""
        return labels(self.group("ranking")["facility"])

    @property
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

    @property
    def order(self) -> list[str]:
        """Names of the facilities, the highest posterior mean first."""
        mean = self.improvement["mean"].to_numpy()
        names = self.facilities
        return [names[i] for i in np.argsort(-mean, kind="stable")]

    @property
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


def labels(values: xr.DataArray) -> list[str]:
    """Return labels as plain text, whatever string type holds them."""
    return [str(value) for value in values.to_numpy().tolist()]


def members(text: str) -> tuple[str, ...]:
    """Return the names in the text of a set."""
    return tuple(str(text).split(SEPARATOR))


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
