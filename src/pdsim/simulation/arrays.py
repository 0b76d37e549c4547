"""Types of the compiled loops; mypy sees the functions as they are written."""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Words = NDArray[np.uint64]
type Word = np.uint64
type FourWords = tuple[Word, Word, Word, Word]
