"""`init`: what was recognised in a file is written down as a folder that `check` reads."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pdsim.errors import InputError, Problem
from pdsim.files import published, write_atomically
from pdsim.provenance import versions
from pdsim.study.names import guarded
from pdsim.study.read import bytes_of, read_study
from pdsim.study.recognised import Recognised
from pdsim.study.recognising import recognise

_ABOUT: Final = {
    "sheet": "sheet of the workbook",
    "header": "line of the header, or its first and last line",
    "fill": "blank cells hold what stands above them",
    "format": "one row per case",
    "periods": "in the order of time",
    "trials": "cases that you assume behind every percentage",
    "shares": "percentages are written as shares, from 0 to 1",
    "no": "words for not met, beside the usual ones",
    "missing": "words for a cell without a value, beside the usual ones",
    "ignore": "columns that are no indicators",
    "exclude": "rows to leave out",
    "met": "codes that count as met",
    "repeated": "rows of one cell: parts of it that are added up, or the first",
}
_EXAMPLES: Final = {"trials": "20", "repeated": '"sum"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A study that was begun.

    Attributes
    ----------
    folder : Path
    found : Recognised
    problems : tuple of str
        What is left to decide before `check` accepts it; empty where it does.
    """

    folder: Path
    found: Recognised
    problems: tuple[str, ...]


def start_study(
    path: str | Path,
    *,
    out: str | Path | None = None,
    answers: dict[str, Any] | None = None,
    exclusions: bool = True,
) -> Start:
    """Recognise a file and write a study.toml for it, with what goes along.

    Parameters
    ----------
    path : str or Path
    out : str or Path, optional
        Folder to make, with a copy of the file. Default: the folder of the file; nothing that
        is there is overwritten.
    answers : dict, optional
        Keys of the study.toml that the user states.
    exclusions : bool
        See `recognise`.

    Returns
    -------
    Start
        ``study.toml``, where there is need for it ``indicators.csv`` and ``data.csv``, and
        ``receipt.json``: rows read and dropped, and the sha256 of the source.

    Raises
    ------
    InputError
        If the file cannot be read, or a file would be overwritten. Nothing is written then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = ["facility,indicator,period,numerator,denominator"]
    >>> rows += [f"{f},x,{p},3,9" for f in "AB" for p in (2021, 2023)]
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder) / "audit.csv"
    ...     _ = table.write_text(chr(10).join(rows))
    ...     start = start_study(table)
    ...     study = read_study(folder)
    >>> start.problems, study.period_labels
    ((), ('2021', '2023'))
    """
    source = Path(path)
    found = recognise(source, exclusions=exclusions)
    found.keys |= answers or {}
    files = _files(found, source)
    if out is not None:
        folder = Path(out)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            rule, cure = "exists and is not an empty folder", "choose another folder"
            raise InputError(Problem(file=str(folder), rule=rule, cure=cure))
        if found.converted is None:
            files[source.name] = bytes_of(source)
        with published(folder) as new:
            for name, content in files.items():
                write_atomically(new / name, content)
            problems = _problems(new)
            _amend(new, files, problems)
        return Start(folder=folder, found=found, problems=problems)
    folder = source.parent
    for name in files:
        if (folder / name).exists():
            cure = "name a new folder with --out, or remove the file yourself"
            raise InputError(Problem(file=str(folder / name), rule="exists already", cure=cure))
    for name, content in files.items():
        write_atomically(folder / name, content)
    problems = _problems(folder)
    _amend(folder, files, problems)
    return Start(folder=folder, found=found, problems=problems)


def _files(found: Recognised, source: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    receipt = found.receipt | {"layout": found.layout, "versions": versions()}
    if found.converted is not None:
        files["data.csv"] = _csv(found.converted)
    if found.indicators:
        files["indicators.csv"] = _csv(pd.DataFrame(found.indicators))
    files["receipt.json"] = (json.dumps(receipt, indent=2, ensure_ascii=False) + "\n").encode()
    data = "data.csv" if found.converted is not None else source.name
    files["study.toml"] = study_toml(found, data=data).encode()
    return files


def _csv(table: pd.DataFrame) -> bytes:
    """Return a table in which no spreadsheet sees a formula; read, every text is as it was."""

    def kept(cell: Any) -> Any:
        number = not isinstance(cell, str) or re.fullmatch(r"[+-]?[\d.,%\s]*", cell)
        return cell if number else guarded(cell)

    return table.rename(columns=kept).map(kept).to_csv(index=False).encode()


def study_toml(found: Recognised, *, data: str) -> str:
    """Return the text of a study.toml of what was recognised, with comments."""
    lines = [f"# Begun by pdsim from {_one_line(found.receipt.get('source', data))}."]
    lines += [f"# {_one_line(text)}" for text in found.taken]
    if found.unsure:
        lines += ["#", "# To be looked at:"]
        lines += [f"# - {_one_line(text)}" for text in found.unsure]
    lines += ["", f"data = {_value(data)}"]
    if found.indicators:
        lines.append('indicators = "indicators.csv"  # direction, domain, label of each')
    tables: list[str] = []
    for key, value in found.keys.items():
        comment = f"  # {_ABOUT[key]}" if key in _ABOUT else ""
        if value is None:
            lines.append(f"# {key} = {_EXAMPLES[key]}{comment}: state it")
        elif isinstance(value, dict):
            tables += ["", f"[{key}]"]
            tables += [f"{_key(name)} = {_value(item)}" for name, item in value.items()]
        else:
            lines.append(f"{key} = {_value(value)}{comment}")
    source = found.receipt
    note = f"Read from {source.get('source')} (sha256 {str(source.get('sha256'))[:16]}...)."
    lines.append(f"notes = [{_value(_one_line(note))}]")
    lines.append("# m = 3                    # facilities to name at each end")
    if found.layout != "cases":
        lines.append(
            "# case_correlation = 0.1   # of two indicators of one case, where it is known"
        )
        lines.append(
            "# design_effect = 2        # of cases that share a day, a team or an observer"
        )
    return "\n".join([*lines, *tables]) + "\n"


def _one_line(text: object) -> str:
    shown = "".join(char if char.isprintable() else " " for char in str(text))
    return shown if len(shown) <= 400 else f"{shown[:397]}..."


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain and name else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items())
        return f"{{{inner}}}"
    # strings of JSON without escapes of slashes are basic strings of TOML
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _problems(folder: Path) -> tuple[str, ...]:
    try:
        read_study(folder)
    except InputError as error:
        return tuple(str(problem) for problem in error.problems)
    return ()


def _amend(folder: Path, files: dict[str, bytes], problems: tuple[str, ...]) -> None:
    """Write what is left to decide into the study.toml."""
    if problems:
        lines = ["# To be decided before pdsim check accepts it:"]
        lines += [f"# - {_one_line(problem)}" for problem in problems[:20]]
        text = "\n".join(lines) + "\n" + files["study.toml"].decode()
        write_atomically(folder / "study.toml", text.encode())
