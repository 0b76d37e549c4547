"""Tables of themes and their contrast between truly higher and lower facilities."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pdsim.errors import InputError, PdsimWarning
from pdsim.interviews import (
    Combination,
    ContrastSettings,
    contrast_themes,
    groups_of,
    krippendorff_alpha,
    qca_table,
    roles,
    separating_combinations,
    theme_shares,
    theme_table,
)
from pdsim.interviews.assignments import permutation_contrasts, permutation_p
from pdsim.interviews.pooling import share_draws

NAMES = [f"F{i}" for i in range(1, 11)]
QUICK = ContrastSettings(bootstrap=100)


def test_shares_by_hand():
    table = theme_table(
        pd.DataFrame(
            [
                ("A", 1, "1", "x", "trust", 1), ("A", 1, "1", "y", "trust", 0),
                ("A", 2, "1", "x", "trust", 2), ("A", 2, "12", "x", "trust", 0),
                ("A", 3, "1", "x", "trust", None), ("B", 1, "1", "x", "trust", -2),
            ],
            columns=["facility", "informant", "round", "coder", "theme", "value"],
        )
    )  # fmt: skip
    shares = theme_shares(table, ["A", "B", "C"]).sel(theme="trust")
    # A1: coders disagree, 1/2; A2: in one of two rounds, 1/2; A3 did not discuss it
    assert shares.voiced.sel(round="all").values.tolist() == [1.0, 0.0, 0.0]
    assert shares.informants.sel(round="all").values.tolist() == [2.0, 1.0, 0.0]
    assert shares.share.sel(round="1").values[:2].tolist() == [0.75, 0.0]
    assert np.isnan(shares.share.sel(round="all").values[2])
    assert shares.interviewed.sel(round="all").values.tolist() == [3.0, 1.0, 0.0]


def test_an_informant_without_codes_moves_only_the_own_share(score, codes):
    more = pd.DataFrame(
        [("F2", "new", 1, "a", theme, 0) for theme in ("trust", "noise")], columns=codes.columns
    )
    before = theme_shares(theme_table(codes), NAMES)
    after = theme_shares(theme_table(pd.concat([codes, more], ignore_index=True)), NAMES)
    others = [name for name in NAMES if name != "F2"]
    xr.testing.assert_equal(before.sel(facility=others), after.sel(facility=others))
    one = {"theme": "trust", "round": "all", "facility": "F2"}
    assert float(after.informants.sel(one)) == float(before.informants.sel(one)) + 1
    assert float(after.voiced.sel(one)) == float(before.voiced.sel(one))


def test_interviews_never_move_ranks(score, codes):
    groups = groups_of(score)
    plain = roles(groups, score)
    found = contrast_themes(score, theme_table(codes), settings=QUICK)
    xr.testing.assert_identical(found["roles"].to_dataset(), plain)


def test_a_theme_that_follows_the_order_is_found_and_noise_is_not(score, codes):
    found = contrast_themes(score, theme_table(codes), settings=QUICK)
    trust = found["contrast"].to_dataset().sel(theme="trust", round="all")
    noise = found["contrast"].to_dataset().sel(theme="noise", round="all")
    assert float(trust.p_positive) > 0.95
    assert float(trust.low) < 0.6 < float(trust.high) + 0.1
    assert float(noise.low) < 0.0 < float(noise.high)
    assert float(trust.slope) > 0
    for one in (trust, noise):
        assert float(one.widening) > 1.0
        assert float(one.worst_low) <= float(one.low)
        assert float(one.worst_high) >= float(one.high)


def test_certain_groups_are_not_widened(certain, codes):
    found = contrast_themes(certain, theme_table(codes), settings=QUICK)["contrast"]
    one = found.to_dataset().sel(theme="trust", round="all")
    # both are draws of the same posterior: 500 draws each
    error = 4 * float(one.high - one.low) / np.sqrt(500)
    assert abs(float(one.contrast - one.named)) < error
    assert abs(float(one.low - one.named_low)) < error
    assert float(one.worst_low) == float(one.low)


def test_swapping_the_ends_flips_the_contrast(certain, codes):
    turned = theme_table(codes.assign(value=1 - codes["value"]))
    one = contrast_themes(certain, theme_table(codes), settings=QUICK)["contrast"]
    other = contrast_themes(certain, turned, settings=QUICK)["contrast"]
    error = 4 * float((one.high - one.low).max()) / np.sqrt(500)
    np.testing.assert_allclose(one.contrast, -other.contrast, atol=error)


def test_the_contrast_without_coders_error(certain, codes):
    settings = ContrastSettings(sensitivity=0.9, specificity=0.8, bootstrap=100)
    found = contrast_themes(certain, theme_table(codes), settings=settings)["contrast"]
    np.testing.assert_allclose(found.corrected, found.contrast / 0.7)
    assert (
        "corrected" not in contrast_themes(certain, theme_table(codes), settings=QUICK)["contrast"]
    )


def test_pooled_shares_against_quadrature():
    # one facility in one class: the posterior is that of a beta-binomial with a random mean
    voiced, informants = np.array([7.0, 2.0]), np.array([10.0, 10.0])
    classes = np.tile(np.array([0, 2], dtype=np.int8), (40_000, 1))
    drawn = share_draws(voiced, informants, classes, seed=1).share
    # by simulation from the prior, accepting the data
    rng = np.random.default_rng(2)
    size = 4_000_000

    def beta(mean, correlation):
        total = 1 / correlation - 1
        return rng.beta(np.maximum(mean * total, 1e-9), np.maximum((1 - mean) * total, 1e-9))

    centre, spread, rho = rng.random(size), rng.random(size), rng.beta(1, 3, size)
    share = [beta(beta(centre, spread), rho) for _ in range(2)]
    said = [rng.binomial(10, one) for one in share]
    kept = (said[0] == 7) & (said[1] == 2)
    expected = np.array([one[kept] for one in share])
    for g in range(2):
        # the mesh of the grid is worth less than .005
        error = 4 * expected[g].std() * np.sqrt(1 / kept.sum() + 1 / 40_000) + 0.005
        assert abs(drawn[:, g].mean() - expected[g].mean()) < error
        assert abs(drawn[:, g].std() - expected[g].std()) < error
    gap = drawn[:, 0] - drawn[:, 1]
    error = 4 * gap.std() * np.sqrt(1 / kept.sum() + 1 / 40_000) + 0.005
    assert abs(gap.mean() - (expected[0] - expected[1]).mean()) < error


def test_draws_that_explain_the_codes_count_for_more():
    # two divisions, equally likely by the scores; the codes fit the first
    classes = np.array([[0, 0, 2, 2], [0, 2, 0, 2]] * 5000, dtype=np.int8)
    voiced, informants = np.array([19.0, 18.0, 2.0, 1.0]), np.full(4, 20.0)
    drawn = share_draws(voiced, informants, classes, seed=1)
    share = (classes[drawn.which] == classes[0]).all(axis=1).mean()
    assert 0.6 < share < 1.0
    none = share_draws(np.zeros(4), np.zeros(4), classes, seed=1)
    assert none.effective == pytest.approx(1.0)


def test_permutation_of_facilities():
    shares = np.array([[0.9, 0.8, 0.7, 0.1, 0.2, 0.3], [0.5, 0.2, 0.6, 0.4, 0.5, 0.3]])
    observed, every = permutation_contrasts(shares, 3)
    found = permutation_p(observed, every)
    assert len(every) == 20
    assert found["p_higher"][0] == 1 / 20
    assert found["p_lower"][0] == 1.0
    # no theme of any assignment differs by more, but for the mirror image
    assert found["p_any"][0] == 2 / 20
    assert (found["p_any"] >= np.minimum(found["p_higher"], found["p_lower"])).all()


def test_permutation_is_printed_with_its_least_p(score, codes):
    table = contrast_themes(score, theme_table(codes), settings=QUICK)["permutation"]
    assert table.attrs["least_p"] == 1 / 20
    assert float(table.p_higher.sel(theme="trust")) == 1 / 20


def test_agreement_and_its_interval(score, codes):
    table = contrast_themes(score, theme_table(codes), settings=QUICK)["agreement"]
    values = theme_table(codes).units("trust")
    assert values.shape == (2, 6 * 12 * 2)
    assert float(table.alpha.sel(theme="trust")) == krippendorff_alpha(values)
    assert (table.low <= table.alpha).all()
    assert (table.alpha <= table.high).all()


def test_combinations_are_stated_and_chance_is_beside_them(certain, codes):
    one = Combination(name="trusting", present=("trust",))
    settings = ContrastSettings(combinations=(one,), bootstrap=100)
    row = contrast_themes(certain, theme_table(codes), settings=settings)["combinations"]
    row = row.to_dataset().squeeze()
    assert float(row.consistency) == 1.0
    assert float(row.coverage) == 1.0
    assert int(row.possible) == 4
    assert int(row.dividing) == 1
    with pytest.raises(InputError, match="no theme 'luck'"):
        contrast_themes(
            certain, theme_table(codes),
            settings=ContrastSettings(combinations=(Combination(name="x", present=("luck",)),)),
        )  # fmt: skip


def test_expected_number_of_dividing_combinations():
    # by hand: one theme in three of six facilities; it and its absence fit, each in 1 of 20 ways
    has = np.array([[True, False, True, False, True, False]])
    assert separating_combinations(has, 3, 1) == (2, 0, 2 / 20)


def test_rounds(score, codes):
    table = contrast_themes(score, theme_table(codes), settings=QUICK)
    assert table["contrast"]["round"].values.tolist() == ["all", "1", "12"]
    change = table["rounds"]
    assert (change.contrast_low < 0).all()
    assert (change.contrast_high > 0).all()


def test_a_table_for_r(score, codes):
    found = contrast_themes(score, theme_table(codes), settings=QUICK)
    table = qca_table(found)
    assert table["facility"].tolist() == ["F1", "F2", "F3", "F8", "F9", "F10"]
    assert table.columns.tolist() == ["facility", "trust", "noise", "TOP", "BOTTOM", "NAMED"]
    assert qca_table(found, suppress_below=1000)[["trust", "noise"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 1.5}, "0 or 1, a count, or -2 to 2"),
        ({"value": "often"}, "0 or 1, a count, or -2 to 2"),
        ({"value": -3}, "0 or 1, a count, or -2 to 2"),
        ({"facility": ""}, "the facility is missing"),
        ({"informant": None}, "the informant is missing"),
    ],
)
def test_broken_rows_are_named(change, words):
    row = {"facility": "A", "informant": 1, "theme": "t", "value": 1}
    with pytest.raises(InputError, match=words):
        theme_table(pd.DataFrame([row, {**row, "informant": 2, **change}]))


def test_doubled_rows_and_missing_columns_are_named():
    row = {"facility": "A", "informant": 1, "theme": "t", "value": 1}
    with pytest.raises(InputError, match="earlier row"):
        theme_table(pd.DataFrame([row, row]))
    with pytest.raises(InputError, match="'theme' is missing"):
        theme_table(pd.DataFrame([{"facility": "A", "informant": 1, "value": 1}]))
    with pytest.raises(InputError, match="is not in the results"):
        theme_shares(theme_table(pd.DataFrame([row])), ["B"])


def test_coders_stay_blind():
    row = {"facility": "A", "informant": 1, "theme": "t", "value": 1, "tier": "high"}
    with pytest.warns(PdsimWarning, match="not read"):
        theme_table(pd.DataFrame([row]))
