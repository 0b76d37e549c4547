"""The methods paragraph, written from the configuration of the analysis."""

from pdsim.reports.formats.document import Name, Piece, Table, Text, fill, listing
from pdsim.reports.formats.numbers import in_words
from pdsim.reports.study.facts import ROW
from pdsim.reports.study.view import Results, labels

_LEVELS = {
    "facility": "facilities",
    "domain": "domains within a facility",
    "indicator": "indicators within a facility",
}


def methods(results: Results, tables: dict[str, Table]) -> tuple[Text, ...]:
    """Return the methods paragraphs.

    Parameters
    ----------
    results : Results
    tables : dict of str to Table
        ``facts`` and ``settings``.
    """
    texts = [
        _data(results, tables),
        *_model(results, tables["settings"]),
        _ranking(results, tables),
    ]
    if results.attr("engine") in ("nuts", "laplace"):
        texts.insert(-1, _inference(results, tables["settings"]))
    return tuple(text for text in texts if text)


def _data(results: Results, tables: dict[str, Table]) -> Text:
    facts = tables["facts"]
    parts: dict[str, Piece | Text] = {
        "n": facts.number(ROW, "facilities"),
        "measure": results.words.measured
        if results.attr("engine", "") != "estimates"
        else "estimates with their standard errors",
    }
    text = "{n} facilities were compared by {measure}"
    if results.has("study"):
        parts |= {"k": facts.number(ROW, "indicators"), "weights": _weights(results)}
        text += (
            ", a weighted mean of {k} indicators ({weights}), each turned so that higher is better"
        )
        if facts.value(ROW, "indicators") == 1:
            text = text.replace(
                ", a weighted mean of {k} indicators ({weights}), each turned",
                ", on {k} indicator, turned",
            )
    return fill(f"{text}.", parts)


def _weights(results: Results) -> str:
    weight = results.group("study")["weight"].to_numpy()
    return "equal weights" if abs(weight - weight.mean()).max() < 1e-9 else "weights as stated"


def _model(results: Results, settings: Table) -> list[Text]:
    if not results.has("hyper"):
        return []
    names = {name.partition(":")[0] for name in labels(results.group("hyper")["parameter"])}
    present = [words for level, words in _LEVELS.items() if f"sd_baseline_{level}" in names]
    two = any(name.startswith("sd_change") for name in names)
    likelihood = (
        "Successes were binomial given the trials, with logits that are the sum of"
        if results.attr("kind") == "counts"
        else "Mean scores were normal with their known standard errors"
        f"{_errors_correlate(results)}, around the sum of"
    )
    effects = (
        "pairs of normal effects (baseline and change, correlated) of"
        if two
        else "normal effects of"
    )
    df = results.study_settings.get("facility_df")
    texts: list[Text] = [
        (
            f"{likelihood} an indicator's own level and {effects} ",
            *listing(present),
            "; their priors are in the table below." if results.loads("priors", {}) else ".",
        )
    ]
    if df is not None:
        texts.append(
            (
                f"The effects of a facility were Student t with {df:g} degrees of freedom: normal, "
                "with a spread of its own.",
            )
        )
    if results.has("programme"):
        parameters = labels(results.group("hyper")["parameter"])
        apart = any(name.startswith("sd_change_facility:") for name in parameters)
        spread = (
            "the baselines of facilities of both spread alike, and the changes of each with a "
            "standard deviation of its own"
            if apart
            else "facilities of both spread alike"
        )
        texts.append(
            (
                "The programme and the controls had levels and changes of their own for every "
                f"indicator, around which {spread}; only facilities of the programme were ranked.",
            )
        )
    if results.has("covariates"):
        texts.append(
            (
                "Levels and changes also depended on the standardised covariates, with slopes that "
                "all indicators share.",
            )
        )
    if results.has("study") and "expected" in results.group("study"):
        texts.append(
            (
                "Logits were shifted by the mix of cases, logit(expected / trials) less that of "
                "the reference, so that levels are those of the reference mix.",
            )
        )
    r = float(results.attr("case_correlation", float("nan")))
    if results.attr("kind") == "counts" and r > 0:
        source = {"estimated": "estimated from the cases", "stated": "assumed"}
        how = source.get(str(results.attr("case_correlation_source")), "assumed")
        items = results.study_settings.get("items", 1)
        effect = (
            "enters as a design effect on the cases"
            if items and int(items) > 1
            else "enters as a shock that the indicators of a facility and period share and that "
            "is not part of the improvement"
        )
        value = settings.number(ROW, "case_correlation")
        parts: dict[str, Piece | Text] = {"r": value, "how": how, "effect": effect}
        texts.append(fill("A within-case correlation of {r}, {how}, {effect}.", parts))
    return texts


def _errors_correlate(results: Results) -> str:
    return (
        " and the stated correlations of the errors of a facility"
        if results.attr("errors_correlate")
        else ""
    )


def _inference(results: Results, settings: Table) -> Text:
    versions = results.loads("versions", {})
    parts: dict[str, Piece | Text] = {
        "pymc": Name(f"PyMC {versions.get('pymc', '')}".strip()),
        "pdsim": Name(f"pdsim {versions.get('pdsim', '')}".strip()),
    }
    for key in ("draws", "tune", "chains", "seed"):
        parts[key] = settings.number(ROW, key) if key in settings.frame else "unknown"
    if results.attr("engine") == "nuts":
        return fill(
            "The posterior was drawn with {pdsim} and {pymc} by the No-U-Turn sampler: {chains} "
            "chains of {draws} draws after {tune} tuning draws each, seed {seed}. Draws were "
            "accepted if R-hat was below 1.01, bulk and tail effective sample sizes were above "
            "400, and no transition diverged.",
            parts,
        )
    return fill(
        "The posterior was computed with {pdsim}: hyperparameters by Hamiltonian Monte Carlo "
        "from a corrected Laplace approximation, effects from a Gaussian approximation, whole "
        "draws weighted by the ratio of posterior to approximation; {draws} draws, seed {seed}. "
        "It was accepted if {gates}.",
        parts | {"gates": listing(_fast_gates(results))},
    )


def _fast_gates(results: Results) -> list[Text]:
    """Return the conditions that the fast engine's posterior had to meet."""
    words = {
        "R-hat": "R-hat of the hyperparameters was below ",
        "Pareto k": "the Pareto k of the weights below ",
        "ESS of the hyperparameters": "the effective number of hyperparameter points above ",
        "effective share of draws": "the effective share of the draws above ",
        "ESS of the composite": "the effective number of draws of the composite above ",
    }
    limits = {gate["name"]: gate["limit"] for gate in results.loads("gates", [])}
    return [(f"{words[name]}{limits[name]:g}",) for name in words if name in limits]


def _ranking(results: Results, tables: dict[str, Table]) -> Text:
    return fill(
        "In every draw the facilities were ranked; P(top {m}) is the share of draws in which a "
        "facility is among the first {m}, tied facilities sharing places equally. The "
        "{words} with the highest P(top {m}) were selected, which minimises the expected number "
        "of wrong names, and likewise at the other end. Intervals are equal-tailed with "
        "probability {ci}. Monte Carlo standard errors (MCSE) rest on effective sample sizes. "
        "Statements are called certain from probability {limit} on.",
        {
            "m": tables["facts"].number(ROW, "m"),
            "words": in_words(results.m),
            "ci": results.interval_percent,
            "limit": tables["facts"].number(ROW, "certain"),
        },
    )
