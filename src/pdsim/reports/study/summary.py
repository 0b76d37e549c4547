"""The executive summary: five sentences, every number out of a table."""

from pdsim.conventions import CERTAIN, Side
from pdsim.reports.formats.document import Name, Piece, Table, Text, fill, listing, sentence
from pdsim.reports.formats.numbers import in_words
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.tables import bound_names
from pdsim.reports.study.view import Results

_EXACT = {
    True: "the {m} named {top} are exactly the right ones with probability {p_top}, the {m} named "
    "{bottom} with probability {p_bottom}",
    False: "the one named {top} is the right one with probability {p_top}, the one named {bottom} "
    "with probability {p_bottom}",
}
_NAMED = 6
"""Facilities that one sentence names; of more it gives the range."""


def summary(results: Results, tables: dict[str, Table]) -> tuple[Text, ...]:
    """Return the five sentences.

    Parameters
    ----------
    results : Results
    tables : dict of str to Table
        ``facts``, ``improvement`` and ``selection``.
    """
    texts = (
        _study(results, tables["facts"]),
        _extremes(results, tables["improvement"]),
        membership(results, tables, "top"),
        membership(results, tables, "bottom"),
        _certainty(results, tables["facts"]),
    )
    return tuple(sentence(text) for text in texts)


def _study(results: Results, facts: Table) -> Text:
    parts: dict[str, Piece | Text] = {
        "name": Name(results.name),
        "facilities": facts.number(ROW, "facilities"),
        "indicators": _of_indicators(facts),
        "composite": "composite" if _of_indicators(facts) else "level",
        "mean": facts.number(ROW, "mean_improvement"),
        "units": f" {results.units}" if results.units else "",
        "noun": results.words.noun,
    }
    if "level_baseline" in facts.frame:
        parts |= {
            "first": facts.number(ROW, "level_baseline"),
            "last": facts.number(ROW, "level_endline"),
            "unit": _percent(results),
            "improved": facts.number(ROW, "improved") if "improved" in facts.frame else "",
        }
        text = (
            "{name}: over the period the {composite}{indicators} went from {first}{unit} to "
            "{last}{unit} in the mean of {facilities} facilities"
        )
        if "improved" in facts.frame:
            everyone = facts.value(ROW, "improved") == facts.value(ROW, "facilities")
            text += ", all of which" if everyone else ", of which {improved}"
            text += " certainly improved"
        return fill(f"{text}.", parts)
    if "level_endline" in facts.frame:
        parts |= {"last": facts.number(ROW, "level_endline"), "unit": _percent(results)}
        return fill(
            "{name}: the {composite}{indicators} is {last}{unit} in the mean of "
            "{facilities} facilities.",
            parts,
        )
    return fill(
        "{name}: the {noun} is {mean}{units} in the mean of {facilities} facilities.", parts
    )


def _percent(results: Results) -> str:
    return " %" if results.attr("kind", "counts") == "counts" else ""


def _of_indicators(facts: Table) -> Text:
    if "indicators" not in facts.frame or facts.value(ROW, "indicators") == 1:
        return ()
    return fill(" of {n} indicators", {"n": facts.number(ROW, "indicators")})


def _extremes(results: Results, table: Table) -> Text:
    first, last = results.order[0], results.order[-1]
    low, high = bound_names(results)
    parts: dict[str, Piece | Text] = {
        "noun": results.words.noun,
        "units": f" {results.units}" if results.units else "",
        "ci": results.interval_percent,
    }
    for key, row in (("a", first), ("b", last)):
        parts |= {
            key: results.called(row),
            f"{key}_mean": table.number(row, "mean"),
            f"{key}_interval": table.interval(row, low, high),
        }
    return fill(
        "The largest {noun} is that of {a}, {a_mean}{units} ({ci} interval {a_interval}), and "
        "the smallest that of {b}, {b_mean}{units} ({b_interval}).",
        parts,
    )


def membership(results: Results, tables: dict[str, Table], side: Side) -> Text:
    """Return the sentence on who is among the top or the bottom m."""
    table, facts = tables["selection"], tables["facts"]
    chosen = results.selected(side)
    if len(chosen) > _NAMED:
        return _many(results, chosen, side, table, facts)
    place = results.place(side)
    sure = [row for row in chosen if float(table.value(row, f"p_{side}")) >= CERTAIN]
    rest = [row for row in chosen if row not in sure]
    if not chosen:
        return (f"Nobody can be named as {results.named(side)}: those at the cut tie.",)
    none = "none of them is" if len(rest) > 1 else "this is not"
    if not sure:
        return (*_likely(results, rest, table, side, f"is {place} "), f"; {none} certain.")
    parts: dict[str, Piece | Text] = {
        "sure": listing(
            _sure(row, results.called(row), table, side, n == 0) for n, row in enumerate(sure)
        ),
        "is": "is" if len(sure) == 1 else "are",
        "place": place,
    }
    if not rest:
        return fill("{sure} {is} certainly {place}.", parts)
    parts |= {"rest": _likely(results, rest, table, side, "is among them ")}
    return fill("{sure} {is} certainly {place}; {rest}.", parts)


def _sure(row: str, name: Name, table: Table, side: Side, first: bool) -> Text:
    parts: dict[str, Piece | Text] = {"name": name, "p": table.number(row, f"p_{side}")}
    if table.has_error(row, f"p_{side}"):
        parts["p"] = fill("{p}, MCSE {se}", {**parts, "se": table.number(row, f"p_{side}_mcse")})
    return fill("{name} (probability {p})" if first else "{name} ({p})", parts)


def _likely(results: Results, rows: list[str], table: Table, side: Side, verb: str) -> Text:
    return listing(
        fill(
            "{name} {verb}with probability {p}",
            {
                "name": results.called(row),
                "verb": verb if n == 0 else "",
                "p": table.probability(row, f"p_{side}"),
            },
        )
        for n, row in enumerate(rows)
    )


def _many(results: Results, chosen: list[str], side: Side, table: Table, facts: Table) -> Text:
    return fill(
        "{first} to {last} are the ends of the list of those selected as {label}, with "
        "probabilities from {high} down to {low}; {certain} of them are certain.",
        {
            "first": results.called(chosen[0]),
            "last": results.called(chosen[-1]),
            "label": results.named(side),
            "high": table.number(chosen[0], f"p_{side}"),
            "low": table.number(chosen[-1], f"p_{side}"),
            "certain": facts.number(ROW, f"certain_{side}"),
        },
    )


def _certainty(results: Results, facts: Table) -> Text:
    texts: list[Text] = []
    if "set_top" in facts.frame and "set_bottom" in facts.frame:
        texts.append(
            fill(
                _EXACT[results.m > 1],
                {
                    "m": in_words(results.m),
                    "top": results.words.top,
                    "bottom": results.words.bottom,
                    "p_top": facts.probability(ROW, "set_top"),
                    "p_bottom": facts.probability(ROW, "set_bottom"),
                },
            )
        )
    if "pairs" in facts.frame:
        texts.append(
            fill(
                "{certain} of the {pairs} pairs of facilities are certainly ordered (probability "
                "{limit} or more)",
                {
                    "certain": facts.number(ROW, "pairs_certain"),
                    "pairs": facts.number(ROW, "pairs"),
                    "limit": facts.number(ROW, "certain"),
                },
            )
        )
    if not texts:
        return (
            f"A membership is called certain from probability {CERTAIN:g} on, "
            f"for {in_words(results.m)} facilities at each end.",
        )
    whole = listing(texts, last="; ")
    first = whole[0]
    start = f"{first[0].upper()}{first[1:]}" if isinstance(first, str) else first
    return (start, *whole[1:], ".")
