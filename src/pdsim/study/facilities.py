"""What is known of facilities beside their observations: arm, stratum and covariates."""

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from pdsim.arraytypes import Floats
from pdsim.conventions import PERIODS
from pdsim.errors import suggestion
from pdsim.study.cells import numbers
from pdsim.study.frames import as_written, file_of, text_column, visible
from pdsim.study.naming import renamed
from pdsim.study.options import StudyOptions
from pdsim.study.problems import Findings, listed, quote

PROGRAMME: Final = "programme"
CONTROL: Final = "control"

_CONTROLS: Final = frozenset({"control", "controls", "comparison", "comparator", "0", "no"})
_PLURAL: Final = {"arm": "arms", "stratum": "strata"}
_STAGGERED: Final = (
    "facilities that start at different times (a staggered or stepped design) are not analysed "
    "here: CausalPy's staggered difference in differences is made for them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facilities:
    """What a table says of every facility.

    Attributes
    ----------
    names : tuple of str
    arm, stratum : ndarray of str (facility,) or None
    covariates : ndarray (facility, covariate)
    covariate_names : tuple of str
    file : str or None
    """

    names: tuple[str, ...]
    arm: NDArray[np.str_] | None
    stratum: NDArray[np.str_] | None
    covariates: Floats
    covariate_names: tuple[str, ...]
    file: str | None


def ranked_facilities(data: xr.Dataset) -> int:
    """Return how many facilities are ranked: all but the controls."""
    if "arm" in data.coords:
        return int((data["arm"] != CONTROL).sum())
    return int(data.sizes.get("facility", 0))


def facilities_apart(
    table: pd.DataFrame, about: pd.DataFrame | None, options: StudyOptions, found: Findings
) -> tuple[pd.DataFrame, Facilities | None]:
    """Take what the table says of facilities out of it.

    Parameters
    ----------
    table : DataFrame
        Raw table of the observations.
    about : DataFrame or None
        Raw table of the facilities, which then says all of it.
    options : StudyOptions
    found : Findings

    Returns
    -------
    table : DataFrame
        Without the columns that were taken.
    facilities : Facilities or None
        None where nothing is said.
    """
    source = table if about is None else about
    place = {name: _column(source, name, options, found) for name in ("facility", "arm", "stratum")}
    covariates = {name: _column(source, name, options, found) for name in options.covariates}
    known = {
        name: column
        for name, column in {**place, **covariates}.items()
        if name != "facility" and column is not None
    }
    if about is not None and place["facility"] is None:
        found.add(
            f"the table of facilities has no column 'facility'; it has {listed(visible(about))}",
            "name the column, or map it in [columns]",
            file=file_of(about),
        )
    if not known or place["facility"] is None:
        return table, None
    keyed = source[[place["facility"], *known.values(), "file", "row"]]
    keyed = keyed.set_axis(["facility", *known, "file", "row"], axis=1)
    # what is wrong with names in the table of observations is found there
    keyed = renamed(keyed, options, Findings())
    names = text_column(keyed["facility"]).map(lambda text: unicodedata.normalize("NFC", text))
    keyed = keyed.assign(facility=names)[(names != "").to_numpy()].reset_index(drop=True)
    facilities = _facilities(keyed, tuple(covariates), options, found)
    return table.drop(columns=list(known.values()) if about is None else []), facilities


def _column(table: pd.DataFrame, name: str, options: StudyOptions, found: Findings) -> str | None:
    """Return the column of `table` that holds `name`; a problem where it was stated in vain."""
    stated = getattr(options.columns, name, None)
    key = (stated or name).strip().casefold()
    column = next((old for old in visible(table) if old.strip().casefold() == key), None)
    if column is None and name != "facility" and (stated or name in options.covariates):
        key_of = f"[columns] {name}" if stated else "the key covariates"
        found.add(
            f"there is no column {quote(stated or name)}; the file has {listed(as_written(table))}",
            f"correct {key_of}" + suggestion(stated or name, visible(table)),
            file=file_of(table),
        )
    return column


def _facilities(
    table: pd.DataFrame, covariates: tuple[str, ...], options: StudyOptions, found: Findings
) -> Facilities:
    """Return one entry per facility of a table with canonical names."""
    codes, names = pd.factorize(table["facility"])
    first = np.unique(codes, return_index=True)[1]
    texts = {}
    for name in ("arm", "stratum"):
        if name not in table:
            continue
        text = text_column(table[name])
        blank = (text == "").to_numpy(dtype=bool)
        found.rows(
            table, blank, rule=f"the {name} is blank", cure=f"give every facility its {name}"
        )
        unlike = (text.to_numpy() != text.to_numpy()[first][codes]) & ~blank
        cure = f"give a facility one {name} in all its rows"
        if name == "arm":
            cure = f"{cure}: the arm is that of the facility, not of the period; {_STAGGERED}"
        found.rows(table, unlike, rule=f"the facility has two {_PLURAL[name]}", cure=cure)
        texts[name] = text.to_numpy(dtype=str)[first]
    present = [name for name in covariates if name in table]
    values = numbers(table, present, found, options).values
    for name in present:
        missing = np.isnan(values[name])
        found.rows(
            table,
            missing,
            rule=f"the covariate {quote(name)} is blank",
            cure="give every facility its value, or leave the covariate out",
        )
        found.rows(
            table,
            ~missing & (values[name] != values[name][first][codes]),
            rule=f"the covariate {quote(name)} differs from an earlier row of the facility",
            cure="give a facility one value: what changes between the periods is no covariate",
        )
    arm = _arms(texts["arm"], options, file_of(table), found) if "arm" in texts else None
    return Facilities(
        names=tuple(str(name) for name in names),
        arm=arm,
        stratum=texts.get("stratum"),
        covariates=np.array([values[name][first] for name in present]).reshape(-1, len(names)).T,
        covariate_names=tuple(present),
        file=file_of(table),
    )


def _arms(
    labels: NDArray[np.str_], options: StudyOptions, file: str | None, found: Findings
) -> NDArray[np.str_] | None:
    """Return ``programme`` or ``control`` for every label."""
    given = list(dict.fromkeys(labels.tolist()))
    stated = options.control
    control = [
        label
        for label in given
        if (
            label.casefold() == stated.strip().casefold()
            if stated
            else label.casefold() in _CONTROLS
        )
    ]
    if len(given) > 2:
        found.add(
            f"the column arm holds {len(given)} labels, {listed(given)}: one programme is compared "
            "with one control arm",
            f"leave the other facilities out, or give two labels; {_STAGGERED}",
            file=file,
        )
    elif len(control) != 1:
        found.add(
            f"the arms are {listed(given)}, and which of them is the control arm is not known",
            f'state it, such as control = "{given[0]}"'
            if not stated
            else "correct the key control",
            file=file,
        )
    elif len(given) == 1:
        found.add(
            "every facility is in the control arm",
            "correct the column arm, or leave it out",
            file=file,
        )
    else:
        return np.where(labels == control[0], CONTROL, PROGRAMME)
    return None


def with_facilities(data: xr.Dataset, facilities: Facilities | None, found: Findings) -> xr.Dataset:
    """Return the data with what is known of its facilities as coordinates."""
    if facilities is None or found:
        return data
    place = {name: n for n, name in enumerate(facilities.names)}
    names = data["facility"].to_numpy().tolist()
    for name in names:
        if name not in place:
            found.add(
                "the facility has data, but does not stand in the table of facilities",
                "add it there",
                file=facilities.file,
                facility=name,
            )
    unused = [name for name in facilities.names if name not in set(names)]
    if unused:
        found.notes.append(f"In the table of facilities, but without data: {listed(unused)}.")
    if found:
        return data
    at = np.array([place[name] for name in names], dtype=np.int64)
    if facilities.arm is not None:
        data = data.assign_coords(arm=("facility", facilities.arm[at]))
    if facilities.stratum is not None:
        data = data.assign_coords(stratum=("facility", facilities.stratum[at]))
    if facilities.covariate_names:
        data = data.assign_coords(
            covariate=np.array(facilities.covariate_names, dtype=str),
            covariates=(("facility", "covariate"), facilities.covariates[at]),
        )
    return data


def facility_findings(data: xr.Dataset, found: Findings) -> None:
    """Report arms, strata and covariates that break a rule."""
    facilities = data.sizes["facility"]
    for name in ("arm", "stratum"):
        if name in data.coords and data[name].dims != ("facility",):
            found.add(f"coordinate {name!r} must lie on facility")
            return
    if "arm" in data.coords:
        arms = data["arm"].to_numpy()
        if set(arms.tolist()) != {PROGRAMME, CONTROL}:
            found.add(
                f"arm must be {PROGRAMME!r} or {CONTROL!r}, and both must be there (holds "
                f"{listed(sorted(set(arms.tolist())))})"
            )
        elif (arms == PROGRAMME).sum() < 2:
            found.add("one facility is in the programme: there is nothing to rank", "add others")
        if data["period"].to_numpy().tolist() != list(PERIODS):
            found.add(
                "controls say what would have changed anyway, which needs two periods",
                "add the baseline, or leave the column arm out",
            )
    if "covariates" not in data.coords:
        return
    if data["covariates"].dims != ("facility", "covariate"):
        found.add("coordinate 'covariates' must lie on (facility, covariate)")
        return
    values = data["covariates"].to_numpy()
    number = values.shape[1]
    if 5 * number > facilities:
        found.add(
            f"{number} covariates are too many for {facilities} facilities: at most one for every "
            "five",
            f"keep at most {facilities // 5}",
        )
    for name, column in zip(data["covariate"].to_numpy().tolist(), values.T, strict=True):
        if not np.isfinite(column).all():
            found.add(f"the covariate {quote(name)} is not finite everywhere", "correct it")
        elif (column == column[0]).all():
            found.add(f"the covariate {quote(name)} is the same in every facility", "leave it out")
    if not found and number and np.linalg.matrix_rank(values - values.mean(axis=0)) < number:
        found.add("one covariate follows from the others exactly", "leave one of them out")
