"""What the nearest training samples say of the validation data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import label_noise
from sevensteps.doctor.label_codes import labels_at_random, renamed_classes
from sevensteps.doctor.validation_neighbours import both_parts
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def clouds(count: int, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Clouds around the corners of a square, far apart."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(classes, (count,), generator=draw)
    corners = torch.tensor([[0.0, 0], [0, 9], [9, 0], [9, 9]])
    return corners[y] + torch.randn(count, 2, generator=draw), y


def case(
    train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], answers: Tensor, score: float
) -> Case:
    """One of a network that gave these answers for the validation data."""
    one = Case(Observation(network_facts(nn.Identity())), None, train=train, valid=valid)
    numbers = answers.is_floating_point()
    vars(one).update(
        task="regression" if numbers else "multiclass",
        valid_outputs=answers if numbers else torch.nn.functional.one_hot(answers).float(),
        scores={"train": 1.0, "valid": score},
        identified_loss=None,
    )
    return one


def test_neighbours_answer_what_lies_near_them() -> None:
    x, y = clouds(600)
    parts = both_parts(case((x[:400], y[:400]), (x[400:], y[400:]), y[400:], 1.0))
    assert parts is not None
    assert parts.score() == parts.score_among_themselves() == 1
    assert parts.gain_of_the_second_half() == 0
    numbers = x.sum(1, keepdim=True)
    parts = both_parts(case((x[:400], numbers[:400]), (x[400:], numbers[400:]), numbers[400:], 1.0))
    assert parts is not None
    assert 0.9 < parts.score() < 1


def test_of_few_samples_more_would_help() -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(440, 2, generator=draw) * 6
    y = (x.floor().sum(1) % 2).long()  # a board of 36 squares
    few = both_parts(case((x[:40], y[:40]), (x[40:], y[40:]), y[40:], 1.0))
    many = both_parts(case((x[40:], y[40:]), (x[:40], y[:40]), y[:40], 1.0))
    assert few is not None
    assert many is not None
    assert few.gain_of_the_second_half() > 0.02


def test_parts_that_are_no_tables_are_not_compared() -> None:
    x, y = clouds(60)
    assert both_parts(case((x[:20], y[:20]), (x[20:], y[20:]), y[20:], 1.0)) is None  # too few
    assert both_parts(case((x, y), (x[:, :1], y), y, 1.0)) is None
    assert both_parts(case((x.long(), y), (x, y), y, 1.0)) is None


def test_labels_of_another_list_of_names() -> None:
    x, y = clouds(600)
    names = torch.tensor([0, 2, 1, 3])
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    score = float((names[yv] == yv).double().mean())
    assert renamed_classes(case(train, (xv, names[yv]), yv, score)) == ({1: 2, 2: 1}, 1.0)
    assert renamed_classes(case(train, (xv, yv), yv, 1.0)) is None
    # a network that takes one class for another has nothing to do with names
    mistaken = torch.where(yv == 1, 2, yv)
    assert renamed_classes(case(train, (xv, yv), mistaken, 0.75)) is None


def test_labels_in_another_order_than_their_inputs() -> None:
    x, y = clouds(600)
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    shuffled = yv[torch.randperm(200, generator=torch.Generator().manual_seed(2))]
    score = float((shuffled == yv).double().mean())
    assert labels_at_random(case(train, (xv, shuffled), yv, score))
    assert not labels_at_random(case(train, (xv, yv), yv, 1.0))
    # of labels that have nothing to do with the inputs in either part, no order is wrong
    noise = torch.randint(4, (600,), generator=torch.Generator().manual_seed(3))
    assert not labels_at_random(case((x[:400], noise[:400]), (xv, noise[400:]), yv, 0.25))


def test_numbers_in_another_order_than_their_inputs() -> None:
    x, _ = clouds(600)
    y = x.sum(1, keepdim=True)
    train, (xv, yv) = (x[:400], y[:400]), (x[400:], y[400:])
    shuffled = yv[torch.randperm(200, generator=torch.Generator().manual_seed(2))]
    assert labels_at_random(case(train, (xv, shuffled), yv, -1.0))
    assert not labels_at_random(case(train, (xv, yv), yv, 1.0))


def test_wrong_labels_among_the_training_samples() -> None:
    x, y = clouds(600)
    train, valid = (x[:400], y[:400]), (x[400:], y[400:])
    draw = torch.Generator().manual_seed(4)
    wrong = torch.rand(400, generator=draw) < 0.6
    noisy = torch.where(wrong, torch.randint(4, (400,), generator=draw), train[1])
    one = case((x[:400], noisy), valid, y[400:], 0.9)
    vars(one)["loss_is_error"] = True
    finding = label_noise.examine(one)
    assert finding is not None
    assert "of the training labels are" in finding.explanation
    clean = case(train, valid, y[400:], 0.9)
    vars(clean)["loss_is_error"] = True
    assert label_noise.examine(clean) is None
