"""What is doubtful in a study that breaks no rule, each with the cure to paste."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import xarray as xr

from pdsim.arraytypes import Bools, Floats
from pdsim.study.core import Study
from pdsim.study.problems import listed, quote
from pdsim.study.words import folded
from pdsim.terms.kinds import KINDS

ALIKE: Final = 87.0
"""Similarity of two names, in percent, from which they may be one."""

NEARLY: Final = 92.0
"""Similarity from which two names may be one although both are seen in a round."""

FEW_CASES: Final = 5

_MARKS: Final = re.compile(r"\d+|\b\w\b")
"""Numbers and initials, by which names differ that are otherwise alike."""

_ABBREVIATIONS: Final = {
    "hc": "health centre",
    "hf": "health facility",
    "hosp": "hospital",
    "disp": "dispensary",
    "st": "saint",
    "ste": "saint",
    "dist": "district",
    "reg": "regional",
    "ctr": "centre",
    "center": "centre",
    "clin": "clinic",
    "cs": "centre de sante",
    "krankenhs": "krankenhaus",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something that may be wrong.

    Attributes
    ----------
    what : str
        One sentence.
    cure : str
        What to do about it; lines for the study.toml where there are any.
    """

    what: str
    cure: str


def doubts(study: Study) -> tuple[Doubt, ...]:
    """Return what is doubtful in the data of a study, the gravest first.

    Names that may be one; sums of the other facilities; indicators with
    the same numbers; cells that did not change; facilities and indicators seen in one round; very
    few cases; domains that pull apart.

    Examples
    --------
    >>> from pdsim.study import load_example
    >>> len(doubts(load_example("safe_surgery_like")))
    0
    """
    kind = KINDS[study.kind]
    value, size = (study.data[name].to_numpy() for name in kind.values)
    seen = ~kind.missing(value, size)
    pairs = {dim: _alike(study.data, seen, dim) for dim in ("facility", "indicator")}
    found: list[Doubt] = []
    found += [_rename(dim, names) for dim, names in pairs.items() if names]
    found += _same_numbers(study.data, value, size, seen)
    if study.kind == "counts":
        found += _sums(study.data, value, size, seen)
    if seen.shape[2] == 2:
        found += _unchanged(study.data, value, size, seen)
        for dim in ("facility", "indicator"):
            spoken = {name for pair in pairs[dim] for name in pair}
            found += _one_round(study, seen, dim, spoken)
        found += _apart(study, seen)
    if study.kind == "counts":
        found += _few(size, seen)
    return tuple(found)


def likeness(one: str, other: str) -> float:
    """Return how alike two names are, in percent; with other numbers or initials they are not.

    Examples
    --------
    >>> likeness("Kibaha HC", "Kibaha Health Centre"), likeness("Site 1", "Site 2")
    (100.0, 0.0)
    """
    return _likeness(_plain(one), _plain(other))


def _likeness(one: str, other: str) -> float:
    from rapidfuzz import fuzz

    if _MARKS.findall(one) != _MARKS.findall(other):
        return 0.0
    return float(max(fuzz.ratio(one, other), fuzz.token_sort_ratio(one, other)))


def _plain(name: str) -> str:
    text = re.sub(r"['\u2019`.]", "", folded(name))
    words = re.sub(r"[^\w]+", " ", text).split()
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words)


def _alike(data: xr.Dataset, seen: Bools, dim: str) -> list[tuple[str, str]]:
    """Return pairs of names that may be one: the one to be given up, and the one to be kept.

    Names that are alike and never seen in one round; nearly the same where one of them is seen in
    one round only; the same but for signs and abbreviations in any case.
    """
    axis = 1 if dim == "facility" else 0
    rounds = seen.any(axis=axis)
    counted = seen.sum(axis=(1, 2) if dim == "facility" else (0, 2))
    names = data[dim].to_numpy().tolist()
    scored: list[tuple[float, int, int]] = []
    for a, b, score in _near([_plain(name) for name in names]):
        apart = not (rounds[a] & rounds[b]).any()
        whole = rounds[a].all() and rounds[b].all()
        if score < (ALIKE if apart else 100.0 if whole else NEARLY):
            continue
        later = rounds[a, -1] if apart else counted[a] > counted[b]
        scored.append((score, b, a) if later else (score, a, b))
    pairs: list[tuple[str, str]] = []
    taken: set[int] = set()
    for _, a, b in sorted(scored, reverse=True):
        if not {a, b} & taken:
            pairs.append((names[a], names[b]))
            taken |= {a, b}
    return pairs


def _near(plain: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yield the positions of names that are alike, and how alike they are."""
    from rapidfuzz import fuzz, process

    # row by row, since a table of all pairs of 10,000 names would fill the memory
    for a, name in enumerate(plain):
        rest = plain[a + 1 :]
        hits = {
            hit[2]
            for scorer in (fuzz.ratio, fuzz.token_sort_ratio)
            for hit in process.extract(name, rest, scorer=scorer, score_cutoff=ALIKE, limit=None)
        }
        for position in sorted(hits):
            score = _likeness(name, rest[position])
            if score >= ALIKE:
                yield a, a + 1 + position, score


def _rename(dim: str, pairs: Sequence[tuple[str, str]]) -> Doubt:
    shown = "; ".join(f"{quote(one)} and {quote(other)}" for one, other in pairs[:8])
    rest = f"; and {len(pairs) - 8:,} more" if len(pairs) > 8 else ""
    lines = [
        f"{json.dumps(one, ensure_ascii=False)} = {json.dumps(other, ensure_ascii=False)}"
        for one, other in pairs
    ]
    return Doubt(
        what=f"These {dim} names are alike and may be one each: {shown}{rest}",
        cure="\n".join([f"[rename.{dim}]", *lines]),
    )


def _same_numbers(data: xr.Dataset, value: Floats, size: Floats, seen: Bools) -> Iterator[Doubt]:
    names = data["indicator"].to_numpy().tolist()
    places: dict[bytes, list[str]] = {}
    for k, name in enumerate(names):
        mine = seen[:, k]
        cells = value[:, k][mine]
        if mine.sum() >= 4 and len(np.unique(cells)) > 1:
            key = np.where(mine, value[:, k], -1.0).tobytes()
            key += np.where(mine, size[:, k], -1.0).tobytes()
            places.setdefault(key, []).append(name)
    for same in places.values():
        if len(same) > 1:
            yield Doubt(
                what=f"The indicators {listed(same)} have the same numbers in every cell: they "
                f"count {len(same)} times what was observed once",
                cure=f"exclude = {{indicator = {json.dumps(same[1:], ensure_ascii=False)}}}",
            )


def _sums(data: xr.Dataset, value: Floats, size: Floats, seen: Bools) -> Iterator[Doubt]:
    names = data["facility"].to_numpy().tolist()
    if len(names) < 4:
        return
    total, sizes = value.sum(axis=0), size.sum(axis=0)
    for i, name in enumerate(names):
        mine = seen[i]
        rest = np.isclose(size[i], sizes - size[i]) & np.isclose(value[i], total - value[i])
        if mine.sum() >= 2 and rest[mine].mean() > 0.8:
            yield Doubt(
                what=f"The numbers of {quote(name)} are the sums of all other facilities",
                cure=f"exclude = {{facility = [{json.dumps(name, ensure_ascii=False)}]}}",
            )


def _unchanged(data: xr.Dataset, value: Floats, size: Floats, seen: Bools) -> Iterator[Doubt]:
    both = seen.all(axis=2)
    same = both & (value[..., 0] == value[..., 1]) & (size[..., 0] == size[..., 1])
    names = data["indicator"].to_numpy()
    count = both.sum(axis=0)
    carried = (count >= 4) & (same.sum(axis=0) > 0.5 * count)
    # a rate of 0 or 100 % among few cases may well stay as it is
    carried &= (size[..., 0] * both).sum(axis=0) >= FEW_CASES * count
    if carried.any():
        chosen = names[carried].tolist()
        yield Doubt(
            what=f"In most facilities {listed(chosen)} has the same counts in both rounds, as if "
            "carried over from the earlier release",
            cure="check the source; or leave it out: "
            f"exclude = {{indicator = {json.dumps(chosen, ensure_ascii=False)}}}",
        )


def _one_round(study: Study, seen: Bools, dim: str, spoken: set[str]) -> Iterator[Doubt]:
    rounds = seen.any(axis=1 if dim == "facility" else 0)
    names = study.data[dim].to_numpy()
    for at, label in enumerate(study.period_labels):
        only = [str(n) for n in names[rounds[:, at] & ~rounds[:, 1 - at]] if str(n) not in spoken]
        if only:
            yield Doubt(
                what=f"Seen in {label} only: {dim} {listed(only)}; the model fills the other round "
                "in, with a wider interval",
                cure=f"exclude = {{{dim} = {json.dumps(only[:8], ensure_ascii=False)}}}  # leaves "
                "it out",
            )


def _apart(study: Study, seen: Bools) -> Iterator[Doubt]:
    """Report two domains whose changes go against each other over facilities."""
    data, kind = study.data, KINDS[study.kind]
    domain = data["domain"].to_numpy()
    names = list(dict.fromkeys(domain.tolist()))
    if len(names) < 2 or seen.shape[0] < 6:
        return
    value, size = (data[name].to_numpy() for name in kind.values)
    lower = (data["direction"] == "lower").to_numpy()[None, :, None]
    level = kind.level(value, size, np.broadcast_to(lower, value.shape))
    change = level[..., 1] - level[..., 0]
    whole = ~np.isnan(change)
    means = {}
    for name in names:
        mine = domain == name
        counted = whole[:, mine].sum(axis=1)
        sums = np.where(whole[:, mine], change[:, mine], 0.0).sum(axis=1)
        means[name] = np.where(counted > 0, sums / np.maximum(counted, 1), np.nan)
    for one, other in combinations(names, 2):
        known = ~np.isnan(means[one]) & ~np.isnan(means[other])
        a, b = means[one][known], means[other][known]
        if known.sum() < 6 or not (a.std() > 0 and b.std() > 0):
            continue
        r = float(np.corrcoef(a, b)[0, 1])
        if r < -0.5:
            yield Doubt(
                what=f"The domains {quote(one)} and {quote(other)} pull apart: facilities that "
                f"improve in one fall back in the other (correlation {r:.2f})",
                cure="check the direction of their indicators; a composite of both says little",
            )


def _few(size: Floats, seen: Bools) -> Iterator[Doubt]:
    few = int((size[seen] < FEW_CASES).sum())
    if few > 0.25 * seen.sum():
        yield Doubt(
            what=f"{few:,} of {seen.sum():,} observed cells have fewer than {FEW_CASES} cases",
            cure="expect wide intervals; pool indicators or periods where that makes sense",
        )


def coverage(study: Study) -> dict[str, Sequence[float]]:
    """Return cases and percentage of cells missing of every facility in every round.

    Returns
    -------
    dict of str to sequence
        For every period its ``cases <label>`` (counts only) and ``missing <label>``, in the order
        of the facilities.
    """
    kind = KINDS[study.kind]
    value, size = (study.data[name].to_numpy() for name in kind.values)
    missing = kind.missing(value, size)
    columns: dict[str, Sequence[float]] = {}
    for at, label in enumerate(study.period_labels):
        if study.kind == "counts":
            columns[f"cases {label}"] = size[..., at].sum(axis=1).tolist()
        columns[f"missing {label}"] = (100.0 * missing[..., at].mean(axis=1)).tolist()
    return columns
