"""Types of arrays; mypy sees compiled functions as they are written."""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Ints32 = NDArray[np.int32]
type Bools = NDArray[np.bool_]
type Classes = NDArray[np.int8]
type Words = NDArray[np.uint64]
type Words32 = NDArray[np.uint32]
type Bytes = NDArray[np.uint8]
