"""Targets that come of a network's answer are known as such."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.observe.network_answers import MAX_ANSWERS, NetworkAnswers


def network(width: int = 2) -> nn.Module:
    made = nn.Linear(width, 1, bias=False)
    nn.init.ones_(made.weight)
    return made


def test_a_copy_of_the_network_as_a_teacher_is_the_network_s_own_answer() -> None:
    for teacher, bootstrapped in ((network(), True), (network(3), False)):
        answers = NetworkAnswers()
        answers.note_network(network())
        answer, reward = torch.ones(4), torch.ones(4)
        answers.note(answer, teacher)
        target = reward + answer
        answers.follow(Tensor.add, (reward, answer), target)
        assert answers.note_target(target)
        assert not answers.note_target(reward)
        assert answers.bootstrapped == bootstrapped


def test_what_is_detached_and_compared_is_a_target() -> None:
    answers = NetworkAnswers()
    output = torch.ones(4, requires_grad=True) * 2
    detached = output.detach()
    answers.follow(Tensor.detach, (output,), detached)
    assert not answers.bootstrapped
    answers.note_difference((output, detached))
    assert answers.bootstrapped


def test_no_tensor_is_kept_alive_and_not_too_many_are_known() -> None:
    answers, module = NetworkAnswers(), network()
    gone = torch.ones(1)
    answers.note(gone, module)
    key = id(gone)
    del gone
    assert answers._answers[key].tensor() is None
    tensors = [torch.ones(1) for _ in range(MAX_ANSWERS + 5)]
    for tensor in tensors:
        answers.note(tensor, module)
    assert len(answers._answers) <= MAX_ANSWERS
