"""From a folder of results and a plan or a table of themes to a page on interviews."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import xarray as xr

from pdsim.analysis.fits import load_fit, save_fit
from pdsim.analysis.report_files import RESULTS_FILE
from pdsim.errors import InputError, Problem
from pdsim.files import published, write_atomically
from pdsim.interviews import (
    ContrastSettings,
    InterviewSettings,
    ThemeMapping,
    contrast_themes,
    mapped_themes,
    plan_interviews,
    qca_table,
    read_project,
    read_themes,
)
from pdsim.model import composite
from pdsim.reports.formats.csv import frame_to_csv
from pdsim.reports.formats.document import Document
from pdsim.reports.formats.write import check_formats, write_document
from pdsim.reports.interviews.interview_document import interview_document
from pdsim.reports.interviews.theme_document import theme_document
from pdsim.settings import from_toml

FIT_FILE: Final = "fit.nc"
INTERVIEW_FILE: Final = "interviews.nc"
THEME_FILE: Final = "themes.nc"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ranked:
    """The score that an analysis ranked by, and whom it named."""

    score: xr.DataArray
    m: int
    suppress_below: int
    top: tuple[str, ...]
    bottom: tuple[str, ...]

    def with_named[S: (InterviewSettings, ContrastSettings)](self, settings: S) -> S:
        """Return the settings with the facilities that the analysis named, where they name none."""
        given = (settings.top, settings.bottom, settings.m_top, settings.m_bottom)
        if any(given):
            return settings
        return replace(settings, top=self.top, bottom=self.bottom)


def _ranked(results: Path) -> _Ranked:
    """Read what an analysis wrote."""
    for name in (FIT_FILE, RESULTS_FILE):
        if not (results / name).is_file():
            cure = "give a folder that pdsim analyse wrote"
            raise InputError(Problem(file=str(results / name), rule="does not exist", cure=cure))
    tree = load_fit(results / RESULTS_FILE)
    named = {side: tuple[str, ...]() for side in ("top", "bottom")}
    if "ranking" in tree.children:
        ranking = tree["ranking"].to_dataset()
        names = ranking["facility"].values.astype(str)
        for side in named:
            named[side] = tuple(names[ranking[f"selected_{side}"].values.astype(bool)].tolist())
    return _Ranked(
        score=composite(load_fit(results / FIT_FILE)),
        m=int(tree.attrs["m"]),
        suppress_below=int(tree.attrs.get("suppress_below", -1)),
        top=named["top"],
        bottom=named["bottom"],
    )


def interview_plan_page(
    results: str | Path, plan: str | Path, *, out: str | Path, formats: Sequence[str] = ("html",)
) -> Document:
    """Plan interviews after an analysis, and write the plan and its page into a new folder.

    Parameters
    ----------
    results : str or Path
        Folder of `pdsim.analyse`.
    plan : str or Path
        TOML, see `pdsim.interviews.InterviewSettings`.
    out : str or Path
        Folder, made if it is not there.
    formats : sequence of str

    Returns
    -------
    Document
        The page. The folder holds it as ``interviews.html``, and ``interviews.nc``.

    Raises
    ------
    InputError
        Nothing is written then.
    """
    check_formats(formats)
    settings = from_toml(InterviewSettings, plan)
    ranked = _ranked(Path(results))
    tree = plan_interviews(ranked.score, settings=ranked.with_named(settings), m=ranked.m)
    document = interview_document(tree)
    with published(Path(out)) as new:
        save_fit(tree, new / INTERVIEW_FILE)
        write_document(document, new, formats=formats, stem="interviews")
    return document


def theme_page(
    results: str | Path,
    themes: str | Path,
    *,
    out: str | Path,
    config: str | Path | None = None,
    formats: Sequence[str] = ("html",),
) -> Document:
    """Contrast themes after an analysis, and write the contrast and its page into a new folder.

    Parameters
    ----------
    results : str or Path
        Folder of `pdsim.analyse`.
    themes : str or Path
        Table, see `pdsim.interviews.read_themes`.
    out : str or Path
        Folder, made if it is not there.
    config : str or Path, optional
        TOML, see `pdsim.interviews.ContrastSettings`.
    formats : sequence of str

    Returns
    -------
    Document
        The page. The folder holds it as ``themes.html``, ``themes.nc``, and the table of
        facilities by themes for QCA and cna in R as ``facility_themes.csv``.

    Raises
    ------
    InputError
        Nothing is written then.
    """
    check_formats(formats)
    settings = ContrastSettings() if config is None else from_toml(ContrastSettings, config)
    table = read_themes(themes)
    ranked = _ranked(Path(results))
    tree = contrast_themes(ranked.score, table, settings=ranked.with_named(settings), m=ranked.m)
    limit = ranked.suppress_below
    tree.attrs["suppress_below"] = limit
    document = theme_document(tree)
    exported = qca_table(tree, suppress_below=limit if limit > 0 else None)
    with published(Path(out)) as new:
        save_fit(tree, new / THEME_FILE)
        write_atomically(new / "facility_themes.csv", frame_to_csv(exported))
        write_document(document, new, formats=formats, stem="themes")
    return document


def theme_file(project: str | Path, mapping: str | Path, *, out: str | Path) -> int:
    """Write the table of themes of a coded project.

    Parameters
    ----------
    project : str or Path
        See `pdsim.interviews.read_project`.
    mapping : str or Path
        TOML, see `pdsim.interviews.ThemeMapping`.
    out : str or Path
        CSV file; one that exists is refused.

    Returns
    -------
    int
        Rows of the table.

    Raises
    ------
    InputError
    """
    target = Path(out)
    if target.exists():
        raise InputError(Problem(file=str(target), rule="exists", cure="choose another name"))
    settings = from_toml(ThemeMapping, mapping)
    table = mapped_themes(read_project(project, settings), settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, frame_to_csv(table))
    return len(table)
