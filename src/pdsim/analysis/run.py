"""`analyse`: one study from table to a folder of results that can be cited."""

import json
import os
import platform
import shutil
import subprocess
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tomli_w
import xarray as xr

from pdsim.analysis.begun import begin_refits
from pdsim.analysis.lock import LOCK_FILE, RUN_FILE, lock_of
from pdsim.analysis.refits import refit_pool, side_by_side
from pdsim.analysis.stages import AnalysisCallback, AnalysisProgress, silent
from pdsim.conventions import SCHEMA_VERSION
from pdsim.errors import ConvergenceWarning, InputError, Problem
from pdsim.files import published, read_json, recover, write_atomically, write_json
from pdsim.model import fit as fit_study
from pdsim.model.cost import longest_nuts_seconds, nuts_seconds
from pdsim.reports.formats.write import check_formats
from pdsim.settings import digest
from pdsim.study import Study
from pdsim.study.options import Engine, SamplerSettings

if TYPE_CHECKING:
    from pdsim.analysis.result import Analysis

_AFTER: Final = ("meanwhile", "first_tables", "result")
"""What comes after the fit, whose import takes as long as the fit."""

_MOST_DOUBLINGS: Final = 2
"""How often NUTS that was asked for is run again with twice the draws until its gates pass."""

_KEPT_DRAWS: Final = 750
"""So many that a folder of 12 facilities by 14 indicators takes less than 5 MB."""

DRAWN_BYTES: Final = 8_000_000_000
"""Of the levels of all draws; their summaries take a few times as much."""


def analyse(
    study: Study,
    *,
    out: str | Path | None = None,
    engine: Engine | None = None,
    seed: int | None = None,
    sampler: SamplerSettings | None = None,
    delta: float = 0.0,
    formats: tuple[str, ...] = ("html",),
    brief: bool = False,
    keep_draws: bool = False,
    second_opinion: bool = False,
    command: str | None = None,
    progress: AnalysisCallback = silent,
) -> "Analysis":
    """Fit a study, rank its facilities, test the choice, and say what came of it.

    Parameters
    ----------
    study : Study
    out : str or Path, optional
        Folder to make. A folder with an earlier analysis of the same study is renewed: what that
        analysis wrote goes, what else is there stays. Any other folder with files in it is
        refused. Default: nothing is written.
    engine, seed : optional
        Instead of those of the sampler.
    sampler : SamplerSettings, optional
        Instead of the study's own (``study.options.sampler``).
    delta : float
        Improvement above which a probability is stated as well, in units of the estimand.
    formats : tuple of str
        See `pdsim.report`.
    brief : bool
        Whether the report is page one alone.
    keep_draws : bool
        Whether ``fit.nc`` holds every draw at full precision; else 750 of them.
    second_opinion : bool
        Whether the other engine runs too; the differences stand beside their Monte Carlo errors.
    command : str, optional
        What to type for the same numbers; printed in the report.
    progress : callable
        Called with `AnalysisProgress` events.

    Returns
    -------
    Analysis
        Prints as the answer. The folder has ``results.nc``, ``fit.nc``, the tables, the report,
        ``run.json``, and ``study.lock.toml`` with every setting in force.

    Raises
    ------
    InputError
        If the folder belongs to something else. Nothing is written then, nor if anything later
        fails or is interrupted.

    Examples
    --------
    >>> import pdsim
    >>> result = analyse(pdsim.load_example("surgical"), seed=1)
    >>> result.sentences["How sure?"].split(".")[0]
    'One of the six names is near certain'
    """
    check_formats(formats)
    if second_opinion and study.error_correlation is not None:
        raise InputError(
            Problem(
                rule="a second opinion is not to be had: errors of scores are stated to correlate, "
                "which the fast engine cannot take",
                cure="leave it out: NUTS alone fits this study",
            )
        )
    own = set() if out is None else _own_files(Path(out), study)
    started = time.perf_counter()
    chosen = _chosen(study, sampler, engine, seed)
    _check_room(out, study, draws=chosen.draws * chosen.chains, kept=keep_draws)
    at_once = _at_once(study, chosen)
    with refit_pool(study) as pool:
        begun = begin_refits(study, chosen, pool) if at_once and side_by_side(study) else None
        with ThreadPoolExecutor(1) as other:
            after = other.submit(_prepare)
            if not at_once:
                # two threads that import much might wait for each other
                after.result()
            fit = _fit(study, chosen, progress)
        from pdsim.analysis.meanwhile import gather_all

        fitted = time.perf_counter()
        aside = after.result()
        if aside is not None:
            progress(AnalysisProgress(stage="compiling the tables, once", done=0, total=0))
            aside.wait()
        results = gather_all(
            fit, study, delta=delta, chosen=chosen, progress=progress, pool=pool, begun=begun
        )
    from pdsim.analysis.fits import save_fit
    from pdsim.analysis.report_files import write_report
    from pdsim.analysis.result import Analysis

    if second_opinion:
        progress(AnalysisProgress(stage="asking the other engine", done=0, total=0))
        from pdsim.analysis.opinions import opinions  # ArviZ takes seconds to import

        results["second_opinion"] = xr.DataTree(opinions(study, fit, chosen))
    lock = lock_of(study, chosen, delta=delta, command=command)
    results.attrs |= {
        "command": lock["command"],
        "configuration": json.dumps(
            {"engine": chosen.engine, "seed": chosen.seed, "delta": delta, "m": study.m},
            sort_keys=True,
        ),
    }
    if out is None:
        return Analysis(results=results, fit=fit)
    folder = Path(out)
    progress(AnalysisProgress(stage="writing the report", done=0, total=0))
    seconds = {"fit": fitted - started, "all": time.perf_counter() - started}
    with published(folder, keep=lambda path: path.as_posix() not in own) as new:
        kept = _files(new)
        save_fit(fit if keep_draws else _thinned(fit), new / "fit.nc")
        save_fit(results, new / "results.nc")
        write_report(results, new, formats=formats, brief=brief)
        write_atomically(new / LOCK_FILE, tomli_w.dumps(lock))
        run = _run(study, fit, lock, seconds)
        write_json(new / RUN_FILE, {**run, "files": sorted({*_files(new) - kept, RUN_FILE})})
    return Analysis(results=results, fit=fit, folder=folder)


def _prepare() -> "subprocess.Popen[bytes] | None":
    """Import what comes after a fit, which needs the interpreter little.

    Returns the process that compiles the tables, where it takes one.
    """
    for name in _AFTER:
        import_module(f"pdsim.analysis.{name}")
    from pdsim.analysis.first_tables import compile_tables_aside

    return compile_tables_aside()


def _is_fast(study: Study, sampler: SamplerSettings) -> bool:
    return sampler.engine == "laplace" and study.error_correlation is None


def _at_once(study: Study, sampler: SamplerSettings) -> bool:
    """Tell whether the fast engine is asked for, and compiled."""
    if not _is_fast(study, sampler):
        return False
    from pdsim.model.laplace.first_use import compiled_before  # numba takes a second to import

    return compiled_before()


def _chosen(
    study: Study, sampler: SamplerSettings | None, engine: Engine | None, seed: int | None
) -> SamplerSettings:
    settings = sampler or study.options.sampler
    return replace(
        settings, engine=engine or settings.engine, seed=settings.seed if seed is None else seed
    )


def _fit(study: Study, sampler: SamplerSettings, progress: AnalysisCallback) -> xr.DataTree:
    """Fit; NUTS that was asked for goes on with twice the draws until its gates pass, to a limit.

    A fit that the fast engine hands over is made once: it takes minutes where data are degenerate.
    """
    about = nuts_seconds(study)
    sampling = f"sampling with NUTS, about {about:.0f} s once the model is compiled"
    fast = _is_fast(study, sampler)
    stage = "fitting with the fast engine" if fast else sampling
    if fast and not _at_once(study, sampler):
        first = "compiling the fast engine, once on this machine: about half a minute"
        progress(AnalysisProgress(stage=first, done=0, total=0))
    progress(AnalysisProgress(stage=stage, done=0, total=0))

    longest = longest_nuts_seconds(study)
    handing = f"the fast engine hands over to NUTS, which takes {about:.0f} to {longest:.0f} s"

    def tell(done: int, total: int) -> None:
        # the fast engine tells nothing: whoever speaks here is NUTS
        said = handing if fast else sampling
        progress(AnalysisProgress(stage=said, done=done, total=total))

    draws, tune = sampler.draws, sampler.tune
    doublings = 0 if fast else _MOST_DOUBLINGS
    for attempt in range(doublings + 1):
        last = attempt == doublings
        with warnings.catch_warnings():
            if not last:
                warnings.simplefilter("ignore", ConvergenceWarning)
            fit = fit_study(
                study,
                engine=sampler.engine,
                seed=sampler.seed,
                draws=draws,
                tune=tune,
                chains=sampler.chains,
                progress=tell,
            )
        if fit.attrs["convergence"] == "passed" or last:
            break
        draws, tune = 2 * draws, 2 * tune
        again = f"checks failed: sampling again with {draws} draws a chain"
        progress(AnalysisProgress(stage=again, done=0, total=0))
    return fit


def _thinned(fit: xr.DataTree) -> xr.DataTree:
    """Return a fit with at most `_KEPT_DRAWS` draws in single precision."""
    posterior = fit["posterior"].to_dataset()
    each = max(1, _KEPT_DRAWS // posterior.sizes["chain"])
    step = -(-posterior.sizes["draw"] // each)
    small = fit.copy()
    small["posterior"] = xr.DataTree(
        posterior.isel(draw=slice(None, None, step))
        .astype(np.float32)
        .assign_attrs(posterior.attrs)
    )
    for name in ("sample_stats", "warmup_posterior"):
        if name in small.children:
            small[name] = xr.DataTree(fit[name].to_dataset().drop_dims("draw", errors="ignore"))
    left = small["posterior"].sizes["draw"] * small["posterior"].sizes["chain"]
    if "ess" in small.attrs:
        small.attrs["ess"] = min(float(small.attrs["ess"]), float(left))
    return small


def _run(
    study: Study, fit: xr.DataTree, lock: Mapping[str, Any], seconds: Mapping[str, float]
) -> dict[str, Any]:
    return {
        **lock,
        "study": study.name,
        "identity": _identity(study),
        "schema_version": SCHEMA_VERSION,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": dict(seconds),
        "engine": fit.attrs["engine"],
        "seed": int(fit.attrs["seed"]),
        "convergence": fit.attrs["convergence"],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def _check_room(out: str | Path | None, study: Study, *, draws: int, kept: bool) -> None:
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
    if out is None:
        return
    folder = Path(out)
    size = size if kept else 8 * _KEPT_DRAWS * cells
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
