"""Inputs that are small on disk and huge in memory; made here, since nobody should store them."""

import gzip
import io
import sys
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pdsim.errors import InputError
from pdsim.study import read_study, sources

HEADER = "facility,indicator,period,successes,trials\n"


def message_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_study(path)
    return str(caught.value)


def test_cell_of_ten_million_characters(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(HEADER + "A,x,endline,1,2\n" + "B" * 10**7 + ",x,endline,1,2\n")
    message = message_of(path)
    assert "row 3: a cell of column 1 has 10000000 characters, at most 32767 fit" in message
    assert len(message) < 1000


def test_name_of_ten_million_delimiters(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(HEADER + "A,x,endline,1,2\nB" + "," * 10**7 + "\n")
    assert "row 3: the row has 10000001 cells, the header 5" in message_of(path)


def test_gzip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 10_000_000)
    path = tmp_path / "counts.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode() + b"\n" * 60_000_000))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    assert "the file unpacks to more than 10,000,000 bytes" in message_of(path)
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()


def test_large_plain_file_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 1000)
    path = tmp_path / "counts.csv"
    path.write_text(HEADER + "A,x,endline,1,2\n" * 100)
    assert "the file has 1,643 bytes; at most 1,000 are read" in message_of(path)


def workbook_with_sheet(sheet: bytes) -> bytes:
    """Return a workbook whose only sheet has the given XML."""
    openpyxl = pytest.importorskip("openpyxl")
    plain = io.BytesIO()
    openpyxl.Workbook().save(plain)
    result = io.BytesIO()
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = sheet if name == "xl/worksheets/sheet1.xml" else source.read(name)
            target.writestr(name, content)
    return result.getvalue()


def test_workbook_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 1_000_000)
    path = tmp_path / "counts.xlsx"
    path.write_bytes(workbook_with_sheet(b" " * 2_000_000))
    assert path.stat().st_size < 50_000
    assert "the workbook unpacks to 2,0" in message_of(path)


def test_workbook_with_a_stray_cell_at_the_end_of_the_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_CELLS", 100_000)
    namespace = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    sheet = (
        b"<worksheet " + namespace + b"><sheetData>"
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>facility</t></is></c></row>'
        b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    path = tmp_path / "counts.xlsx"
    path.write_bytes(workbook_with_sheet(sheet))
    assert "the sheet has more than 100,000 cells" in message_of(path)


def test_parquet_of_many_equal_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_CELLS", 1_000_000)
    path = tmp_path / "counts.parquet"
    table = pa.table({name: np.zeros(500_000, dtype=np.int8) for name in ("trials", "n", "se")})
    pq.write_table(table, path)
    assert path.stat().st_size < 100_000
    assert "1,500,000 cells" in message_of(path)


@pytest.mark.parametrize("as_categories", [True, False])
def test_parquet_of_one_long_text_in_many_rows(tmp_path: Path, as_categories: bool) -> None:
    path = tmp_path / "counts.parquet"
    long = pa.DictionaryArray.from_arrays(np.zeros(100_000, dtype=np.int32), ["x" * 30_000])
    table = pa.table({"facility": long.cast(pa.dictionary(pa.int32(), pa.string()))})
    # without the stored schema the column is one of plain texts
    pq.write_table(table, path, store_schema=as_categories)
    assert path.stat().st_size < 100_000
    assert "column 'facility' has 3,000,000,000 characters" in message_of(path)


def test_excel_without_openpyxl_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "counts.xlsx"
    path.write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "pip install 'pdsim[excel]'" in message_of(path)


def test_random_bytes_never_give_another_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for ending, magic in (("csv", b""), ("xlsx", b"PK\x03\x04"), ("parquet", b"PAR1")):
        for _ in range(20):
            path = tmp_path / f"counts.{ending}"
            path.write_bytes(magic + rng.bytes(int(rng.integers(1, 400))))
            message_of(path)


@pytest.mark.parametrize("ending", ["xlsx", "parquet", "csv.gz"])
def test_damaged_files_never_give_another_error(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"counts.{ending}"
    table = pd.DataFrame(
        {"facility": list("AB"), "indicator": "x", "period": "endline", "successes": 1, "trials": 2}
    )
    if ending == "xlsx":
        pytest.importorskip("openpyxl")
        table.to_excel(path, index=False)
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    whole = path.read_bytes()
    assert read_study(path).data.sizes["facility"] == 2
    rng = np.random.default_rng(2)
    for _ in range(30):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), size=3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        # some damage leaves a readable table
        with suppress(InputError):
            read_study(path)
