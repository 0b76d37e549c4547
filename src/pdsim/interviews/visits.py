"""How many interviews each facility gets in each round, under a budget."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pdsim.errors import InputError, Problem
from pdsim.interviews.groups import Groups
from pdsim.interviews.interviewsettings import InterviewSettings


def visits(groups: Groups, settings: InterviewSettings) -> xr.Dataset:
    """Spread the interviews over facilities and rounds.

    Rounds held before anybody is known to be high or low go to all facilities alike; later ones to
    the two groups. Every round has the same share of the budget.

    Parameters
    ----------
    groups : Groups
    settings : InterviewSettings
        Without a budget every facility of a group gets ``informants`` interviews over all rounds.

    Returns
    -------
    Dataset
        ``interviews`` over (``round``, ``facility``); ``blind`` over ``round``; scalars ``total``,
        ``cost``, ``in_groups`` (interviews that are held in the two groups).

    Raises
    ------
    InputError
        If the budget does not pay for one interview at every place of a round.
    """
    count = len(groups.names)
    members = groups.high | groups.low
    blind = np.arange(len(settings.rounds)) < settings.blind_rounds
    rows = []
    for position, is_blind in enumerate(blind):
        taking_part = np.ones(count, dtype=bool) if is_blind else members
        number = _of_round(settings, int(taking_part.sum()), position)
        rows.append(_evenly(number, taking_part))
    interviews = np.array(rows)
    cost = settings.cost_interview * interviews.sum() + settings.cost_visit * (interviews > 0).sum()
    return xr.Dataset(
        {
            "interviews": (("round", "facility"), interviews),
            "blind": ("round", blind),
            "total": int(interviews.sum()),
            "in_groups": int(interviews[:, members].sum()),
            "cost": float(cost),
        },
        coords={"round": list(settings.rounds), "facility": groups.names},
    )


def _of_round(settings: InterviewSettings, places: int, position: int) -> int:
    """Return the number of interviews of one round."""
    if settings.budget is None:
        whole, left = divmod(settings.informants, len(settings.rounds))
        return places * (whole + (position < left))
    share = settings.budget / len(settings.rounds)
    number = int((share - settings.cost_visit * places + 1e-9) // settings.cost_interview)
    if number < places:
        need = len(settings.rounds) * places * (settings.cost_interview + settings.cost_visit)
        raise InputError(
            Problem(
                rule=f"the budget of {settings.budget:g} does not pay for one interview in each of "
                f"{places} facilities in every round",
                cure=f"{need:g} would; or hold fewer rounds",
            )
        )
    return number


def _evenly(number: int, taking_part: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return interviews by facility; one more for the first where they do not divide."""
    row = np.zeros(len(taking_part), dtype=np.int64)
    where: Sequence[int] = np.flatnonzero(taking_part).tolist()
    whole, left = divmod(number, len(where))
    row[where] = whole
    row[where[:left]] += 1
    return row
