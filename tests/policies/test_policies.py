from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.policies.promotion import PromotionFacts, decide_promotion
from artificer.policies.retraining import Action, Facts, Performance, Probation, Rules, decide

BAD = Performance("rmse", promised=10.0, realised=20.0, low=18.0, high=22.0, rows=400, worse=True)
RULES = Rules(min_new_labels=200, cooldown_seconds=600, max_retrains_per_day=3, search_every=3, min_probation_labels=50)
READY = Facts(now=1e6, champion=2, new_labels=500, performance=BAD)


def test_a_fall_in_performance_retrains_by_the_recipe() -> None:
    decision = decide(READY, RULES)
    assert decision.action is Action.REFIT
    assert "20" in decision.reason
    assert "10" in decision.reason


def test_drift_without_labels_alerts_and_does_not_retrain() -> None:
    decision = decide(Facts(now=0, champion=1, new_labels=3, drifted=("price",)), RULES)
    assert decision.action is Action.ALERT
    assert "3 of the 200" in decision.reason


def test_drift_with_labels_retrains() -> None:
    assert decide(Facts(now=0, champion=1, new_labels=300, drifted=("price",)), RULES).action is Action.REFIT


@pytest.mark.parametrize(
    ("retrained_at", "expected"),
    [((1e6 - 100,), "too recent"), ((1e6 - 50_000, 1e6 - 40_000, 1e6 - 30_000), "limit")],
)
def test_limits_hold(retrained_at: tuple[float, ...], expected: str) -> None:
    decision = decide(dataclasses.replace(READY, retrained_at=retrained_at), RULES)
    assert decision.action is Action.ALERT
    assert expected in decision.reason


def test_after_some_refits_comes_a_search() -> None:
    assert decide(dataclasses.replace(READY, refits_since_search=2), RULES).action is Action.SEARCH


def test_a_worse_new_champion_is_rolled_back_before_anything_else() -> None:
    probation = Probation(champion=2, previous=1, rows=80, verdict="worse")
    assert decide(dataclasses.replace(READY, probation=probation), RULES).action is Action.ROLLBACK
    few = dataclasses.replace(probation, rows=10)
    assert decide(dataclasses.replace(READY, probation=few), RULES).action is not Action.ROLLBACK


@given(
    labels=st.integers(0, 1000),
    worse=st.booleans(),
    drifted=st.lists(st.sampled_from("abc"), max_size=3),
    verdict=st.sampled_from(["better", "worse", "undecided"]),
)
def test_every_decision_carries_reason_and_evidence(labels: int, worse: bool, drifted: list[str], verdict: str) -> None:
    facts = Facts(
        now=1e6,
        champion=2,
        new_labels=labels,
        performance=dataclasses.replace(BAD, worse=worse),
        drifted=tuple(drifted),
        probation=Probation(2, 1, labels, verdict),
    )
    decision = decide(facts, RULES)
    assert decision.reason
    assert decision.action.value not in decision.rejected
    assert decision.to_json()["evidence"]["new_labels"] == labels
    if decision.action in {Action.REFIT, Action.SEARCH}:
        assert labels >= RULES.min_new_labels
        assert worse or drifted


@pytest.mark.parametrize(
    ("facts", "promote"),
    [
        (PromotionFacts("FAIL", "roc_auc is 0.7", champion=None), False),
        (PromotionFacts("UNDECIDABLE", "too few rows", champion=None), True),
        (PromotionFacts("PASS", "", champion=1, comparison="better"), True),
        (PromotionFacts("PASS", "", champion=1, comparison="worse"), False),
        (PromotionFacts("PASS", "", champion=1, comparison="undecided"), False),
        (PromotionFacts("FAIL", "", champion=1, comparison="better"), False),
    ],
)
def test_promotion(facts: PromotionFacts, promote: bool) -> None:
    assert decide_promotion(facts).promote is promote
