"""Page one: who is named, how sure that is, what would change it, and what to do about it."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from pdsim.conventions import CERTAIN, Side
from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Front,
    Name,
    Picture,
    Piece,
    Table,
    Text,
    fill,
    listing,
    sentence,
)
from pdsim.reports.formats.numbers import NumberKind, in_words
from pdsim.reports.study.changes import change_sentence
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.misfit import misfit_sentences
from pdsim.reports.study.tables import with_unit
from pdsim.reports.study.view import SIDES, Results, labels

LISTED: Final = 5
"""Names that a list of page one holds; of more the rest is counted."""

DRAWN: Final = 16
"""Rows of the figure: more would not fit on one screen."""

_LIKELY, _EVEN, _RIVAL = 0.8, 0.6, 0.25
_WIDER: Final = 1.1
"""Times the other standard deviation: from there on a facility is known less well."""
_WHOLE: Final = {
    1: ("The one at the top is right", "the one at the bottom"),
    2: ("Both at the top are right", "both at the bottom"),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What the two ends are called, given which way the facilities went."""

    top: str
    bottom: str

    @property
    def title(self) -> str:
        """Both in a title: "who improved most, who least"."""
        if self.top == self.bottom:
            return "the facilities cannot be told apart"
        first, _, how = self.top.lower().partition(" ")
        verb, _, rest = self.bottom.lower().partition(" ")
        if not how:
            return f"the {first}, the {self.bottom.lower()}"
        return f"who {first} {how}, who {rest if verb == first else self.bottom.lower()}"


def front(results: Results, tables: dict[str, Table]) -> Front:
    """Return page one.

    Parameters
    ----------
    results : Results
    tables : dict of str to Table
        Of `pdsim.reports.study.sections.base_tables`.
    """
    return Front(
        lead=lead(results, tables["facts"]),
        lists=tuple(tables[f"answer_{side}"] for side in SIDES),
        picture=_picture(results, tables),
        answers=answers(results, tables),
        foot=_foot(results, tables["facts"]),
        stop=failed_text(results) if results.failed else (),
    )


def answers(results: Results, tables: dict[str, Table]) -> tuple[tuple[str, Text], ...]:
    """Return the three questions of page one with their answers."""
    return (
        ("How sure?", how_sure(results, tables)),
        ("What would change it?", change_sentence(results, tables.get("changes"))),
        ("What to do?", what_to_do(results, tables["facts"])),
    )


def failed_text(results: Results) -> Text:
    """Return the banner of a fit that failed a convergence gate, with what to type."""
    text = "The computation failed its checks ({what}): do not cite numbers marked \u2020. "
    text += "Run it longer: pdsim analyse ... --engine nuts --draws 4000 --tune 4000."
    return fill(text, {"what": Name(results.failed.removeprefix("FAILED: "))})


def headings(results: Results) -> Heading:
    """Return what the ends are called: nobody who fell is said to have improved.

    Examples
    --------
    Where all improved: "Improved most" and "Improved least"; where all fell: "Fell least" and
    "Fell most"; a level has a highest and a lowest.
    """
    words = results.words
    if results.all_tied:
        return Heading("Nobody", "Nobody")
    if results.null is None:
        top, bottom = words.top, words.bottom
        return Heading(f"{top[0].upper()}{top[1:]}", f"{bottom[0].upper()}{bottom[1:]}")
    mean = results.improvement["mean"] - results.null
    named = {side: mean.sel(facility=_named(results, side)) for side in SIDES}
    top, bottom = "Improved most", "Improved least"
    if named["top"].size and bool((named["top"] <= 0.0).any()):
        top = "Fell least" if bool((named["top"] <= 0.0).all()) else "Changed best"
    if named["bottom"].size and bool((named["bottom"] <= 0.0).any()):
        bottom = "Fell most" if bool((named["bottom"] <= 0.0).all()) else "Changed worst"
    return Heading(top, bottom)


def _named(results: Results, side: Side) -> list[str]:
    """Return who stands in a list, the nearest to its end first: the selected, then the tied."""
    ordered = results.order if side == "top" else results.order[::-1]
    chosen, tied = set(results.selected(side)), set(results.tied(side))
    return [name for name in ordered if name in chosen] + [
        name for name in ordered if name in tied and name not in chosen
    ]


def answer_table(results: Results, side: Side) -> Table:
    """Return the list of one end: name, value with interval, probability in a word and a number."""
    names = [] if results.all_tied else _named(results, side)
    tied = [name for name in results.tied(side) if name not in results.selected(side)]
    group, ranking = results.improvement, results.group("ranking")
    bounds = group["interval"].transpose("facility", "ci_bound")
    value, bound = _kinds(results)
    frame = pd.DataFrame(
        {
            "facility": [
                results.called(name).text.replace("facility ", "Facility ", 1)
                if results.called(name).text != name
                else name
                for name in names
            ],
            "mean": [float(group["mean"].sel(facility=name)) for name in names],
            "low": [float(bounds.sel(facility=name)[0]) for name in names],
            "high": [float(bounds.sel(facility=name)[1]) for name in names],
            "p": [float(ranking[f"p_{side}"].sel(facility=name)) for name in names],
            "words": [_sure(results, side, name, tied) for name in names],
        },
        index=names,
    )
    shown = None
    if len(names) > LISTED + 1:
        shown = tuple(names[:LISTED])
    heading = getattr(headings(results), side)
    note = _more(results, side, names, tied, shown)
    return Table(
        key=f"answer_{side}",
        title=heading,
        frame=frame,
        kinds={"mean": value, "low": bound, "high": bound, "p": "p2"},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header=with_unit(results.words.column, results.units), keys=("mean",)),
            Column(header=f"{results.interval_percent} interval", keys=("low", "high"),
                   layout="interval"),
            Column(header="How sure", keys=("words",), layout="words"),
            Column(header=f"P({side} {results.m})", keys=("p",)),
        ),
        marked=bool(results.failed),
        notes=(note,) if note else (),
        shown=shown,
    )  # fmt: skip


def _more(
    results: Results, side: Side, names: list[str], tied: list[str], shown: tuple[str, ...] | None
) -> Text:
    places = results.m - len(results.selected(side))
    if results.all_tied:
        return ("These data do not tell the facilities apart: all tie, and nobody is named.",)
    if tied and places:
        return (
            f"{in_words(len(tied)).capitalize()} tie for {in_words(places)} "
            f"{'place' if places == 1 else 'places'}: the data do not choose between them.",
        )
    if shown is not None:
        return (f"And {in_words(len(names) - len(shown))} more, in the first table below.",)
    return ()


def _kinds(results: Results) -> tuple[NumberKind, NumberKind]:
    """Return how values and bounds of page one are written: as coarse as their spread allows."""
    digits = {"pp": 0, "percent": 0, "d0": 0, "d1": 1, "d2": 2, "d3": 3, "d4": 4}
    number = digits.get(results.value_kind, 2)
    if number == 0 and float(results.improvement["sd"].median()) < 1.0:
        number = 1
    plain: NumberKind = ("d0", "d1", "d2", "d3", "d4")[number]
    signed: NumberKind = ("s0", "s1", "s2", "d3", "d4")[number]
    return (signed if results.null == 0.0 else plain), plain


def _sure(results: Results, side: Side, name: str, tied: list[str]) -> Text:
    """Return a probability in words; a rival that is about as likely is named."""
    if name in tied:
        return ("tied",)
    ranking = results.group("ranking")[f"p_{side}"]
    p = float(ranking.sel(facility=name))
    if p >= CERTAIN:
        return ("near certain",)
    rivals = _rivals(results, side, name)
    if p >= _LIKELY:
        return ("likely",)
    if not rivals:
        return ("likely",) if p >= _EVEN else ("uncertain",)
    if p >= _EVEN:
        return ("likely; ", results.called(rivals[0]), " is close")
    if len(rivals) == 1:
        return ("a toss-up with ", results.called(rivals[0]))
    return (f"uncertain; {in_words(len(rivals))} are close",)


def _rivals(results: Results, side: Side, name: str) -> list[str]:
    """Return who is not named but nearly as likely, the likeliest first."""
    ranking = results.group("ranking")[f"p_{side}"]
    named = set(results.selected(side))
    p = dict(zip(results.facilities, ranking.to_numpy().tolist(), strict=True))
    near = [other for other in results.facilities if other not in named
            and p[other] >= max(_RIVAL, 0.5 * p[name])]  # fmt: skip
    return sorted(near, key=lambda other: -p[other])


def lead(results: Results, facts: Table) -> Text:
    """Return one line on what was studied, and how the whole went."""
    parts: dict[str, Piece | Text] = {"n": facts.number(ROW, "facilities")}
    text = "{n} facilities"
    if "indicators" in facts.frame and facts.value(ROW, "indicators") > 1:
        text, parts["k"] = f"{text}, {{k}} indicators", facts.number(ROW, "indicators")
    periods = results.loads("period_labels", [])
    if periods:
        text, parts["periods"] = f"{text}, {{periods}}", Name(" and ".join(periods))
    unit = " %" if results.attr("kind", "counts") == "counts" else ""
    if "level_endline" in facts.frame:
        parts["b"] = facts.number(ROW, "level_endline")
        text += f". {_went(facts, parts, unit)}"
    return fill(f"{text}{_moved(results, facts, parts)}.", parts)


def _went(facts: Table, parts: dict[str, Piece | Text], unit: str) -> str:
    """Return how the average level went, as a template."""
    if "level_baseline" not in facts.frame:
        return f"The average is {{b}}{unit}"
    first, last = facts.number(ROW, "level_baseline"), facts.number(ROW, "level_endline")
    parts["a"] = first
    if first.text == last.text:
        return f"The average stayed at {{a}}{unit}"
    verb = "rose" if last.value > first.value else "fell"
    return f"The average {verb} from {{a}}{unit} to {{b}}{unit}"


def _moved(results: Results, facts: Table, parts: dict[str, Piece | Text]) -> str:
    """Return how many certainly improved, and how many certainly worsened."""
    if "improved" not in facts.frame or results.null is None:
        return ""
    up, down = int(facts.value(ROW, "improved")), int(facts.value(ROW, "worsened"))
    everyone = int(facts.value(ROW, "facilities"))
    parts |= {"up": facts.number(ROW, "improved"), "down": facts.number(ROW, "worsened")}
    if up == everyone or down == everyone:
        return f"; all certainly {'improved' if up else 'worsened'}"
    said = ["{up} certainly improved"] if up else ["none certainly improved"]
    said += ["{down} certainly worsened"] if down else []
    return f"; {' and '.join(said)}"


def how_sure(results: Results, tables: dict[str, Table]) -> Text:
    """Return which names are near certain, and whether both lists are right as a whole."""
    facts = tables["facts"]
    ranking = results.group("ranking")
    if results.all_tied:
        return ("Not at all: the data of the facilities are the same.",)
    near = [
        name
        for side in SIDES
        for name in _named(results, side)
        if float(ranking[f"p_{side}"].sel(facility=name)) >= CERTAIN
    ]
    texts: list[Text] = []
    if near:
        every = sum(len(_named(results, side)) for side in SIDES)
        verb = "is" if len(near) == 1 else "are"
        count = "All" if len(near) == every else in_words(len(near)).capitalize()
        texts.append((f"{count} of the {in_words(every)} names {verb} near certain.",))
    else:
        texts.append(("No name is near certain.",))
    whole = [side for side in SIDES if f"set_{side}" in facts.frame]
    if len(whole) == 1:
        at = f"the {in_words(results.m)} at the {whole[0]} are" if results.m > 1 else (
            f"the one at the {whole[0]} is")  # fmt: skip
        text = f"That {at} right has probability {{p}}."
        texts.append(fill(text, {"p": facts.number(ROW, f"set_{whole[0]}")}))
    if len(whole) == 2:
        ends = _WHOLE.get(results.m, (f"All {in_words(results.m)} at the top are right",
                                      f"all {in_words(results.m)} at the bottom"))  # fmt: skip
        texts.append(
            fill(
                f"{ends[0]} with probability {{p}}, {ends[1]} with {{q}}.",
                {"p": facts.number(ROW, "set_top"), "q": facts.number(ROW, "set_bottom")},
            )
        )
    if "model_checks" in tables:
        texts += misfit_sentences(tables["model_checks"])
    texts += [*_orders(results), *_either(results)]
    return tuple(piece for n, text in enumerate(texts) for piece in ((" ",) if n else ()) + text)


def _orders(results: Results) -> list[Text]:
    """Say why a facility with the more extreme mean is not named, where there is one."""
    mean = dict(zip(results.facilities, results.improvement["mean"].to_numpy(), strict=True))
    sd = dict(zip(results.facilities, results.improvement["sd"].to_numpy(), strict=True))
    texts: list[Text] = []
    best = -1.0 if results.attr("lower_is_better", 0) else 1.0
    for side, sign in (("top", best), ("bottom", -best)):
        named = results.selected(side)  # type: ignore[arg-type]
        others = [n for n in results.facilities
                  if n not in named and n not in results.tied(side)]  # type: ignore[arg-type]  # fmt: skip
        if not named or not others:
            continue
        last = min(named, key=lambda name: sign * mean[name])
        first = max(others, key=lambda name: sign * mean[name])
        if sign * (mean[first] - mean[last]) <= 1e-9:
            continue
        more = "larger" if sign > 0.0 else "smaller"
        parts: dict[str, Piece | Text] = {
            "a": results.called(last), "b": results.called(first),
        }  # fmt: skip
        text = f"{{b}} has the {more} mean, but {{a}} is likelier to be at the {side}"
        if max(sd[last], sd[first]) > _WIDER * min(sd[last], sd[first]):
            parts["wide"] = results.called(last if sd[last] > sd[first] else first)
            text += ": {wide} is known less well"
        text += "."
        texts.append(sentence(fill(text, parts)))
    return texts


def _either(results: Results) -> list[Text]:
    ranking = results.group("ranking")
    if "either_end" not in ranking or not bool(ranking["either_end"].any()):
        return []
    names = labels(ranking["facility"][ranking["either_end"].to_numpy().astype(bool)])
    text = "{names} may belong to either end, so little is known of {them}."
    them = "it" if len(names) == 1 else "them"
    who = listing(results.called(name) for name in names)
    return [sentence(fill(text, {"names": who, "them": them}))]


def what_to_do(results: Results, facts: Table) -> Text:
    """Return whom to visit so that the true extremes are surely among them."""
    if results.all_tied:
        return ("Choose the sites on other grounds, or collect more cases.",)
    known = [side for side in SIDES if f"visit_{side}" in facts.frame]
    if not known:
        return ("Read the table of probabilities below before choosing sites.",)
    wide = [side for side in known if _too_wide(results, side)]
    said = _visits(results, facts, [side for side in known if side not in wide])
    if not wide:
        return said
    m = in_words(results.m) if results.m > 1 else "one"
    everyone = len(results.facilities)
    if wide == list(SIDES) and all(facts.value(ROW, f"takes_{s}") == everyone for s in SIDES):
        text = "It takes all {n} to hold the true {m} of either end: the data narrow neither down."
        return fill(text, {"n": facts.number(ROW, "facilities"), "m": m})
    takes = listing(
        fill(f"{{n}} to hold the true {side} {m}", {"n": facts.number(ROW, f"takes_{side}")})
        for side in wide
    )
    more = "more data" if results.foreign else "more cases"
    need = fill(f"It takes {{takes}}: {more} would narrow that.", {"takes": takes})
    return (*said, *((" ",) if said else ()), *need)


def _visits(results: Results, facts: Table, sides: list[Side]) -> Text:
    """Return whom to visit at each end, and how surely they hold the true ones."""
    if not sides:
        return ()
    clauses: list[Text] = []
    for side in sides:
        extra = _extra(results, side)
        ends = f"the {side} {in_words(results.m)}" if results.m > 1 else f"the {side} one"
        if len(results.selected(side)) < results.m:
            names = [results.called(name) for name in (*results.selected(side), *extra)]
            clauses.append((*listing(names), f" for {ends}"))
        elif extra:
            clauses.append((*listing(results.called(name) for name in extra), f" with {ends}"))
        else:
            clauses.append((f"{ends} as named",))
    return fill(
        "Visit {whom}: these hold the true {m} with probability {p}.",
        {
            "whom": listing(clauses),
            "m": in_words(results.m) if results.m > 1 else "one",
            "p": listing(facts.number(ROW, f"visit_{side}") for side in sides),
        },
    )


def _too_wide(results: Results, side: Side) -> bool:
    held = int(results.group(f"superset_{side}")["member"].astype(bool).sum())
    return held > min(2 * results.m + 1, len(results.facilities) - 1)


def _extra(results: Results, side: Side) -> list[str]:
    """Return whom the smallest sure set holds beside those named."""
    member = results.group(f"superset_{side}")["member"].astype(bool)
    held = set(labels(member["facility"][member.to_numpy()]))
    ordered = results.order if side == "top" else results.order[::-1]
    return [name for name in ordered if name in held and name not in results.selected(side)]


def _picture(results: Results, tables: dict[str, Table]) -> Picture:
    label = with_unit(results.words.column, results.units)
    asked = results.has("roles")
    figure, drawn = plots.forest(
        results.improvement.drop_vars("observed", errors="ignore"),
        results.group("ranking"),
        roles=results.group("roles") if asked else None,
        label=label,
        rows=DRAWN,
        failed=results.failed,
    )
    return Picture(
        key="forest",
        caption=(
            f"{results.words.column} of every facility with its {results.interval_percent} "
            "interval. Triangles pointing up and down are named for the top and the bottom."
            + (" Squares may well belong to an end without having been named." if asked else ""),
        ),
        alt=(f"{results.words.column} of every facility with its interval, the best first; "
             "the values are in the table of all facilities.",),
        figure=figure,
        data=drawn,
    )  # fmt: skip


def _what_caused_it(results: Results, facts: Table) -> Text:
    """Return what the change is worth as an effect: with controls, what lies beyond them."""
    if not results.has("programme"):
        return ("Change over the period, whatever caused it: no controls.",)
    parts: dict[str, Piece | Text] = {
        "n": facts.number(ROW, "controls"),
        "e": facts.number(ROW, "effect"),
        "i": facts.interval(ROW, "effect_low", "effect_high"),
    }
    return fill(
        "Names and values are changes, whatever caused them. Beyond what {n} controls would have "
        f"done, the programme's effect is {{e}} {results.units} ({{i}}), if both arms would have "
        "changed alike without it.",
        parts,
    )


def _foot(results: Results, facts: Table) -> tuple[Text, ...]:
    """Return what the numbers are, said once."""
    texts: list[Text] = [(f"Brackets: {results.interval_percent} credible intervals.",)]
    if results.null is not None:
        texts.append(_what_caused_it(results, facts))
    if results.attr("case_correlation_source", "") == "unset" and results.shares_cases:
        texts.append(("Correlation within cases: unknown, taken as 0.",))
    if results.attr("design_effect_source", "") == "unset" and results.has("design_effect"):
        texts.append(("Cases are taken as independent: no design effect is stated.",))
    assumed = [text for text in results.loads("assumptions", []) if "assumed" in text]
    if assumed:
        texts.append((Name(assumed[0]),))
    if "mcse" in facts.frame:
        error = facts.number(ROW, "mcse")
        texts.append(fill("Computation error of a probability: at most {e}.", {"e": error}))
    return (tuple(piece for n, text in enumerate(texts) for piece in ((" ",) if n else ()) + text),)
