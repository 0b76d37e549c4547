"""How numbers are written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsim.conventions import CERTAIN
from pdsim.reports.formats.numbers import fixed, in_words, probability, significant, write


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.50"),
        (0.93, "0.93"),
        (0.0531, "0.05"),
        (0.0051, "0.005"),
        (0.9949, "0.995"),
        (0.99942, "0.9994"),
        (0.9499, "0.9499"),
        (0.95, "0.95"),
        (0.945, "0.94"),
    ],
)
def test_probability_digits(value: float, text: str) -> None:
    assert probability(value) == text


def test_probability_counted_as_zero_is_below_the_bound() -> None:
    # 4,000 effective draws: 3 / 4,000 = 0.00075, rounded up
    assert probability(0.0, mcse=1 / 4000) == "below 0.0008"
    assert probability(1.0, mcse=1 / 4000) == "above 0.9992"
    # three draws tell nothing
    assert probability(0.0, mcse=0.5) == "0"
    assert probability(1.0, mcse=math.nan) == "1"


def test_probability_within_its_error_is_a_bound() -> None:
    # 0.0004 + 3 x 0.0005 = 0.0019, rounded up
    assert probability(0.0004, mcse=0.0005) == "below 0.002"
    assert probability(0.9996, mcse=0.0005) == "above 0.998"
    assert probability(0.0006, mcse=0.0005) == "0.0006"


@given(st.floats(0.0, 1.0), st.floats(1e-6, 0.2))
def test_probability_text_is_true(value: float, mcse: float) -> None:
    text = probability(value, mcse=mcse)
    if text.startswith("below"):
        assert float(text.split()[1]) >= (3 * mcse * (1 - 1e-9) if value == 0.0 else value)
    elif text.startswith("above"):
        gap = 3 * mcse * (1 - 1e-9) if value == 1.0 else 1 - value - 1e-12
        assert 1 - float(text.split()[1]) >= gap
    else:
        assert math.isclose(float(text), value, rel_tol=0.5, abs_tol=0.0051)
        assert (float(text) >= CERTAIN) == (value >= CERTAIN)
        if 0.0 < value < 1.0:
            assert 0.0 < float(text) < 1.0


def test_other_kinds() -> None:
    assert write(-0.04, "pp") == "0.0"
    assert write(-3.06, "pp") == "\u22123.1"
    assert write(1234567.0, "whole") == "1,234,567"
    assert write(20240131.0, "label") == "20240131"
    assert write(math.nan, "pp") == "\u2013"
    assert write(0.0159, "mcse") == "0.02"
    assert write(1.474, "rank") == "1.47"
    assert significant(0.0096) == "0.01"
    assert significant(0.0) == "0"
    assert (in_words(12), in_words(13)) == ("twelve", "13")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_fixed_keeps_nine_digits(value: float) -> None:
    assert math.isclose(float(fixed(value)), value, rel_tol=1e-8, abs_tol=0)
