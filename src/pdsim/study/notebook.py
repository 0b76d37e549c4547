"""A study as a notebook shows it: what was read, where cells are missing, what is assumed."""

from collections.abc import Sequence
from html import escape
from typing import Final

import xarray as xr

_ROWS: Final = 30


def study_html(
    data: xr.Dataset, *, title: str, periods: Sequence[str], assumptions: Sequence[str]
) -> str:
    """Return the data of a study as a piece of HTML; names are escaped and isolated."""
    several = data.sizes["indicator"]
    cells = data["trials"] > 0 if "trials" in data else data["mean"].notnull()
    known = cells.sum("indicator").transpose("facility", "period").to_numpy()
    cases = None
    if "trials" in data:
        cases = data["trials"].sum("indicator").transpose("facility", "period").to_numpy()
    names = data["facility"].to_numpy().astype(str).tolist()
    rows = []
    for f, name in enumerate(names[:_ROWS]):
        row = [f"<th scope='row'><bdi>{escape(name)}</bdi></th>"]
        for t in range(known.shape[1]):
            text = f"{int(known[f, t])} of {several}"
            text += "" if cases is None else f", n = {cases[f, t]:,.0f}"
            row.append(f"<td>{text}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    heads = [f"<th scope='col'><bdi>{escape(label)}</bdi></th>" for label in periods]
    left = len(names) - _ROWS
    more = f"<p>And {left:,} more.</p>" if left > 0 else ""
    said = "".join(f"<li>{escape(text)}</li>" for text in assumptions)
    return (
        f"<div><p><strong>{escape(title)}</strong></p>"
        "<table><caption>Indicators observed, and trials summed over them</caption>"
        f"<thead><tr><th scope='col'>Facility</th>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{more}<ul>{said}</ul></div>"
    )
