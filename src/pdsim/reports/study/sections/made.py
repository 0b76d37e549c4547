"""Sections on how the report was made: methods, settings, citations, assumptions."""

from pdsim.reports.formats.document import Block, Items, Name, Paragraph, Table
from pdsim.reports.study.citations import bibtex, references
from pdsim.reports.study.methods import methods
from pdsim.reports.study.settings_table import priors_table, versions_table
from pdsim.reports.study.view import Results


def assumption_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return everything that the study assumes."""
    sentences = results.loads("assumptions", [])
    return [Items(items=tuple((Name(text),) for text in sentences))] if sentences else []


def glance_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return counts and overall figures."""
    return [tables["facts"]]


def method_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return the methods paragraph and the priors."""
    blocks: list[Block] = [Paragraph(text=text) for text in methods(results, tables)]
    priors = priors_table(results)
    return blocks if priors is None else [*blocks, priors]


def reproduce_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return settings, versions and the command that makes the report again."""
    blocks: list[Block] = [tables["settings"]]
    versions = versions_table(results)
    if versions is not None:
        blocks.append(versions)
    configuration = results.loads("configuration", {})
    if {"engine", "seed"} <= set(configuration):
        command = (
            f"pdsim analyse study.toml --out results --engine {configuration['engine']} "
            f"--seed {configuration['seed']}"
        )
        if configuration.get("delta"):
            command += f" --delta {configuration['delta']:g}"
        blocks += [
            Paragraph(
                text=(
                    "With the study's own files and these versions, this command gives the same "
                    "numbers on the same machine:",
                )
            ),
            Paragraph(text=(command,), style="code"),
        ]
    return blocks


def citation_blocks(results: Results, tables: dict[str, Table], long: bool) -> list[Block]:
    """Return what to cite, and the same as BibTeX."""
    items = tuple((f"For {work.why}: {work.text}",) for work in references(results))
    return [Items(items=items), Paragraph(text=(bibtex(results),), style="folded")]
