"""A fit that cannot fit into memory is refused before it starts."""

from types import SimpleNamespace

import pytest

import pdsim
from pdsim.errors import InputError
from pdsim.model.memory import check_memory


def test_a_fit_without_room_is_refused_with_the_figures(monkeypatch):
    free = SimpleNamespace(available=4_000_000_000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    check_memory(draws=1000, cells=200_000)
    # 3,000 facilities x 60 indicators x 2 periods
    with pytest.raises(InputError, match=r"need 7\.2 GB .* 4\.0 GB are free; .* room for 555"):
        check_memory(draws=1000, cells=360_000)


@pytest.mark.parametrize("engine", ["nuts", "laplace"])
def test_it_is_asked_before_either_engine_starts(monkeypatch, engine):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(InputError, match=r"0\.0 GB are free"):
        pdsim.fit(pdsim.load_example("surgical"), engine=engine)
