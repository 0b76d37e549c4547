"""Columns of a table of scores: what they are called, and which of them are facilities."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from pdsim.errors import InputError, Problem, suggestion
from pdsim.study.columnwords import column_for
from pdsim.study.frames import UNNAMED, text_column, visible
from pdsim.study.options import Decimal
from pdsim.study.problems import listed, quote
from pdsim.study.words import folded as folded_word
from pdsim.study.words import is_total

FEW_DRAWS: Final = 100
"""Fewer say too little of who is where."""

BOOKKEEPING: Final = re.compile(
    r"\.?(chain|iteration|iter|draw|sample|index|warmup|row|rownames)(__)?|lp__|lprior|log_?lik.*|log_?post.*|deviance"
    r"|.*__|x|unnamed: \d+|\.\.\.\d+|(log_)?weights?|seed|replicate|rep|simulation|sim",
    re.IGNORECASE,
)
PARAMETER: Final = re.compile(
    r"(mu|sigma|tau|sd|rho|nu|phi|kappa|omega)([_.]\w+|\d+)?|(b|cor)_.*|lp|\(?Intercept\)?"
    r"|Sigma\[.*\]"
)
"""What models call what they have once, in small letters as programs write it."""
_INDEXED: Final = re.compile(r"(.+?)(?:\[(.+)\]|\.(\d+))")
_LIMITS: Final = (
    r"^(-?[\d.,]+)\s*%?\s*[(\[]\s*(-?[\d.,]*\d)\s*%?\s*(?:to|-|–|,|;|bis|à|a)"
    r"\s*(-?[\d.,]*\d)\s*%?\s*[)\]]$"
)
_SAMPLED: Final = {"r_hat", "rhat", "ess_bulk", "mcse_mean", "n_eff", "ess"}
CHAINS: Final = (".chain", "chain", "chain__")
_DRAWS: Final = (".draw", "draw", ".iteration", "iteration", "sample", "iter")
_HEADERS: Final = {
    "facility": "facility|hospital|provider|unit|site|centre|center|clinic|treatment|treat|trt|name"
    "|id|institution|jurisdiction|country|school|label|hospital name|state|grp|level|group|term"
    "|variable|parameter|param",
    "estimate": "estimate|est|te|mean|effect|coef|coefficient|theta|rate|value|score|point"
    "|point.estimate|b|beta|x|yi|median|condval|estimation|estimacion|schatzung",
    "se": "se|sete|std.error|std_error|std error|std. err.|stderr|standard error|standard_error"
    "|se.estimate|sd.estimate|est.error|std.err|sei|condsd"
    "|erreur type|erreur-type|error estandar|standardfehler|erro padrao",
    "lower": "lower|lcl|low|ci_lower|lower_ci|ci.lb|ci_low|conf.low|lower_95|l95|lb|ll|q2.5|2.5%"
    "|l-95% ci|lower estimate|lower limit|ci lower|lower ci|lower 95",
    "upper": "upper|ucl|high|ci_upper|upper_ci|ci.ub|ci_high|conf.high|upper_95|u95|ub|ul|q97.5"
    "|97.5%|u-95% ci|higher estimate|upper estimate|upper limit|ci upper|upper ci|upper 95",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """How a file of scores is to be read; None leaves it to be recognised.

    Attributes
    ----------
    variable : str or None
        Of a netCDF file; of a table of draws with several families of columns, such as ``theta``
        of ``theta[1]``.
    dim : str or None
        Dimension of a netCDF file that stands for the facilities.
    columns : dict of str to str
        Names of the columns ``facility, estimate, se, lower, upper``, and of draws below each
        other ``draw, chain, value``.
    level : float or None
        Level of the limits in percent, such as 95.
    delimiter, decimal : str or None
    few_draws : bool
        Rank fewer than ``FEW_DRAWS`` draws all the same.
    """

    variable: str | None = None
    dim: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    level: float | None = None
    delimiter: str | None = None
    decimal: Decimal | None = None
    few_draws: bool = False


def named_columns(table: pd.DataFrame, options: ScoreOptions, file: str) -> dict[str, str]:
    """Return the columns that are stated, or that are called as usual."""
    names = visible(table)
    folded = {folded_word(name): name for name in names}
    found: dict[str, str] = {}
    for role, stated in options.columns.items():
        if role not in (*_HEADERS, "draw", "chain", "value"):
            cure = "use facility, estimate, se, lower, upper, draw, chain or value"
            raise InputError(Problem(rule=f"there is no role {role!r} for a column", cure=cure))
        column = stated if stated in names else folded.get(folded_word(stated))
        if column is None:
            rule = f"there is no column {quote(stated)}; the file has {listed(names)}"
            cure = f"correct --columns {role}={stated}" + suggestion(stated, names)
            raise InputError(Problem(file=file, rule=rule, cure=cure))
        found[role] = column
    taken = set(found.values())
    for role, words in _HEADERS.items():
        if role in found:
            continue
        hits = [folded[w] for w in words.split("|") if w in folded and folded[w] not in taken]
        if role == "facility":
            # what is the same in every row names nothing
            hits = [name for name in hits if table[name].nunique() > 1] or hits
        if hits:
            found[role] = hits[0]
            taken.add(hits[0])
    if "estimate" not in found and "se" not in found:
        found |= _paired(names)
    # summaries of a sampler give the standard deviation of the posterior
    if "se" not in found and "sd" in folded and _SAMPLED & set(folded):
        found["se"] = folded["sd"]
    for role in ("lower", "upper"):
        ends = [name for name in names if name.startswith(f"{role} ") and name not in taken]
        if role not in found and len(ends) == 1:
            found[role] = ends[0]
    if "facility" not in found and "estimate" in found:
        name = folded.get(UNNAMED) or column_for("facility", names)
        found |= {} if name is None else {"facility": name}
    for role, usual in (("chain", CHAINS), ("draw", _DRAWS)):
        hits = [folded[word] for word in usual if word in folded]
        if hits:
            found.setdefault(role, hits[0])
    return _stacked(table, found) | found


def _stacked(table: pd.DataFrame, found: dict[str, str]) -> dict[str, str]:
    """Return facility and value where every draw has several rows and two columns are left."""
    keys = [found[role] for role in ("chain", "draw") if role in found]
    if "draw" not in found or "se" in found or not table.duplicated(keys).any():
        return {}
    own = (n for n in visible(table) if n not in keys and not BOOKKEEPING.fullmatch(n.strip()))
    sizes = {name: table[name].nunique() for name in own}
    rest = sorted((name for name, size in sizes.items() if size > 1), key=lambda n: sizes[n])
    if len(rest) != 2 or table.duplicated([*keys, rest[0]]).any():
        return {}
    return {"facility": rest[0], "value": rest[1]}


def limits_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with one column of cells such as ``4.2 (3.1 to 5.3)`` as three."""
    for name in visible(table):
        parts = text_column(table[name]).str.extract(_LIMITS)
        if parts[0].notna().all():
            ends = {"estimate": parts[0], f"lower {name}": parts[1], f"upper {name}": parts[2]}
            return table.drop(columns=name).assign(**ends)
    return table


def _paired(names: Sequence[str]) -> dict[str, str]:
    """Return the one pair of columns that share a name but for ``_se``."""
    pairs = []
    for name in names:
        stem = re.sub(r"[_. ]se$", "", name, flags=re.IGNORECASE)
        if stem == name:
            continue
        matches = [n for n in names if n != name and n.casefold().startswith(stem.casefold())]
        if len(matches) == 1:
            pairs.append({"estimate": matches[0], "se": name})
    return pairs[0] if len(pairs) == 1 else {}


def is_long(table: pd.DataFrame, found: dict[str, str]) -> bool:
    """Tell draws below each other: a facility and a draw in every row, and one value."""
    if "facility" not in found or "draw" not in found or "se" in found or "lower" in found:
        return False
    return "value" in found or "estimate" in found


def refuse_texts(table: pd.DataFrame, names: Sequence[str], file: str) -> None:
    """Refuse a table with a column of names: it does not hold draws."""
    for name in names:
        text = text_column(table[name])
        given = text[text != ""]
        if len(given) and given.str.match(r"^[^\W\d_]").mean() > 0.5 and given.nunique() > 1:
            rule = f"the column {quote(name)} holds words, so that the table holds no draws"
            cure = (
                f"name the columns of estimates: --columns 'facility={name},estimate=...,se=...' "
                "(or lower=...,upper=... and --level 95); the file has "
            )
            raise InputError(Problem(file=file, rule=rule, cure=cure + listed(visible(table))))


def without_parameters(names: Sequence[str], notes: list[str]) -> list[str]:
    """Return the names that are not called like parameters of a model or totals; say which are."""
    totals = [name for name in names if is_total(name)]
    if totals:
        notes.append(f"Left out as totals or averages, not facilities: {listed(totals)}.")
    names = [name for name in names if name not in totals]
    out = [name for name in names if PARAMETER.fullmatch(name) or name.endswith("__")]
    if out:
        notes.append(
            f"Left out as parameters of a model, not facilities: {listed(out)}; write the name of "
            "a facility in another way, such as with a capital letter."
        )
    return [name for name in names if name not in out]


def row_names(
    names: Sequence[str], options: ScoreOptions, file: str, notes: list[str]
) -> dict[str, str]:
    """Return the facilities among the names of rows, and what each of these is called."""
    own = without_parameters(names, notes)
    indexed = options.variable is not None or any("[" in name for name in own)
    return family_of(own, options, file) if indexed else {name: name for name in own}


def family_of(names: Sequence[str], options: ScoreOptions, file: str) -> dict[str, str]:
    """Return the columns of the facilities and what each of these is called.

    Of ``theta[1]`` and ``r_hospital[A,Intercept]`` the index is the name; a table with several
    such families, or with other parameters beside one, needs to be told which.
    """
    families: dict[str, dict[str, str]] = {}
    for name in names:
        match = _INDEXED.fullmatch(name.strip())
        if match:
            label = (match[2] or match[3]).removesuffix(",Intercept")
            label = re.sub(r"^\(Intercept\) [^:]+:", "", label)
            families.setdefault(match[1], {})[name] = label
    if options.variable is not None:
        if options.variable not in families:
            rule = f"nothing is called {options.variable}[...]"
            cure = f"correct --variable{suggestion(options.variable, list(families))}"
            raise InputError(Problem(file=file, rule=rule, cure=cure))
        return families[options.variable]
    several = {name: part for name, part in families.items() if len(part) > 1}
    inside = {name for part in several.values() for name in part}
    if not several or (len(several) == 1 and len(inside) == len(names)):
        return next(iter(several.values())) if several else {name: name for name in names}
    varying = {name: part for name, part in several.items() if name.startswith("r_")}
    if len(varying) == 1:
        return next(iter(varying.values()))
    rule = f"there are several parameters: {listed(list(several) or list(names))}"
    cure = f"name the one of the facilities: --variable {next(iter(several))}"
    raise InputError(Problem(file=file, rule=rule, cure=cure))
