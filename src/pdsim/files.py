"""Files are written whole or not at all, and a file that was damaged since is found out.

Everything that differs between systems is in this module and in `pdsim.sweeps.processes`.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pdsim.errors import DamagedError
from pdsim.settings import digest

_SEAL: Final = b"pdsim sha256 "
"""Begins the last bytes of a sealed file; readers of HDF5 look no further than its own end."""

_STAGE: Final = ".pdsim"
_LOCK: Final = "lock"
_DIGEST: Final = "digest"

_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}
"""What systems and network drives say that cannot make the entries of a folder durable."""


def write_atomically(
    path: Path, content: bytes | memoryview | str, *, sealed: bool = False
) -> None:
    """Write `content` to `path` so that a reader sees the old file or the whole new one.

    Parameters
    ----------
    path : Path
        Target; its folder must exist.
    content : bytes or str
        Text is written as UTF-8 with line feeds as they are.
    sealed : bool
        Whether its digest comes at the end, see `check_seal`.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind then.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if sealed:
                file.write(_SEAL + hashlib.sha256(data).digest())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of `folder` durable, where the system lets a program do so."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        # Windows opens no folder, and makes names durable by itself
        if error.errno in _NO_SYNC:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON with its own digest in it, see `read_json`."""
    whole = {**content, _DIGEST: digest(content)}
    write_atomically(path, json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    DamagedError
        If it is not what was written.
    FileNotFoundError
        If there is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.pop(_DIGEST)
        if found == digest(content):
            return dict(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise DamagedError(path, "its digest is wrong")


def check_seal(path: Path) -> None:
    """Raise DamagedError unless a file ends with the digest of all that is before.

    Raises
    ------
    DamagedError
    FileNotFoundError
        If there is no such file.
    """
    length = len(_SEAL) + 32
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - length
        found = hashlib.sha256()
        while left > 0:
            some = file.read(min(left, 1 << 20))
            left -= len(some)
            found.update(some)
        if left == 0 and file.read() == _SEAL + found.digest():
            return
    raise DamagedError(path, "the digest at its end is missing or wrong")


@contextmanager
def published(folder: Path, *, keep: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Give an empty folder to write to; it becomes `folder` when all went well, else nothing does.

    At every moment `folder` is the old one or the new one (or, for the blink between two renames,
    neither: `recover` then brings the old one back). No lock is held meanwhile: of two that
    publish at once, the last is there, whole.

    Parameters
    ----------
    folder : Path
        Its parents are made if need be.
    keep : callable, optional
        Says of the path of a file in the old folder, relative to it, whether it is taken along;
        default: none is.
    """
    from filelock import FileLock  # once imported it listens to every file that is opened

    recover(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_strays(folder)
    stage = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-", suffix=_STAGE))
    try:
        with FileLock(stage / _LOCK):
            new, old = stage / "new", stage / "old"
            new.mkdir()
            if keep is not None and folder.is_dir():
                for path in folder.rglob("*"):
                    if path.is_file() and keep(path.relative_to(folder)):
                        _take_along(path, new / path.relative_to(folder))
            yield new
            sync_folder(new)
            if folder.exists():
                folder.rename(old)
            try:
                new.rename(folder)
            except OSError:
                if old.exists() and not folder.exists():
                    old.rename(folder)
                raise
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring back a folder that was lost between the two renames of `published`."""
    if not folder.exists():
        for old in folder.parent.glob(f".{folder.name}-*{_STAGE}/old"):
            if _is_left(old.parent):
                old.rename(folder)
                return


def _remove_strays(folder: Path) -> None:
    """Remove what a killed `published` left behind."""
    for stage in folder.parent.glob(f".{folder.name}-*{_STAGE}"):
        # one with neither may be another's that has just begun, and does not hold its lock yet
        if ((stage / "new").exists() or (stage / "old").exists()) and _is_left(stage):
            shutil.rmtree(stage, ignore_errors=True)


def _is_left(stage: Path) -> bool:
    """Whether nobody publishes from `stage` any more."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(stage / _LOCK, timeout=0):
            return True
    except Timeout:
        return False


def _take_along(path: Path, target: Path) -> None:
    """Give a file a second name, or copy it where that is not possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copy2(path, target)
