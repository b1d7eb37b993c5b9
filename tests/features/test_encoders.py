"""What single encoders promise beyond the contract: arithmetic that can be checked by hand or against the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from artificer.errors import TrainingError
from artificer.features.calendar import civil
from artificer.features.categorical_count import CategoricalCount
from artificer.features.categorical_onehot import CategoricalOnehot
from artificer.features.categorical_ordinal import CategoricalOrdinal
from artificer.features.categorical_target import CategoricalTarget
from artificer.features.category_pairs import CategoryPairs
from artificer.features.datetime_cyclic import DatetimeCyclic
from artificer.features.datetime_parts import DatetimeParts
from artificer.features.numeric_quantile import NumericQuantile
from artificer.features.numeric_scaled import NumericScaled
from artificer.features.text_target import TextTarget
from artificer.features.vocabulary import Vocabulary
from artificer.testing.encoders import run_graph
from artificer.types import FLOAT32_MAX, MISSING_TIME, Strings


def column(*values: str) -> Strings:
    return np.array([[value] for value in values], dtype=object)


def test_days_of_ten_thousand_years_have_the_date_the_standard_library_gives() -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    # Every 37th day, and every day of years that try each leap rule.
    days = set(range(0, 3_652_059, 37))
    for year in (4, 100, 400, 1900, 1970, 2000, 2023, 2024, 2100, 9999):
        start = (datetime(year, 1, 1, tzinfo=UTC) - first).days
        days.update(range(start, min(start + 366, 3_652_059)))
    ordered = sorted(days)
    moments = np.array([(d - 719_162) * 86_400 + d % 86_400 for d in ordered])
    expected = [(m.year, m.month, m.day) for m in (first + timedelta(days=d) for d in ordered)]
    np.testing.assert_array_equal(civil(moments), np.array(expected))


def test_datetime_parts_agree_with_the_standard_library_in_python_and_in_the_graph() -> None:
    rng = np.random.default_rng(1)
    moments = [
        datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=int(s)) for s in rng.integers(0, 315_537_897_599, size=400)
    ]
    block = np.array([[int(m.timestamp())] for m in moments])
    encoder = DatetimeParts().fit(block, None, ["t"])
    assert encoder.feature_names_ == tuple(
        f"t ({part})" for part in ("days", "weekday", "hour", "minute", "year", "month", "day")
    )
    expected = [(m.weekday(), m.hour, m.minute, m.year, m.month, m.day) for m in moments]
    for features in (encoder.transform(block), run_graph(encoder, block)):
        np.testing.assert_array_equal(features[:, 1:], np.array(expected))
        elapsed = (block[:, 0] - block.min()) / 86_400
        np.testing.assert_allclose(features[:, 0], elapsed, rtol=1e-6)


def test_datetime_parts_keep_only_what_varies_and_give_nan_for_missing() -> None:
    days = np.array([[int(datetime(2024, 3, d, tzinfo=UTC).timestamp())] for d in range(1, 20)])
    encoder = DatetimeParts().fit(np.vstack([days, [[MISSING_TIME]]]), None, ["t"])
    assert encoder.feature_names_ == ("t (days)", "t (weekday)", "t (day)")
    assert np.isnan(encoder.transform(np.array([[MISSING_TIME]]))).all()
    before = int(datetime(2024, 2, 20, tzinfo=UTC).timestamp())
    assert encoder.transform(np.array([[before]])).tolist() == [[-10.0, 1.0, 20.0]]


@pytest.mark.parametrize("values", [[MISSING_TIME] * 3, [5, 5, 5]])
def test_times_that_do_not_vary_give_no_parts(values: list[int]) -> None:
    encoder = DatetimeParts().fit(np.array(values)[:, None], None, ["t"])
    assert encoder.feature_names_ == ()
    assert encoder.transform(np.array([[7]])).shape == (1, 0)


def test_cyclic_times_lie_on_the_unit_circle_and_bound_the_future() -> None:
    hours = np.arange(0, 1000 * 86_400, 3_607)[:, None]
    encoder = DatetimeCyclic(clip=4.0).fit(hours, None, ["t"])
    assert len(encoder.feature_names_) == 1 + 2 * 3
    features = encoder.transform(hours)
    for sine in (1, 3, 5):
        np.testing.assert_allclose(features[:, sine] ** 2 + features[:, sine + 1] ** 2, 1.0, atol=1e-5)
    future = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
    assert encoder.transform(np.array([[future]]))[0, 0] == 4.0
    assert encoder.transform(np.array([[MISSING_TIME]])).tolist() == [[0.0] * 7]


def test_codes_do_not_depend_on_the_order_of_rows() -> None:
    block = column(*"aabbccccd", "")
    levels = Vocabulary.learn(block, 100)[0].levels
    assert levels == (("d", "b", "a", "c"),)
    assert Vocabulary.learn(block[::-1], 100)[0].levels == levels


def test_vocabulary_codes_what_it_learned_from_as_it_codes_it_later() -> None:
    rng = np.random.default_rng(2)
    block = np.array([*"abcdefgh", ""], dtype=object)[rng.integers(0, 9, (200, 3))]
    for cap in (1, 4, 100):
        vocabulary, codes = Vocabulary.learn(block, cap)
        np.testing.assert_array_equal(vocabulary.codes(block), codes)
        assert max(len(levels) for levels in vocabulary.levels) <= cap


def test_equal_texts_of_different_columns_stay_apart_in_the_graph() -> None:
    block = np.array([["a", "b"], ["a", "a"], ["b", "a"], ["1:a", "0:a"]], dtype=object)
    encoder = CategoricalCount().fit(block, None, ["x", "y"])
    later = np.array([["b", "b"], ["0:a", "1:a"], ["a", "a"], ["1:a", "0:a"]], dtype=object)
    expected = np.log((np.array([[1, 1], [0, 0], [2, 2], [1, 1]]) + 1) / 5)
    np.testing.assert_allclose(run_graph(encoder, later), expected, rtol=1e-6)


def test_levels_beyond_the_cap_are_as_good_as_unseen() -> None:
    block = column(*["often"] * 5, *["rare"] * 2)
    encoder = CategoricalOrdinal(max_levels=1).fit(block, None, ["c"])
    assert encoder.transform(column("often", "rare", "never", "")).ravel().tolist() == [2, 1, 1, 0]


def test_target_averages_are_taken_out_of_fold() -> None:
    # Every row its own level: in fold a level tells its row's target, out of fold it tells nothing.
    block = column(*(f"level {i}" for i in range(200)))
    y = np.random.default_rng(3).normal(size=(200, 1))
    encoder = CategoricalTarget(smoothing=1.0)
    training = encoder.fit_transform(block, y, ["c"], seed=0)
    np.testing.assert_allclose(training, np.full((200, 1), y.mean()), rtol=1e-6)
    in_fold = encoder.transform(block)
    assert np.corrcoef(in_fold[:, 0], y[:, 0])[0, 1] > 0.99


def test_target_averages_of_folds_add_up() -> None:
    block, y = column(*"aaaaab"), np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [9.0]])
    encoder = CategoricalTarget(smoothing=2.0, folds=6)
    training = encoder.fit_transform(block, y, ["c"], seed=0)
    # With a row a fold each "a" sees the four others, and the only "b" sees none: the average, 4.
    expected = [[(15 - v + 2 * 4) / (4 + 2)] for v in (1, 2, 3, 4, 5)] + [[4.0]]
    np.testing.assert_allclose(training, expected, rtol=1e-6)
    np.testing.assert_allclose(encoder.transform(column("a", "b", "new")), [[23 / 7], [17 / 3], [4.0]], rtol=1e-6)


def test_rows_count_in_averages_of_the_target_as_they_are_weighted() -> None:
    rng = np.random.default_rng(8)
    words = rng.choice(np.array(["good", "bad", "tea"], dtype=object), (300, 2))
    y, weight = rng.normal(size=(300, 1)) + (words[:, :1] == words[:, 1:]), np.repeat([0.0, 1.0, 2.0], 100)
    texts = np.array([[" ".join(row)] for row in words], dtype=object)
    repeated = np.repeat(np.arange(300), weight.astype(int))
    for encoder, block, names in (
        (CategoricalTarget(), words, ["a", "b"]),
        (CategoryPairs(), words, ["a", "b"]),
        (TextTarget(), texts, ["c"]),
    ):
        encoder.fit_transform(block, y, names, 0, weight)
        weighted = encoder.transform(block)[:, -1]
        encoder.fit(block[repeated], y[repeated], names)
        np.testing.assert_allclose(weighted, encoder.transform(block)[:, -1], atol=1e-5)
        encoder.fit(block, y, names)
        assert np.abs(weighted - encoder.transform(block)[:, -1]).max() > 1e-3


def test_the_seed_chooses_the_folds() -> None:
    rng = np.random.default_rng(4)
    block, y = column(*rng.choice(list("abc"), 50)), rng.normal(size=(50, 1))
    one, two = (CategoricalTarget().fit_transform(block, y, ["c"], seed=s) for s in (0, 1))
    assert not np.array_equal(one, two)


def test_the_target_encoder_asks_for_the_target() -> None:
    with pytest.raises(TrainingError, match="needs the target"):
        CategoricalTarget().fit(column("a"), None, ["c"])


def test_enormous_targets_stay_finite() -> None:
    y = np.array([[1e300], [-1e300], [1e300]])
    features = CategoricalTarget().fit(column("a", "b", "a"), y, ["c"]).transform(column("a", "b", "new"))
    assert np.isfinite(features).all()


def test_every_row_has_at_most_one_indicator_a_column() -> None:
    rng = np.random.default_rng(5)
    block = np.array([*"abcdefgh", ""], dtype=object)[np.minimum(rng.geometric(0.4, (300, 2)) - 1, 8)]
    encoder = CategoricalOnehot(max_indicators=3, min_count=5).fit(block, None, ["x", "y"])
    features = encoder.transform(block)
    np.testing.assert_array_equal(features.sum(axis=1), np.full(300, 2.0))
    assert [name for name in encoder.feature_names_ if name.startswith("x is ")][:2] == ["x is missing", "x is rare"]


def test_without_rare_levels_unseen_is_zero_everywhere() -> None:
    encoder = CategoricalOnehot(min_count=1).fit(column("a", "b"), None, ["c"])
    assert encoder.transform(column("new", "")).tolist() == [[0, 0], [0, 0]]


def test_scaling_makes_a_normal_column_standard_whatever_its_outliers() -> None:
    rng = np.random.default_rng(6)
    block = rng.normal(50, 7, (4000, 1)).astype(np.float32)
    block[:40] = 1e6
    features = NumericScaled(clip=10.0).fit(block, None, ["x"]).transform(block)
    assert abs(np.median(features)) < 1e-5
    assert abs(features[40:].std() - 1) < 0.05
    np.testing.assert_allclose(features[:40], 10.0, rtol=1e-5)


def test_scaling_survives_the_largest_numbers() -> None:
    block = np.array([[FLOAT32_MAX], [-FLOAT32_MAX], [0.0], [FLOAT32_MAX], [-FLOAT32_MAX]], dtype=np.float32)
    features = NumericScaled().fit(block, None, ["x"]).transform(block)
    assert np.isfinite(features).all()
    assert features[0, 0] > features[2, 0] > features[1, 0]


def test_columns_of_mostly_one_value_are_scaled_by_their_deviation() -> None:
    block = np.zeros((100, 1), dtype=np.float32)
    block[:10] = 3.0
    features = NumericScaled().fit(block, None, ["x"]).transform(block)
    assert features.max() == pytest.approx(3.0 / block.std(), rel=1e-5)


def test_normal_scores_are_monotone_and_normal() -> None:
    rng = np.random.default_rng(7)
    block = np.exp(rng.normal(size=(3000, 1)) * 3).astype(np.float32)
    features = NumericQuantile().fit(block, None, ["x"]).transform(np.sort(block, axis=0))
    assert (np.diff(features[:, 0]) >= 0).all()
    assert abs(features.mean()) < 0.02
    assert abs(features.std() - 1) < 0.03
