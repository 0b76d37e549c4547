"""What study.toml asks besides: criteria and costs, refused or answered in the report."""

import pytest

import pdsim
from pdsim.errors import InputError
from pdsim.simulation import Scenario


@pytest.fixture(scope="module")
def study():
    scenario = Scenario(facilities=8, indicators=4, domains=2, trials=40)
    return pdsim.simulate(scenario, seed=2)[1]


def asking(study, **asked):
    return pdsim.Study(data=study.data, options=pdsim.StudyOptions(m=2, **asked))


def test_the_report_answers_what_is_asked(study, tmp_path):
    domain = str(study.data["domain"].values[0])
    wanted = ("top(change, 2)", "not bottom(endline, 25 %)", f"change[{domain}] > 0")
    asked = asking(study, criteria=wanted, missed_cost=2.0, drift=0.5)
    result = pdsim.analyse(
        asked, out=tmp_path / "out", engine="laplace", seed=1, formats=("md", "html", "tex", "docx")
    )
    text = (tmp_path / "out" / "report.md").read_text()
    assert "What the study asks besides" in text
    assert "the cost of naming a wrong one" in text
    found = result.results["criteria"].to_dataset()
    assert found.sizes["criterion"] == 3
    for name in found["facility"].values[found["selected"].values]:
        assert str(name) in text.split("are expected among")[1].split("\n")[0]
    ahead = result.results["next_round"].to_dataset()
    # new cases and drift can only make an extreme facility less sure
    assert float(ahead.next_top.max()) < float(ahead.now_top.max())
    assert float(ahead.next_top.sum()) == pytest.approx(2)
    assert "is no forecast" in text
    costs = result.results["costs_top"].to_dataset()
    line = text.split("it pays to name as top")[1].split("\n")[0]
    assert f"{costs.expected_cost.values[costs.attrs['cheapest']]:.2f}" in line
    for name in costs["facility"].values[costs["flagged"].values]:
        assert str(name) in line.split("expected to cost")[0]


def test_nothing_is_said_where_nothing_is_asked(study, tmp_path):
    pdsim.analyse(asking(study), out=tmp_path / "out", engine="laplace", seed=1, formats=("md",))
    assert "asks besides" not in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"criteria": ("top(chang, 2)",)}, "perhaps 'change' was meant"),
        ({"criteria": ("top(change, 8)",)}, "asks for 8 of 8 facilities"),
        ({"criteria": ("change",)}, "is no criterion"),
        ({"drift": -1.0}, "drift must be a standard deviation"),
        ({"facility_df": 2.0}, "facility_df must be a number above 2"),
        ({"missed_cost": 0.0}, "missed_cost must be a positive number"),
    ],
)
def test_what_cannot_be_asked_is_refused_when_it_is_read(study, asked, what):
    with pytest.raises(InputError, match=what):
        asking(study, **asked)


def test_who_is_unlike_the_rest_is_said_with_what_normal_effects_choose(study, tmp_path):
    data = study.data.copy(deep=True)
    # a facility of which every endline is far above the rest
    data["successes"][3, :, 1] = data["trials"][3, :, 1]
    data["successes"][[i for i in range(8) if i != 3], :, 1] *= 0.5
    data["successes"] = data["successes"].round()
    far = pdsim.Study(data=data, options=pdsim.StudyOptions(m=2, facility_df=4.0))
    result = pdsim.analyse(far, out=tmp_path / "out", seed=1, formats=("md", "html", "tex", "docx"))
    assert result.fit.attrs["engine"] == "laplace"
    found = result.results["t_effects"].to_dataset()
    name = str(data["facility"].values[3])
    assert found.attrs["unlike"] == name
    assert found.attrs["p_extreme"] < 0.05
    assert found["effects"].values.tolist() == ["t", "normal"]
    text = " ".join((tmp_path / "out" / "report.md").read_text().split())
    assert f"The least like the others is {name}" in text
    assert "That is more than the end of a spread" in text
    assert "Student t with 4 degrees of freedom" in text
    words = text.split("Normal effects name ")[1].split(".")[0]
    for side in ("top", "bottom"):
        chosen = found[f"selected_{side}"].values
        same = (chosen[0] == chosen[1]).all()
        assert (f"the same {side} 2" in words) == same
    locked = (tmp_path / "out" / "study.lock.toml").read_text()
    assert "facility_df = 4.0" in locked
