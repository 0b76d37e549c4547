"""`Analysis`: what `analyse` gives back, which prints as the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from pdsim.analysis.report_files import write_report
from pdsim.errors import InputError, Problem
from pdsim.reports.formats.document import Table
from pdsim.reports.formats.html import part_html
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.formats.terminal import printed
from pdsim.reports.study.cite import citation
from pdsim.reports.study.figures import Figures
from pdsim.reports.study.front import front
from pdsim.reports.study.sections import base_tables, build_document
from pdsim.reports.study.view import Results, read_results

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Analysis:
    """The answer to one study, and everything that it rests on.

    It prints as page one of the report, in a terminal and in a notebook.

    Attributes
    ----------
    results : DataTree
        Every table, see `pdsim.analysis.gather`.
    fit : DataTree or None
        The posterior; None where the results were read from a folder.
    folder : Path or None
        Where the results were written.

    Examples
    --------
    >>> import pdsim
    >>> result = pdsim.analyse(pdsim.load_example("surgical"), seed=1)
    >>> result.cite("H")[:10]
    'Level of H'
    """

    results: xr.DataTree
    fit: xr.DataTree | None = None
    folder: Path | None = None

    @property
    def failed(self) -> str:
        """What failed of the convergence gates, or nothing."""
        return self._view.failed

    @property
    def sentences(self) -> dict[str, str]:
        """The sentences of page one by their question."""
        page = front(self._view, base_tables(self._view))
        return {question: words_of(text) for question, text in page.answers}

    @property
    def tables(self) -> "Mapping[str, pd.DataFrame]":
        """Every table of the report by name, at full precision."""
        return {name: table.frame for name, table in self._tables.items()}

    @property
    def plot(self) -> Figures:
        """The figures: ``result.plot.forest()``, ``result.plot.ranks()`` and so on."""
        return Figures(self._view)

    def summary(self) -> str:
        """Return page one as text."""
        return printed(build_document(self._view, brief=True))

    def cite(self, facility: str) -> str:
        """Return what a paper says of one facility: value, interval and probability.

        Raises
        ------
        InputError
            If there is no such facility.
        """
        if facility not in self._view.facilities:
            raise InputError(
                Problem(
                    facility=facility,
                    rule="is not a facility of this study",
                    cure=f"use one of: {', '.join(self._view.facilities[:20])}",
                )
            )
        return words_of(citation(self._view, self._tables, facility))

    def write(
        self, folder: str | Path, *, formats: tuple[str, ...] = ("html",), brief: bool = False
    ) -> list[Path]:
        """Write tables and report into a folder, see `pdsim.analysis.write_report`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return write_report(self.results, target, formats=formats, brief=brief)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return part_html(build_document(self._view, brief=True))

    @property
    def _view(self) -> Results:
        return read_results(self.results)

    @property
    def _tables(self) -> dict[str, Table]:
        return {**base_tables(self._view), **build_document(self._view).tables}
