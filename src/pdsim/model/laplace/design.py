r"""Which fixed effects the cells of a facility have.

The fixed effects :math:`\theta` are the pairs (baseline, endline) :math:`\mu_{gk}` of every arm g
and indicator k and, after them, the pairs :math:`\zeta_j` of the covariates, which all indicators
share. The cells of facility i have :math:`D_i\theta`,

.. math:: (D_i\theta)_k = \mu_{g(i)k} + \sum_j x_{ij}\zeta_j .

Kernels work with the 2K numbers of a facility, and come here for where they belong. With one arm
and no covariates all D are the identity.
"""

from pdsim.arraytypes import Floats
from pdsim.jit import kernel
from pdsim.model.laplace.lanes import add, fill, fma, load, store
from pdsim.model.laplace.problem import LaplaceProblem
from pdsim.model.laplace.work import Work


@kernel
def run_end(problem: LaplaceProblem, first: int, last: int) -> int:
    """Return where the run of facilities of one arm that begins at `first` ends, at most `last`."""
    end = first + 1
    while end < last and problem.column[end] == problem.column[first]:
        end += 1
    return end


@kernel
def facility_means(problem: LaplaceProblem, i: int, fixed: Floats, out: Floats) -> None:
    """Fill `out` (2K, lane) with D theta of facility i from `fixed` (n, lane)."""
    covariates = problem.covariates.shape[1]
    first, shared = problem.column[i], fixed.shape[0] - 2 * covariates
    for c in range(out.shape[0]):
        value = load(fixed, (first + c,))
        for j in range(covariates):
            effect = load(fixed, (shared + 2 * j + c % 2,))
            value = fma(problem.covariates[i, j], effect, value)
        store(out, (c,), value)


@kernel
def same_design(problem: LaplaceProblem, i: int) -> bool:
    """Return whether facility i has the fixed effects of the one before it."""
    return i > 0 and problem.covariates.shape[1] == 0 and problem.column[i] == problem.column[i - 1]


@kernel
def gather_shared(
    problem: LaplaceProblem, work: Work, i: int, right: Floats, fixed: Floats
) -> None:
    """Add b - Z'r of facility i, summed over its cells, to what its covariates have in `fixed`.

    `right` (B, lane) is r; its rows of the effects hold the sums of b.
    """
    covariates = problem.covariates.shape[1]
    shared = fixed.shape[0] - 2 * covariates
    for t in range(2):
        total = fill(0.0)
        for d in range(problem.blocks):
            total = total + load(right, (2 * d + t,))
        for a in range(right.shape[0]):
            r = load(right, (a,))
            for c in range(t, work.coupling.shape[2], 2):
                total = fma(-load(work.coupling, (i, a, c)), r, total)
        for j in range(covariates):
            add(fixed, (shared + 2 * j + t,), problem.covariates[i, j] * total)


@kernel
def reduce_shared(
    problem: LaplaceProblem, work: Work, i: int, load_sum: Floats, rows: Floats
) -> None:
    """Add the rows of the covariates to Q, from what the cells of facility i sum up to.

    That is sum_k L_ik in `load_sum` (B, 2, lane), and the sums of P - L'Z in `rows`
    (2, 2K, lane); both are overwritten.
    """
    covariates = problem.covariates.shape[1]
    first, shared = problem.column[i], work.fixed.shape[0] - 2 * covariates
    _sum_cells(problem, work, i, load_sum, rows)
    for j in range(covariates):
        x = problem.covariates[i, j]
        for t in range(2):
            row = shared + 2 * j + t
            own0, own1 = fill(0.0), fill(0.0)
            for c in range(0, rows.shape[1], 2):
                q0, q1 = load(rows, (t, c)), load(rows, (t, c + 1))
                add(work.precision, (row, first + c), x * q0)
                add(work.precision, (row, first + c + 1), x * q1)
                own0, own1 = own0 + q0, own1 + q1
            for m in range(j + 1):
                both = x * problem.covariates[i, m]
                add(work.precision, (row, shared + 2 * m), both * own0)
                add(work.precision, (row, shared + 2 * m + 1), both * own1)


@kernel
def _sum_cells(problem: LaplaceProblem, work: Work, i: int, load_sum: Floats, rows: Floats) -> None:
    """Fill sum_k L_ik (B, 2, lane) and the sums over the cells of P - L'Z (2, 2K, lane)."""
    for a in range(load_sum.shape[0]):
        store(load_sum, (a, 0), 0.0)
        store(load_sum, (a, 1), 0.0)
    for k in range(work.eta.shape[1]):
        d, g, c = 2 * problem.domain[k], problem.group[k], 2 * k
        p00, p01 = load(work.share, (i, k, 0)), load(work.share, (i, k, 1))
        p11 = load(work.share, (i, k, 2))
        add(load_sum, (d, 0), p00)
        add(load_sum, (d, 1), p01)
        add(load_sum, (d + 1, 0), p01)
        add(load_sum, (d + 1, 1), p11)
        store(rows, (0, c), p00)
        store(rows, (0, c + 1), p01)
        store(rows, (1, c), p01)
        store(rows, (1, c + 1), p11)
        if g >= 0:
            s = 2 * (problem.blocks + g)
            add(load_sum, (s, 0), load(work.share, (i, k, 3)))
            add(load_sum, (s + 1, 0), load(work.share, (i, k, 4)))
            add(load_sum, (s, 1), load(work.share, (i, k, 5)))
            add(load_sum, (s + 1, 1), load(work.share, (i, k, 6)))
    for t in range(2):
        for c in range(rows.shape[1]):
            value = load(rows, (t, c))
            for a in range(load_sum.shape[0]):
                value = fma(-load(load_sum, (a, t)), load(work.coupling, (i, a, c)), value)
            store(rows, (t, c), value)
