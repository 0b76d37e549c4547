"""themes.html: what the coded interviews say of truly higher against truly lower facilities."""

import json
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.conventions import CERTAIN
from pdsim.interviews.qcaexport import small_share
from pdsim.reports.formats.document import (
    Column,
    Document,
    Element,
    Name,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
    fill,
)
from pdsim.reports.formats.numbers import NumberKind
from pdsim.reports.interviews.interview_tables import (
    failed_gate,
    frame_of_rows,
    group_table,
    role_picture,
    role_table,
)
from pdsim.reports.plots.interview_figures import theme_contrasts, theme_rounds

_ALL: Final = "all"
_CONTRAST: Final[dict[str, NumberKind]] = {
    "contrast": "d2", "low": "d2", "high": "d2", "p_positive": "probability",
    "p_positive_mcse": "mcse", "named": "d2", "named_low": "d2", "named_high": "d2",
    "widening": "d2", "worst_low": "d2", "worst_high": "d2", "slope": "d4",
    "slope_low": "d4", "slope_high": "d4", "corrected": "d2", "corrected_low": "d2",
    "corrected_high": "d2",
}  # fmt: skip


def theme_document(results: xr.DataTree) -> Document:
    """Return the page on a contrast of themes, in no format yet.

    Parameters
    ----------
    results : xr.DataTree
        From `pdsim.contrast_themes`; the attribute ``suppress_below`` holds back shares that rest
        on small counts.
    """
    contrast = results["contrast"].to_dataset()
    main = _contrast_table(results, contrast.sel(round=_ALL, drop=True))
    figure, data = theme_contrasts(contrast.sel(round=_ALL, drop=True), failed=failed_gate(results))
    caption = (
        "Thick: the contrast between the true top and the true bottom, with the doubt which "
        "facilities these are. Thin: the same codes as if the groups were certain.",
    )
    picture = Picture(key="contrasts", caption=caption, alt=caption, figure=figure, data=data)
    summary = [Paragraph(text=text, style="summary") for text in _sentences(main)]
    sections = [
        Section(
            key="answer",
            title="Themes of higher against lower facilities",
            blocks=(*summary, main, picture, Paragraph(text=_how()), _more_table(main)),
        ),
        Section(key="shares", title="Who said what", blocks=(_share_table(results),)),
        Section(key="permutation", title="Permutation of facilities", blocks=_permutation(results)),
    ]
    if len(contrast["round"]) > 2:
        sections.insert(1, Section(key="rounds", title="Over the rounds", blocks=_rounds(results)))
    if "agreement" in results.children:
        table = _agreement(results)
        sections.append(Section(key="agreement", title="Agreement of coders", blocks=(table,)))
    if "combinations" in results.children:
        sections.append(
            Section(key="combinations", title="Stated combinations", blocks=_combinations(results))
        )
    blocks = (group_table(results), role_table(results), role_picture(results))
    sections.append(Section(key="groups", title="How sure the groups are", blocks=blocks))
    return Document(
        title=(Name(results.attrs["name"] or "Themes in the interviews"),),
        subtitle=("Truly higher against truly lower facilities",),
        sections=tuple(sections),
        failed=failed_gate(results),
    )


def _how() -> Text:
    return (
        "For every draw of the scores the contrast is between that draw's own top and bottom. "
        "Draws that divide the facilities as the codes of a theme suggest count for more, for this "
        "theme alone; no rank is moved by an interview. Shares are partially pooled.",
    )


def _contrast_table(results: xr.DataTree, data: xr.Dataset) -> Table:
    frame = frame_of_rows(data, "theme")
    columns = [
        Column(header="Theme", keys=("theme",), layout="name"),
        Column(header="Contrast", keys=("contrast",)),
        Column(header="95 % interval", keys=("low", "high"), layout="interval"),
        Column(header="P(more in higher)", keys=("p_positive", "p_positive_mcse"),
               layout="probability"),
        Column(header="As if certain", keys=("named_low", "named_high"), layout="interval"),
        Column(header="Wider by", keys=("widening",)),
    ]  # fmt: skip
    if "corrected" in data:
        columns.append(
            Column(header="Without coders' error", keys=("corrected_low", "corrected_high"),
                   layout="interval")
        )  # fmt: skip
    return Table(
        key="contrast",
        title="Contrast of the share of informants who voice a theme",
        frame=frame,
        kinds={name: kind for name, kind in _CONTRAST.items() if name in frame},
        columns=tuple(columns),
        marked=bool(failed_gate(results)),
    )


def _more_table(main: Table) -> Table:
    """Return what else is known of each theme, from the same rows."""
    return Table(
        key="bounds",
        title="Bounds and slopes",
        frame=main.frame,
        kinds=main.kinds,
        columns=(
            Column(header="Theme", keys=("theme",), layout="name"),
            Column(header="Whatever those not interviewed would have said",
                   keys=("worst_low", "worst_high"), layout="interval"),
            Column(header="Slope of the share, per unit of the score", keys=("slope",)),
            Column(header="95 % interval", keys=("slope_low", "slope_high"), layout="interval"),
        ),
        marked=main.marked,
    )  # fmt: skip


def _sentences(table: Table) -> list[Text]:
    """Return one sentence for each theme, the clearest first."""
    probability = table.frame["p_positive"].astype(float)
    order = (probability - 0.5).abs().sort_values(ascending=False, kind="stable").index
    return [_theme_sentence(table, str(row)) for row in order]


def _theme_sentence(table: Table, row: str) -> Text:
    p = float(table.value(row, "p_positive"))
    sure = max(p, 1.0 - p) >= CERTAIN
    words = {True: "more often", False: "less often"}[p >= 0.5]
    text = (
        "{theme} is voiced {words} where performance is truly higher"
        if sure
        else "Whether {theme} is voiced more or less often where performance is truly higher is "
        "open"
    )
    text += (
        ": the contrast is {contrast} ({interval}), above 0 with probability {p}. As if the groups "
        "were certain, it would be {named}."
    )
    parts: dict[str, Any] = {
        "theme": Name(row),
        "words": words,
        "contrast": table.number(row, "contrast"),
        "interval": table.interval(row, "low", "high"),
        "p": table.probability(row, "p_positive"),
        "named": table.interval(row, "named_low", "named_high"),
    }
    return fill(text, parts)


def _share_table(results: xr.DataTree) -> Table:
    """Return descriptive shares by facility; those that give away small counts are held back."""
    data = results["shares"].to_dataset().sel(round=_ALL, drop=True)
    share = data["share"]
    limit = int(results.attrs.get("suppress_below", -1))
    notes: list[Text] = [
        ("The share of informants who voice a theme, of those with whom it was discussed.",)
    ]
    if limit > 0:
        share = share.where(~small_share(data, limit))
        notes.append((f"A dash also stands for shares that rest on a count below {limit}.",))
    themes = [str(name) for name in data["theme"].values]
    keys = [f"theme {k + 1}" for k in range(len(themes))]
    names = [str(name) for name in data["facility"].values]
    frame = pd.DataFrame(share.transpose("facility", "theme").values, index=names, columns=keys)
    informants = data["interviewed"]
    frame.insert(0, "facility", names)
    # a small number of informants is itself a small count
    frame["informants"] = informants.where((informants == 0) | (informants >= limit)).values
    frame["role"] = results["roles"].to_dataset()["role"].values
    frame = frame[informants.values > 0]
    return Table(
        key="shares",
        title="Shares by facility",
        frame=frame,
        kinds={**dict.fromkeys(keys, "d2"), "informants": "whole"},
        columns=(
            Column(header="Facility", keys=("facility",), layout="name"),
            Column(header="Part", keys=("role",), layout="text"),
            Column(header="Informants", keys=("informants",)),
            *(Column(header=(Name(name),), keys=(key,))
              for name, key in zip(themes, keys, strict=True)),
        ),
        notes=tuple(notes),
    )  # fmt: skip


def _permutation(results: xr.DataTree) -> tuple[Element, ...]:
    data = results["permutation"].to_dataset()
    frame = frame_of_rows(data, "theme")
    least = pd.DataFrame([{"least": data.attrs.get("least_p", np.nan)}], index=["least"])
    bound = Table(
        key="least-p",
        title="The least there can be",
        frame=least,
        kinds={"least": "d4"},
        columns=(Column(header="Least attainable one-sided p", keys=("least",)),),
        upright=True,
    )
    table = Table(
        key="permutations",
        title="Permutation of facilities, not of informants",
        frame=frame,
        kinds={"observed": "d2", "p_higher": "d4", "p_lower": "d4", "p_any": "d4"},
        columns=(
            Column(header="Theme", keys=("theme",), layout="name"),
            Column(header="Observed contrast", keys=("observed",)),
            Column(header="p, more in higher", keys=("p_higher",)),
            Column(header="p, less in higher", keys=("p_lower",)),
            Column(header="p, any theme, either way", keys=("p_any",)),
        ),
    )
    text = (
        "All ways to call {high} of these facilities higher and {low} lower are gone through. The "
        "smallest one-sided p that this can give is {least}, so a p near it is as clear as such a "
        "study can be. The last column counts that several themes were looked at. The groups are "
        "taken as certain here."
    )
    parts: dict[str, Any] = {
        "high": str(data.attrs["high"]),
        "low": str(data.attrs["low"]),
        "least": bound.number("least", "least"),
    }
    return Paragraph(text=fill(text, parts)), bound, table


def _rounds(results: xr.DataTree) -> tuple[Element, ...]:
    contrast = results["contrast"].to_dataset()
    rounds = [name for name in contrast["round"].values if name != _ALL]
    figure, data = theme_rounds(contrast.sel(round=rounds), failed=failed_gate(results))
    caption = ("The contrast of each theme in each round, with 95 % intervals.",)
    change = results["rounds"].to_dataset()
    frame = frame_of_rows(change, "theme")
    kinds: dict[str, NumberKind] = {"p_positive": "probability", "p_positive_mcse": "mcse"}
    for name in ("contrast", "high_group", "low_group"):
        kinds |= {f"{name}_change": "d2", f"{name}_low": "d2", f"{name}_high": "d2"}
    table = Table(
        key="round-changes",
        title=f"Change from round {change.attrs['first']} to round {change.attrs['last']}",
        frame=frame,
        kinds=kinds,
        columns=(
            Column(header="Theme", keys=("theme",), layout="name"),
            Column(header="Change of the contrast", keys=("contrast_change",)),
            Column(header="95 % interval", keys=("contrast_low", "contrast_high"),
                   layout="interval"),
            Column(header="P(it grew)", keys=("p_positive", "p_positive_mcse"),
                   layout="probability"),
            Column(header="Higher group", keys=("high_group_low", "high_group_high"),
                   layout="interval"),
            Column(header="Lower group", keys=("low_group_low", "low_group_high"),
                   layout="interval"),
        ),
        marked=bool(failed_gate(results)),
    )  # fmt: skip
    picture = Picture(key="rounds", caption=caption, alt=caption, figure=figure, data=data)
    return picture, table


def _agreement(results: xr.DataTree) -> Table:
    frame = frame_of_rows(results["agreement"].to_dataset(), "theme")
    return Table(
        key="agreement",
        title="Krippendorff's alpha",
        frame=frame,
        kinds={"alpha": "d2", "low": "d2", "high": "d2", "coders": "whole",
               "doubly_coded": "whole"},
        columns=(
            Column(header="Theme", keys=("theme",), layout="name"),
            Column(header="Alpha", keys=("alpha",)),
            Column(header="95 % interval", keys=("low", "high"), layout="interval"),
            Column(header="Coders", keys=("coders",)),
            Column(header="Interviews coded twice", keys=("doubly_coded",)),
            Column(header="Scale", keys=("metric",), layout="text"),
        ),
        notes=(("Intervals by bootstrap over interviews.",),),
    )  # fmt: skip


def _combinations(results: xr.DataTree) -> tuple[Element, ...]:
    data = results["combinations"].to_dataset()
    frame = frame_of_rows(data, "combination")
    threshold = json.loads(results.attrs["settings"])["threshold"]
    text = (
        "Combinations are stated, never searched for. A facility has a theme if "
        f"at least {100 * threshold:g} % of its informants voice it. Consistency is the share of "
        "the facilities meeting the conditions that are truly at the top; coverage, the share of "
        "the true top that meets them. How many combinations of as many conditions there are, how "
        "many divide the two groups perfectly, and how many would if the labels were dealt out at "
        "random, is said beside them.",
    )
    table = Table(
        key="combinations",
        title="Combinations of conditions",
        frame=frame,
        kinds={"facilities": "whole", "consistency": "d2", "coverage": "d2",
               "consistency_named": "d2", "coverage_named": "d2", "possible": "whole",
               "dividing": "whole", "dividing_by_chance": "d2"},
        columns=(
            Column(header="Combination", keys=("combination",), layout="name"),
            Column(header="Facilities", keys=("facilities",)),
            Column(header="Consistency", keys=("consistency",)),
            Column(header="Coverage", keys=("coverage",)),
            Column(header="Possible", keys=("possible",)),
            Column(header="Dividing", keys=("dividing",)),
            Column(header="By chance", keys=("dividing_by_chance",)),
        ),
        marked=bool(failed_gate(results)),
        exact=frozenset({"facilities", "possible", "dividing", "dividing_by_chance"}),
    )  # fmt: skip
    return Paragraph(text=text), table
