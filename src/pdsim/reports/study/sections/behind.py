"""Sections on what lies behind the composite: domains, indicators, the fit of the model."""

from pdsim.reports import plots
from pdsim.reports.formats.document import Block, Name, Picture, Table, fill
from pdsim.reports.study.structure import domains_table, predictive_table
from pdsim.reports.study.suppress import observed_shown
from pdsim.reports.study.view import Results, labels


def domain_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the change by domain, drawn where there are two."""
    if not results.has("domains"):
        return []
    group = results.group("domains")
    names = labels(group["domain"])
    table = domains_table(results)
    if "covariance" not in group or len(names) != 2:
        return [table]
    figure, data = plots.domain_profile(
        group, results.group("ranking"), unit=results.units, failed=results.failed
    )
    return [
        Picture(
            key="domain-profile",
            caption=fill(
                "Change in {a} against change in {b}. Ellipses hold 95 % of the posterior; on the "
                "grey line both domains changed equally.",
                {"a": Name(names[0]), "b": Name(names[1])},
            ),
            alt=fill(
                "Scatter plot of the change in {a} and in {b} with credible ellipses; the values "
                "are in the table below.",
                {"a": Name(names[0]), "b": Name(names[1])},
            ),
            figure=figure,
            data=data,
        ),
        table,
    ]


def influence_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return how much each indicator moves the composite."""
    table = tables.get("variance_share")
    return [table] if table is not None and len(table.frame) > 1 else []


def model_check_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the posterior predictive check."""
    if not results.has("predictive"):
        return []
    group = results.group("predictive")
    shown = observed_shown(results).reindex(facility=group["facility"])
    figure, data = plots.predictive(
        group.assign(observed=group["observed"].where(shown)),
        unit=results.level_unit,
        failed=results.failed,
    )
    return [
        Picture(
            key="predictive",
            caption=(
                "Observed composites (diamonds) and the range that holds "
                f"{results.interval_percent} of what the fitted model would produce (bars).",
            ),
            alt=(
                "Interval plot of the posterior predictive check; the values are in the table "
                "below.",
            ),
            figure=figure,
            data=data,
        ),
        predictive_table(results),
    ]
