"""How a study is to be sampled, unless the caller of `fit` says otherwise."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pdsim.settings import FORBID_EXTRA

type Engine = Literal["nuts", "laplace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSettings:
    """Inference engine, size and seed of a fit; the table ``[sampler]`` of a study.toml.

    Attributes
    ----------
    engine : {"nuts", "laplace"}
        ``nuts`` is the reference, ``laplace`` the fast engine.
    draws : int
        Posterior draws per chain, at least 100.
    tune : int
        Tuning steps per chain (nuts only), at least 100.
    chains : int
        At least 2 (nuts only): one chain cannot show that it has converged.
    seed : int
        0 is a seed.

    Examples
    --------
    >>> SamplerSettings(draws=4000).chains
    4
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA
    engine: Engine = "nuts"
    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if self.engine not in ("nuts", "laplace"):
            raise ValueError(f"engine must be 'nuts' or 'laplace', got {self.engine!r}")
        if not 100 <= self.draws <= 1_000_000:
            raise ValueError(f"draws must be 100 to 1,000,000, got {self.draws}")
        if not 100 <= self.tune <= 1_000_000:
            raise ValueError(f"tune must be 100 to 1,000,000, got {self.tune}")
        if not 2 <= self.chains <= 64:
            raise ValueError(f"chains must be 2 to 64, got {self.chains}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be 0 or more and below 2**63, got {self.seed}")
