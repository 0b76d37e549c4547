"""One replicate's decision: what a rule says about the facilities, whatever the rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pdsim.arraytypes import Floats

OK, WARNED, NOT_CONVERGED, ERROR = 1, 2, 3, 4
"""What can become of a replicate inside a block; the rest of the codes belong to executors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule says about the facilities of R replicates.

    Attributes
    ----------
    top, bottom : ndarray (R, F)
        Scores by which each end is chosen, larger = more so.
    estimate, sd, lower, upper : ndarray (R, F)
        Estimate of what facilities are ranked on, its stated standard deviation and its 95 %
        interval; NaN where the rule estimates nothing.
    p_top : ndarray (R, F)
        Stated P(top m); NaN where the rule states none.
    flagged : ndarray (R, F)
        1 where a facility is flagged as clearly among the best, else 0; NaN where the rule does
        not flag.
    status : ndarray of uint8 (R,)
    """

    top: Floats
    bottom: Floats
    estimate: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    p_top: Floats
    flagged: Floats
    status: NDArray[np.uint8]
