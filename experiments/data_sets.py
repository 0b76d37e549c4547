"""What the experiments on many simulated data sets share: a line of JSON for each, then a table.

An interrupted run goes on where it stopped: a line says which data set it is of, in ``key``.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np


def parser_of(description: str | None, out: str, *, sets: int = 200) -> argparse.ArgumentParser:
    """Return the options of an experiment."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=sets)
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--summarise", type=Path, help="the lines of a run")
    parser.add_argument("--csv", type=Path, help="the table that is made of them")
    return parser


def lines_of(path: Path) -> list[dict]:
    """Return the lines of a run, none if there is none yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def groups_of(path: Path, parts: slice) -> list[tuple[tuple, list[dict]]]:
    """Return the lines of a run by some parts of their keys."""
    groups = defaultdict(list)
    for line in lines_of(path):
        groups[tuple(line["key"][parts])].append(line)
    return sorted(groups.items())


def slope(p: np.ndarray, top: np.ndarray) -> float:
    """Return the slope of being among the top on its probability, within data sets."""
    centred = p - p.mean(axis=1, keepdims=True)
    return float((centred * top).sum() / (centred**2).sum())


def write_rows(rows: list[dict], path: Path) -> None:
    """Write a table, numbers with four digits."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
