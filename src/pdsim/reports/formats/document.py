"""A report before it has a format: text, tables, figures and sections.

Text is a tuple of pieces: plain strings written by pdsim, names from the data, and numbers that
come from a table by key. A renderer escapes every piece for its format; nothing else does.
"""

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pdsim.errors import InputError
from pdsim.reports.formats.numbers import NumberKind, is_bound, write

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Name:
    """A name from the data."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number out of a table.

    Attributes
    ----------
    text : str
        As printed.
    value : float
    cell : tuple of str
        Table, row and column that it came from.
    """

    text: str
    value: float
    cell: tuple[str, str, str]


_NUMBERED = re.compile(r"facility \s*\d+\s*")

type Piece = str | Name | Number
type Text = tuple[Piece, ...]


def fill(template: str, parts: Mapping[str, Piece | Text]) -> Text:
    """Return the template with every ``{field}`` replaced by its piece or text.

    Examples
    --------
    >>> fill("{who} is first.", {"who": Name("A")})
    (Name(text='A'), ' is first.')
    """
    text: list[Piece] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        if literal:
            text.append(literal)
        if name is not None:
            part = parts[name]
            text.extend(part if isinstance(part, tuple) else (part,))
    return tuple(text)


def sentence(text: Text) -> Text:
    """Return a text that may start with a numbered facility with a capital letter.

    Examples
    --------
    >>> sentence((Name("facility 3"), " is first."))
    (Name(text='Facility 3'), ' is first.')
    """
    match text:
        case (Name(first), *rest) if _NUMBERED.fullmatch(first):
            return (Name(first.capitalize()), *rest)
    return text


def listing(parts: Iterable[Piece | Text], *, last: str = " and ") -> Text:
    """Return the parts with commas between them and `last` before the last one."""
    items = [part if isinstance(part, tuple) else (part,) for part in parts]
    text: list[Piece] = []
    for position, item in enumerate(items):
        if position:
            text.append(last if position == len(items) - 1 else ", ")
        text.extend(item)
    return tuple(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One printed column of a table.

    Attributes
    ----------
    header : str or Text
    keys : tuple of str
        Columns of the frame: one, or the lower and the upper bound of an interval, or a
        probability and its MCSE.
    layout : {"text", "words", "name", "names", "number", "interval", "probability"}
        ``words`` is a Text, which may hold names.
    """

    header: str | Text
    keys: tuple[str, ...]
    layout: Literal["text", "words", "name", "names", "number", "interval", "probability"] = (
        "number"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table: the one source of every number that the report prints.

    Attributes
    ----------
    key : str
        Names the table in cells and files.
    title : str
    frame : DataFrame
        All values, at full precision; the index names the rows.
    kinds : mapping of str to Kind
        How the columns of numbers are written; a column that is absent here holds text.
    columns : tuple of Column
        What is printed, in order.
    marked : bool
        Whether the numbers rest on a fit that failed a convergence gate.
    exact : frozenset of str
        Columns that rest on no fit.
    notes : tuple of Text
    shown : tuple of str or None
        Rows to print where all would be too many.
    upright : bool
        A table of one row is printed as a list: header beside value.
    """

    key: str
    title: str
    frame: "pd.DataFrame"
    kinds: Mapping[str, NumberKind]
    columns: tuple[Column, ...]
    marked: bool = False
    exact: frozenset[str] = frozenset()
    notes: tuple[Text, ...] = ()
    shown: tuple[str, ...] | None = None
    upright: bool = False
    positions: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.positions.update({str(row): n for n, row in enumerate(self.frame.index)})
        if len(self.positions) != len(self.frame):
            raise InputError(f"table {self.key!r} has two rows of one name")

    @property
    def heading(self) -> str:
        """The title, with the mark of a failed convergence gate where one failed."""
        return f"{self.title} \u2020 checks failed: do not cite" if self.marked else self.title

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that are printed."""
        return tuple(self.positions) if self.shown is None else self.shown

    def value(self, row: str, key: str) -> Any:
        """Return what stands in a cell of the frame."""
        return self.frame[key].iloc[self.positions[row]]

    def number(self, row: str, key: str) -> Number:
        """Return the number of a cell as it is printed, here and in prose."""
        value = float(self.value(row, key))
        kind = self.kinds[key]
        mcse = float("nan")
        if kind == "probability" and f"{key}_mcse" in self.kinds:
            mcse = float(self.value(row, f"{key}_mcse"))
        return Number(
            text=write(value, kind, mcse=mcse),
            value=value,
            cell=(self.key, row, key),
        )

    def probability(self, row: str, key: str) -> Text:
        """Return a probability for prose, with its MCSE where it has one."""
        number = self.number(row, key)
        if not self.has_error(row, key):
            return (number,)
        error = self.number(row, f"{key}_mcse")
        return fill("{p} (MCSE {se})", {"p": number, "se": error})

    def has_error(self, row: str, key: str) -> bool:
        """Tell whether an error stands behind a probability: not if exact, nor if a bound."""
        if f"{key}_mcse" not in self.kinds:
            return False
        value, mcse = float(self.value(row, key)), float(self.value(row, f"{key}_mcse"))
        return mcse > 0.0 and not is_bound(value, mcse)

    def interval(self, row: str, lower: str, upper: str) -> Text:
        """Return an interval for prose."""
        bounds = {"a": self.number(row, lower), "b": self.number(row, upper)}
        return fill("{a} to {b}", bounds)

    def cell(self, row: str, column: Column) -> Text:
        """Return the printed cell."""
        key = column.keys[0]
        match column.layout:
            case "text":
                return (str(self.value(row, key)),)
            case "words":
                return tuple(self.value(row, key))
            case "name":
                return (Name(str(self.value(row, key))),)
            case "names":
                return listing([Name(name) for name in self.value(row, key)], last=", ")
            case "interval":
                return self.interval(row, *column.keys)
            case "probability":
                number = self.number(row, key)
                if not self.has_error(row, key):
                    return (number,)
                error = self.number(row, column.keys[1])
                return fill("{p} ({se})", {"p": number, "se": error})
            case "number":
                return (self.number(row, key),)

    def grid(self) -> tuple[tuple[Text, ...], list[tuple[Text, ...]]]:
        """Return the printed headers and rows."""
        headers = tuple(
            (column.header,) if isinstance(column.header, str) else column.header
            for column in self.columns
        )
        if not self.upright:
            return headers, [tuple(self.cell(row, c) for c in self.columns) for row in self.rows]
        (row,) = self.rows
        cells = (self.cell(row, column) for column in self.columns)
        return (("Quantity",), ("Value",)), list(zip(headers, cells, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A figure with its words.

    Attributes
    ----------
    key : str
    caption : Text
        Says what to see and what the marks mean.
    alt : Text
        What a reader who cannot see it needs.
    figure : matplotlib.figure.Figure
    data : DataFrame
        What is drawn.
    """

    key: str
    caption: Text
    alt: Text
    figure: "Figure"
    data: "pd.DataFrame"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text.

    Attributes
    ----------
    text : Text
    style : {"body", "summary", "stop", "code", "folded"}
        ``stop`` is a failed gate: set so loud that nobody misses it. ``folded`` is code that a
        page folds away.
    """

    text: Text
    style: Literal["body", "summary", "stop", "code", "folded"] = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list of short texts."""

    items: tuple[Text, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """The weights explorer: what the page computes with (HTML only)."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Front:
    """Page one: the answer as two short lists, a figure, and sentences under questions.

    Attributes
    ----------
    lead : Text
        What was studied, in a line.
    lists : tuple of Table
        Who is named at each end.
    picture : Picture
    answers : tuple of (str, Text)
        A question and its answer.
    foot : tuple of Text
        What to know of the numbers.
    stop : Text
        The banner of a fit that failed a gate; empty where all passed.
    """

    lead: Text
    lists: tuple[Table, ...]
    picture: Picture
    answers: tuple[tuple[str, Text], ...]
    foot: tuple[Text, ...]
    stop: Text = ()

    @property
    def blocks(self) -> tuple["Element", ...]:
        """The same one below the other, for formats without a page of their own for it."""
        banner = (Paragraph(text=self.stop, style="stop"),) if self.stop else ()
        said = (
            Paragraph(text=(f"{question} ", *text), style="summary")
            for question, text in self.answers
        )
        return (
            *banner,
            Paragraph(text=self.lead),
            *self.lists,
            self.picture,
            *said,
            *(Paragraph(text=text) for text in self.foot),
        )


type Element = Paragraph | Items | Table | Picture | Explorer | Front


def flat(blocks: "Iterable[Element]") -> "Iterator[Element]":
    """Yield blocks with page one taken apart."""
    for block in blocks:
        if isinstance(block, Front):
            yield from block.blocks
        else:
            yield block


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """A heading and what stands under it; `filed` tables are written to files alone."""

    key: str
    title: str
    blocks: tuple[Element, ...]
    filed: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """A whole report, in no format yet.

    Attributes
    ----------
    title : Text
    subtitle : Text
    sections : tuple of Section
    failed : str
        What failed of the convergence gates; empty when all passed.
    """

    title: Text
    subtitle: Text
    sections: tuple[Section, ...]
    failed: str = ""

    @property
    def front(self) -> Front | None:
        """Page one, where the report has one."""
        blocks = self.sections[0].blocks if self.sections else ()
        return blocks[0] if blocks and isinstance(blocks[0], Front) else None

    @property
    def tables(self) -> dict[str, Table]:
        """All tables by key, those included that no page shows."""
        return {
            block.key: block
            for section in self.sections
            for block in (*flat(section.blocks), *section.filed)
            if isinstance(block, Table)
        }

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All figures in order."""
        return tuple(
            block
            for section in self.sections
            for block in flat(section.blocks)
            if isinstance(block, Picture)
        )
