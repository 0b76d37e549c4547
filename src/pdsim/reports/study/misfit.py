"""What the checks of the model say: the table, and a sentence on what it does not reproduce."""

from typing import Final

import pandas as pd

from pdsim.reports.formats.document import Column, Name, Piece, Table, Text, fill
from pdsim.reports.formats.numbers import NumberKind, in_words
from pdsim.reports.study.view import Results, labels

_SAID: Final = 1
"""Misfits that page one tells of; the table has all."""

_ASKED: Final = {
    "spread": "SD of the change",
    "baseline spread": "SD at baseline",
    "unequal spreads": "variation of the SDs of the change (%)",
    "zeros": "cells with all or none met",
    "extreme": "largest deviation of a change",
    "tails": "kurtosis of the changes",
    "facility": "mean size of its changes, in SDs",
    "facility mean": "distance of its mean change, in SDs",
    "correlation": "others that it moves with, in effect",
}
_SAYS: Final = {
    "spread": "how much {of} varies in its change (SD {a}, expected {b})",
    "baseline spread": "how much {of} varies at baseline (SD {a}, expected {b})",
    "zeros": "how often all or none of the cases of {of} were met ({a} cells, expected {b})",
    "extreme": "how far the most extreme change of {of} lies from the mean ({a}, expected {b})",
    "unequal spreads": "how unequally the indicators vary in their change (their SDs differ by "
    "{a} %, expected {b} %)",
    "tails": "how far the largest changes lie from the others (kurtosis {a}, expected {b})",
    "facility": "how large the changes of {of} are ({a} SDs on average, expected {b})",
    "facility mean": "how far the mean change of {of} lies from the others ({a} SDs, expected {b})",
    "correlation": "how far {of} moves with other indicators (in effect with {a} others, "
    "expected {b})",
}


def misfit_table(results: Results) -> Table:
    """Return every check of the model, those that failed first."""
    group = results.group("model_checks")
    texts: dict[str, str] = {}
    if results.has("study"):
        study = results.group("study")
        texts = dict(zip(labels(study["indicator"]), labels(study["label"]), strict=True))
    frame = pd.DataFrame(
        {
            "asked": [_ASKED[name] for name in labels(group["statistic"])],
            "statistic": labels(group["statistic"]),
            "of": [texts.get(name) or name for name in labels(group["of"])],
            "observed": group["observed"].to_numpy(),
            "expected": group["expected"].to_numpy(),
            "p": group["p_value"].to_numpy(),
            "flagged": group["flagged"].to_numpy().astype(bool),
            "advice": labels(group["advice"]),
        }
    )
    frame = frame.sort_values(["flagged", "p"], ascending=[False, True], kind="stable")
    frame.index = pd.Index([f"check {n}" for n in range(len(frame))])
    kinds: dict[str, NumberKind] = {"observed": "d1", "expected": "d1", "p": "d3"}
    if results.attr("kind") == "scores":
        kinds |= {"observed": "d2", "expected": "d2"}
    failed = [str(row) for row in frame.index[frame["flagged"]]]
    return Table(
        key="model_checks",
        title="What the model reproduces",
        frame=frame,
        kinds=kinds,
        columns=(
            Column(header="Asked", keys=("asked",), layout="text"),
            Column(header="Of", keys=("of",), layout="name"),
            Column(header="Observed", keys=("observed",)),
            Column(header="Expected", keys=("expected",)),
            Column(header="p", keys=("p",)),
            Column(header="What to do", keys=("advice",), layout="text"),
        ),
        marked=bool(results.failed),
        notes=(
            (
                "Beside data of new facilities from the fitted model; p allows for looking at all "
                "indicators or facilities. All checks of a study for which the model is right "
                f"flag anything in at most {100.0 * float(group.attrs['false_alarms']):g} %.",
            ),
        ),
        shown=tuple(failed) if failed else tuple(str(row) for row in frame.index[:5]),
    )


def misfit_sentences(table: Table) -> list[Text]:
    """Return what the model does not reproduce, and what to do about it."""
    flagged = [row for row in table.positions if table.value(row, "flagged")]
    texts: list[Text] = []
    for row in flagged[:_SAID]:
        parts: dict[str, Piece | Text] = {
            "of": Name(str(table.value(row, "of"))),
            "a": table.number(row, "observed"),
            "b": table.number(row, "expected"),
        }
        said = _SAYS[str(table.value(row, "statistic"))]
        texts.append(
            fill(f"The model does not reproduce {said}: {table.value(row, 'advice')}.", parts)
        )
    more = len(flagged) - len(texts)
    if more > 0:
        other = "check fails" if more == 1 else "checks fail"
        texts.append((f"{in_words(more).capitalize()} more {other}, listed below.",))
    return texts
