"""Figures: the data they draw are the results, and each one renders."""

import io

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from pdsim.errors import InputError
from pdsim.reports import plots
from pdsim.reports.formats.svg import figure_to_svg, inline_svg
from pdsim.reports.plots.annotate import name_points
from pdsim.reports.study.figures import mean_ranks
from pdsim.reports.study.view import Results


@pytest.fixture(scope="module")
def results(make_results) -> Results:
    return Results(make_results(facilities=9, draws=200, seed=5))


def has_ink(figure: Figure) -> bool:
    """Tell whether the rendered image holds more than its background."""
    from matplotlib import image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    buffer.seek(0)
    pixels = image.imread(buffer)[..., :3]
    return bool((pixels < 0.6).any(axis=2).mean() > 0.002)


def test_forest_is_sorted_and_true(results: Results) -> None:
    figure, data = plots.forest(results.improvement, results.group("ranking"))
    assert data["facility"].tolist() == results.order
    group = results.improvement.sel(facility=data["facility"].tolist())
    np.testing.assert_array_equal(data["mean"], group["mean"])
    np.testing.assert_array_equal(data["low"], group["interval"].sel(ci_bound=0.025))
    np.testing.assert_array_equal(data["high"], group["interval"].sel(ci_bound=0.975))
    assert sorted(data.loc[data["side"] == "top", "facility"]) == sorted(results.selected("top"))
    assert has_ink(figure)


def test_forest_draws_a_second_interval(results: Results) -> None:
    group = results.improvement
    inner = xr.concat([group["mean"] - 1, group["mean"] + 1], dim="inner_bound")
    _, data = plots.forest(group.assign(interval_inner=inner), results.group("ranking"))
    np.testing.assert_allclose(data["inner_high"] - data["inner_low"], 2.0)


def test_long_lists_show_both_ends(results: Results) -> None:
    _, data = plots.forest(results.improvement, results.group("ranking"), rows=4)
    assert data["facility"].tolist() == [*results.order[:2], *results.order[-2:]]


def test_rank_figures_hold_the_probabilities(results: Results) -> None:
    ranking = results.group("ranking")
    for draw in (plots.rank_heatmap, plots.acceptability_bars):
        figure, data = draw(ranking, m=3)
        expected = ranking["rank_probability"].sel(facility=data.index.tolist())
        np.testing.assert_array_equal(data.to_numpy(), expected.to_numpy())
        np.testing.assert_allclose(data.sum(axis=1), 1.0)
        assert has_ink(figure)
    figure, data = plots.membership_dots(ranking, m=3)
    np.testing.assert_array_equal(
        data["p_top"], ranking["p_top"].sel(facility=data["facility"].tolist())
    )
    assert has_ink(figure)
    figure, data = plots.grades(ranking)
    assert data["grade"].is_monotonic_increasing
    assert has_ink(figure)


def test_slope_and_bump(results: Results) -> None:
    figure, data = plots.slope(results.group("levels"), results.group("ranking"))
    mean = results.group("levels")["mean"].sel(facility=data["facility"].tolist())
    np.testing.assert_array_equal(data["endline"], mean.sel(period="endline"))
    assert has_ink(figure)
    figure, data = plots.bump(mean_ranks(results), results.group("ranking"))
    assert data.index.tolist() == results.order
    assert data.iloc[:, 0].tolist() == list(range(1, 10))
    for column in data:
        assert sorted(data[column]) == list(range(1, 10))
    assert has_ink(figure)


def test_domain_ellipse_is_the_credible_one(results: Results) -> None:
    domains = results.group("domains").copy(deep=True)
    covariance = np.array([[9.0, 0.0], [0.0, 4.0]])
    domains["covariance"] = (
        ("facility", "domain", "domain_2"),
        np.broadcast_to(covariance, (9, 2, 2)).copy(),
    )
    figure, data = plots.domain_profile(domains, results.group("ranking"))
    # 95 % of a bivariate normal lies within sqrt(5.9915) standard deviations
    np.testing.assert_allclose(data["width"], 2 * 3 * np.sqrt(5.991465), rtol=1e-4)
    np.testing.assert_allclose(data["height"], 2 * 2 * np.sqrt(5.991465), rtol=1e-4)
    np.testing.assert_allclose(np.asarray(data["angle"]) % 180, 0.0, atol=1e-9)
    assert has_ink(figure)


def test_predictive(results: Results) -> None:
    figure, data = plots.predictive(results.group("predictive"))
    assert len(data) == 18
    one = results.group("predictive").sel(facility="Hospital 4", period="endline")
    row = data[(data["facility"] == "Hospital 4") & (data["period"] == "endline")].iloc[0]
    assert row["observed"] == float(one["observed"])
    assert row["high"] == float(one["replicate_interval"].sel(ci_bound=0.975))
    assert has_ink(figure)


def test_funnel_limits() -> None:
    # homogeneous values: no over-dispersion, and limits of 1.96 standard errors
    estimate, se = np.array([1.0, 1.1, 0.9, 1.0, 1.0]), np.array([0.5, 0.5, 0.5, 1.0, 2.0])
    names, sides = list("ABCDE"), ["top", "", "bottom", "", ""]
    figure, data = plots.funnel(estimate, se, names=names, sides=sides)
    assert data.attrs["tau"] == 0.0
    assert data.attrs["centre"] == pytest.approx(1.0)
    np.testing.assert_allclose(data["high_95"], 1.0 + 1.959964 * se)
    np.testing.assert_allclose(data["low_998"], 1.0 - 3.090232 * se)
    assert has_ink(figure)
    with pytest.raises(InputError, match="positive standard errors"):
        plots.funnel(estimate, 0 * se, names=names, sides=sides)


def test_names_beside_points_hide_neither_points_nor_each_other() -> None:
    figure = Figure(figsize=(5, 4))
    axes = figure.add_subplot()
    # three neighbours in a row: names to the right would lie on the next point
    x, y = np.array([1.0, 1.6, 2.2]), np.array([1.0, 1.0, 1.02])
    axes.plot(x, y, "o", markersize=6)
    axes.set_xlim(0, 4)
    axes.set_ylim(0, 2)
    name_points(axes, x, y, ["Alpha General", "Beta General", "Gamma General"], x > 0)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 3
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert not any(box.contains(*place) for place in axes.transData.transform(np.c_[x, y]))


def test_long_names_leave_room_for_the_axes(results: Results) -> None:
    ranking = results.group("ranking")
    long = ranking.assign_coords(facility=[f"{n} {'x' * 40}" for n in range(9)])
    plain, wide = (plots.acceptability_bars(one, m=3)[0] for one in (ranking, long))
    for figure in (plain, wide):
        figure.draw_without_rendering()
        box = figure.axes[0].xaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_failed_fits_are_stamped(results: Results) -> None:
    for failed in ("", "FAILED: R-hat"):
        figure, _ = plots.rank_heatmap(results.group("ranking"), m=3, failed=failed)
        assert ("Convergence FAILED" in figure_to_svg(figure, key="x")) == bool(failed)


def test_svg_is_the_same_every_time_and_names_are_text(results: Results) -> None:
    ranking = results.group("ranking")
    names = ["<b>$x$</b>", *ranking["facility"].to_numpy().tolist()[1:]]
    ranking = ranking.assign_coords(facility=names)
    texts = [
        inline_svg(plots.membership_dots(ranking, m=3)[0], key="k", alt="<alt> & text")
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert "&lt;b&gt;$x$&lt;/b&gt;" in texts[0]
    assert "&lt;alt&gt; &amp; text" in texts[0]


def test_users_settings_do_not_change_a_figure(results: Results) -> None:
    import matplotlib as mpl

    plain = figure_to_svg(plots.rank_heatmap(results.group("ranking"), m=3)[0], key="k")
    with mpl.rc_context({"font.size": 30, "image.cmap": "hot", "axes.facecolor": "red"}):
        other = figure_to_svg(plots.rank_heatmap(results.group("ranking"), m=3)[0], key="k")
        assert mpl.rcParams["font.size"] == 30
    assert plain == other
