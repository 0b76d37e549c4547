"""Names in the tables of a decomposition: of its sampled factors, and of what it takes apart."""

from typing import Final

POSTERIOR: Final = "posterior"
WEIGHTS: Final = "weights"

SET: Final = "set"
MEMBERS: Final = "members"
