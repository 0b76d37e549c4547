"""Every malformed input gives its message, and nothing else happens."""

from pathlib import Path

import pytest

from pdsim.errors import InputError
from pdsim.study import read_study

CORPUS = Path(__file__).parent / "malformed"
CASES = sorted(folder for folder in CORPUS.iterdir() if folder.is_dir())


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_malformed_input_gives_its_message(folder: Path) -> None:
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    before = listing(folder)
    with pytest.raises(InputError) as caught:
        read_study(folder / "study.toml")
    message = str(caught.value)
    for fragment in expected:
        assert fragment in message
    assert all(problem.rule for problem in caught.value.problems)
    assert listing(folder) == before


def test_corpus_is_large_and_small() -> None:
    assert len(CASES) >= 60
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 500_000
