"""Caveats that apply to a study, chosen by rule; none is printed that does not apply."""

from collections.abc import Callable
from typing import Final

import numpy as np

from pdsim.reports.formats.document import Name, Table, Text, fill, listing, sentence
from pdsim.reports.study.changes import moving_causes
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import Results, labels

HEAVY_SHARE: Final = 0.8
"""Share of the variance that few indicators must make up for a caveat."""

_SAME: Final = 1e-9
"""Difference of weights that counts as none."""

type CaveatRule = Callable[[Results, dict[str, Table]], list[Text]]


def caveats(results: Results, tables: dict[str, Table]) -> tuple[Text, ...]:
    """Return the caveats of a study, the gravest first."""
    return tuple(sentence(text) for rule in _RULES for text in rule(results, tables))


def _escalated(results: Results, tables: dict[str, Table]) -> list[Text]:
    text = results.attr("escalated")
    return [(Name(f"{str(text)[:1].upper()}{str(text)[1:]}"), ".")] if text else []


_REFITS: Final = {
    "case_correlation": "with a within-case correlation of {values}",
    "priors_scaled": "with the scales of the priors times {values}",
    "design_effect": "with a design effect of {values}",
    "effect_priors": "with the priors of the effect moved ({values})",
    "suppressed": "with suppressed counts at their {values} end",
}


def _refits(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Name the refits under other assumptions that are blank, and why, in one sentence."""
    refused = results.loads("refused_refits", {})
    if not refused:
        return []
    which = [_REFITS[name].format(values=" or ".join(reasons)) for name, reasons in refused.items()]
    why = {
        text.removeprefix("FAILED: ") for reasons in refused.values() for text in reasons.values()
    }
    asked = results.loads("configuration", {}).get("engine") == "nuts"
    cause = "these fits failed their checks" if asked else "the fast engine cannot vouch for them"
    cure = "" if asked else "; --engine nuts fits them by NUTS, which may take long"
    return [
        (
            Name(f"Not tested: the choice {', '.join(which)}: {cause} ({sorted(why)[0]}"),
            f"{', and others' if len(why) > 1 else ''}){cure}.",
        )
    ]


def _turned(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Say which indicators were turned, so that nobody reads their levels the wrong way round."""
    if not results.has("study") or "direction" not in results.group("study").coords:
        return []
    study = results.group("study")
    turned = study.sel(indicator=study["direction"] == "lower")
    names = [
        label or name
        for name, label in zip(labels(turned["indicator"]), labels(turned["label"]), strict=True)
    ]
    if not names:
        return []
    them = "it" if len(names) == 1 else "them"
    counts = f"the levels shown are shares of cases without {them}"
    opposite = counts if "successes" in study else "the scores shown have the opposite sign"
    return [
        fill(
            "Lower is better for {names}: {opposite}.",
            {"names": listing(Name(name) for name in names), "opposite": opposite},
        )
    ]


def _correlation(results: Results, tables: dict[str, Table]) -> list[Text]:
    if not results.shares_cases:
        return []
    source = results.attr("case_correlation_source", "unset")
    if source == "unset":
        also = (
            "; the folder of tables has the choice at other values"
            if results.has("case_correlation")
            else ""
        )
        return [
            (
                "The within-case correlation is not known and is taken as zero here: if the "
                "indicators scored on one case succeed or fail together, they are not independent "
                f"evidence, and every statement here is too sure{also}.",
            )
        ]
    if float(results.attr("case_correlation", 0.0)) == 0.0:
        return [
            (
                "A within-case correlation of zero is taken: if the indicators of one case succeed "
                "or fail together, every statement here is too sure.",
            )
        ]
    return []


def _clustered(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Say that a design effect that is not known decides a name."""
    changes = tables.get("changes")
    if results.attr("design_effect_source", "") != "unset" or changes is None:
        return []
    if "design_effect" not in moving_causes(changes):
        return []
    return [
        (
            "The design effect is not known and is taken as one: if the cases of a cell share a "
            "day, a team or an observer, every statement here is too sure, and another name is "
            "chosen; the folder of tables has the choice at other values.",
        )
    ]


def _few(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Say that the priors matter where halving or doubling their scales changes a name."""
    changes = tables.get("changes")
    if changes is None or "priors_scaled" not in moving_causes(changes):
        return []
    return [
        fill(
            "The priors matter here: {n} facilities tell the spread between them only roughly, "
            "and how far estimates are drawn to the common mean decides a name.",
            {"n": tables["facts"].number(ROW, "facilities")},
        )
    ]


def _influence(results: Results, tables: dict[str, Table]) -> list[Text]:
    table = tables.get("variance_share")
    if table is None or len(table.frame) < 3:
        return []
    shares = table.frame["share"].sort_values(ascending=False)
    needed = int(np.searchsorted(np.cumsum(shares.to_numpy()), HEAVY_SHARE) + 1)
    if needed > len(shares) / 3:
        return []
    heavy = [str(name) for name in shares.index[:needed]]
    equal = float(table.frame["nominal"].max() - table.frame["nominal"].min()) < _SAME
    text = "Equal weights are not equal influence: " if equal else ""
    text += "{names} {make} up most of the composite's variance between facilities ({shares})"
    text += "."
    return [
        fill(
            text,
            {
                "names": listing(Name(str(table.value(row, "label"))) for row in heavy),
                "make": "makes" if len(heavy) == 1 else "make",
                "shares": listing(
                    fill("{n} %", {"n": table.number(row, "share_percent")}) for row in heavy
                ),
            },
        )
    ]


def _predictive(results: Results, tables: dict[str, Table]) -> list[Text]:
    if not results.has("predictive"):
        return []
    p = results.group("predictive")["p_value"]
    flags = ((p < 0.005) | (p > 0.995)).any("period")
    extreme = labels(p["facility"][flags.to_numpy()])
    if not extreme:
        return []
    return [
        fill(
            "The model does not reproduce the observed composite of {names}: see whether the model "
            "fits before quoting figures of {them}.",
            {
                "names": listing(results.called(name) for name in extreme),
                "them": "it" if len(extreme) == 1 else "them",
            },
        )
    ]


def _suppressed(results: Results, tables: dict[str, Table]) -> list[Text]:
    if results.suppress_below is None or bool(observed_shown(results).all()):
        return []
    limit = tables["facts"].number(ROW, "suppress_below")
    return [
        fill("Observed values of facilities with a count below {n} are not printed.", {"n": limit})
    ]


_RULES: Final[tuple[CaveatRule, ...]] = (
    _escalated,
    _refits,
    _turned,
    _correlation,
    _clustered,
    _influence,
    _few,
    _predictive,
    _suppressed,
)
