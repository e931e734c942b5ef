"""What is known of a training by its targets and its looks: its task, whether it has an error."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import SAMPLES
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts
from tests.doctor.test_case import case, watched

pytestmark = pytest.mark.draws

ONE_HOT = torch.eye(3)[[0, 1, 2, 1]]


@pytest.mark.parametrize(
    ("target", "task", "labels"),
    [
        (torch.tensor([0, 1, 2, 1]), "multiclass", [0, 1, 2, 1]),
        (torch.tensor([0, 1, 1, 0]), "binary", [0, 1, 1, 0]),
        (torch.tensor([[0.0], [1], [1], [0]]), "binary", [0, 1, 1, 0]),
        (torch.tensor([[-1.0], [1], [1], [-1]]), "binary", [0, 1, 1, 0]),
        (torch.tensor([-1, 1, 1, -1]), "binary", [0, 1, 1, 0]),
        (ONE_HOT, "multiclass", [0, 1, 2, 1]),
        (torch.tensor([[1.0, 1], [0, 0], [0, 1], [1, 0]]), "multilabel", None),
        (torch.tensor([[0.5], [1], [2], [3]]), "regression", None),
    ],
)
def test_the_task_is_read_off_the_targets(
    target: Tensor, task: str, labels: list[int] | None
) -> None:
    known = case(train=(torch.zeros(4, 2), target))
    assert known.task == task
    assert (None if known.labels is None else known.labels.tolist()) == labels
    if labels is not None:
        assert class_indices(target).tolist() == labels


def test_two_outputs_make_two_classes_of_zeros_and_ones() -> None:
    known = case(train=(torch.zeros(2, 2), torch.tensor([0, 1])))
    known.observation.looks.append(Look(0, 1.0, output=torch.zeros(2, 2)))
    assert known.task == "multiclass"


def test_a_sample_is_evenly_spread_over_the_training_data() -> None:
    x = torch.arange(3.0 * SAMPLES)[:, None]
    assert case().sample is None
    sample = case(train=(x, x)).sample
    assert sample is not None
    assert len(sample[0]) == SAMPLES
    stretches = (sample[0].flatten() // 3).tolist()  # one sample of each
    assert stretches == list(range(SAMPLES))
    assert torch.equal(*sample)


def test_other_data_are_worked_out_anew() -> None:
    x, shared = torch.arange(4.0)[:, None], {("shared", "with", "others"): 1}
    known = case(nn.Flatten(), train=(x, x), valid=(x, x), data_cache=shared)
    known.score_output = lambda output, target: float((output == target).double().mean())
    assert known.task == "regression"
    assert known.scores == {"train": 1.0, "valid": 1.0}
    assert known.data_cache is shared
    known.hand_over("train", (x, x))  # the very same
    assert "task" in vars(known)
    known.hand_over("valid", (x, x.flip(0)))
    assert known.scores == {"train": 1.0, "valid": 0.0}
    known.hand_over("train", (x, torch.tensor([0, 1, 2, 1])))
    assert known.task == "multiclass"
    assert known.data_cache == {} != shared
    known.hand_over("valid", None)
    assert known.valid_examples is None


def test_a_loss_is_an_error_where_outputs_answer_targets() -> None:
    labels, falling = torch.arange(10), [2.0, 1.0]
    assert watched(labels, torch.zeros(10, 10), falling).loss_is_error
    assert watched(torch.rand(10, 3), torch.zeros(10, 3), falling).loss_is_error


def test_a_loss_that_may_be_anything_is_no_error() -> None:
    labels, falling = torch.arange(10), [2.0, 1.0]
    assert not watched(labels, torch.zeros(10, 16), falling).loss_is_error  # a code
    assert not watched(None, torch.zeros(10, 10), falling).loss_is_error  # no target
    assert not watched(torch.rand(10, 3), torch.zeros(10, 3), [2.0, -1.0]).loss_is_error
    assert not watched(labels, torch.zeros(10, 10), falling, several=True).loss_is_error
    moving = watched(torch.rand(10, 3), torch.zeros(10, 3), falling)
    moving.observation.notes["bootstrapped"] = True
    assert not moving.loss_is_error  # the targets come of the network itself


def test_a_layer_that_was_not_observed_follows_the_one_before_it() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Linear(2, 1))
    known = case(network)
    signal: Any = None
    known.looks.append(Look(0, 1.0, signals=dict.fromkeys(("3", "0", "1"), signal)))
    assert [layer.name for layer in known.layers()] == ["3", "0", "1", "2"]
    known.facts.layers["0.input"] = LayerFacts("0.input", "relu", "activation", 1, "relu")
    assert [layer.name for layer in known.layers()] == ["3", "0.input", "0", "1", "2"]
