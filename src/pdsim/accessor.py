"""`.pdsim` of xarray objects: fits, analyses, plans and sweeps print as what they say."""

import xarray as xr

from pdsim.errors import InputError
from pdsim.reports.formats.document import Document
from pdsim.reports.formats.html import part_html
from pdsim.reports.formats.terminal import printed


@xr.register_datatree_accessor("pdsim")
@xr.register_dataset_accessor("pdsim")
class Shown:
    """What a fit, an analysis, a plan (DataTree) or a sweep (Dataset) says, in words and tables.

    It is there once any of `pdsim.fit`, `load_fit`, `plan`, `sweep` or `open_sweep` was used.

    Attributes
    ----------
    data : DataTree or Dataset

    Examples
    --------
    >>> import pdsim
    >>> fit = pdsim.fit(pdsim.load_example("surgical"), engine="laplace", seed=1)
    >>> str(fit.pdsim).splitlines()[2]
    'Fitted by the fast engine with seed 1: all checks passed.'
    """

    def __init__(self, data: xr.DataTree | xr.Dataset) -> None:
        self.data = data

    @property
    def document(self) -> Document:
        """The first page of its report, in no format yet.

        Raises
        ------
        InputError
            If it is none of these.
        """
        if isinstance(self.data, xr.Dataset):
            from pdsim.reports.sweep import sweep_document

            return sweep_document(self.data)
        groups = set(self.data.children)
        if "posterior" in groups:
            from pdsim.analysis.fit_summary import fit_document

            return fit_document(self.data)
        if "answer" in groups:
            from pdsim.reports.plan.plan_document import plan_document

            return plan_document(self.data)
        if "ranking" in groups:
            from pdsim.reports.study.sections import build_document
            from pdsim.reports.study.view import read_results

            return build_document(read_results(self.data), brief=True)
        raise InputError("pdsim shows fits, analyses and plans (DataTree) and sweeps (Dataset)")

    def __repr__(self) -> str:
        return printed(self.document)

    def _repr_html_(self) -> str:
        return part_html(self.document)
