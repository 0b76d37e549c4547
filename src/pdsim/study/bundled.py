"""The examples that come with pdsim."""

import tomllib
from importlib.resources import files
from typing import Final

from pdsim.errors import InputError, Problem
from pdsim.study.core import Study
from pdsim.study.problems import listed
from pdsim.study.read import study_from

EXAMPLES: Final = ("lake_zone", "surgical", "safe_surgery_like")
"""Names of the examples."""


def load_example(
    name: str,
    *,
    trials: int | None = None,
    items: int | None = None,
    case_correlation: float | None = None,
) -> Study:
    """Load a bundled example.

    Parameters
    ----------
    name : {"lake_zone", "surgical", "safe_surgery_like"}
        ``lake_zone``: composite adherence of ten hospitals before and after a safe-surgery
        programme, as published [1]_; the numbers of cases were not published, so that `trials`
        and `case_correlation` must be stated. ``surgical``: deaths after heart surgery on
        infants in 12 hospitals, one period, with the priors of its source [2]_.
        ``safe_surgery_like``: ten hospitals with 14 indicators in two domains, simulated.
    trials : int, optional
        ``lake_zone`` only: assumed number of cases behind each percentage.
    items : int, optional
        ``lake_zone`` only: items scored on every case; default 14.
    case_correlation : float, optional
        Correlation of two indicators (or items) of one case; 0 says that there is none.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If there is no such example, or ``lake_zone`` is asked for without its assumptions.

    References
    ----------
    .. [1] Alidina S et al. (2021), BMJ Quality & Safety, Table 2,
       doi:10.1136/bmjqs-2020-011795
    .. [2] Spiegelhalter D et al. (1996), BUGS 0.5 Examples Volume 1, MRC Biostatistics Unit

    Examples
    --------
    >>> load_example("lake_zone", trials=20, case_correlation=0.1)
    <Study 'Lake Zone': counts, 10 facilities x 1 indicator x 2 periods, m = 3>
    """
    _refuse_unknown(name)
    problems = []
    if name == "lake_zone":
        if trials is None:
            problems.append(
                Problem(
                    rule="the number of cases behind the percentages of 'lake_zone' was not "
                    "published",
                    cure="state the number that you assume, such as trials=20",
                )
            )
        if case_correlation is None:
            problems.append(
                Problem(
                    rule="the within-case correlation behind the percentages of 'lake_zone' was "
                    "not published",
                    cure="state the one that you assume, such as case_correlation=0.1 (0 says that "
                    "the items of a case are independent)",
                )
            )
    elif trials is not None or items is not None:
        problems.append(
            Problem(
                rule=f"trials and items are for 'lake_zone'; {name!r} has its own numbers of cases",
                cure="leave them out",
            )
        )
    if problems:
        raise InputError(problems)
    content = example_files(name, trials=trials, items=items, case_correlation=case_correlation)
    mapping = tomllib.loads(content["study.toml"].decode())
    return study_from(mapping, load=content.__getitem__, name=name, file=f"{name}/study.toml")


def example_files(
    name: str,
    *,
    trials: int | None = None,
    items: int | None = None,
    case_correlation: float | None = None,
) -> dict[str, bytes]:
    """Return the files of an example, ready to be written to a folder.

    Parameters
    ----------
    name, trials, items, case_correlation
        As for `load_example`. For ``lake_zone`` without `trials` or `case_correlation` the
        study.toml holds a line that has to be filled in.

    Returns
    -------
    dict of file name to content
        ``study.toml`` and the tables that it names.

    Raises
    ------
    InputError
        If there is no such example.

    Examples
    --------
    >>> sorted(example_files("surgical"))
    ['deaths.csv', 'indicators.csv', 'study.toml']
    """
    _refuse_unknown(name)
    folder = files("pdsim.study") / "examples" / name
    content = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
    text = content["study.toml"].decode()
    values = {"trials": trials, "items": items, "case_correlation": case_correlation}
    for key, value in values.items():
        if value is not None:
            text = _stated(text, key, repr(value))
    return content | {"study.toml": text.encode()}


def _stated(text: str, key: str, value: str) -> str:
    """Put ``key = value`` in place of the line of `key`, stated or commented out."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if line.removeprefix("# ").startswith(f"{key} ="):
            lines[place] = f"{key} = {value}"
    return "\n".join(lines) + "\n"


def _refuse_unknown(name: str) -> None:
    if name not in EXAMPLES:
        raise InputError(
            Problem(
                rule=f"there is no example {name!r:.60}", cure=f"choose one of {listed(EXAMPLES)}"
            )
        )
