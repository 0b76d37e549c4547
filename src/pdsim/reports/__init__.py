"""From results to what people read: tables, figures, sentences and files."""

from pdsim.reports.write import report, write_report

__all__ = ["report", "write_report"]
