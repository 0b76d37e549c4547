"""What the fast engine returns for one study."""

from dataclasses import dataclass

from pdsim.arraytypes import Floats
from pdsim.model.convergence import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplaceResult:
    """Equally weighted, exchangeable draws of one posterior, with diagnostics.

    Attributes
    ----------
    eta : ndarray (draw, F, K, T)
        Logits without the case shock, turned; the standardised scale for scores.
    eta_expected : ndarray (draw, F, K) or None
        Endline expected from the baseline; None with one period.
    baseline : ndarray (draw, F) or None
        Effect of each facility as a whole on its baseline; None without an SD of change by arm.
    fixed : dict of str to ndarray (draw, K) or (draw, C)
        Fixed effects by name: ``alpha``, and with two periods ``beta``, the change of controls
        where there are any; ``imbalance`` and ``arm_effect``, how far the programme lies above
        controls at baseline and in change; ``covariate_level`` and ``covariate_change``.
    hyper : dict of str to ndarray (draw,) or (draw, K)
        Standard deviations and correlations of the levels present, by name; with an SD of change by
        arm ``sd_change_facility`` (draw, 2), controls first; with Student-t effects
        ``factor_facility`` (draw, F).
    ess : float
        Effective number of draws of the composite, the least over facilities.
    hyper_ess, rhat : float
        Effective number of hyperparameter points and split R-hat of their chains, the worst.
    joint_share, joint_k : float
        Effective share of the draws under the weights that make them exact, and Pareto k of these.
    acceptance : float
        Mean acceptance of the chains' proposals.
    evaluations, escalations : int
        Gradients at hyperparameter points, and how often the chains were made longer or the number
        of candidates for a facility was raised.
    gates : tuple of Gate
    """

    eta: Floats
    eta_expected: Floats | None
    baseline: Floats | None
    fixed: dict[str, Floats]
    hyper: dict[str, Floats]
    ess: float
    hyper_ess: float
    rhat: float
    joint_share: float
    joint_k: float
    acceptance: float
    evaluations: int
    escalations: int
    gates: tuple[Gate, ...]

    @property
    def reliable(self) -> bool:
        """Whether every gate is passed; False: ask NUTS."""
        return all(gate.passed for gate in self.gates)

    def draws(self) -> dict[str, Floats]:
        """Return every array over draws by its name in the posterior."""
        arrays = {"eta": self.eta, **self.fixed, **self.hyper}
        if self.eta_expected is not None:
            arrays["eta_expected"] = self.eta_expected
        if self.baseline is not None:
            arrays["baseline_facility"] = self.baseline
        return arrays

    def diagnostics(self) -> dict[str, float]:
        """Return the diagnostics by name, as numbers."""
        return {
            "ess": self.ess,
            "hyper_ess": self.hyper_ess,
            "rhat": self.rhat,
            "joint_share": self.joint_share,
            "joint_k": self.joint_k,
            "acceptance": self.acceptance,
            "evaluations": float(self.evaluations),
            "escalations": float(self.escalations),
            "reliable": float(self.reliable),
        }
