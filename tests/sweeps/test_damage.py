"""Damaged stores: nothing is read as other numbers, and a resumed sweep makes it whole again."""

import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdsim.sweeps as sweeps
from pdsim.errors import PdsimError
from pdsim.sweeps.store import StoreWarning

CONFIG = {"replicates": 60, "seed": 3, "factors": {"trials": [5, 10]}}
FILES = ("store.json", "sweep.json", "ledger.txt", "blocks.bin", "run.json")


def harm(path: Path, rng: random.Random) -> None:
    """Damage a file: flip a bit, blank, repeat, cut out or cut off bytes, empty or remove it."""
    content = path.read_bytes()
    at, length = rng.randrange(len(content)), rng.choice([1, 30, 500])
    match rng.choice(["flip", "blank", "copy", "cut out", "cut off", "empty", "remove"]):
        case "flip":
            one = bytes([content[at] ^ 1 << rng.randrange(8)])
            content = content[:at] + one + content[at + 1 :]
        case "blank":
            content = content[:at] + bytes(len(content[at : at + length])) + content[at + length :]
        case "copy":
            to = rng.randrange(len(content))
            part = content[at : at + length]
            content = content[:to] + part + content[to + len(part) :]
        case "cut out":
            content = content[:at] + content[at + length :]
        case "cut off":
            content = content[:at]
        case "empty":
            content = b""
        case "remove":
            path.unlink()
            return
    path.write_bytes(content)


def test_300_random_damages_are_told_or_harmless_and_healed(run, tmp_path: Path) -> None:
    rng = random.Random(4)
    # the second run leaves a store with more than one row of blocks for each cell
    run({**CONFIG, "replicates": 40}, block=15)
    whole = run(CONFIG, block=15)
    store, kept = tmp_path / "store", tmp_path / "kept"
    shutil.copytree(store, kept)
    told: list[str] = []
    healed = 0
    for number in range(300):
        shutil.rmtree(store)
        shutil.copytree(kept, store)
        harm(store / FILES[number % len(FILES)], rng)
        try:
            xr.testing.assert_identical(sweeps.open_sweep(store), whole)
        except PdsimError as error:
            told.append(str(error))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            try:
                xr.testing.assert_identical(run(CONFIG, block=15), whole)
                healed += 1
            except PdsimError as error:
                told.append(str(error))
    assert not [text for text in told if "\n" in text or str(store) not in text]
    assert len(told) > 250
    # all but those of store.json, without which nobody knows what the numbers are
    assert healed >= 240


def test_damaged_block_is_named_and_computed_again(run, log, tmp_path: Path) -> None:
    whole = run(CONFIG, block=20)
    path = tmp_path / "store" / "blocks.bin"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    with pytest.raises(PdsimError, match=r"blocks.bin: is damaged \(replicates 0 to 19 of row 0\)"):
        sweeps.open_sweep(tmp_path / "store")
    log.write_text("")
    with pytest.warns(StoreWarning, match="1 records of it are lost"):
        again = run(CONFIG, block=20)
    xr.testing.assert_identical(again, whole)
    replicates = {int(line.split()[1]) for line in log.read_text().splitlines()}
    assert replicates == set(range(20))
    assert not np.isnan(again.pcs_top).any()
