"""The ledger: whole lines count, a torn one does not."""

from pathlib import Path

import pytest

from pdsim.sweeps.ledger import (
    LEDGER,
    BlockLine,
    PartLine,
    append_lines,
    cut_torn_line,
    read_ledger,
)

PART = PartLine(part=0, cells=2, start=0, stop=100, chunk=100)
BLOCK = BlockLine(
    part=0, first=0, last=2, start=10, stop=20, retry=((1, 12),), errors=("worker died: x",)
)
SHORT = BlockLine(part=0, first=1, last=2, start=20, stop=21)


def test_lines_come_back_as_written(tmp_path: Path):
    append_lines(tmp_path, [PART])
    append_lines(tmp_path, [BLOCK, SHORT])
    assert list(read_ledger(tmp_path)) == [PART, BLOCK, SHORT]


def test_no_ledger_has_no_lines(tmp_path: Path):
    cut_torn_line(tmp_path)
    assert list(read_ledger(tmp_path)) == []


@pytest.mark.parametrize("kept", range(1, 22))
def test_torn_line_is_ignored_and_cut(tmp_path: Path, kept: int):
    append_lines(tmp_path, [PART, BLOCK])
    whole = (tmp_path / LEDGER).read_bytes()
    append_lines(tmp_path, [SHORT])
    line = (tmp_path / LEDGER).read_bytes()[len(whole) :]
    (tmp_path / LEDGER).write_bytes(whole + line[: min(kept, len(line) - 1)])
    assert list(read_ledger(tmp_path)) == [PART, BLOCK]
    cut_torn_line(tmp_path)
    assert (tmp_path / LEDGER).read_bytes() == whole
    append_lines(tmp_path, [SHORT])
    assert list(read_ledger(tmp_path)) == [PART, BLOCK, SHORT]


def test_long_torn_line_is_cut(tmp_path: Path):
    append_lines(tmp_path, [PART])
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(b"x" * 200_000)
    cut_torn_line(tmp_path)
    assert list(read_ledger(tmp_path)) == [PART]


def test_ledger_of_one_torn_line_becomes_empty(tmp_path: Path):
    (tmp_path / LEDGER).write_bytes(b'{"part":0')
    cut_torn_line(tmp_path)
    assert (tmp_path / LEDGER).read_bytes() == b""
