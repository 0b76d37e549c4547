"""Mutated inputs: a message or a study, never a traceback, never a file."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from pdsim.analysis.score_columns import ScoreOptions
from pdsim.analysis.score_files import read_scores
from pdsim.errors import InputError
from pdsim.study import StudyOptions, read_study, recognise
from pdsim.study.quality import doubts

CASES = Path(__file__).parents[1] / "cases"
EXPORTS = Path(__file__).parent / "exports"
ROUNDS = int(os.environ.get("PDSIM_FUZZ", "120"))
"""Mutated inputs over all readers; more by the environment."""

SEEDS = [
    CASES / "total_row" / "audit.csv",
    CASES / "yes_no_words" / "cases.csv",
    CASES / "lost_unit" / "drop.csv",
    CASES / "numerator_rows" / "long.csv",
    CASES / "state_scores" / "care.csv",
    CASES / "several_sheets" / "kobo.xlsx",
    CASES / "merged_header" / "audit.xlsx",
    CASES / "rank_headers" / "ci.csv",
    CASES / "lower_is_better" / "rank_raw.csv",
    EXPORTS / "dhis2.json",
    EXPORTS / "measure_reports.json",
    CASES / "total_row" / "study.toml",
]
WORDS = [
    b"", b"NA", b"<5", b"-1", b"1e999", b"nan", b"=1+1", b"\xff", b"\x00", b'"', b"\n", b";", b",",
    b"\t", b"5%", b"1,204", b"0x1", b"2021-13-45", b"null", b"{}", b"[]", b"\xef\xbb\xbf", b"\r",
    b"99999999999999999999", b"\xe2\x80\xae", b"true", b"'", b"#", b"  ", b"n/a", b"*",
]  # fmt: skip


def binary_seeds(folder: Path) -> list[Path]:
    """Write files of Stata, SPSS and SAS, Parquet and a pivot, as seeds."""
    table = pd.DataFrame(
        {"facility": ["A", "A", "B", "B"] * 3, "round": ["before", "after"] * 6,
         "x": [1.0, 0.0, 1.0] * 4, "y": [0.0, 1.0, 0.0] * 4}
    )  # fmt: skip
    pyreadstat.write_dta(table, str(folder / "cases.dta"))
    pyreadstat.write_sav(table, str(folder / "cases.sav"))
    pyreadstat.write_xport(table, str(folder / "cases.xpt"))
    table.to_parquet(folder / "cases.parquet")
    (folder / "pivot.csv").write_text(
        "orgunit,ANC1 2021,ANC1 2022,ANC4 2021,ANC4 2022\nA,9,8,4,5\nB,7,9,3,4\n"
    )
    (folder / "parts.csv").write_text(
        "Unit,Period,Element,Type,Count\nA,2021,BP,Numerator,4\nA,2021,BP,Denominator,9\n"
        "B,2021,BP,Numerator,3\nB,2021,BP,Denominator,8\nA,2023,BP,Numerator,5\n"
    )
    return sorted(folder.iterdir())


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a few of them cut, doubled, swapped or written over."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        length = rng.randint(0, 12)
        match rng.randrange(5):
            case 0:
                del data[at : at + length]
            case 1:
                data[at:at] = rng.choice(WORDS)
            case 2:
                data[at : at + length] = rng.choice(WORDS)
            case 3:
                data[at:at] = data[at : at + 40 * length]
            case 4:
                lines = bytes(data).split(b"\n")
                rng.shuffle(lines)
                data = bytearray(b"\n".join(lines))
    return bytes(data)


def attempts(path: Path, rng: random.Random) -> list[Callable[[], object]]:
    """Return the readers that may be given a file."""
    if path.suffix == ".toml":
        return [lambda: read_study(path)]
    options = StudyOptions(
        format=rng.choice(["auto", "long", "wide", "cases"]),
        periods=rng.choice([None, ("2021", "2023")]),
        missing=rng.choice([(), ("", "9")]),
        trials=rng.choice([None, 20]),
    )
    scores = ScoreOptions(level=rng.choice([None, 95.0]), few_draws=rng.random() < 0.5)
    return [
        lambda: recognise(path),
        lambda: doubts(read_study(path, options=options)),
        lambda: read_scores(path, options=scores),
    ]


@pytest.mark.filterwarnings("error")
def test_mutated_inputs_give_a_message_or_a_result(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = random.Random(20)
    done, accepted = 0, 0
    seeds = [*SEEDS, *binary_seeds(tmp_path_factory.mktemp("seeds"))]
    while done < ROUNDS:
        seed = rng.choice(seeds)
        path = tmp_path / seed.name
        path.write_bytes(mutated(seed.read_bytes(), rng))
        if path.suffix == ".toml":
            (tmp_path / "audit.csv").write_bytes((CASES / "total_row" / "audit.csv").read_bytes())
        before = {item.name for item in tmp_path.iterdir()}
        for attempt in attempts(path, rng):
            done += 1
            with suppress(InputError):
                attempt()
                accepted += 1
        assert {item.name for item in tmp_path.iterdir()} == before
        for item in tmp_path.iterdir():
            item.unlink()
    assert accepted > 0.02 * done


def test_what_is_accepted_is_what_pandas_reads(tmp_path: Path) -> None:
    rng = random.Random(7)
    accepted = 0
    lines = (CASES / "lost_unit" / "d.csv").read_text().splitlines()
    path = tmp_path / "d.csv"
    for _ in range(60):
        changed = list(lines)
        for _ in range(3):
            at = rng.randrange(1, len(lines))
            cells = changed[at].split(",")
            place = rng.choice([3, 4])
            cells[place] = rng.choice([str(rng.randrange(40)), f" {cells[place]}", "", "7.0"])
            changed[at] = ",".join(cells)
        path.write_text("\n".join(changed))
        try:
            study = read_study(path)
        except InputError:
            continue
        accepted += 1
        values = pd.read_csv(path)[["successes", "trials"]]
        whole = values[values["trials"] > 0]
        for name in ("successes", "trials"):
            assert float(study.data[name].sum()) == float(whole[name].sum())
    assert accepted > 5
