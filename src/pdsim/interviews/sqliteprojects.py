"""Projects that are SQLite databases: QualCoder and Taguette. They are opened read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pdsim.errors import InputError, Problem
from pdsim.interviews.codings import CASE, CodedProject, file_bytes, project

MAX_ROWS: Final = 5_000_000


def read_qualcoder(path: str | Path) -> CodedProject:
    """Read codes, categories, cases, attributes, coders and codings of a QualCoder project.

    Parameters
    ----------
    path : str or Path
        The folder ``NAME.qda`` or the database in it.

    Raises
    ------
    InputError

    Examples
    --------
    >>> read_qualcoder("none.qda")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: none.qda: cannot be read (No such file or directory); check the path.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "data.qda"
    with _database(path, ("source", "code_name", "code_cat", "code_text")) as database:
        documents = dict(_rows(database, "select id, name from source order by id"))
        above = {
            key: (name, parent)
            for key, name, parent in _rows(database, "select catid, name, supercatid from code_cat")
        }
        rows = _rows(database, "select cid, name, catid from code_name order by cid")
        codes = {key: (str(name), _path(parent, above)) for key, name, parent in rows}
        tables = _tables(database)
        codings = []
        for table, column in (("code_text", "fid"), ("code_image", "id"), ("code_av", "id")):
            if table not in tables:
                continue
            # the table and the column are ours, never the file's
            query = f"select {column}, cid, owner from {table}"
            codings += [
                (str(documents[key]), codes[code][0], str(owner or ""))
                for key, code, owner in _rows(database, query)
                if key in documents and code in codes
            ]
        attributes = _qualcoder_attributes(database, tables, documents)
    names = [str(name) for name in documents.values()]
    return project(path.name, names, list(codes.values()), codings, attributes)


def _qualcoder_attributes(
    database: sqlite3.Connection, tables: set[str], documents: dict[int, str]
) -> list[tuple[str, str, str]]:
    """Return the cases of the documents, and the attributes of both."""
    found: list[tuple[str, str, str]] = []
    members: dict[int, list[str]] = {}
    if {"cases", "case_text"} <= tables:
        query = (
            "select c.caseid, c.name, t.fid from case_text t join cases c on c.caseid = t.caseid"
        )
        for case, name, document in _rows(database, query):
            if document in documents:
                members.setdefault(case, []).append(str(documents[document]))
                found.append((str(documents[document]), CASE, str(name)))
    if {"attribute", "attribute_type"} <= tables:
        query = "select id, name, attr_type, value from attribute where coalesce(value, '') <> ''"
        for key, name, kind, value in _rows(database, query):
            holders = members.get(key, []) if kind == "case" else [str(documents.get(key, ""))]
            found += [(holder, str(name), str(value)) for holder in holders if holder]
    return found


def read_taguette(path: str | Path, *, project_id: int | None = None) -> CodedProject:
    """Read tags and highlights of a Taguette database.

    Parameters
    ----------
    path : str or Path
        ``.sqlite3`` or ``.db``.
    project_id : int, optional
        Needed where the database holds several projects.

    Raises
    ------
    InputError

    Examples
    --------
    >>> read_taguette("none.db")
    Traceback (most recent call last):
        ...
    pdsim.errors.InputError: none.db: cannot be read (No such file or directory); check the path.
    """
    path = Path(path)
    needed = ("projects", "documents", "tags", "highlights", "highlight_tags")
    with _database(path, needed) as database:
        projects = dict(_rows(database, "select id, name from projects order by id"))
        if project_id is None and len(projects) == 1:
            project_id = next(iter(projects))
        if project_id not in projects:
            names = ", ".join(f"{key} ({name!r:.40})" for key, name in list(projects.items())[:20])
            rule = f"holds the projects {names or 'none'}"
            raise InputError(Problem(file=path.name, rule=rule, cure="choose one by its number"))
        of = (project_id,)
        documents = [
            str(name)
            for (name,) in _rows(
                database, "select name from documents where project_id = ? order by id", of
            )
        ]
        # a dot in the path of a tag makes a tree
        tags = [
            str(name)
            for (name,) in _rows(database, "select path from tags where project_id = ?", of)
        ]
        query = (
            "select d.name, t.path from highlights h "
            "join highlight_tags x on x.highlight_id = h.id join tags t on t.id = x.tag_id "
            "join documents d on d.id = h.document_id "
            "where d.project_id = ? order by h.id"
        )
        codings = [(str(name), str(tag), "") for name, tag in _rows(database, query, of)]
    codes = [(tag, _prefixes(tag)) for tag in tags]
    return project(path.name, documents, codes, codings, [])


def _prefixes(tag: str) -> tuple[str, ...]:
    parts = tag.split(".")
    return tuple(".".join(parts[: k + 1]) for k in range(len(parts) - 1))


def _path(parent: Any, above: dict[Any, tuple[str, Any]]) -> tuple[str, ...]:
    """Return the categories above a code, outermost first; a circle ends where it closes."""
    path: list[str] = []
    seen: set[Any] = set()
    while parent in above and parent not in seen:
        seen.add(parent)
        name, parent = above[parent]
        path.insert(0, str(name))
    return tuple(path)


@contextmanager
def _database(path: Path, needed: tuple[str, ...]) -> Iterator[sqlite3.Connection]:
    """Open a database read-only; what is wrong with it becomes an `InputError`."""
    head = file_bytes(path)[:16]
    if head != b"SQLite format 3\x00":
        raise InputError(
            Problem(file=path.name, rule="is no SQLite database", cure="check the path")
        )
    # immutable: not even a journal is written beside it
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("pragma trusted_schema = off")
            missing = [name for name in needed if name not in _tables(database)]
            if missing:
                rule = f"lacks the table {missing[0]!r}"
                cure = "give a project of QualCoder or Taguette"
                raise InputError(Problem(file=path.name, rule=rule, cure=cure))
            yield database
    except sqlite3.Error as error:
        rule = f"cannot be read as a database ({error})"
        raise InputError(Problem(file=path.name, rule=rule, cure="copy it again")) from None


def _tables(database: sqlite3.Connection) -> set[str]:
    # views could hide anything behind a name
    query = "select name from sqlite_master where type = 'table'"
    return {str(name) for (name,) in database.execute(query)}


def _rows(database: sqlite3.Connection, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    return database.execute(query, values).fetchmany(MAX_ROWS)
