"""Samples learned by heart are told from others by more than the gap of the scores alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.overfitting import examine
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def case(samples: int, side: int, valid_score: float, loss: float = 0.001) -> Case:
    """A board of `side`² squares, known by heart from that many samples, with that loss left."""
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(samples + 400, 2, generator=draw) * side
    y = (x.floor().sum(1) % 2).long()
    parts = {"train": (x[:samples], y[:samples]), "valid": (x[samples:], y[samples:])}
    one = Case(Observation(network_facts(nn.Identity())), None, **parts)
    one.observation.losses = [(step, 1.0 if step == 0 else loss) for step in range(100)]
    vars(one).update(
        task="binary",
        scores={"train": 1.0, "valid": valid_score},
        skill=1.0,
        loss_is_error=True,
    )
    return one


@pytest.mark.parametrize(
    ("samples", "side", "valid_score", "accused"),
    [
        (80, 6, 0.7, True),  # a gap of .3 speaks for itself
        (80, 6, 0.87, True),  # of so few squares seen, each sample more answers some more
        (80, 6, 0.95, False),
        (1200, 2, 0.87, False),  # more samples would not help
    ],
)
def test_a_small_gap_counts_where_samples_are_few(
    samples: int, side: int, valid_score: float, accused: bool
) -> None:
    assert (examine(case(samples, side, valid_score)) is not None) is accused


def test_a_training_that_ends_when_it_has_learned_is_not_by_heart() -> None:
    assert examine(case(80, 6, 0.87, loss=0.02)) is None
    assert examine(case(80, 6, 0.7, loss=0.02)) is not None


@pytest.mark.parametrize(
    ("valid_score", "losses", "severity"),
    [
        (0.9, [0.6, 0.4, 0.3, 0.4, 0.6], "info"),  # ever more sure of its wrong answers
        (0.9, [0.6, 0.4, 0.3, 0.3, 0.33], None),
        (0.95, [0.6, 0.4, 0.3, 0.4, 0.6], None),
        (0.7, [0.6, 0.4, 0.3, 0.4, 0.6], "warning"),
    ],
)
def test_a_risen_validation_loss_is_remarked_on_where_all_samples_are_known(
    valid_score: float, losses: list[float], severity: str | None
) -> None:
    one = case(1200, 2, valid_score)
    vars(one).update(history=[{"valid": {"loss": loss}} for loss in losses])
    finding = examine(one)
    assert (finding and finding.severity) == severity


@pytest.mark.parametrize(
    ("reported", "accused"),
    [
        ([0.7, 0.5, 0.4, 0.5, 0.7, 0.9, 1.1], True),
        ([0.7, 0.4, 0.36, 0.37, 0.4, 0.42, 0.43, 0.44], True),  # nothing of the training loss left
        ([0.7, 0.5, 0.4, 0.35, 0.3, 0.3, 0.3], False),
        ([0.7, 0.2, 0.1, 0.1, 0.15, 0.2, 0.2], False),  # far better than an ignorant answer
    ],
)
def test_without_scores_the_reported_validation_losses_tell(
    reported: list[float], accused: bool
) -> None:
    one = Case(Observation(network_facts(nn.Identity())))
    one.observation.losses = [(step, 0.7 * 0.9**step) for step in range(100)]
    for index, loss in enumerate(reported):
        one.observation.record_evaluation(10 * index, loss, None)
    vars(one).update(scores={}, loss_is_error=True, baseline_loss=0.7)
    assert (examine(one) is not None) is accused


@pytest.mark.parametrize(
    ("train", "valid", "accused"),
    [(0.65, 0.2, True), (0.65, 0.4, False), (0.45, 0.0, False)],  # R²
)
def test_half_of_what_was_learned_holds_for_no_others(
    train: float, valid: float, accused: bool
) -> None:
    one = case(500, 2, valid)
    scores = {"train": train, "valid": valid}
    vars(one).update(task="regression", scores=scores, skill=train, baseline_score=0.0)
    assert (examine(one) is not None) is accused
    few = case(500, 2, valid)
    few.valid = (one.valid[0][:60], one.valid[1][:60])  # type: ignore[index]
    vars(few).update(task="regression", scores=scores, skill=train, baseline_score=0.0)
    assert examine(few) is None
