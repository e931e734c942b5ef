"""What is asked of a network, read off targets and the shape of its outputs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.kind_of_task import (
    accuracy_of_positions,
    class_axis,
    entropy_of_counts,
    ignorant_entropy,
    kind_of_task,
    outputs_fit,
)

WORDS = torch.tensor([[4, 2, -100], [3, 1, 0]])
MASK = torch.tensor([[[0, 1], [2, 1]]])


@pytest.mark.parametrize(
    ("target", "output", "kind"),
    [
        (WORDS, (2, 3, 5), "tokens"),
        (WORDS, None, "tokens"),
        (torch.tensor([[0, 1], [1, 1]]), None, "multilabel"),
        (torch.tensor([[0, 1], [1, 1]]), (2, 2), "multilabel"),
        (torch.tensor([[0, 1], [1, 1]]), (2, 2, 2), "tokens"),
        (MASK, (1, 3, 2, 2), "dense"),
        ((MASK[:, None] > 0).float(), (1, 1, 2, 2), "dense"),
        (torch.tensor([[0.3, 0.7], [1.0, 0.0]]), (2, 2), "multiclass"),
        (torch.tensor([[0.3, 0.7], [1.0, 0.0]]), (2, 4), "regression"),
        (torch.tensor([[0.3, 0.9], [1.0, 0.0]]), (2, 2), "regression"),
        (torch.rand(2, 1, 4, 4), (2, 1, 4, 4), "regression"),
        (torch.tensor([0, 1]), (2, 2), "multiclass"),
        (torch.tensor([0, 1]), (2, 1), "binary"),
        (torch.ones(4, 1), (4, 1), "binary"),
    ],
)
def test_kinds(target: Tensor, output: tuple[int, ...] | None, kind: str) -> None:
    assert kind_of_task(target, output) == kind


def test_classes_are_on_the_last_axis_or_on_the_second() -> None:
    assert class_axis((7, 3, 5), (2, 3)) == 2
    assert class_axis((7, 5, 3), (2, 3)) == 1
    assert class_axis((1, 5, 2, 2), (1, 2, 2)) == 1
    assert class_axis((7, 5), (7,)) == class_axis((7, 5), (7, 1)) == 1
    assert class_axis((7,), (7,)) is None
    assert class_axis((7, 4, 5), (2, 3)) is None


def test_positions_without_a_target_do_not_count() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([[4, 2, 1], [3, 0, 0]]), 5).float()
    assert accuracy_of_positions(logits, WORDS) == pytest.approx(4 / 5)
    assert accuracy_of_positions(logits.transpose(1, 2), WORDS) == pytest.approx(4 / 5)
    assert accuracy_of_positions(logits, torch.full((2, 3), -100)) is None
    assert accuracy_of_positions(torch.zeros(2, 4, 5), WORDS) is None
    yes = torch.tensor([[[1.0, 0.0]]])
    assert accuracy_of_positions(torch.tensor([[[0.9, 0.1]]]), yes) == 1  # probabilities
    assert accuracy_of_positions(torch.tensor([[[0.9, -3.0]]]), yes) == 1  # logits
    assert accuracy_of_positions(torch.tensor([[[0.2, -3.0]]]), yes) == 1


def test_ignorant_losses() -> None:
    assert ignorant_entropy(torch.tensor([[0, 1, -100]]), "tokens") == pytest.approx(math.log(2))
    assert ignorant_entropy(torch.full((1, 3), -100), "tokens") is None
    half = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert ignorant_entropy(half, "multilabel") == pytest.approx(math.log(2) / 2)
    mixed = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    assert ignorant_entropy(mixed, "multiclass") == pytest.approx(math.log(2))


@pytest.mark.draws
def test_a_code_is_no_answer_to_labels() -> None:
    labels = torch.arange(10)
    assert outputs_fit((10, 10), labels)
    assert not outputs_fit((10, 16), labels)
    assert outputs_fit((10, 1), labels.clamp(max=1))
    assert not outputs_fit((10, 1), labels)
    assert outputs_fit((10, 3), torch.rand(10, 3))
    assert not outputs_fit((10, 2), torch.rand(10, 1))


def test_of_few_samples_of_many_classes_the_entropy_is_not_their_own() -> None:
    share = 1 / torch.arange(1, 3001).double()
    true = float(torch.special.entr(share / share.sum()).sum())
    drawn = torch.multinomial(share, 1000, True, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn).double()
    own = float(torch.special.entr(counts / counts.sum()).sum())
    assert true - own > 2 * abs(true - entropy_of_counts(counts))
    assert entropy_of_counts(torch.tensor([500.0, 500, 0])) == pytest.approx(math.log(2))
    assert entropy_of_counts(torch.tensor([1.0])) == 0
