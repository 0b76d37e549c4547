"""More than two rounds: windows are compared, all are kept, two give what two gave before."""

import itertools

import numpy as np
import pytest
import xarray as xr

from pdsim.errors import InputError
from pdsim.model import fit
from pdsim.study import Study, StudyOptions
from pdsim.study.problems import Findings
from pdsim.study.rounds import windowed

YEARS = ("2019", "2020", "2021", "2022")


def table(years=YEARS, **changed):
    rng = np.random.default_rng(1)
    rows = [
        {"facility": f"F{f}", "indicator": k, "period": year,
         "successes": int(rng.integers(0, 20)), "trials": 20}
        for f, k, year in itertools.product(range(5), ("a", "b"), YEARS)
    ]  # fmt: skip
    rows = [row | changed for row in rows if row["period"] in years]
    return {name: [row[name] for row in rows] for name in rows[0]}


def read(years=YEARS, **options):
    stated = {"periods": years} | options
    return Study.from_long(table(years), options=StudyOptions(**stated))


def test_the_first_and_the_last_round_are_compared_and_all_are_kept():
    study = read()
    two = Study.from_long(table(("2019", "2022")), options=StudyOptions(periods=("2019", "2022")))
    xr.testing.assert_identical(study.data, two.data)
    assert study.period_labels == two.period_labels == ("2019", "2022")
    assert two.rounds is None
    assert study.rounds["round"].values.tolist() == list(YEARS)
    last = study.rounds.sel(round="2022", drop=True).successes
    np.testing.assert_array_equal(last, study.data.successes.sel(period="endline"))
    assert any("'2020', '2021' are in neither" in note for note in study.notes)


def test_counts_of_a_window_are_summed():
    windows = {"baseline": ("2019", "2020"), "endline": ("2022",)}
    study = read(windows=windows)
    first = study.rounds.sel(round=["2019", "2020"]).sum("round")
    np.testing.assert_array_equal(study.data.sel(period="baseline").successes, first.successes)
    assert (study.data.sel(period="baseline").trials == 40).all()
    assert study.period_labels == ("2019 to 2020", "2022")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"windows": {"baseline": ("2018",), "endline": ("2022",)}}, "the rounds are"),
        ({"windows": {"start": ("2019",)}}, "windows are baseline and endline"),
        ({"windows": {"baseline": ("2019",), "endline": ("2019",)}}, "windows twice"),
        ({"periods": ("2019", "2020", "2020")}, "the periods must differ"),
        ({"m": 2, "m_share": 20}, "beside m = 2"),
        ({"m_share": 80}, "m_share must be a percentage"),
    ],
)
def test_what_cannot_be_is_refused(options, what):
    with pytest.raises(InputError, match=what):
        read(**options)


def test_windows_need_more_than_two_rounds():
    windows = {"baseline": ("2019",), "endline": ("2022",)}
    with pytest.raises(InputError, match="more than two"):
        read(("2019", "2022"), windows=windows)


def test_scores_of_several_rounds_are_not_summed():
    scores = table()
    scores["mean"] = scores.pop("successes")
    scores["se"] = [1.0] * len(scores.pop("trials"))
    windows = {"baseline": ("2019", "2020"), "endline": ("2022",)}
    with pytest.raises(InputError, match="cannot be summed"):
        Study.from_long(scores, options=StudyOptions(periods=YEARS, windows=windows))
    whole = Study.from_long(scores, options=StudyOptions(periods=YEARS))
    assert whole.kind == "scores"


def test_m_may_be_a_share():
    assert read(m_share=40).m == 2
    assert read(m_share=1).m == 1
    assert read(m_share=50).m == 2


def test_two_rounds_in_the_many_round_reader_give_the_fit_of_two_periods_bit_for_bit():
    labels = ("2019", "2022")
    plain = Study.from_long(table(labels), options=StudyOptions(periods=labels))
    rounds = plain.data.rename(period="round").assign_coords(round=list(labels))
    data, names = windowed(rounds, StudyOptions(periods=labels), Findings())
    xr.testing.assert_identical(data, plain.data)
    assert names == plain.period_labels
    fits = [
        fit(study, engine="laplace", seed=1, draws=250)
        for study in (plain, Study(data=data, period_labels=names), read())
    ]
    first, *others = ([v.to_numpy() for v in one["posterior"].data_vars.values()] for one in fits)
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert one.dtype == two.dtype
            assert one.tobytes() == two.tobytes()
