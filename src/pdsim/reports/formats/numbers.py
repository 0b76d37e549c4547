"""How numbers are written: the one place that decides digits, for tables and prose alike."""

import math
from typing import Final, Literal

from pdsim.conventions import CERTAIN

type NumberKind = Literal[
    "pp",
    "ratio",
    "probability",
    "mcse",
    "rank",
    "whole",
    "percent",
    "figure",
    "label",
    "d0",
    "d1",
    "d2",
    "d3",
    "d4",
    "s0",
    "s1",
    "s2",
    "p2",
]

_WORDS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip

SMALLEST: Final = 1e-4
"""Probabilities nearer to 0 or 1 than this are not written out."""

MINUS: Final = "\u2212"


def write(value: float, kind: NumberKind, *, mcse: float = math.nan) -> str:
    """Return a number as it is printed everywhere.

    Parameters
    ----------
    value : float
        NaN is written as an en dash.
    kind : str
        ``pp`` and ``percent`` 1 decimal; ``ratio`` and ``rank`` 2; ``d0`` to ``d4`` so many;
        ``figure`` 4 significant digits; ``mcse`` 1; ``whole`` with thousands separators,
        ``label`` without them (a seed or a year); ``s0`` to ``s2`` so many decimals with the
        sign always said; ``p2`` a probability in two decimals, bounded by 0.01 and 0.99;
        ``probability`` see `probability`.
    mcse : float
        Of a probability; needed where it was counted as 0 or 1.

    Examples
    --------
    >>> write(64.53, "pp"), write(0.9312, "probability", mcse=0.004), write(12345, "whole")
    ('64.5', '0.93', '12,345')
    """
    if math.isnan(value):
        return "\u2013"
    match kind:
        case "probability":
            return probability(value, mcse=mcse)
        case "mcse":
            return significant(value)
        case "whole":
            text = f"{round(value):,}"
        case "label":
            text = f"{round(value)}"
        case "pp" | "percent":
            text = f"{value:.1f}"
        case "rank" | "ratio":
            text = f"{value:.2f}"
        case "s0" | "s1" | "s2":
            text = f"{value:+,.{kind[1]}f}"
        case "p2":
            return short_probability(value)
        case "d0" | "d1" | "d2" | "d3" | "d4":
            text = f"{value:,.{kind[1]}f}"
        case "figure":
            text = f"{value:.4g}"
    # a value that rounds to zero has no sign
    if text.startswith("-"):
        text = f"{MINUS}{text[1:]}" if any(digit in text for digit in "123456789") else text[1:]
    return text.removeprefix("+") if not any(digit in text for digit in "123456789") else text


def short_probability(value: float) -> str:
    """Return a probability in two decimals for a list that is read in seconds.

    Examples
    --------
    >>> short_probability(0.934), short_probability(0.9997), short_probability(0.9497)
    ('0.93', '> 0.99', '0.94')
    """
    if value > 0.99:
        return "> 0.99"
    if value < 0.01:
        return "< 0.01"
    text = f"{value:.2f}"
    if (float(text) >= CERTAIN) != (value >= CERTAIN):
        # rounding must not carry it across the limit of what is called near certain
        text = f"{math.floor(100.0 * value) / 100.0:.2f}"
    return text


def probability(value: float, *, mcse: float = math.nan) -> str:
    """Return a probability as text: two decimals, more near 0 and 1.

    A probability counted as 0 is below, and one counted as 1 above, the bound that 3 / ESS
    gives, that is three times its `mcse`; so is one that lies no further from 0 or 1 than its
    `mcse`. No rounding carries a value across the limit from which text says "certain".

    Examples
    --------
    >>> probability(0.93), probability(0.0031), probability(0.9497)
    ('0.93', '0.003', '0.9497')
    >>> probability(0.0, mcse=0.00025), probability(1.0, mcse=0.00025)
    ('below 0.0008', 'above 0.9992')
    """
    tail = min(value, 1.0 - value)
    if 0.0 < mcse >= tail and (bound := max(ceiling(tail + 3.0 * mcse), SMALLEST)) < 1.0:
        digits = decimals(bound)
        return f"below {bound:.{digits}f}" if value < 0.5 else f"above {1.0 - bound:.{digits}f}"
    if tail == 0.0:
        return f"{value:.0f}"
    if tail < SMALLEST:
        return f"below {SMALLEST:.4f}" if value < 0.5 else f"above {1.0 - SMALLEST:.4f}"
    digits = 2 if tail >= 0.01 else math.ceil(-math.log10(tail))
    while (float(f"{value:.{digits}f}") >= CERTAIN) != (value >= CERTAIN) and digits < 12:
        digits += 1
    return f"{value:.{digits}f}"


def is_bound(value: float, mcse: float) -> bool:
    """Tell whether a probability is too near to 0 or 1 for its error to be given but as a bound.

    Examples
    --------
    >>> is_bound(0.0, 0.001), is_bound(0.0004, 0.0005), is_bound(0.02, 0.003)
    (True, True, False)
    """
    tail = min(value, 1.0 - value)
    return 0.0 < mcse >= tail or 0.0 < tail < SMALLEST


def significant(value: float) -> str:
    """Return a positive number with one significant digit and no exponent.

    Examples
    --------
    >>> significant(0.00412), significant(0.0)
    ('0.004', '0')
    """
    if value <= 0.0:
        return "0"
    digits = max(0, -math.floor(math.log10(value)))
    # 0.0096 rounds to 0.01, which has one digit fewer
    text = f"{value:.{digits}f}"
    return text.rstrip("0") if "." in text and text.endswith("0") else text


def ceiling(value: float) -> float:
    """Return a positive number rounded up to one significant digit."""
    scale = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / scale - 1e-9) * scale


def decimals(value: float) -> int:
    """Return the decimals that show one significant digit of a number below 1."""
    return max(1, -math.floor(math.log10(value) + 1e-9))


def kind_for(spread: float) -> NumberKind:
    """Return the decimals that show two significant digits of a standard deviation.

    Examples
    --------
    >>> kind_for(0.3), kind_for(25.0), kind_for(3e5)
    ('d2', 'd0', 'd0')
    """
    kinds: tuple[NumberKind, ...] = ("d0", "d1", "d2", "d3", "d4")
    if not spread > 0.0:
        return "d2"
    return kinds[min(4, max(0, 1 - math.floor(math.log10(spread))))]


def fixed(value: float) -> str:
    """Return a number for a data file: nine significant digits, the same bytes every time.

    Examples
    --------
    >>> fixed(0.1 + 0.2), fixed(float("nan"))
    ('0.3', '')
    """
    return "" if math.isnan(value) else f"{value:.9g}"


def in_words(number: int) -> str:
    """Return a whole number in words up to twelve, else in digits.

    Examples
    --------
    >>> in_words(3), in_words(20)
    ('three', '20')
    """
    return _WORDS[number] if 0 <= number < len(_WORDS) else f"{number:,}"
