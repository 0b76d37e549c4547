"""The density of the PyMC model against the formulas written out with SciPy."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from pdsim.model.pymc_model import build_model, centring_and_offset
from pdsim.priors import MeanPrior, PooledScalePrior, Priors, ScalePrior

POOLED = PooledScalePrior(median=0.3, spread=0.5, common=1.5, df=5.0)

FAMILIES = {
    "half_normal": (ScalePrior(scale=0.7), stats.halfnorm(scale=0.7)),
    "half_cauchy": (
        ScalePrior(family="half_cauchy", scale=0.7),
        stats.halfcauchy(scale=0.7),
    ),
    "half_t": (ScalePrior(family="half_t", scale=0.7, df=3.0), None),
    "exponential": (ScalePrior(family="exponential", scale=0.7), stats.expon(scale=0.7)),
    "inverse_gamma_variance": (
        ScalePrior(family="inverse_gamma_variance", shape=1.5, scale=0.7),
        None,
    ),
}


def scale_logpdf(family, value):
    """Log density of a standard deviation; for the inverse gamma, of its square."""
    if family == "pooled":
        shape = POOLED.spread**2 * (np.eye(value.size) + POOLED.common)
        logs = stats.multivariate_t(np.full(value.size, np.log(POOLED.median)), shape, df=POOLED.df)
        zero = logs.logpdf(np.full(value.size, np.log(POOLED.median)))  # the constant is left out
        return logs.logpdf(np.log(value)) - zero - np.log(value).sum()
    if family == "half_t":
        return stats.t(df=3.0, scale=0.7).logpdf(value) + np.log(2)
    if family == "inverse_gamma_variance":
        return stats.invgamma(1.5, scale=0.7).logpdf(value**2)
    return FAMILIES[family][1].logpdf(value)


def written_out(data, point, family):
    """Return the joint log density and eta at `point`, straight from the model's definition."""
    facilities, indicators, periods = data.shape
    prior = data.priors
    columns = {
        "facility": np.zeros(indicators, dtype=int),
        "domain": data.domain,
        "indicator": np.arange(indicators),
    }
    fixed = [("alpha", prior.alpha), ("beta", prior.beta)][:periods]
    if data.arm is not None:
        fixed += [("imbalance", prior.imbalance), ("arm_effect", prior.arm_effect)][:periods]
    total = 0.0
    for name, p in fixed:
        # mu marginalised: integrate it out numerically to check the dense covariance
        mus, gaps = np.linspace(p.mean - 9 * p.mean_sd, p.mean + 9 * p.mean_sd, 20001, retstep=True)
        given = stats.norm(mus[:, None], p.sd).logpdf(point[name]).sum(axis=1)
        joint = np.exp(given + stats.norm(p.mean, p.mean_sd).logpdf(mus))
        total += np.log(np.trapezoid(joint, dx=gaps))
    mean, change = point["alpha"][None, :], point.get("beta", np.zeros(indicators))[None, :]
    if data.arm is not None:
        mean = mean + data.arm[:, None] * point["imbalance"]
        change = change + data.arm[:, None] * point["arm_effect"]
    expected, root = change, 1.0
    if data.facility_df is not None:
        half_df, gamma = data.facility_df / 2, point["tail_facility"]
        total += stats.gamma(half_df, scale=1 / half_df).logpdf(gamma).sum()
        root = np.sqrt(gamma)[:, None]
    for level in data.levels:
        s = point[f"sd_baseline_{level}"]
        kind = "half_normal" if family == "pooled" and level != "indicator" else family
        total += np.sum(scale_logpdf(kind, s))
        if periods == 2:
            t, half = point[f"sd_change_{level}"], point[f"corr_{level}_half"]
            rho = 2 * half - 1
            total += np.sum(scale_logpdf(kind, t)) + np.sum(stats.beta(2, 2).logpdf(half))
            if level == "facility" and prior.change_spread == "by_arm":
                t = np.where(data.arm == 1, t[1], t[0])[:, None]
        if level == data.levels[-1]:
            tail = root if level == "facility" else 1.0
            s = s / tail
            t = t / tail if periods == 2 else None
            break
        index = columns[level]
        zb = point[f"z_baseline_{level}"].reshape(facilities, -1)
        total += stats.norm.logpdf(zb).sum()
        tail = root if level == "facility" else 1.0
        zb = zb / tail
        mean = mean + s * zb[:, index]
        if periods == 2:
            zc = point[f"z_change_{level}"].reshape(facilities, -1)
            total += stats.norm.logpdf(zc).sum()
            zc = zc / tail
            change = change + t * (rho * zb + np.sqrt(1 - rho**2) * zc)[:, index]
            expected = expected + t * rho * zb[:, index]
        if level == "facility":
            point["baseline_facility"] = s * zb[:, 0]
    share, offset = centring_and_offset(data)

    def cells(name, mean, sd, period):
        """The logits behind u, and their normal density times the Jacobian of u -> logit."""
        lam, o = share[..., period], offset[..., period]
        x = mean + sd ** (1 - lam) * (point[name] - lam * (mean - o))
        return x, (stats.norm(mean, sd).logpdf(x) + (1 - lam) * np.log(sd)).sum()

    eta0, density = cells("cell_baseline", mean, s, 0)
    total += density
    etas = [eta0]
    if periods == 2:
        foreseen = t * rho * (eta0 - mean) / s
        middle = eta0 + change + foreseen
        eta1, density = cells("cell_endline", middle, t * np.sqrt(1 - rho**2), 1)
        total += density
        etas.append(eta1)
        point["eta_expected"] = eta0 + expected + foreseen
        if data.levels[-1] == "facility":
            point["baseline_facility"] = (eta0 - mean)[:, 0]
    eta = np.stack(etas, axis=-1)
    eta = np.broadcast_to(eta, data.shape)
    if data.kind == "scores":
        total -= 0.5 * (data.size * (data.observed - eta) ** 2).sum()
        return total, eta
    r, added = data.case_correlation, 0.0
    if data.visits is not None:
        r, added = r / data.visits.inflation, data.visits.variance
    share = r / np.maximum(data.size, 1)
    linear = eta
    if data.shocked:
        z = point["z_case"]
        total += stats.norm.logpdf(z).sum()
        p = expit(eta)
        squared = np.log1p(share / (1 - share) ** 4 / (p * (1 - p))) + added
        linear = eta + np.sqrt(squared) * z[:, data.case_group, :] - squared * (1 - 2 * p) / 2
    y, n = (value * (1 - share) / (1 - r) for value in (data.observed, data.size))
    q = expit(linear)
    return total + (y * np.log(q) + (n - y) * np.log(1 - q)).sum(), eta


@pytest.mark.parametrize(
    ("family", "shape"),
    [
        ("half_normal", {"domains": (0, 0, 1, 1), "correlation": 0.3, "missing": 0.2}),
        ("half_t", {"domains": (0, 0, 0)}),
        ("half_normal", {"domains": (0, 0, 0), "correlation": 0.2, "visit_sd": 0.4}),
        ("half_t", {"domains": (0, 0, 1), "facility_df": 4.0}),
        ("half_t", {"domains": (0,), "facility_df": 4.0}),
        ("half_t", {"domains": (0, 0, 1), "arm": (0, 1, 1, 0), "by_arm": True}),
        ("half_t", {"domains": (0,), "arm": (0, 1, 0, 0), "by_arm": True, "facility_df": 4.0}),
        ("exponential", {"domains": (0, 1, 2)}),
        ("half_cauchy", {"domains": (0,)}),
        ("inverse_gamma_variance", {"domains": (0,), "periods": 1}),
        ("half_normal", {"domains": (0, 0, 1), "kind": "scores", "missing": 0.2}),
        ("pooled", {"domains": (0, 0, 1, 1), "missing": 0.2}),
    ],
)
def test_density_is_the_one_written_down(make_data, shape, family):
    shape = dict(shape)
    scale = FAMILIES["half_normal" if family == "pooled" else family][0]
    names = [
        f"sd_{k}_{n}" for k in ("baseline", "change") for n in ("facility", "domain", "indicator")
    ]
    scales = dict.fromkeys(names, scale)
    if family == "pooled":
        scales |= {"sd_baseline_indicator": POOLED, "sd_change_indicator": POOLED}
    priors = Priors(
        # one spread for all indicators with the first family, of each its own with the others
        indicator_spread="shared" if family == "half_normal" else "own",
        change_spread="by_arm" if shape.pop("by_arm", False) else "shared",
        alpha=MeanPrior(mean=-0.5, mean_sd=1.2, sd=0.8),
        beta=MeanPrior(mean=0.4, mean_sd=0.9, sd=0.6),
        **scales,
    )
    data = make_data(priors=priors, **shape)
    model = build_model(data)
    rng = np.random.default_rng(1)
    point = {}
    for variable in model.free_RVs:
        size = tuple(
            int(model.dim_lengths[d].eval())
            for d in model.named_vars_to_dims.get(variable.name, ())
        )
        value = rng.normal(size=size)
        if variable.name.startswith(("sd_", "tail_")):
            value = np.abs(value) + 0.1
        if variable.name.endswith("_half"):
            value = rng.uniform(0.2, 0.8, size=size)
        point[variable.name] = value
    mine = {
        name.removesuffix("_squared"): np.sqrt(value) if name.endswith("_squared") else value
        for name, value in point.items()
    }
    expected, eta = written_out(data, mine, family)
    # interpreted, not compiled: one call does not pay for a compilation
    density = model.compile_logp(
        vars=[*model.free_RVs, *model.potentials], jacobian=False, mode="FAST_COMPILE"
    )
    unbounded = {"": lambda v: v, "_log__": np.log, "_logodds__": logit}
    transformed = {}
    for variable in model.free_RVs:
        name = model.rvs_to_values[variable].name
        transformed[name] = unbounded[name.removeprefix(variable.name)](point[variable.name])
    assert float(density(transformed)) == pytest.approx(expected, rel=1e-9)
    names = ("eta", "eta_expected", "baseline_facility")
    named = [n for n in names if n in model.named_vars]
    outputs = model.replace_rvs_by_values([model[n] for n in named])
    drawn = model.compile_fn(
        outputs, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore"
    )(transformed)
    for name, value in zip(named, drawn, strict=True):
        np.testing.assert_allclose(value, {**mine, "eta": eta}[name], rtol=1e-9)
    assert set(data.levels) == {
        n.removeprefix("sd_baseline_").removesuffix("_squared")
        for n in point
        if n.startswith("sd_baseline")
    }
    assert eta.shape == data.shape
