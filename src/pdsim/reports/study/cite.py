"""What a paper says of one facility."""

from pdsim.conventions import Side
from pdsim.reports.formats.document import Piece, Table, Text, fill
from pdsim.reports.study.tables import bound_names
from pdsim.reports.study.view import Results

_UNITS = {"pp": " percentage points", "%": " %"}


def citation(results: Results, tables: dict[str, Table], facility: str) -> Text:
    """Return an inline citation: value, interval, and the probability of the nearer end."""
    improvement, selection = tables["improvement"], tables["selection"]
    low, high = bound_names(results)
    top = float(selection.value(facility, "p_top"))
    side: Side = "top" if top >= float(selection.value(facility, "p_bottom")) else "bottom"
    noun = results.words.noun
    parts: dict[str, Piece | Text] = {
        "name": results.called(facility),
        "value": improvement.number(facility, "mean"),
        "interval": improvement.interval(facility, low, high),
        "p": selection.probability(facility, f"p_{side}"),
    }
    units = _UNITS.get(results.units, f" {results.units}" if results.units else "")
    text = f"{noun[:1].upper()}{noun[1:]} of {{name}}: {{value}}{units} ({results.interval_percent}"
    text += f" credible interval {{interval}}); probability of being {results.place(side)} {{p}}."
    return fill(text, parts)
