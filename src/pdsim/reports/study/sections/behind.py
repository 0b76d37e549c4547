"""The section on what lies behind the composite: indicators and domains."""

from pdsim.reports import plots
from pdsim.reports.formats.document import Element, Name, Picture, Section, Table, fill
from pdsim.reports.study.structure import domains_table
from pdsim.reports.study.view import Results, labels


def behind_section(results: Results, tables: dict[str, Table]) -> Section:
    """Return what each indicator does to the composite, and the change by domain."""
    table = tables.get("variance_share")
    blocks: list[Element] = [table] if table is not None and len(table.frame) > 1 else []
    domains = results.has("domains")
    return Section(
        key="behind",
        title="Indicators and domains",
        blocks=(*blocks, *_domains(results)),
        filed=(domains_table(results),) if domains else (),
    )


def _domains(results: Results) -> list[Element]:
    """Return the change by domain, drawn where there are two."""
    if not results.has("domains"):
        return []
    group = results.group("domains")
    names = labels(group["domain"])
    if "covariance" not in group or len(names) != 2:
        return []
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
                "are in the file of domains.",
                {"a": Name(names[0]), "b": Name(names[1])},
            ),
            figure=figure,
            data=data,
        ),
    ]
