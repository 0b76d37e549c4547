"""From the codes of a project to the table of themes: which document is whose, which code is what.

facility = "attribute:Hospital"          # or "case", "set", "name"
round = "attribute:Round"
[themes]
leadership = ["supportive manager", "category:Leadership", "within:Governance"]
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.interviews.codematrix import read_code_matrix
from pdsim.interviews.codings import CASE, SET, CodedProject
from pdsim.interviews.refi import read_refi
from pdsim.interviews.sqliteprojects import read_qualcoder, read_taguette
from pdsim.interviews.themetable import COLUMNS
from pdsim.settings import FORBID_EXTRA

_NAME: Final = "name"
_PARTS: Final = ("facility", "informant", "round")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeMapping:
    """How documents and codes become facilities, informants, rounds and themes.

    Attributes
    ----------
    facility : str
        Where the facility of a document stands: ``case``, ``set``, ``attribute:NAME``, or
        ``name`` (in its name, see `pattern`; for a table, the name itself).
    informant : str
        The same for the informant; ``document`` if each document is one.
    round : str
        The same for the round; empty if there is one.
    pattern : str
        Regular expression for names, with the groups ``facility``, ``informant``, ``round``.
    facilities : dict of str to tuple of str
        Facility to documents, in place of `facility`.
    themes : dict of str to tuple of str
        Theme to codes; ``category:NAME`` means the codes directly in a category, ``within:NAME``
        all below it. By default every code is a theme.
    leave_out : tuple of str
        Documents.
    keep_uncoded : bool
        Whether a document without any coding counts as one in which nothing was said.
    value : {"present", "count"}
        What the table holds.
    documents_in, sheet, names, skip : optional
        For tables, see `read_code_matrix`.
    project : int, optional
        Of a Taguette database.

    Examples
    --------
    >>> ThemeMapping(facility="attribute:Hospital").informant
    'document'
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    facility: str = CASE
    informant: str = "document"
    round: str = ""
    pattern: str = ""
    facilities: dict[str, tuple[str, ...]] = field(default_factory=dict)
    themes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    keep_uncoded: bool = False
    value: Literal["present", "count"] = "present"
    documents_in: Literal["rows", "columns"] = "rows"
    sheet: str | None = None
    names: str | None = None
    skip: int = 0
    project: int | None = None

    def __post_init__(self) -> None:
        for words in (self.facility, self.informant, self.round):
            kind = words.partition(":")[0]
            if words and kind not in (CASE, SET, "attribute", _NAME, "document"):
                raise ValueError(f"{words!r:.40} is none of case, set, name, attribute:NAME")
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise ValueError(f"pattern is no regular expression ({error})") from None
        unknown = sorted(set(groups) - set(_PARTS))
        if unknown:
            raise ValueError(f"pattern: there is no part {unknown[0]!r}; use {', '.join(_PARTS)}")
        if self.skip < 0:
            raise ValueError(f"skip must be 0 or more, got {self.skip}")


def read_project(path: str | Path, mapping: ThemeMapping) -> CodedProject:
    """Read a project or a table, by the ending of its name.

    Parameters
    ----------
    path : str or Path
        ``.qdpx``, ``.qde`` or ``.qdc`` (REFI-QDA), ``.qda`` (QualCoder), ``.sqlite3`` or ``.db``
        (Taguette), ``.csv``, ``.tsv``, ``.txt`` or ``.xlsx`` (a table of codes by documents).
    mapping : ThemeMapping

    Raises
    ------
    InputError
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".qdpx", ".qde", ".qdc"):
        return read_refi(path)
    if suffix == ".qda":
        return read_qualcoder(path)
    if suffix in (".sqlite3", ".sqlite", ".db"):
        return read_taguette(path, project_id=mapping.project)
    if suffix in (".csv", ".tsv", ".txt", ".tab", ".xlsx"):
        return read_code_matrix(
            path,
            documents_in=mapping.documents_in,
            sheet=mapping.sheet,
            names=mapping.names,
            skip=mapping.skip,
        )
    raise InputError(
        Problem(
            file=path.name,
            rule=f"files with the ending {suffix or '(none)'} are not read",
            cure="give a .qdpx, .qda, .sqlite3, .csv or .xlsx file",
        )
    )


def mapped_themes(project: CodedProject, mapping: ThemeMapping) -> pd.DataFrame:
    """Return the table of themes of a project, with a row for every theme that was not coded too.

    Parameters
    ----------
    project : CodedProject
    mapping : ThemeMapping

    Returns
    -------
    DataFrame
        The columns of a table of themes, see `read_themes`. Documents without any coding are left
        out unless the mapping keeps them. Every coder of a document has a row for every theme.

    Raises
    ------
    InputError
        If a document has no facility, or the mapping names what the project has not.
    """
    themes = _themes(project, mapping)
    coded = set(project.codings["document"])
    kept = [
        name
        for name in project.documents
        if name not in mapping.leave_out and (mapping.keep_uncoded or name in coded)
    ]
    places = {name: _place(project, mapping, name) for name in kept}
    problems = [
        Problem(file=project.file, rule=rule, cure="mend the mapping, or list it in leave_out")
        for place in places.values()
        for rule in place
        if rule.startswith("document ")
    ]
    if problems:
        raise InputError(problems[:20])
    counts = project.codings.groupby(["document", "coder", "code"])["times"].sum().to_dict()
    coders = project.codings.groupby("document")["coder"].unique().to_dict()
    rows = []
    for name in kept:
        facility, informant, month = places[name]
        for coder in coders.get(name, [""]):
            for theme, codes in themes.items():
                times = sum(counts.get((name, coder, code), 0) for code in codes)
                value = times if mapping.value == "count" else int(times > 0)
                rows.append((facility, informant, month, coder, theme, value))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # two documents of one informant in one round are one interview
    keys = [name for name in COLUMNS if name != "value"]
    joined = table.groupby(keys, sort=False)["value"]
    table = (joined.sum() if mapping.value == "count" else joined.max()).reset_index()
    return table.astype({"value": np.int64})


def _themes(project: CodedProject, mapping: ThemeMapping) -> dict[str, list[str]]:
    """Return the codes of each theme."""
    codes, paths = project.codes["code"].tolist(), project.codes["path"].tolist()
    if not mapping.themes:
        return {code: [code] for code in codes}
    problems, found = [], {}
    for theme, entries in mapping.themes.items():
        chosen: list[str] = []
        for entry in entries:
            kind, _, name = entry.partition(":")
            if kind == "category":
                hits = [c for c, p in zip(codes, paths, strict=True) if p and p[-1] == name]
            elif kind == "within":
                hits = [c for c, p in zip(codes, paths, strict=True) if name in p or c == name]
            else:
                hits = [c for c in codes if c == entry]
            if not hits:
                rule = f"theme {theme!r:.40}: the project has no code {entry!r:.80}"
                problems.append(Problem(file=project.file, rule=rule, cure="mend the mapping"))
            chosen += hits
        found[theme] = list(dict.fromkeys(chosen))
    if problems:
        raise InputError(problems[:20])
    return found


def _place(project: CodedProject, mapping: ThemeMapping, name: str) -> tuple[str, str, str]:
    """Return facility, informant and round of a document; a broken rule in place of a name."""
    given = [place for place, members in mapping.facilities.items() if name in members]
    if len(given) > 1:
        facility = f"document {name!r:.60} stands under two facilities"
    elif given:
        facility = given[0]
    else:
        facility = _part(project, mapping, name, mapping.facility, "facility")
    informant = _part(project, mapping, name, mapping.informant, "informant")
    month = _part(project, mapping, name, mapping.round, "round") if mapping.round else ""
    return facility, informant, month


def _part(project: CodedProject, mapping: ThemeMapping, name: str, where: str, part: str) -> str:
    if where == "document":
        return name
    if where == _NAME:
        if not mapping.pattern:
            return name
        match = re.search(mapping.pattern, name)
        found = match.groupdict().get(part) if match else None
        return found or f"document {name!r:.60}: its name has no {part} by the pattern"
    key = where.removeprefix("attribute:")
    rows = project.attributes
    values = rows["value"][(rows["document"] == name) & (rows["attribute"] == key)].unique()
    if len(values) == 1:
        return str(values[0])
    several = "several values" if len(values) else "no value"
    return f"document {name!r:.60} has {several} of {key!r:.40} for its {part}"
