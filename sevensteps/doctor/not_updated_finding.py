"""What is said of parameters that no step changes: the finding of `parameters_not_updated`."""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import significant, step_with_rate

STEP = "gradient"
ELSEWHERE = 0.7  # of the way to a perfect validation score


def listed(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def not_updated_finding(
    case: Case,
    names: list[str],
    share: float,
    confidence: float,
    explanation: str,
    observed: str,
    advice: str,
    *,
    by_optimizer: bool = True,
) -> Finding:
    """`by_optimizer`: whether an optimizer of all parameters would move them."""
    return Finding(
        "parameters_not_updated",
        STEP,
        _severity(case, share),
        confidence,
        explanation,
        [Measure("share of the parameters", significant(share), 0, observed)],
        [
            Remedy(
                {"step": step_with_rate(case, case.lr)} if case.lr and by_optimizer else {},
                "every parameter that is to learn needs a gradient and an optimizer",
                advice,
            )
        ],
        {"parameters": names[:32]},
        0,
    )


def _holds_elsewhere(case: Case) -> bool:
    """Whether the validation score, where there is one, is most of the way to a perfect one, too:
    what is learned by heart needs few parameters.
    """
    valid, least = case.scores.get("valid"), case.baseline_score
    if valid is None or least is None or least >= 1:
        return True
    return valid - least >= ELSEWHERE * (1 - least)


def _severity(case: Case, share: float) -> Severity:
    # a body that is drawn at random, or trained before, may well do
    if share < 1 and known_to_learn(case, 0.85) and _holds_elsewhere(case):
        return "info"
    return "error" if share > 0.2 else "warning"
