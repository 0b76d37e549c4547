"""What a project of a program for qualitative analysis says of codes: nothing of the texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from pdsim.errors import InputError, Problem

MAX_PROJECT: Final = 512 * 2**20
"""Bytes of a project, packed or not."""

CASE: Final = "case"
SET: Final = "set"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodedProject:
    """Codes, coders, cases and attributes of a project.

    Attributes
    ----------
    file : str
    documents : tuple of str
    codes : DataFrame
        ``code`` and ``path``, the categories (or codes) above it, outermost first.
    codings : DataFrame
        ``document``, ``code``, ``coder`` and ``times``: how often.
    attributes : DataFrame
        ``document``, ``attribute``, ``value``; a case has the attribute ``case``, a set ``set``.
    """

    file: str
    documents: tuple[str, ...]
    codes: pd.DataFrame
    codings: pd.DataFrame
    attributes: pd.DataFrame


def project(
    file: str,
    documents: list[str],
    codes: list[tuple[str, tuple[str, ...]]],
    codings: list[tuple[str, str, str]],
    attributes: list[tuple[str, str, str]],
) -> CodedProject:
    """Return a project from plain rows; equal codings are counted."""
    table = pd.DataFrame(codings, columns=["document", "code", "coder"], dtype="object")
    times = table.groupby(["document", "code", "coder"], sort=False).size()
    return CodedProject(
        file=file,
        documents=tuple(dict.fromkeys(documents)),
        codes=pd.DataFrame(codes, columns=["code", "path"], dtype="object"),
        codings=times.rename("times").reset_index(),
        attributes=pd.DataFrame(
            attributes, columns=["document", "attribute", "value"], dtype="object"
        ).drop_duplicates(ignore_index=True),
    )


def file_bytes(path: Path) -> bytes:
    """Return the content of a file that is not too large.

    Raises
    ------
    InputError
    """
    try:
        size = path.stat().st_size
        if size <= MAX_PROJECT:
            return path.read_bytes()
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
        raise InputError(Problem(file=path.name, rule=rule, cure="check the path")) from None
    rule = f"has {size:,} bytes; at most {MAX_PROJECT:,} are read"
    raise InputError(Problem(file=path.name, rule=rule, cure="export the codes without the media"))
