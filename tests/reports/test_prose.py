"""Every number in prose equals its cell in a table, for any study."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pdsim.conventions import CERTAIN
from pdsim.model.convergence import gates_to_json, laplace_gates
from pdsim.reports.formats.document import Front, Number, Picture, Table, Text, flat
from pdsim.reports.formats.plainwords import words_of
from pdsim.reports.study.caveats import caveats
from pdsim.reports.study.front import front
from pdsim.reports.study.methods import methods
from pdsim.reports.study.robustness import cut_table
from pdsim.reports.study.sections import base_tables, build_document
from pdsim.reports.study.view import Results

# what a sentence may say in digits without a table: interval probability and limits of gates
_ALLOWED = re.compile(
    r"95 %|99\.8 %|P\((top|bottom) \d+\)|(first|last) \d+|R-hat was below 1\.01|above 400|"
    r"below 0\.7|above 100|taken as 0|(correlation|design effect) of [\d.]+( or [\d.]+)*"
)


def numbers(text: Text) -> Iterator[Number]:
    return (piece for piece in text if isinstance(piece, Number))


def printed_cells(table: Table) -> dict[tuple[str, str, str], Number]:
    """Every number that the table prints, by cell."""
    _, rows = table.grid()
    return {
        piece.cell: piece
        for row in rows
        for cell in row
        for piece in cell
        if isinstance(piece, Number)
    }


def page_texts(page: Front) -> list[Text]:
    """Every sentence of page one."""
    return [page.lead, *(text for _, text in page.answers), *page.foot]


class Printed:
    """The printed numbers of each table, looked up once."""

    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = tables
        self.cells = {key: printed_cells(table) for key, table in tables.items()}


def check_text(text: Text, printed: Printed) -> None:
    tables = printed.tables
    for number in numbers(text):
        key, row, column = number.cell
        cell = printed.cells[key][number.cell]
        assert number.text == cell.text
        # and the cell is the frame's value
        assert float(tables[key].value(row, column)) == number.value
    for piece in text:
        if isinstance(piece, str):
            assert not re.search(r"\d", _ALLOWED.sub("", piece)), piece


# each example costs a third of a second: the failing one is shown as it is, not shrunk
@settings(max_examples=25, phases=(Phase.explicit, Phase.generate))
@given(
    facilities=st.integers(4, 20),
    indicators=st.integers(1, 5),
    domains=st.integers(1, 2),
    periods=st.integers(1, 2),
    m=st.integers(1, 2),
    spread=st.sampled_from([0.5, 4.0, 20.0]),
    draws=st.sampled_from([40, 300]),
    failed=st.booleans(),
    unset=st.booleans(),
    suppress=st.sampled_from([-1, 5]),
    seed=st.integers(0, 10_000),
)
def test_numbers_in_prose_are_cells(
    make_results, facilities, indicators, domains, periods, m, spread, draws, failed, unset,
    suppress, seed,
) -> None:  # fmt: skip
    tree = make_results(
        facilities=facilities, indicators=indicators, domains=min(domains, indicators),
        periods=periods, m=m, spread=spread, draws=draws, failed=failed, unset=unset,
        suppress_below=suppress, seed=seed, with_draws=False,
    )  # fmt: skip
    results = Results(tree)
    tables = base_tables(results)
    printed = Printed(tables)
    page = front(results, tables)
    for text in (*page_texts(page), *caveats(results, tables), *methods(results, tables)):
        check_text(text, printed)
    assert bool(page.stop) == failed
    # near certain is said of exactly the memberships with probability 0.95 or more
    for side in ("top", "bottom"):
        table = tables[f"answer_{side}"]
        for name in table.positions:
            p = float(tables["selection"].value(name, f"p_{side}"))
            assert (words_of(table.value(name, "words")) == "near certain") == (p >= CERTAIN)
            assert table.value(name, "p") == p
        assert table.heading.endswith("do not cite") == failed


def test_methods_state_the_gates_of_the_fast_engine(make_results) -> None:
    tree = make_results(draws=200)
    gates = laplace_gates(
        rhat=1.02, hyper_ess=150.0, pareto_k=0.3, share=0.8, ess=900.0, draws=1000
    )
    tree.attrs |= {"engine": "laplace", "gates": gates_to_json(gates)}
    results = Results(tree)
    text = " ".join(words_of(part) for part in methods(results, base_tables(results)))
    assert (
        "accepted if R-hat of the hyperparameters was below 1.1, the Pareto k of the weights "
        "below 0.7, the effective number of hyperparameter points above 100, the effective share "
        "of the draws above 0.25 and the effective number of draws of the composite above 250."
    ) in text


@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize("brief", [True, False])
def test_whole_document(make_results, periods: int, brief: bool) -> None:
    results = Results(make_results(facilities=6, m=2, periods=periods, draws=200))
    document = build_document(results, brief=brief)
    tables = base_tables(results) | document.tables
    printed = Printed(tables)
    seen = 0
    for section in document.sections:
        for block in flat(section.blocks):
            texts: list[Text] = []
            if hasattr(block, "text"):
                texts = [block.text] if block.style not in ("code", "folded") else []
            elif hasattr(block, "items"):
                texts = list(block.items) if section.key != "made" else []
            elif hasattr(block, "caption"):
                texts = [block.caption, block.alt]
            for text in texts:
                check_text(text, printed)
                seen += len(list(numbers(text)))
    assert seen > (5 if brief else 15)


def test_numbered_facilities_are_called_so(make_results) -> None:
    results = Results(make_results(facilities=[f"{n}" for n in range(1, 9)], spread=8.0, draws=200))
    tables = base_tables(results)
    texts = [*page_texts(front(results, tables)), *caveats(results, tables)]
    for text in map(words_of, texts[1:]):
        assert not re.match(r"\d", text)


def test_page_one_is_short_and_the_whole_too(make_results) -> None:
    results = Results(make_results(facilities=12, indicators=14))
    document = build_document(results)
    assert document.front is not None
    assert len(document.sections) <= 9
    page = words_of(document.title).split()
    for block in document.front.blocks:
        # the figure has no caption there
        page += [] if isinstance(block, Picture) else block_words(block)
    assert len(page) <= 250
    whole = [word for s in document.sections for b in flat(s.blocks) for word in block_words(b)]
    assert len(whole) <= 2500


def block_words(block) -> list[str]:
    """The words that a block shows; of a figure, its caption."""
    texts: list[Text] = []
    if isinstance(block, Table):
        headers, rows = block.grid()
        texts = [(block.title,), *headers, *(cell for row in rows for cell in row), *block.notes]
    else:
        texts = [getattr(block, "text", ()) or getattr(block, "caption", ())]
        texts += list(getattr(block, "items", ()))
    return [word for text in texts for word in words_of(text).split()]


def test_pairs_at_both_cuts(make_results) -> None:
    results = Results(make_results(facilities=9, draws=200, spread=2.0, seed=5))
    table = cut_table(results)
    above = results.group("pairs")["p_above"]
    for side in ("top", "bottom"):
        ahead, behind = table.value(side, "first"), table.value(side, "second")
        inside = results.selected(side)
        assert (ahead in inside) == (side == "top")
        assert (behind in inside) == (side == "bottom")
        assert table.value(side, "p") == float(above.sel(facility=ahead, facility_2=behind))


def test_refits_hold_the_analysis_itself_in_its_place(make_results) -> None:
    results = Results(make_results(facilities=7, draws=100, spread=2.0))
    varied = results.varied("priors_scaled", "prior_factor").sel(prior_factor=1.0)
    ranking = results.group("ranking").sel(facility=varied["facility"])
    for name in ("p_top", "p_top_mcse", "selected_bottom"):
        assert (varied[name] == ranking[name]).all()
    other = results.varied("priors_scaled", "prior_factor").sel(prior_factor=2.0)
    assert (other["p_top"] == results.group("priors_scaled")["p_top"].sel(prior_factor=2.0)).all()


def test_never_programme_effect(make_results) -> None:
    document = build_document(Results(make_results(facilities=6, m=2, draws=100)))
    words = " ".join(
        words_of(block.text)
        for section in document.sections
        for block in flat(section.blocks)
        if hasattr(block, "text")
    )
    assert "programme effect" not in words
    assert "effect of the programme" not in words
