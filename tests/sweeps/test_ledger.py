"""The ledger: whole lines count, a torn one does not, a damaged one is named."""

from pathlib import Path

import pytest

from pdsim.sweeps.ledger import (
    LEDGER,
    BlockLine,
    CellLine,
    append_lines,
    cut,
    read_ledger,
)

CELL = CellLine(row=0, key="abc", scenario='{"trials":5}')
BLOCK = BlockLine(
    first=0, last=2, start=10, stop=20, at=40, frames=((7, 123), (9, 5)), retry=((1, 12),),
    errors=("worker died: x",),
)  # fmt: skip
SHORT = BlockLine(first=1, last=2, start=20, stop=21, at=56, frames=((3, 0),))


def test_lines_come_back_as_written(tmp_path: Path) -> None:
    append_lines(tmp_path, [CELL])
    append_lines(tmp_path, [BLOCK, SHORT])
    ledger = read_ledger(tmp_path)
    assert ledger.lines == [CELL, BLOCK, SHORT]
    assert (ledger.damaged, ledger.torn) == ([], False)
    assert ledger.size == (tmp_path / LEDGER).stat().st_size
    assert BLOCK.place(1) == (47, 9, 5)


def test_no_ledger_has_no_lines(tmp_path: Path) -> None:
    cut(tmp_path / LEDGER, 0)
    assert read_ledger(tmp_path).lines == []


@pytest.mark.parametrize("kept", range(1, 22))
def test_torn_line_is_ignored_and_cut(tmp_path: Path, kept: int) -> None:
    append_lines(tmp_path, [CELL, BLOCK])
    whole = (tmp_path / LEDGER).read_bytes()
    append_lines(tmp_path, [SHORT])
    line = (tmp_path / LEDGER).read_bytes()[len(whole) :]
    (tmp_path / LEDGER).write_bytes(whole + line[:kept])
    ledger = read_ledger(tmp_path)
    assert (ledger.lines, ledger.torn) == ([CELL, BLOCK], True)
    cut(tmp_path / LEDGER, ledger.size)
    assert (tmp_path / LEDGER).read_bytes() == whole
    append_lines(tmp_path, [SHORT])
    assert read_ledger(tmp_path).lines == [CELL, BLOCK, SHORT]


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    append_lines(tmp_path, [CELL, BLOCK, SHORT])
    whole = (tmp_path / LEDGER).read_bytes()
    for place in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        (tmp_path / LEDGER).write_bytes(changed)
        ledger = read_ledger(tmp_path)
        assert ledger.damaged or ledger.size < len(whole)
