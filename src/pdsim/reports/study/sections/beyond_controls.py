"""The section on controls and covariates: what a facility did, and what would have been anyway."""

import numpy as np
import pandas as pd
import xarray as xr

from pdsim.reports import plots
from pdsim.reports.formats.document import (
    Column,
    Element,
    Paragraph,
    Picture,
    Piece,
    Section,
    Table,
    Text,
    fill,
    listing,
)
from pdsim.reports.formats.numbers import NumberKind, in_words
from pdsim.reports.study.tables import bound_names, shown_rows, with_unit
from pdsim.reports.study.view import Results, labels

_WHOLE = "all indicators"
_MOST_NAMED = 6
_EFFECT_WORDS = {
    "effect": "The programme effect",
    "effect_change": "The difference in differences",
}
_SLOPES = {"covariate_level": "Slope of the baseline", "covariate_change": "Slope of the change"}


def controls_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return the effect beside the change, controls, strata, and the choice given covariates."""
    blocks: list[Element] = []
    if results.has("programme"):
        table = programme_table(results)
        at_baseline = baseline_table(results)
        blocks += [Paragraph(text=text) for text in effect_sentences(results, table, at_baseline)]
        blocks += [effects_table(results), _forest(results), table, at_baseline]
        if results.has("effect_priors"):
            priors = effect_priors_table(results)
            blocks += [*(Paragraph(text=t) for t in prior_sentences(results, priors)), priors]
    if results.has("strata"):
        blocks.append(strata_table(results))
    if results.has("adjusted"):
        moved = adjustment_table(results)
        blocks += [Paragraph(text=adjusted_sentence(results, moved)), adjusted_table(results)]
        blocks += [moved, slopes_table(results)]
    title = "What would have been anyway: controls, strata, circumstances"
    return Section(key="controls", title=title, blocks=tuple(blocks))


def _bounds(group: xr.Dataset) -> np.ndarray:
    bounds: np.ndarray = group["interval"].transpose(..., "ci_bound").to_numpy()
    return bounds


def programme_table(results: Results) -> Table:
    """Return the programme effect on the whole, by domain and by indicator."""
    group = results.group("programme")
    low, high = bound_names(results)
    parts, kind = labels(group["part"]), results.value_kind
    frame = pd.DataFrame({"part": parts}, index=parts)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Over", keys=("part",), layout="name")]
    for name, header in (("effect", "Effect"), ("effect_change", "Difference in differences")):
        one = group.sel(estimand=name)
        frame[name] = one["mean"].to_numpy()
        frame[f"{name}_{low}"], frame[f"{name}_{high}"] = _bounds(one).T
        frame[f"{name}_p"] = one["p_positive"].to_numpy()
        frame[f"{name}_p_mcse"] = one["p_positive_mcse"].to_numpy()
        kinds |= dict.fromkeys((name, f"{name}_{low}", f"{name}_{high}"), kind)
        kinds |= {f"{name}_p": "probability", f"{name}_p_mcse": "mcse"}
        columns += [
            Column(header=with_unit(header, results.units), keys=(name,)),
            Column(
                header=f"{results.interval_percent} interval",
                keys=(f"{name}_{low}", f"{name}_{high}"),
                layout="interval",
            ),
            Column(
                header="P(above 0) (MCSE)",
                keys=(f"{name}_p", f"{name}_p_mcse"),
                layout="probability",
            ),
        ]
    return Table(
        key="programme",
        title="The programme effect: mean over the programme's facilities",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "Effect: endline less what a control facility with the same baseline would have "
                "reached; it speaks of controls like these, so that how controls differ is part of "
                "its interval. Difference in differences: change less the mean change of these "
                "very controls.",
            ),
        ),
    )


def baseline_table(results: Results) -> Table:
    """Return how far the arms lay apart at baseline, and how the controls changed."""
    attrs, other = results.group("programme").attrs, results.group("controls")
    change = results.group("improvement")["mean"].sel(estimand="change")
    frame = pd.DataFrame(
        {
            "number": [int(attrs["controls"])],
            "imbalance": [float(attrs["imbalance"])],
            "low": [float(attrs["imbalance_low"])],
            "high": [float(attrs["imbalance_high"])],
            "change": [float(other["mean"].mean())],
            "programme": [float(change.mean())],
        },
        index=["arms"],
    )
    kind = results.value_kind
    return Table(
        key="arms",
        title="The two arms",
        frame=frame,
        kinds={"number": "whole", **dict.fromkeys(map(str, list(frame)[1:]), kind)},
        columns=(
            Column(header="Controls", keys=("number",)),
            Column(header=f"Mean change of the programme ({results.units})", keys=("programme",)),
            Column(header=f"Mean change of the controls ({results.units})", keys=("change",)),
            Column(
                header=f"Baseline of the programme above that of the controls ({results.units})",
                keys=("imbalance",),
            ),
            Column(
                header=f"{results.interval_percent} interval",
                keys=("low", "high"),
                layout="interval",
            ),
        ),
        marked=bool(results.failed),
        exact=frozenset({"number"}),
        upright=True,
    )


def effect_sentences(results: Results, table: Table, arms: Table) -> list[Text]:
    """Return what the programme did beyond controls, and what that rests on."""
    low, high = bound_names(results)
    unit = f" {results.units}"
    parts: dict[str, Piece | Text] = {
        "n": arms.number("arms", "number"),
        "a": arms.number("arms", "programme"),
        "b": arms.number("arms", "change"),
        "e": table.number(_WHOLE, "effect"),
        "i": table.interval(_WHOLE, f"effect_{low}", f"effect_{high}"),
        "p": table.number(_WHOLE, "effect_p"),
        "d": arms.number("arms", "imbalance"),
        "r": arms.interval("arms", "low", "high"),
    }
    text = f"The facilities of the programme changed by {{a}}{unit} on average, the {{n}} controls "
    text += f"by {{b}}{unit}. Beyond what controls with the same baselines would have done the "
    text += f"programme's effect is {{e}}{unit} ({{i}}); it is above 0 with probability {{p}}."
    rests = (
        "This is an effect of the programme if, without it, both arms would have changed alike, "
    )
    rests += (
        "which no data of two periods can show. At baseline the programme less the controls was "
    )
    rests += (
        f"{{d}}{unit} ({{r}}): the further apart the arms began, the less that goes without saying."
    )
    found = [fill(text, parts), fill(rests, parts)]
    if not results.has("beyond"):
        few = "{n} controls do not say how controls differ from each other: with fewer than three, "
        few += "whether a facility did more than an unseen control would have is not answered."
        found.append(fill(few, parts))
    return found


def effects_table(results: Results) -> Table:
    """Return every facility's effect beside its change."""
    order = results.order
    low, high = bound_names(results)
    group = results.group("improvement").sel(facility=order)
    kind = results.value_kind
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for name, header in (("change", "Change"), ("effect", "Effect")):
        one = group.sel(estimand=name)
        frame[name] = one["mean"].to_numpy()
        frame[f"{name}_{low}"], frame[f"{name}_{high}"] = _bounds(one).T
        kinds |= dict.fromkeys((name, f"{name}_{low}", f"{name}_{high}"), kind)
        columns += [
            Column(header=with_unit(header, results.units), keys=(name,)),
            Column(
                header=f"{results.interval_percent} interval",
                keys=(f"{name}_{low}", f"{name}_{high}"),
                layout="interval",
            ),
        ]
    if results.has("effect_priors"):
        frame["sensitive"] = [_label(results, name) for name in order]
        columns.append(Column(header="Prior-sensitive", keys=("sensitive",), layout="text"))
    chances = [("p_effect", "P(effect above 0) (MCSE)", group.sel(estimand="effect"))]
    if results.has("beyond"):
        beyond = results.group("beyond").sel(facility=order)
        chances.append(("p_beyond", "P(beyond an unseen control) (MCSE)", beyond))
    for key, header, one in chances:
        frame[key] = one["p_positive"].to_numpy()
        frame[f"{key}_mcse"] = one["p_positive_mcse"].to_numpy()
        kinds |= {key: "probability", f"{key}_mcse": "mcse"}
        columns.append(Column(header=header, keys=(key, f"{key}_mcse"), layout="probability"))
    return Table(
        key="effects",
        title="Every facility: change, and effect beyond controls",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "An unseen control is one drawn like those that were seen, with the facility's own "
                "baseline: most facilities of a programme that works lie beyond it.",
            ),
        )
        if results.has("beyond")
        else (),
        shown=shown_rows(results),
    )


def _forest(results: Results) -> Picture:
    """Return the change of every facility of both arms."""
    mine = results.group("improvement").sel(estimand="change", drop=True)[["mean", "interval"]]
    other = results.group("controls")[["mean", "interval"]]
    names = [f"{name} (control)" for name in labels(other["facility"])]
    both = _joined(mine, other.assign_coords(facility=names))
    ranking = results.group("ranking")[["selected_top", "selected_bottom"]]
    nobody = xr.zeros_like(other["mean"], dtype=bool).assign_coords(facility=names)
    chosen = _joined(ranking, xr.Dataset({"selected_top": nobody, "selected_bottom": nobody}))
    figure, drawn = plots.forest(
        both, chosen, apart=names, label=with_unit("Change", results.units), failed=results.failed
    )
    return Picture(
        key="both_arms",
        caption=(
            f"Change of every facility of both arms with its {results.interval_percent} interval. "
            "Controls stand below, and are never ranked with the others.",
        ),
        alt=("Change of every facility of both arms; the values are in the file of the figure.",),
        figure=figure,
        data=drawn,
    )


def _joined(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Return the facilities of both."""
    parts = [part.drop_attrs().reset_coords(drop=True) for part in (first, second)]
    return xr.concat(parts, "facility", data_vars="minimal", coords="minimal", compat="override")


def _label(results: Results, name: str) -> str:
    """Return which statements on a facility hang on the priors."""
    group = results.group("effect_priors").sel(facility=name)
    flags = {"effect": "facility_sensitive", "beyond": "beyond_sensitive"}
    return ", ".join(word for word, key in flags.items() if key in group and bool(group[key]))


def effect_priors_table(results: Results) -> Table:
    """Return the programme effect under every prior that was tried."""
    group = results.group("effect_priors")
    names, most = labels(group["prior"]), group.attrs
    frame = pd.DataFrame({"prior": names}, index=names)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Priors", keys=("prior",), layout="name")]
    for name, header in (("effect", "Effect"), ("effect_change", "Difference in differences")):
        one = group.sel(estimand=name)
        for key, kind, title in (
            ("mean", results.value_kind, with_unit(header, results.units)),
            ("shift", "ratio", "moved by (posterior SD)"),
            ("ratio", "ratio", "SD times"),
        ):
            frame[f"{name}_{key}"] = one[key].to_numpy()
            kinds[f"{name}_{key}"] = kind
            columns.append(Column(header=title, keys=(f"{name}_{key}",)))
    return Table(
        key="effect_priors",
        title="The programme effect under other priors",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "Scales of the priors of all spreads, of the effects and baseline differences, "
                "and how far correlations of baseline and change may lie from 0, each multiplied. "
                f"Prior-sensitive: moved by more than {most['most_shift']:g} posterior standard "
                f"deviations, an interval more than {most['most_ratio']:g} times as wide or "
                f"narrow, or a probability moved by more than {most['most_moved']:g}.",
            ),
        ),
    )


def prior_sentences(results: Results, table: Table) -> list[Text]:
    """Return what hangs on the priors: the programme effect, and whose effects."""
    group = results.group("effect_priors")
    texts: list[Text] = []
    flagged = [name for name in _EFFECT_WORDS if bool(group["sensitive"].sel(estimand=name))]
    for name in flagged:
        one = group.sel(estimand=name)
        shift = np.abs(one["shift"].to_numpy()) / group.attrs["most_shift"]
        ratio = np.abs(np.log(one["ratio"].to_numpy())) / np.log(group.attrs["most_ratio"])
        worst = labels(group["prior"])[int(np.maximum(shift, ratio).argmax())]
        parts: dict[str, Piece | Text] = {
            "m": table.number(worst, f"{name}_mean"),
            "r": table.number(worst, f"{name}_ratio"),
            "own": table.number(labels(group["prior"])[0], f"{name}_mean"),
            "prior": worst,
        }
        texts.append(
            fill(
                f"{_EFFECT_WORDS[name]} is prior-sensitive: with the priors of {{prior}} "
                f"it is {{m}} in place "
                f"of {{own}} {results.units}, its standard deviation {{r}} times as large.",
                parts,
            )
        )
    calm = [words for name, words in _EFFECT_WORDS.items() if name not in flagged]
    if calm:
        verb = "is" if len(calm) == 1 else "are"
        subject = calm[0] if len(calm) == 1 else f"{calm[0]} and {calm[1][0].lower()}{calm[1][1:]}"
        texts.append((f"{subject} {verb} not prior-sensitive under the priors tried.",))
    names = [name for name in results.order if _label(results, name)]
    if names:
        called: list[Piece] = [results.called(name) for name in names]
        if len(called) > _MOST_NAMED + 1:
            called[_MOST_NAMED:] = [f"{len(called) - _MOST_NAMED} others"]
        texts.append(fill("Prior-sensitive among facilities: {who}.", {"who": listing(called)}))
    return texts


def strata_table(results: Results) -> Table:
    """Return the chances of every facility within its stratum."""
    order = results.order
    group = results.group("strata").sel(facility=order)
    frame = pd.DataFrame({"facility": order, "stratum": labels(group["stratum"])}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [
        Column(header="Facility", keys=("facility",), layout="name"),
        Column(header="Stratum", keys=("stratum",), layout="name"),
    ]
    for side, header in (("top", "P(first of its stratum) (MCSE)"), ("bottom", "P(last) (MCSE)")):
        frame[side] = group[f"p_{side}"].to_numpy()
        frame[f"{side}_mcse"] = group[f"p_{side}_mcse"].to_numpy()
        kinds |= {side: "probability", f"{side}_mcse": "mcse"}
        columns.append(Column(header=header, keys=(side, f"{side}_mcse"), layout="probability"))
    chosen = {side: group[f"selected_{side}"].to_numpy().astype(bool) for side in ("top", "bottom")}
    frame["quota"] = [
        ", ".join(word for word, flag in (("top", up), ("bottom", down)) if flag)
        for up, down in zip(chosen["top"], chosen["bottom"], strict=True)
    ]
    columns.append(Column(header="Chosen, one of each stratum", keys=("quota",), layout="text"))
    frame = frame.sort_values("stratum", kind="stable")
    return Table(
        key="strata",
        title="Within strata",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
    )


def adjusted_table(results: Results) -> Table:
    """Return the chances as observed, and given the covariates."""
    order = results.order
    group = results.group("adjusted").sel(facility=order)
    frame = pd.DataFrame({"facility": order}, index=order)
    kinds: dict[str, NumberKind] = {}
    columns = [Column(header="Facility", keys=("facility",), layout="name")]
    for given, key in (("as observed", "observed"), ("given covariates", "given")):
        one = group.sel(given=given)
        for side in ("top", "bottom"):
            name = f"{key}_{side}"
            frame[name] = one[f"p_{side}"].to_numpy()
            frame[f"{name}_mcse"] = one[f"p_{side}_mcse"].to_numpy()
            frame[f"{name}_selected"] = one[f"selected_{side}"].to_numpy().astype(bool)
            kinds |= {name: "probability", f"{name}_mcse": "mcse"}
            columns.append(
                Column(
                    header=f"P({side} {results.m}), {given} (MCSE)",
                    keys=(name, f"{name}_mcse"),
                    layout="probability",
                )
            )
    return Table(
        key="adjusted",
        title="Who is best, and who is best given its circumstances",
        frame=frame,
        kinds=kinds,
        columns=tuple(columns),
        marked=bool(results.failed),
        notes=(
            (
                "Given the covariates: every facility as it would be with average covariates. "
                "What is left then is deviance in the literal sense.",
            ),
        ),
        shown=shown_rows(results),
    )


def adjustment_table(results: Results) -> Table:
    """Return how far the adjustment moves the choice."""
    attrs = results.group("adjusted").attrs
    names = {"replaced": float(attrs["replaced"]), "p_same": float(attrs["p_same"])}
    return Table(
        key="adjustment",
        title="How far the covariates move the choice",
        frame=pd.DataFrame(names, index=["adjustment"]),
        kinds={"replaced": "ratio", "p_same": "p2"},
        columns=(
            Column(header=f"Of the top {results.m} replaced, mean", keys=("replaced",)),
            Column(header="P(none replaced)", keys=("p_same",)),
        ),
        marked=bool(results.failed),
        upright=True,
    )


def adjusted_sentence(results: Results, moved: Table) -> Text:
    """Return how many of the top m the adjustment replaces, and who comes in."""
    group = results.group("adjusted")
    chosen = {
        given: {
            name
            for name, flag in zip(
                labels(group["facility"]),
                group["selected_top"].sel(given=given).to_numpy().astype(bool),
                strict=True,
            )
            if flag
        }
        for given in labels(group["given"])
    }
    before, after = chosen["as observed"], chosen["given covariates"]
    text = f"Given the covariates, {{r}} of the top {in_words(results.m)} are replaced on average; "
    text += "none is with probability {p}. "
    parts: dict[str, Piece | Text] = {
        "r": moved.number("adjustment", "replaced"),
        "p": moved.number("adjustment", "p_same"),
    }
    come, go = ([n for n in results.order if n in one] for one in (after - before, before - after))
    if not come and not go:
        return fill(f"{text}The facilities named for the top are the same.", parts)
    if come:
        parts["come"] = listing(results.called(name) for name in come)
        text += "{come} would be named for the top"
    if go:
        parts["go"] = listing(results.called(name) for name in go)
        text += f"{' in place of ' if come else 'No longer named for the top: '}{{go}}"
    return fill(f"{text}.", parts)


def slopes_table(results: Results) -> Table:
    """Return the slopes on the covariates, with how far the adjustment moves the choice."""
    group = results.group("covariates")
    low, high = bound_names(results)
    rows = [(c, s) for c in labels(group["covariate"]) for s in labels(group["slope"])]
    cells = [group.sel(covariate=c, slope=s) for c, s in rows]
    frame = pd.DataFrame(
        {
            "covariate": [c for c, _ in rows],
            "slope": [_SLOPES[s] for _, s in rows],
            "mean": [float(cell["mean"]) for cell in cells],
        },
        index=[f"{c}\x1f{s}" for c, s in rows],
    )
    frame[low], frame[high] = np.array([cell["interval"].to_numpy() for cell in cells]).T
    scale = "logits" if results.attr("kind") == "counts" else "baseline standard deviations"
    return Table(
        key="covariates",
        title=f"Slopes on the covariates ({scale} for one standard deviation)",
        frame=frame,
        kinds={"mean": "ratio", low: "ratio", high: "ratio"},
        columns=(
            Column(header="Covariate", keys=("covariate",), layout="name"),
            Column(header="Slope", keys=("slope",), layout="text"),
            Column(header="Mean", keys=("mean",)),
            Column(
                header=f"{results.interval_percent} interval", keys=(low, high), layout="interval"
            ),
        ),
        marked=bool(results.failed),
    )
