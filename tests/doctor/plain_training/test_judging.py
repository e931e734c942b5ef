"""Which samples copies are trained on and judged by, and what they are measured with."""

from __future__ import annotations

import torch

from sevensteps.doctor.plain_training.judging import data_of, is_loss_of_training, measure
from tests.doctor.plain_training.trainings import COUNT, trained


def test_a_third_is_left_out_unless_there_are_validation_data() -> None:
    case = trained("classes", steps=40).case
    data = data_of(case)
    assert data is not None
    assert data.of == "samples left out"
    assert data.places is not None
    assert len(data.trained[0]) == COUNT - COUNT // 3
    assert case.train is not None
    known = data.places >= 0
    assert torch.equal(data.trained[0][data.places[known]], case.train[0][known])
    assert not any((row == data.judged[0]).all(1).any() for row in data.trained[0][:20])
    x, y = case.train
    case.hand_over("valid", (x[:100], y[:100]))
    data = data_of(case)
    assert data is not None
    assert (data.of, data.places) == ("the validation data", None)
    assert torch.equal(data.judged[0], x[:100])
    assert data.trained[0] is x
    case.hand_over("train", (x[:50], y[:50]))
    assert data_of(case) is None  # too few


def test_a_score_or_the_loss_of_the_training() -> None:
    case = trained("numbers", steps=200).case
    data = data_of(case)
    assert data is not None
    with case.network_copy() as network:
        assert network is not None
        measured = measure(case, network, data)
        assert measured is not None
        assert measured.name == "score"
        assert abs(measured.value - case.scores["train"]) < 0.1
        assert is_loss_of_training(case, network, data) is False  # it is measured by a score
        case.score = lambda output, target: None  # type: ignore[method-assign]
        measured = measure(case, network, data)
        assert measured is not None
        assert measured.name == "loss"
        assert is_loss_of_training(case, network, data)
        vars(case)["loss"] = lambda output, target: 100 * (output - target).square().mean()
        assert not is_loss_of_training(case, network, data)
