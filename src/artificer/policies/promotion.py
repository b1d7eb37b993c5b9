"""Whether a new version takes the champion's place."""

from __future__ import annotations

from dataclasses import dataclass

from artificer.types import Json


@dataclass(frozen=True, slots=True)
class PromotionFacts:
    """What is known of a new version.

    Attributes
    ----------
    gate : "PASS", "FAIL" or "UNDECIDABLE", over all requirements.
    champion : the version it would replace, None for the first.
    comparison : of the new version against the champion on the same rows that neither was trained on: "better",
        "worse" or "undecided"; None without a champion.
    cause : why it was trained: "request", "performance", "drift".
    """

    gate: str
    gate_reason: str
    champion: int | None
    comparison: str | None = None
    comparison_evidence: Json | None = None
    cause: str = "request"


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    promote: bool
    reason: str
    evidence: Json

    def to_json(self) -> Json:
        return {"promote": self.promote, "reason": self.reason, "evidence": self.evidence}


def decide_promotion(facts: PromotionFacts) -> PromotionDecision:
    """Promote what the gate does not fail and what is shown to be better, or is the first of its kind.

    An undecided comparison keeps the champion: a change in production has to earn its risk. An undecided gate does not
    keep it: what is shown to be better on the same rows is the smaller risk of the two; the reason says so.

    Examples
    --------
    >>> decide_promotion(PromotionFacts("PASS", "", champion=None)).promote
    True
    >>> decide_promotion(PromotionFacts("PASS", "", champion=1, comparison="undecided")).promote
    False
    """
    evidence: Json = {"gate": facts.gate, "champion": facts.champion, "comparison": facts.comparison_evidence}
    reason = facts.gate_reason.rstrip(".")
    if facts.gate == "FAIL":
        return PromotionDecision(False, f"the gate says FAIL: {reason}", evidence)
    note = "" if facts.gate == "PASS" else f"; the gate is undecided: {reason}"
    if facts.champion is None:
        return PromotionDecision(True, f"the first version has no champion to beat{note}", evidence)
    if facts.comparison == "better":
        better = f"it does better than version {facts.champion} on the same rows{note}"
        return PromotionDecision(True, better, evidence)
    if facts.comparison == "worse":
        return PromotionDecision(False, f"it does worse than version {facts.champion} on the same rows", evidence)
    why = str((facts.comparison_evidence or {}).get("reason", "")).rstrip(".")
    told = f"on the same rows it cannot be told from version {facts.champion}, which stays"
    return PromotionDecision(False, f"{told} ({why})" if why else told, evidence)
