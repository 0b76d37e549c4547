"""Nothing that only some systems have: by reading the source, and by taking it away."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pdsim

ROOT = Path(pdsim.__file__).parent
FALLBACKS = ("files.py", "sweeps/processes.py")
"""The modules that may ask what the system has."""

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "msvcrt", "winreg"}
NAMES = {
    "fork", "forkpty", "memfd_create", "preadv", "pwritev", "pread", "pwrite", "sched_getaffinity",
    "getuid", "geteuid", "killpg", "setsid", "waitpid", "mkfifo", "umask", "chown", "uname",
    "getloadavg", "fdatasync", "sync", "sendfile", "SIGKILL", "SIGALRM", "SIGUSR1", "alarm",
    "pass_fds", "preexec_fn", "socketpair", "AF_UNIX", "O_DIRECTORY", "dir_fd",
}  # fmt: skip


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_source_uses_what_every_system_has_and_says_its_encoding(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            used |= {node.module or "", *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used |= {node.attr} if node.value.id in {"os", "signal", "socket"} else set()
        elif isinstance(node, ast.keyword) and node.arg:
            used.add(node.arg)
    if path.relative_to(ROOT).as_posix() not in FALLBACKS:
        assert not used & (MODULES | NAMES)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        given = {keyword.arg for keyword in node.keywords}
        modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
        binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
        method = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        opens = name == "open" and method and node.func.value.id not in {"os", "xr", "zipfile"}
        if name in {"read_text", "write_text"} or (opens and modes and not binary):
            assert "encoding" in given, f"line {node.lineno}: {name} without an encoding"


ELSEWHERE = '''
"""A system without what only POSIX has."""
import os, sys, warnings
import psutil  # of Linux, which needs what other systems need not
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "memfd_create", "preadv", "pwritev"):
    if hasattr(os, name):
        delattr(os, name)
warnings.filterwarnings("ignore", message="only soft file lock is available")
opened = os.open
def open_no_folder(path, flags, *arguments, **options):
    if not isinstance(path, int) and os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return opened(path, flags, *arguments, **options)
os.open = open_no_folder
'''
"""Put in front of every interpreter that is started, workers of a sweep included."""

ESTIMATES = "facility,estimate,se\nA,3,1\nB,2,1\nC,1,1\nD,0,1\nE,-1,1\n"
SWEEP = "replicates = 30\nseed = 1\n[scenario]\nfacilities = 6\n[factors]\ntrials = [10, 20]\n"


@pytest.mark.slow
def test_commands_run_where_there_is_nothing_of_posix(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    (tmp_path / "e.csv").write_text(ESTIMATES)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    path = os.pathsep.join([str(tmp_path), str(ROOT.parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    for arguments in (
        ("example", "surgical", "s"),
        ("check", "s"),
        ("analyse", "s", "--out", "results", "--engine", "laplace"),
        ("analyse", "s", "--out", "results", "--engine", "laplace", "--seed", "2"),
        ("report", "results", "--format", "md"),
        ("rank", "e.csv", "--m", "2", "--out", "ranked"),
        ("sweep", "sweep.toml", "--store", "store", "--workers", "2", "--out", "sweep.nc"),
        ("report", "sweep.nc"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pdsim", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    for name in ("results/report.html", "results/report.md", "ranked/report.html", "sweep.html"):
        assert (tmp_path / name).is_file()
