"""What is true: adherence of every facility, indicator and period, replicate by replicate."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit as scipy_expit
from scipy.special import ndtri

from pdsim.arraytypes import Floats, Ints, Words
from pdsim.errors import InputError
from pdsim.jit import compiled
from pdsim.simulation.normal import expit, to_normal
from pdsim.simulation.philox import Seed, fill_uniform, replicate_generator, schedule, stream_key
from pdsim.simulation.scenario import Scenario
from pdsim.terms.process import PROCESSES, DrawLevels

_NODES: Final = 21  # exact to 1e-8 for a spread of up to 2 logits
_FACILITY, _DOMAIN, _INDICATOR, _ALPHA, _BETA, _HETEROGENEITY, _TREND = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """True values of R replicates.

    Attributes
    ----------
    level : ndarray (R, F, K, T)
        Counts: adherence, 0 to 1, T = 2. Normal data: true values, K = T = 1. F counts controls
        too, which come last.
    trend : ndarray (R, F, K), or one that broadcasts to it
        Part of the endline logit that is secular trend; zero for normal data.
    as_control : AsControl or None
        What a control would have done; None without controls.
    """

    level: Floats
    trend: Floats
    as_control: "AsControl | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsControl:
    """What a control facility with a programme facility's own baseline would have reached.

    Attributes
    ----------
    logit : ndarray (R, F, K)
        Expected at endline, for the F facilities of the programme.
    variance : ndarray (R or 1, 1, K)
        Of what the baseline leaves open.
    """

    logit: Floats
    variance: Floats

    def level(self, ceiling: float) -> Floats:
        """Return the expected adherence (R, F, K), by Gauss-Hermite quadrature."""
        nodes, masses = np.polynomial.hermite_e.hermegauss(_NODES)
        sd = np.sqrt(self.variance)
        total = np.zeros(self.logit.shape)
        for node, mass in zip(nodes, ceiling * masses / masses.sum(), strict=True):
            total += mass * scipy_expit(self.logit + node * sd)
        return total


def domain_of(scenario: Scenario) -> NDArray[np.int64]:
    """Return the domain 0..D-1 of each indicator: even blocks, in order."""
    return np.arange(scenario.indicators) * scenario.domains // scenario.indicators


def standard_normal(key: NDArray[np.uint64], numbers: Ints, component: int, size: int) -> Floats:
    """Return standard normals (replicate, size) of one component."""
    z = np.empty((numbers.size, size))
    _normal_rows(key, numbers, component, z)
    return z


def uniforms(key: NDArray[np.uint64], numbers: Ints, component: int, size: int) -> Floats:
    """Return uniforms (replicate, size) of one component."""
    u = np.empty((numbers.size, size))
    _uniform_rows(key, numbers, component, u)
    return u


@compiled
def _uniform_rows(key: Words, numbers: Ints, component: int, out: Floats) -> None:
    keys = schedule(key)
    for r in range(numbers.size):
        fill_uniform(keys, numbers[r], component, out[r])


@compiled
def _normal_rows(key: Words, numbers: Ints, component: int, out: Floats) -> None:
    keys = schedule(key)
    work, tails = np.empty((2, out.shape[1])), np.empty(out.shape[1], dtype=np.int64)
    for r in range(numbers.size):
        fill_uniform(keys, numbers[r], component, out[r])
        to_normal(out[r], work, tails)


def draw_truth(scenario: Scenario, replicates: range, seed: Seed) -> Truth:
    """Draw the truths of some replicates; each depends on its own number alone."""
    key = stream_key(scenario.truth_key, "truth", seed)
    numbers = np.arange(replicates.start, replicates.stop, replicates.step, dtype=np.int64)
    shape = (numbers.size, scenario.observed_facilities, scenario.indicators)
    if scenario.kind == "normal":
        theta = _normal_truth(scenario, numbers, key)
        return Truth(level=theta[:, :, None, None], trend=np.zeros((1, 1, 1)))
    own = PROCESSES[scenario.process].truth
    if own is not None:
        return _own_truth(scenario, own, numbers, seed)
    offset, trend = _offsets(scenario)
    level = np.empty((numbers.size, 2 * shape[1] * shape[2]))
    drift = np.empty(shape[:2])
    between = (
        scenario.sd_alpha,
        scenario.sd_beta,
        scenario.heterogeneity,
        scenario.sd_secular_trend,
    )
    _truth_kernel(
        key,
        numbers,
        offset,
        _effect_sizes(scenario),
        _indicator_sizes(scenario),
        np.array(between),
        domain_of(scenario),
        scenario.ceiling,
        level,
        drift,
    )
    # large beside all else, and mostly the same everywhere
    trend = trend + drift[:, :, None] if scenario.sd_secular_trend > 0 else trend[None, None, :]
    levels = level.reshape(*shape, 2)
    control = _as_control(scenario, levels, numbers, key) if scenario.controls else None
    return Truth(level=levels, trend=trend, as_control=control)


def _as_control(
    scenario: Scenario, level: Floats, numbers: Ints, key: NDArray[np.uint64]
) -> AsControl:
    """Return what controls with the programme's baselines would have reached.

    The draws are those of the truth, asked for again.
    """
    mine, everyone, indicators = scenario.facilities, level.shape[1], scenario.indicators
    offset, _ = _offsets(scenario)
    # without covariates all controls move alike
    moved = offset[-1, :, 1] - offset[-1, :, 0]
    if scenario.covariate_change:
        slope = np.array(scenario.covariate_change)
        x = covariates_of(scenario) @ slope
        moved = moved + (x[:mine] - x[-1])[:, None]
    foreseen, variance = np.zeros((numbers.size, mine, indicators)), np.zeros(indicators)
    facility, domain = _effect_sizes(scenario)
    places = {
        _FACILITY: (np.zeros(indicators, dtype=np.int64), np.tile(facility, (indicators, 1))),
        _DOMAIN: (domain_of(scenario), np.tile(domain, (indicators, 1))),
        _INDICATOR: (np.arange(indicators), _indicator_sizes(scenario).T),
    }
    for component, (place, size) in places.items():
        change, corr = size[:, 1], size[:, 2]
        if not change.any():
            continue
        variance = variance + change**2 * (1 - corr**2)
        units = int(place[-1]) + 1
        z = standard_normal(key, numbers, component, 2 * everyone * units)
        baseline = z.reshape(numbers.size, everyone, units, 2)[:, :mine, :, 0]
        foreseen += change * corr * baseline[:, :, place]
    factor = np.ones((1, 1, 1))
    if scenario.heterogeneity > 0:
        z = standard_normal(key, numbers, _HETEROGENEITY, indicators)
        factor = np.exp(scenario.heterogeneity * z)[:, None, :]
    if scenario.sd_beta > 0:
        moved = moved + scenario.sd_beta * standard_normal(key, numbers, _BETA, indicators)[:, None]
    start = level[:, :mine, :, 0]
    return AsControl(
        logit=np.log(start / (scenario.ceiling - start)) + moved + factor * foreseen,
        variance=factor**2 * variance + scenario.sd_secular_trend**2,
    )


def covariates_of(scenario: Scenario) -> Floats:
    """Return the covariates (F, C) of the facilities of both arms.

    Normal scores in an order of their own, centred, with standard deviation 1.
    """
    facilities, number = scenario.observed_facilities, len(scenario.covariate_level)
    scores = ndtri((np.arange(facilities) + 0.5) / facilities)
    rng = np.random.default_rng([facilities, number])
    values = np.array([rng.permutation(scores) for _ in range(number)]).reshape(number, facilities)
    found: Floats = values.T / scores.std(ddof=1)
    return found


def _own_truth(scenario: Scenario, draw: DrawLevels, numbers: Ints, seed: Seed) -> Truth:
    shape = (scenario.facilities, scenario.indicators, 2)
    level = np.empty((numbers.size, *shape))
    for row, number in enumerate(numbers.tolist()):
        rng = replicate_generator(scenario.truth_key, "process_truth", number, seed)
        drawn = np.asarray(draw(scenario, rng), dtype=float)
        if drawn.shape != shape or not ((drawn >= 0) & (drawn <= 1)).all():
            rule = f"the truth of the process {scenario.process!r} must lie between 0 and 1"
            raise InputError(f"{rule}, in the shape {shape}")
        level[row] = drawn
    return Truth(level=level, trend=np.zeros((1, 1, 1)))


def _normal_truth(scenario: Scenario, numbers: Ints, key: NDArray[np.uint64]) -> Floats:
    """Return true values (R, F)."""
    shift = np.zeros(scenario.facilities)
    shift[: len(scenario.outlying)] = scenario.outlying
    if scenario.means is not None:
        return np.tile(np.array(scenario.means) + shift, (numbers.size, 1))
    theta = standard_normal(key, numbers, _FACILITY, scenario.facilities)
    return scenario.sd_change_facility * theta + shift


@lru_cache(maxsize=64)
def _offsets(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the logits of facilities without drawn effects (F, K, 2), and the trend (K,).

    A block asks for them once per slice of replicates.
    """
    facilities, ceiling = scenario.facilities, scenario.ceiling
    everyone, indicators = scenario.observed_facilities, scenario.indicators

    def logit(level: Floats) -> Floats:
        return np.log(level / (ceiling - level))

    trend = np.zeros(indicators)
    if scenario.levels is not None:
        offset = np.repeat(logit(np.array(scenario.levels))[:, None, :], indicators, axis=1)
        if scenario.secular_trend:
            # the stated endline holds the trend already
            endline = np.array(scenario.levels)[:, 1].mean(keepdims=True)
            trend[:] = logit(endline) - logit(endline - scenario.secular_trend / 100)
    else:
        base = np.broadcast_to(np.asarray(scenario.baseline_level, dtype=float), indicators)
        gain = np.broadcast_to(np.asarray(scenario.improvement, dtype=float), indicators) / 100
        with_trend = base + gain + scenario.secular_trend / 100
        offset = np.empty((everyone, indicators, 2))
        offset[:, :, 0] = logit(base)
        offset[:, :, 1] = logit(with_trend)
        if scenario.controls:
            offset[facilities:, :, 0] = logit(base - scenario.imbalance / 100)
            drift = logit(base + scenario.secular_trend / 100) - logit(base)
            offset[facilities:, :, 1] = offset[facilities:, :, 0] + drift
        if scenario.covariate_level:
            x, change = covariates_of(scenario), np.array(scenario.covariate_change)
            level = x @ np.array(scenario.covariate_level)
            offset += np.stack([level, level + x @ change], axis=-1)[:, None, :]
        trend = logit(with_trend) - logit(base + gain)
    offset[: len(scenario.outlying), :, 1] += np.array(scenario.outlying)[:, None]
    return offset, trend


def _effect_sizes(scenario: Scenario) -> Floats:
    """Return (level, [sd of baseline, sd of change, correlation]) of facilities and domains.

    A level that is absent is zero.
    """
    sizes = np.zeros((2, 3))
    for row, level in enumerate(("facility", "domain")):
        if level in scenario.effect_levels:
            names = (f"sd_baseline_{level}", f"sd_change_{level}", f"corr_{level}")
            sizes[row] = [getattr(scenario, name) for name in names]
    return sizes


def _indicator_sizes(scenario: Scenario) -> Floats:
    """Return ([sd of baseline, sd of change, correlation, sd left by it], indicator)."""
    sizes = np.zeros((4, scenario.indicators))
    if "indicator" in scenario.effect_levels:
        for row, name in enumerate(("sd_baseline", "sd_change", "corr")):
            sizes[row] = getattr(scenario, f"{name}_indicator")
        sizes[3] = np.sqrt(1.0 - sizes[2] * sizes[2])
    return sizes


@compiled
def _effects(z: Floats, start: int, size: Floats, out: Floats) -> int:
    """Fill `out` (cells, 2) with (baseline, change) effects of one level; return the next start."""
    if size[0] == 0.0 and size[1] == 0.0:
        out[:] = 0.0
        return start
    rest = np.sqrt(1.0 - size[2] * size[2])
    for i in range(out.shape[0]):
        first, second = z[start + 2 * i], z[start + 2 * i + 1]
        out[i, 0] = size[0] * first
        out[i, 1] = size[1] * (size[2] * first + rest * second)
    return start + 2 * len(out)


@compiled
def _own_effects(z: Floats, start: int, sizes: Floats, out: Floats) -> int:
    """Do the same for the indicators, each of which has sizes of its own."""
    indicators = sizes.shape[1]
    for i in range(0, out.shape[0], indicators):
        for k in range(indicators):
            first, second = z[start + 2 * (i + k)], z[start + 2 * (i + k) + 1]
            out[i + k, 0] = sizes[0, k] * first
            out[i + k, 1] = sizes[1, k] * (sizes[2, k] * first + sizes[3, k] * second)
    return start + 2 * len(out)


@compiled
def _scaled(z: Floats, start: int, scale: float, out: Floats) -> int:
    """Fill the vector `out` with normals of that standard deviation; return the next start."""
    if scale == 0.0:
        out[:] = 0.0
        return start
    for i in range(out.size):
        out[i] = scale * z[start + i]
    return start + len(out)


@compiled
def _truth_kernel(
    key: Words,
    numbers: Ints,
    offset: Floats,
    sizes: Floats,
    own: Floats,
    between: Floats,
    domain: Ints,
    ceiling: float,
    level: Floats,
    drift: Floats,
) -> None:
    keys = schedule(key)
    facilities, indicators = offset.shape[0], offset.shape[1]
    domains = domain[-1] + 1
    facility = np.empty((facilities, 2))
    in_domain = np.empty((facilities * domains, 2))
    in_indicator = np.zeros((facilities * indicators, 2))
    alpha, beta, factor = np.empty(indicators), np.empty(indicators), np.empty(indicators)
    wanted = np.zeros(7, dtype=np.int64)
    cells = np.array([facilities, facilities * domains, facilities * indicators])
    for part in range(3):
        largest = sizes[part, :2].max() if part < 2 else own[:2].max()
        if largest > 0.0:
            wanted[part] = 2 * cells[part]
        if between[part] > 0.0:
            wanted[_ALPHA + part] = indicators
    if between[3] > 0.0:
        wanted[_TREND] = facilities
    z = np.empty(wanted.sum())
    work, tails = np.empty((2, z.size)), np.empty(z.size, dtype=np.int64)
    for r in range(numbers.size):
        start = 0
        for component in range(7):
            if wanted[component] > 0:
                stop = start + wanted[component]
                fill_uniform(keys, numbers[r], component, z[start:stop])
                start = stop
        to_normal(z, work, tails)
        start = _effects(z, 0, sizes[0], facility)
        start = _effects(z, start, sizes[1], in_domain)
        if wanted[_INDICATOR] > 0:
            start = _own_effects(z, start, own, in_indicator)
        start = _scaled(z, start, between[0], alpha)
        start = _scaled(z, start, between[1], beta)
        start = _scaled(z, start, between[2], factor)
        start = _scaled(z, start, between[3], drift[r])
        for k in range(indicators):
            factor[k] = np.exp(factor[k]) if between[2] > 0.0 else 1.0
        for i in range(facilities):
            for k in range(indicators):
                d = i * domains + domain[k]
                c = i * indicators + k
                before = factor[k] * (facility[i, 0] + in_domain[d, 0] + in_indicator[c, 0])
                change = factor[k] * (facility[i, 1] + in_domain[d, 1] + in_indicator[c, 1])
                base = alpha[k] + before
                level[r, 2 * c] = offset[i, k, 0] + base
                level[r, 2 * c + 1] = offset[i, k, 1] + base + beta[k] + change + drift[r, i]
        for c in range(level.shape[1]):
            level[r, c] = ceiling * expit(level[r, c])
