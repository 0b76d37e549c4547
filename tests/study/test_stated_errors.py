"""Correlations of errors of scores as they are stated: what is read, and what is refused."""

import pytest

from pdsim import Study
from pdsim.errors import InputError
from pdsim.study import ErrorCorrelation, StudyOptions, read_study
from pdsim.study.rounds import of_round

TABLE = """facility,indicator,period,mean,se,correlation
North,reading,baseline,50,2,0.6
North,reading,endline,55,2,0.6
North,maths,baseline,40,3,
North,maths,endline,41,3,{maths}
South,reading,baseline,48,2,
South,reading,endline,52,2,{south}
South,maths,baseline,39,3,0.3
South,maths,endline,45,3,
"""


def read(tmp_path, stated="", maths="", south="", table=TABLE):
    (tmp_path / "scores.csv").write_text(table.format(maths=maths, south=south))
    (tmp_path / "study.toml").write_text(f'data = "scores.csv"\n{stated}')
    return read_study(tmp_path)


def test_the_column_goes_before_the_number_for_all(tmp_path):
    study = read(
        tmp_path, '[error_correlation]\nperiods = 0.5\nindicators = [["maths", "reading", 0.2]]'
    )
    correlation = study.error_correlation
    # cells in the order (indicator, period): reading, then maths
    assert correlation[:, 0, 1].tolist() == [0.6, 0.5]
    assert correlation[:, 2, 3].tolist() == [0.5, 0.3]
    assert correlation[:, 0, 2].tolist() == [0.2, 0.2]
    assert (
        "The errors of the scores of one facility correlate as stated: those of an indicator's two "
        "periods by 0.3 to 0.6; those of 'maths' and 'reading' by 0.2." in study.assumptions
    )


def test_without_either_errors_are_independent(tmp_path):
    study = read(tmp_path, 'ignore = ["correlation"]')
    assert study.error_correlation is None
    assert "The errors of the scores of one facility are taken as independent." in study.assumptions


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"maths": "1.0"}, ["scores.csv", "row 5", "North", "maths", "between -1 and 1", "1.0"]),
        ({"maths": "high"}, ["scores.csv", "row 5", "correlation must be a finite number"]),
        (
            {"table": TABLE.replace("55,2,0.6", "55,2,0.4")},
            ["North", "reading", "differs between the rows of the two periods", "state it once"],
        ),
        (
            {"stated": "[error_correlation]\nperiods = 1.0"},
            ["study.toml", "error_correlation", "periods must lie between -1 and 1, got 1.0"],
        ),
        (
            {"stated": '[error_correlation]\nindicators = [["reading", "math", 0.3]]'},
            ["study.toml", "'math', which is no indicator", "did you mean 'maths'"],
        ),
        (
            {"stated": '[error_correlation]\nindicators = [["reading", "reading", 0.3]]'},
            ["study.toml", "'reading' is paired with itself"],
        ),
        (
            {"stated": '[error_correlation]\nindicators = [["reading", "maths", 0.3], '
             '["maths", "reading", 0.3]]'},
            ["study.toml", "the pair 'maths' and 'reading' is stated twice"],
        ),
        (
            {"stated": '[error_correlation]\nindicators = [["reading", "maths", -1.5]]'},
            ["study.toml", "'reading' and 'maths' must lie between -1 and 1, got -1.5"],
        ),
        (
            {"stated": '[error_correlation]\nindicators = [["reading", "maths", 0.9]]',
             "south": "-0.9"},
            ["South", "over the periods are not possible at once", "not positive definite"],
        ),
        (
            {"table": "facility,indicator,period,successes,trials\n"
             "A,x,baseline,1,9\nA,x,endline,2,9\nB,x,baseline,3,9\nB,x,endline,4,9\n",
             "stated": "[error_correlation]\nperiods = 0.5"},
            ["study.toml", "error_correlation is for scores (mean and se)", "remove it"],
        ),
        (
            {"table": "facility,indicator,mean,se,correlation\nA,x,1,1,0.5\nB,x,2,1,0.5\n"},
            ["is of the errors of two periods, and the study has one"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_its_own_words(tmp_path, case, words):
    with pytest.raises(InputError) as error:
        read(tmp_path, **case)
    assert len(error.value.problems) == 1
    for word in words:
        assert word in str(error.value)


def test_pairs_that_are_not_possible_at_once_are_named(tmp_path):
    """a like b and c, which are unlike: 1 + 2 abc - a^2 - b^2 - c^2 = -1.95 < 0."""
    names = ("w", "a", "b", "c")
    table = {
        "facility": [f for f in "NS" for _ in range(8)],
        "indicator": [name for _ in "NS" for name in names for _ in (0, 1)],
        "period": ["baseline", "endline"] * 8,
        "mean": [float(n) for n in range(16)],
        "se": [1.0] * 16,
    }
    stated = ErrorCorrelation(indicators=(("a", "b", 0.9), ("a", "c", 0.9), ("b", "c", -0.5)))
    with pytest.raises(InputError) as error:
        Study.from_long(table, options=StudyOptions(error_correlation=stated))
    assert "errors among 'a', 'b', 'c' are not possible at once" in str(error.value)


def test_rounds_keep_the_column_and_single_ones_do_without(tmp_path):
    rows = [
        f"{f},reading,{year},{50 + n},2,{r}"
        for n, (f, year, r) in enumerate(
            [("N", 2021, 0.4), ("N", 2022, ""), ("N", 2023, 0.4),
             ("S", 2021, ""), ("S", 2022, 0.9), ("S", 2023, "")]
        )
    ]  # fmt: skip
    table = "facility,indicator,period,mean,se,correlation\n" + "\n".join(rows) + "\n"
    study = read(tmp_path, 'periods = ["2021", "2022", "2023"]', table=table)
    assert study.error_correlation[:, 0, 1].tolist() == [0.4, 0.0]
    assert "correlation" not in of_round(study.rounds, 0)
