"""The page of every key of study.toml, from the settings themselves; its examples are executed."""

import dataclasses
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pdsim.interviews import ContrastSettings, InterviewSettings, ThemeMapping
from pdsim.planning import PlanSettings
from pdsim.planning.sizes import Costs
from pdsim.simulation import Scenario
from pdsim.study import Columns, SamplerSettings, Study, StudyOptions, read_study
from pdsim.study.errorcorrelation import ErrorCorrelation
from pdsim.study.options import Join, Rename
from pdsim.study.plausible import Robustness
from pdsim.sweeps import SweepSettings


@dataclass(frozen=True)
class Example:
    """Files of a study, and how it must read."""

    title: str
    files: dict[str, str]
    reads: str


_CASES = (
    "hospital,day,timeout,antibiotics\n"
    "North,2021-02-01,Oui,Non\nNorth,2021-03-09,Non,NSP\nNorth,2022-09-01,Oui,Oui\n"
    "South,2021-02-11,Non,Non\nSouth,2022-10-02,Oui,9\nSouth,2022-10-05,Oui,Oui\n"
)

EXAMPLES = (
    Example(
        "An audit as it was exported: semicolons, thousands, small counts, a row of totals",
        {
            "audit.csv": "Hospital;Indicator;Year;Numerator;Denominator\n"
            "North;assessed;2021;1,204;1,310\nNorth;assessed;2023;1,290;1,335\n"
            "South;assessed;2021;<5;990\nSouth;assessed;2023;901;1,001\n"
            "Total;assessed;2021;1,204;2,300\nTotal;assessed;2023;2,191;2,336\n",
            "study.toml": 'data = "audit.csv"\nperiods = ["2021", "2023"]\n\n[columns]\n'
            'facility = "Hospital"\nperiod = "Year"\nsuccesses = "Numerator"\n'
            'trials = "Denominator"\n',
        },
        "counts, 2 facilities x 1 indicator x 2 periods, m = 1",
    ),
    Example(
        "One row per case, words of another language, dates instead of rounds",
        {
            "cases.csv": _CASES,
            "study.toml": 'data = "cases.csv"\nformat = "cases"\nmissing = ["9"]\n\n[columns]\n'
            'facility = "hospital"\nperiod = "day"\n\n[dates]\n'
            'baseline = ["2021-01-01", "2021-12-31"]\nendline = ["2022-01-01", "2022-12-31"]\n',
        },
        "counts, 2 facilities x 2 indicators x 2 periods, m = 1",
    ),
    Example(
        "Counts by month, whose quarters are compared",
        {
            "counts.csv": "facility,indicator,quarter,month,successes,trials\n"
            + "".join(
                f"{name},x,{quarter},{month},{month},9\n"
                for name in ("North", "South")
                for quarter in ("2023 Q1", "2023 Q2")
                for month in (1, 2, 3)
            ),
            "study.toml": 'data = "counts.csv"\nperiods = ["2023 Q1", "2023 Q2"]\n'
            'repeated = "sum"\n\n[columns]\nperiod = "quarter"\n',
        },
        "counts, 2 facilities x 1 indicator x 2 periods, m = 1",
    ),
    Example(
        "Two spellings, a facility to leave out, weights as points",
        {
            "counts.csv": "facility,indicator,period,successes,trials\n"
            + "".join(
                f"{name},{item},{period},{k + 3},20\n"
                for k, (name, period) in enumerate(
                    [
                        ("St. Mary", "baseline"),
                        ("St Mary", "endline"),
                        ("Hill", "baseline"),
                        ("Hill", "endline"),
                        ("Pilot", "baseline"),
                    ]
                )
                for item in ("x", "y")
            ),
            "study.toml": 'data = "counts.csv"\nexclude = {facility = ["Pilot"]}\n\n'
            '[rename.facility]\n"St. Mary" = "St Mary"\n\n[weights]\nx = 30\ny = 10\n',
        },
        "counts, 2 facilities x 2 indicators x 2 periods, m = 1",
    ),
    Example(
        "Numerators and denominators as rows",
        {
            "dhis.csv": "orgunit,dataelement,period,value\n"
            + "".join(
                f"{unit},{item},{year},{value}\n"
                for unit, year, value, item in [
                    ("U1", 2021, 54, "ANC 4"), ("U1", 2021, 120, "ANC 1"),
                    ("U1", 2023, 81, "ANC 4"), ("U1", 2023, 140, "ANC 1"),
                    ("U2", 2021, 25, "ANC 4"), ("U2", 2021, 80, "ANC 1"),
                    ("U2", 2023, 42, "ANC 4"), ("U2", 2023, 95, "ANC 1"),
                ]
            ),
            "study.toml": 'data = "dhis.csv"\nperiods = ["2021", "2023"]\n\n[columns]\n'
            'facility = "orgunit"\nindicator = "dataelement"\n\n[ratios]\n'
            '"four visits" = ["ANC 4", "ANC 1"]\n',
        },
        "counts, 2 facilities x 1 indicator x 2 periods, m = 1",
    ),
    Example(
        "Scores of the same people in both years, who answered both questions",
        {
            "panel.csv": "facility,indicator,period,mean,sd,n,correlation\n"
            + "".join(
                f"{unit},{item},{year},{mean},12,30,{r}\n"
                for unit, item, year, mean, r in [
                    ("North", "trust", 2021, 52, 0.7), ("North", "trust", 2023, 58, 0.7),
                    ("North", "comfort", 2021, 44, ""), ("North", "comfort", 2023, 49, ""),
                    ("South", "trust", 2021, 61, ""), ("South", "trust", 2023, 60, ""),
                    ("South", "comfort", 2021, 47, ""), ("South", "comfort", 2023, 55, ""),
                ]
            ),
            "study.toml": 'data = "panel.csv"\nperiods = ["2021", "2023"]\n\n[error_correlation]\n'
            'periods = 0.5\nindicators = [["trust", "comfort", 0.4]]\n',
        },
        "scores, 2 facilities x 2 indicators x 2 periods, m = 1",
    ),
)  # fmt: skip


def read_example(example: Example, folder: Path) -> Study:
    """Write the files of an example into a folder, and read them."""
    for name, text in example.files.items():
        (folder / name).write_text(text)
    return read_study(folder)


def described(settings: type) -> dict[str, str]:
    """Return what the docstring of a settings class says of each of its fields."""
    text = inspect.cleandoc(settings.__doc__ or "").split("Attributes\n----------\n")[1]
    text = re.split(r"\n\n\w+\n-+\n", text)[0]
    found: dict[str, str] = {}
    for part in re.split(r"\n(?=\w)", text):
        head, _, body = part.partition("\n")
        names, _, kind = head.partition(" : ")
        words = " ".join(body.split()).replace("``", "`")
        found |= {name.strip(): f"({kind}) {words}".strip() for name in names.split(",")}
    return found


OTHERS: Final[dict[str, tuple[str, str, tuple[tuple[str, type], ...]]]] = {
    "sweep-toml": ("sweep.toml", "pdsim sweep", (("", SweepSettings), ("[scenario]", Scenario))),
    "plan-toml": ("plan.toml", "pdsim plan", (("", PlanSettings), ("[costs]", Costs))),
    "interviews-toml": (
        "the plan of interviews",
        "pdsim interviews plan",
        (("", InterviewSettings),),
    ),
    "contrast-toml": ("contrast.toml", "pdsim interviews contrast", (("", ContrastSettings),)),
    "mapping-toml": ("mapping.toml", "pdsim interviews read", (("", ThemeMapping),)),
}
"""Pages of the other files: title, the command that reads it, its tables and their classes."""


def file_page(name: str) -> str:
    """Return the page of one of the other files."""
    title, command, parts = OTHERS[name]
    lines = [f"# Every key of {title}", "", f"Read by `{command}`. An unknown key is an error.", ""]
    for heading, settings in parts:
        lines += [f"## {heading}", ""] if heading else []
        said = described(settings)
        for item in dataclasses.fields(settings):
            default = "" if item.default in _NOTHING else f" Default: `{item.default!r}`."
            lines += [f"`{item.name}`", f": {said.get(item.name, '')}{default}", ""]
    if name == "plan-toml":
        lines += ["`[scenario]` has the keys of [a sweep's](sweep-toml.md).", ""]
    return "\n".join(lines)


_NOTHING: Final = (dataclasses.MISSING, None, "", ())


def settings_page() -> str:
    """Return the page in MyST Markdown."""
    lines = ["# Every key of study.toml", ""]
    lines += [
        "All keys may be left out but `data`. Those with a flag can be stated on the command "
        "line of `check` and `analyse` as well. No key asks for an edit of the source file.",
        "",
    ]
    said = described(StudyOptions)
    for item in dataclasses.fields(StudyOptions):
        flag = f" (`--{item.name.replace('_', '-')}`)" if "help" in item.metadata else ""
        lines += [f"`{item.name}`{flag}", f": {said[item.name]}", ""]
    for title, settings in (
        ("[sampler]", SamplerSettings), ("[robustness]", Robustness), ("[rename]", Rename),
        ("[join]", Join), ("[error_correlation]", ErrorCorrelation),
    ):  # fmt: skip
        lines += [f"## {title}", ""]
        for name, text in described(settings).items():
            lines += [f"`{name}`", f": {text}", ""]
    columns = ", ".join(f"`{item.name}`" for item in dataclasses.fields(Columns))
    lines += ["## [columns]", "", f"{columns}.", "", "## Examples", ""]
    for example in EXAMPLES:
        lines += [f"### {example.title}", ""]
        for name, text in example.files.items():
            lines += [f"`{name}`", "", "```", text.rstrip(), "```", ""]
        lines += [f"It reads as: {example.reads}.", ""]
    return "\n".join(lines)
