"""Wrong labels show in what neighbours tell of the training and of the validation labels."""

from __future__ import annotations

import torch

from sevensteps.doctor.conditions import label_noise
from tests.helpers.labelled import case, clouds


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
