"""`study.lock.toml`: every setting in force, the digest of the data, and the versions."""

from typing import Any, Final

import numpy as np

from pdsim.provenance import versions
from pdsim.settings import digest, to_mapping
from pdsim.study import Study
from pdsim.study.options import SamplerSettings

LOCK_FILE: Final = "study.lock.toml"
RUN_FILE: Final = "run.json"
"""How an analysis was made, and which files are its own."""


def data_digest(study: Study) -> str:
    """Return the SHA-256 of everything that was observed, with the names."""
    parts: dict[str, Any] = {}
    for name, values in sorted({**study.data.data_vars, **study.data.coords}.items()):
        array = values.to_numpy()
        # a missing value has no place in JSON
        plain = array if array.dtype.kind in "OSU" else np.where(np.isnan(array), -1e300, array)
        parts[str(name)] = plain.tolist()
    return digest(parts)


def lock_of(
    study: Study, sampler: SamplerSettings, *, delta: float, command: str | None
) -> dict[str, Any]:
    """Return what an analysis rests on, as it is written to TOML.

    Parameters
    ----------
    study : Study
    sampler : SamplerSettings
        In force, whatever the study's own says.
    delta : float
    command : str or None
        What was typed; without it the call in Python is given.

    Returns
    -------
    dict
        ``command``, ``data_sha256``, ``settings``, ``sampler``, ``versions``.
    """
    settings = to_mapping(study.options)
    settings.pop("sampler", None)
    settings |= {"delta": float(delta), "m": study.m, "name": study.name}
    if study.case_correlation is not None:
        settings["case_correlation"] = float(study.case_correlation)
    call = f"pdsim.analyse(study, engine={sampler.engine!r}, seed={sampler.seed}, "
    call += f"delta={delta:g})"
    return {
        "command": command or call,
        "data_sha256": data_digest(study),
        "settings": settings,
        "sampler": to_mapping(sampler),
        "versions": versions(),
    }
