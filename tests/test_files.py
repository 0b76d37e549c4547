"""Files: whole or not at all, old or new, and damage is found out."""

import os
import random
from pathlib import Path

import pytest

from pdsim import files
from pdsim.errors import DamagedError


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return other bytes: some flipped, zeroed, cut out, cut off, or exchanged."""
    while True:
        at, length = rng.randrange(len(content)), rng.choice([1, 40, 4000])
        change = rng.choice(["flip", "zero", "remove", "cut", "swap"])
        if change == "flip":
            flipped = content[at] ^ 1 << rng.randrange(8)
            new = content[:at] + bytes([flipped]) + content[at + 1 :]
        elif change == "zero":
            new = content[:at] + bytes(len(content[at : at + length])) + content[at + length :]
        elif change == "remove":
            new = content[:at] + content[at + length :]
        elif change == "cut":
            new = content[:at]
        else:
            to = rng.randrange(len(content))
            a, b = sorted((at, to))
            length = min(length, b - a, len(content) - b)
            new = (
                content[:a] + content[b : b + length] + content[a + length : b]
                + content[a : a + length] + content[b + length :]
            )  # fmt: skip
        if new != content:
            return new


def test_every_damage_of_a_sealed_file_and_of_json_is_found(tmp_path: Path) -> None:
    rng = random.Random(1)
    sealed, told = tmp_path / "a.bin", tmp_path / "a.json"
    files.write_atomically(sealed, rng.randbytes(9000), sealed=True)
    files.write_json(told, {"name": "Łódź \u2028", "list": [1, 2.5, None, {"a": True}]})
    files.check_seal(sealed)
    assert files.read_json(told)["list"] == [1, 2.5, None, {"a": True}]
    whole = {path: path.read_bytes() for path in (sealed, told)}
    for _ in range(1000):
        sealed.write_bytes(damaged(whole[sealed], rng))
        with pytest.raises(DamagedError, match=r"a\.bin: is damaged"):
            files.check_seal(sealed)
        told.write_bytes(damaged(whole[told], rng))
        try:
            # a blank more or less is no damage
            assert files.read_json(told)["name"] == "Łódź \u2028"
        except DamagedError:
            continue


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.txt"
    files.write_atomically(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    with files.published(folder) as new:
        (new / "a").write_text("1")
        (new / "b").write_text("1")
        assert not folder.exists()
    with pytest.raises(FileNotFoundError), files.published(folder) as new:
        (new / "a" / "b").write_text("2")
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"a": "1", "b": "1"}
    (folder / "mine").mkdir()
    (folder / "mine" / "notes").write_text("x")
    with files.published(folder, keep=lambda path: path.parts[0] == "mine") as new:
        (new / "a").write_text("3")
    assert (folder / "a").read_text() == "3"
    assert not (folder / "b").exists(), "a file of an earlier run is gone"
    assert (folder / "mine" / "notes").read_text() == "x"
    assert [p.name for p in folder.parent.iterdir()] == ["out"]


def test_a_folder_lost_between_two_renames_comes_back_and_strays_go(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    stray = tmp_path / ".out-abc.pdsim"
    for name in ("old", "new"):
        (stray / name).mkdir(parents=True)
        (stray / name / "a").write_text(name)
    files.recover(folder)
    assert (folder / "a").read_text() == "old"
    # killed when the new folder was there, and the old one not removed yet
    late = tmp_path / ".out-def.pdsim"
    (late / "old").mkdir(parents=True)
    with files.published(folder) as new:
        (new / "a").write_text("2")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_is_being_replaced_is_not_brought_back(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with files.published(folder) as new:
        (new / "a").write_text("1")
    with files.published(folder) as new:
        (new / "a").write_text("2")
        # the blink between the two renames, seen by another
        folder.rename(new.parent / "old")
        files.recover(folder)
        assert not folder.exists()
        (new.parent / "old").rename(folder)
    assert (folder / "a").read_text() == "2"


def test_kept_files_are_copied_where_they_cannot_be_linked(tmp_path, monkeypatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with files.published(tmp_path / "out") as new:
        (new / "a").write_text("1")
    with files.published(tmp_path / "out", keep=lambda path: True) as new:
        assert (new / "a").read_text() == "1"


def test_folders_that_cannot_be_opened_are_no_obstacle(tmp_path, monkeypatch) -> None:
    opened = os.open

    def refuse(path, *arguments, **options):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    files.write_atomically(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
