"""Caveats that apply to a study, chosen by rule; none is printed that does not apply."""

from collections.abc import Callable
from typing import Final

import numpy as np

from pdsim.conventions import CERTAIN, Side
from pdsim.reports.formats.document import Name, Piece, Table, Text, fill, listing, sentence
from pdsim.reports.formats.numbers import in_words
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import SIDES, Results, labels, words

FEW_FACILITIES: Final = 15
"""Below this the spread between facilities is known poorly, and its prior matters."""

HEAVY_SHARE: Final = 0.8
"""Share of the variance that few indicators must make up for a caveat."""

type Rule = Callable[[Results, dict[str, Table]], list[Text]]


def caveats(results: Results, tables: dict[str, Table]) -> tuple[Text, ...]:
    """Return the caveats of a study, the gravest first."""
    return tuple(sentence(text) for rule in _RULES for text in rule(results, tables))


def _escalated(results: Results, tables: dict[str, Table]) -> list[Text]:
    text = results.attr("escalated")
    return [(Name(f"{str(text)[:1].upper()}{str(text)[1:]}"), ".")] if text else []


def _refits(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Name every refit under other assumptions that failed a convergence gate."""
    found: list[Text] = []
    for name, dim in (("case_correlation", "case_correlation"), ("priors_scaled", "prior_factor")):
        group = results.group(name) if results.has(name) else {}
        if "convergence" not in group:
            continue
        for value, text in zip(group[dim].to_numpy(), group["convergence"].to_numpy(), strict=True):
            if str(text).startswith("FAILED"):
                what = f"{dim.replace('_', ' ')} {value:g}: convergence {text}"
                found.append((Name(f"Do not cite the refit at {what}."),))
    return found


def _assumed(results: Results, tables: dict[str, Table]) -> list[Text]:
    """Repeat what the study assumes in place of having observed it."""
    sentences = results.loads("assumptions", [])
    return [(Name(text),) for text in sentences if "assumed" in text]


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


def _no_controls(results: Results, tables: dict[str, Table]) -> list[Text]:
    if results.is_level:
        return []
    return [
        (
            "There are no control facilities: every figure is the change over the period, "
            "whatever caused it.",
        )
    ]


def _borderline(results: Results, tables: dict[str, Table]) -> list[Text]:
    texts: list[Text] = []
    table = tables["selection"]
    ranking = results.group("ranking")
    names = results.facilities
    for side in SIDES:
        label = results.named(side)
        tied = [name for name in names if table.value(name, f"tied_{side}")]
        if tied:
            parts: dict[str, Piece | Text] = {
                "names": listing(results.called(name) for name in tied),
                "label": label,
            }
            texts.append(
                fill(
                    "{names} tie for the last place among {label}: the data cannot choose "
                    "between them.",
                    parts,
                )
            )
            continue
        p = ranking[f"p_{side}"].to_numpy()
        chosen = ranking[f"selected_{side}"].to_numpy().astype(bool)
        if not chosen.any() or chosen.all():
            continue
        last = names[int(np.flatnonzero(chosen)[np.argmin(p[chosen])])]
        first = names[int(np.flatnonzero(~chosen)[np.argmax(p[~chosen])])]
        if table.value(last, f"p_{side}") >= CERTAIN:
            continue
        flips = bool(table.value(last, f"could_flip_{side}"))
        texts.append(_cut(results, table, side, (last, first), flips=flips))
    return texts


def _cut(results: Results, table: Table, side: Side, pair: tuple[str, str], *, flips: bool) -> Text:
    single = results.m == 1
    who = "{last} is {label}" if single else "{last} is the last of {label}"
    text = f"Borderline cut: {who} with probability {{p}}, and {{first}}, not selected, has {{q}}"
    if flips:
        text += "; the two are so close that another seed could swap them"
    parts: dict[str, Piece | Text] = {
        "last": results.called(pair[0]),
        "first": results.called(pair[1]),
        "label": results.named(side),
        "p": table.probability(pair[0], f"p_{side}"),
        "q": table.probability(pair[1], f"p_{side}"),
    }
    return fill(f"{text}.", parts)


def _correlation(results: Results, tables: dict[str, Table]) -> list[Text]:
    if not _shares_cases(results):
        return []
    source = results.attr("case_correlation_source", "unset")
    if source == "unset":
        also = (
            "; the selection is shown for three values of it below"
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


def _shares_cases(results: Results) -> bool:
    if not results.has("study"):
        return False
    data = results.group("study")
    if "successes" not in data:
        return False
    settings = results.study_settings
    if int(settings.get("items", 1)) > 1:
        return True
    groups = [label for label in labels(data["case_group"]) if label]
    return len(groups) > len(set(groups))


def _varied(group: str, dim: str, text: str) -> Rule:
    def rule(results: Results, tables: dict[str, Table]) -> list[Text]:
        if not results.has(group):
            return []
        data = results.varied(group, dim)
        moved = [
            side
            for side in SIDES
            if bool(
                (
                    data[f"selected_{side}"].astype(bool).any(dim)
                    & ~data[f"selected_{side}"].astype(bool).all(dim)
                ).any()
            )
        ]
        if not moved:
            return []
        where = " and ".join(moved)
        return [(text.format(where=f"{where} {in_words(results.m)}"),)]

    return rule


def _few(results: Results, tables: dict[str, Table]) -> list[Text]:
    if len(results.facilities) >= FEW_FACILITIES:
        return []
    return [
        fill(
            "With {n} facilities the spread between facilities is known poorly, so its prior "
            "influences how far the estimates are drawn towards the common mean.",
            {"n": tables["facts"].number(ROW, "facilities")},
        )
    ]


def _estimands(results: Results, tables: dict[str, Table]) -> list[Text]:
    if not results.has("estimands"):
        return []
    group = results.group("estimands")
    texts: list[Text] = []
    base = {side: set(results.selected(side)) for side in SIDES}
    names = np.array(labels(group["facility"]))
    differ = []
    for estimand in labels(group["estimand"]):
        if estimand == results.estimand:
            continue
        row = group.sel(estimand=estimand)
        chosen = {
            side: set(names[row[f"selected_{side}"].to_numpy().astype(bool)].tolist())
            for side in SIDES
        }
        if chosen != base:
            differ.append(words(estimand).column.lower())
    if differ:
        which = "another selection follows" if len(differ) == 1 else "other selections follow"
        texts.append((f"Under other definitions of improvement {which}: {', '.join(differ)}.",))
    improvement = results.group("improvement")
    if "prior_sensitive" in improvement and bool(improvement["prior_sensitive"].any()):
        flags = improvement["prior_sensitive"].to_numpy().astype(bool)
        leaning = [
            words(name).column.lower()
            for name, flag in zip(labels(improvement["estimand"]), flags, strict=True)
            if flag
        ]
        texts.append(
            (
                f"Prior-sensitive: {', '.join(leaning)} leans on the correlation of baseline and "
                "change between facilities, which this many facilities determine only roughly.",
            )
        )
    return texts


def _rules(results: Results, tables: dict[str, Table]) -> list[Text]:
    if not results.has("rules"):
        return []
    group = results.group("rules")
    moved = [
        f"{side} {in_words(results.m)}"
        for side in SIDES
        if bool(
            (
                group[f"selected_{side}"].astype(bool).any("rule")
                & ~group[f"selected_{side}"].astype(bool).all("rule")
            ).any()
        )
    ]
    return (
        [(f"Other selection rules name a different {' and a different '.join(moved)}.",)]
        if moved
        else []
    )


def _influence(results: Results, tables: dict[str, Table]) -> list[Text]:
    table = tables.get("variance_share")
    if table is None or len(table.frame) < 3:
        return []
    shares = table.frame["share"].sort_values(ascending=False)
    needed = int(np.searchsorted(np.cumsum(shares.to_numpy()), HEAVY_SHARE) + 1)
    if needed > len(shares) / 3:
        return []
    heavy = [str(name) for name in shares.index[:needed]]
    return [
        fill(
            "Equal weights are not equal influence: {names} make up most of the composite's "
            "variance between facilities ({shares}).",
            {
                "names": listing(Name(str(table.value(row, "label"))) for row in heavy),
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


_RULES: Final[tuple[Rule, ...]] = (
    _escalated,
    _refits,
    _assumed,
    _turned,
    _borderline,
    _correlation,
    _varied(
        "case_correlation",
        "case_correlation",
        "The selection of the {where} depends on the within-case correlation.",
    ),
    _no_controls,
    _estimands,
    _rules,
    _varied(
        "priors_scaled",
        "prior_factor",
        "Prior-sensitive: with the scales of the priors halved or doubled the selection of the "
        "{where} changes.",
    ),
    _influence,
    _few,
    _predictive,
    _suppressed,
)
