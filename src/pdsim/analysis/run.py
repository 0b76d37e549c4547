"""`analyse`: one study from table to a folder of results that can be cited."""

import json
import os
import platform
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from pdsim.analysis.fits import save_fit
from pdsim.analysis.gather import gather
from pdsim.analysis.refits import (
    CASE_CORRELATIONS,
    case_correlation_sensitivity,
    design_effect_sensitivity,
    prior_sensitivity,
)
from pdsim.analysis.report import RUN_FILE, write_report
from pdsim.analysis.stages import AnalysisProgress, ProgressCallback, silent
from pdsim.analysis.what_if import changes_group
from pdsim.conventions import SCHEMA_VERSION
from pdsim.errors import InputError, Problem
from pdsim.files import published, read_json, recover, write_json
from pdsim.model import fit as fit_study
from pdsim.model.cost import nuts_seconds
from pdsim.model.fit import Engine
from pdsim.provenance import versions
from pdsim.reports.formats.write import check_formats
from pdsim.settings import digest
from pdsim.study import Study

DRAWN_BYTES: Final = 8_000_000_000
"""Of the levels of all draws; their summaries take a few times as much."""


def analyse(
    study: Study,
    *,
    out: str | Path,
    engine: Engine | None = None,
    seed: int | None = None,
    delta: float = 0.0,
    formats: tuple[str, ...] = ("html",),
    progress: ProgressCallback = silent,
) -> Path:
    """Fit a study, rank its facilities, test the choice, and write everything to one folder.

    Parameters
    ----------
    study : Study
    out : str or Path
        Folder to make. A folder with an earlier analysis of the same study is renewed: what that
        analysis wrote goes, what else is there stays. Any other folder with files in it is
        refused.
    engine, seed : optional
        Instead of the study's own (``study.options.sampler``).
    delta : float
        Improvement above which a probability is stated as well, in units of the estimand.
    formats : tuple of str
        See `pdsim.report`.
    progress : callable
        Called with `AnalysisProgress` events.

    Returns
    -------
    Path
        The folder, with ``fit.nc``, ``results.nc``, ``selection.csv``, ``improvement.csv``, the
        report and ``run.json``.

    Raises
    ------
    InputError
        If the folder belongs to something else. Nothing is written then, nor if anything later
        fails or is interrupted.

    Examples
    --------
    >>> import tempfile, pdsim
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = analyse(pdsim.load_example("surgical"), out=f"{place}/out", engine="laplace")
    ...     (folder / "report.html").exists()
    True
    """
    folder = Path(out)
    check_formats(formats)
    own = _own_files(folder, study)
    started = time.perf_counter()
    settings = study.options.sampler
    engine = engine or settings.engine
    _check_room(folder, study, draws=settings.draws * (settings.chains if engine == "nuts" else 1))
    seed = settings.seed if seed is None else seed
    stage = "fitting with the fast engine"
    if engine == "nuts":
        about = nuts_seconds(study)
        stage = f"fitting with NUTS, about {about:.0f} s once the model is compiled"
    progress(AnalysisProgress(stage=stage, done=0, total=0))
    fit = fit_study(
        study,
        engine=engine,
        seed=seed,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        progress=lambda done, total: progress(
            AnalysisProgress(stage=stage, done=done, total=total)
        ),
    )
    fitted = time.perf_counter()
    progress(AnalysisProgress(stage="ranking", done=0, total=0))
    results = gather(fit, study, delta=delta)
    results = _with_sensitivity(results, study, seed=seed, progress=progress)
    results.attrs["configuration"] = json.dumps(
        {"engine": engine, "seed": seed, "delta": delta, "m": study.m}, sort_keys=True
    )
    progress(AnalysisProgress(stage="writing the report", done=0, total=0))
    with published(folder, keep=lambda path: path.as_posix() not in own) as new:
        kept = _files(new)
        save_fit(fit, new / "fit.nc")
        save_fit(results, new / "results.nc")
        write_report(results, new, formats=formats)
        run = {
            "study": study.name,
            "identity": _identity(study),
            "schema_version": SCHEMA_VERSION,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {"fit": fitted - started, "all": time.perf_counter() - started},
            "engine": fit.attrs["engine"],
            "seed": seed,
            "convergence": fit.attrs["convergence"],
            "versions": versions(),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "files": sorted({*_files(new) - kept, RUN_FILE}),
        }
        write_json(new / RUN_FILE, run)
    return folder


def _check_room(folder: Path, study: Study, *, draws: int) -> None:
    """Refuse what would not fit into memory or on the disk, before the fit."""
    cells = int(np.prod([study.data.sizes[dim] for dim in ("facility", "indicator", "period")]))
    size = 8 * draws * cells
    most = DRAWN_BYTES * draws // max(size, 1)
    if size > DRAWN_BYTES:
        raise InputError(
            Problem(
                rule=f"{draws:,} draws of {cells:,} cells take {size / 1e9:.1f} GB, at most "
                f"{DRAWN_BYTES / 1e9:.0f} GB are made",
                cure=f"state fewer draws (in all at most {most:,}): [sampler] draws = ..., or "
                "leave facilities or indicators out",
            )
        )
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if 2 * size > free:
        raise InputError(
            Problem(
                file=str(place),
                rule=f"about {2 * size / 1e9:.1f} GB will be written, {free / 1e9:.1f} GB are free",
                cure="free some, or choose another folder",
            )
        )


def _files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def _with_sensitivity(
    results: xr.DataTree, study: Study, *, seed: int, progress: ProgressCallback
) -> xr.DataTree:
    """Add the same selection under other case correlations and other priors."""
    stage = "testing the choice under other assumptions"
    progress(AnalysisProgress(stage=stage, done=0, total=3))
    if study.case_correlation is None and study.shares_cases:
        table = case_correlation_sensitivity(study, seed=seed)
        results["case_correlation"] = xr.DataTree(table)
        results.attrs["case_correlations_shown"] = json.dumps(CASE_CORRELATIONS)
    progress(AnalysisProgress(stage=stage, done=1, total=3))
    results["priors_scaled"] = xr.DataTree(prior_sensitivity(study, seed=seed))
    progress(AnalysisProgress(stage=stage, done=2, total=3))
    if study.kind == "counts":
        results["design_effect"] = xr.DataTree(design_effect_sensitivity(study, seed=seed))
    results["changes"] = xr.DataTree(changes_group(results))
    progress(AnalysisProgress(stage=stage, done=3, total=3))
    return results


def _identity(study: Study) -> str:
    """Return what makes two analyses ones of the same study: name, facilities, indicators."""
    names = [study.data[dim].to_numpy().tolist() for dim in ("facility", "indicator", "period")]
    return digest([study.name, *names])


def _own_files(folder: Path, study: Study) -> set[str]:
    """Return the files in a folder that an earlier analysis of the same study wrote.

    Raises
    ------
    InputError
        If the folder is something else.
    DamagedError
        If it does not say whose it is.
    """
    recover(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    cure = "choose another folder with --out, or remove it yourself"
    if not folder.is_dir():
        raise InputError(Problem(file=str(folder), rule="is a file, not a folder", cure=cure))
    if not (folder / RUN_FILE).exists():
        rule = "holds files that are not an analysis by pdsim"
        raise InputError(Problem(file=str(folder), rule=rule, cure=cure))
    run = read_json(folder / RUN_FILE)
    if run.get("identity") != _identity(study):
        rule = f"holds the analysis of another study, {run.get('study')!r}"
        raise InputError(Problem(file=str(folder), rule=rule, cure=cure))
    return set(run["files"])
