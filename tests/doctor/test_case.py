"""What a case works out of data and networks that are known by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.identify_loss import IdentifiedLoss, KnownLoss
from sevensteps.observe.call import Call
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws


def case(network: nn.Module | None = None, **parts: Any) -> Case:
    return Case(Observation(network_facts(network or nn.Flatten())), network, **parts)


def test_of_a_network_that_takes_long_fewer_answers_are_asked() -> None:
    x = torch.arange(100.0)[:, None]
    known = case(nn.Identity(), train=(x, x), valid=(x, x), sample_limit=10)
    assert known.train_outputs is not None
    assert known.valid_outputs is not None
    assert (len(known.train_outputs), len(known.valid_outputs)) == (10, 10)
    assert known.target is not None
    assert len(known.target) == 100
    assert case(nn.Identity(), valid=(x, x)).valid_examples is not None


def test_the_network_is_evaluated_and_left_as_it_was() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    x = torch.tensor([[1.0, 2], [3, 4]])
    output = case(network).outputs((x, x))
    assert output is not None
    torch.testing.assert_close(output, x / math.sqrt(1 + 1e-5))  # its running mean is 0, variance 1
    assert network.training
    assert all(torch.equal(tensor, before[n]) for n, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert case(network).outputs(None) is None
    assert case(network).outputs((torch.zeros(2, 7), x)) is None  # it does not fit


def test_scores_are_accuracy_and_r2() -> None:
    labels = torch.tensor([0, 1, 2, 1])
    classes = case(train=(torch.zeros(4, 2), labels))
    assert classes.score(torch.eye(3)[[0, 1, 2, 2]], labels) == 0.75
    numbers = torch.tensor([[0.5], [1], [2], [3]])
    regression = case(train=(torch.zeros(4, 2), numbers))
    assert regression.score(numbers, numbers) == 1
    assert regression.score(numbers.mean(0).expand(4, 1), numbers) == pytest.approx(0)
    assert classes.score(None, labels) is None


def test_samples_without_a_label_count_in_no_score() -> None:
    labels = torch.tensor([0, -100, 1, 1, -1, 1])
    known = case(train=(torch.zeros(6, 2), labels))
    assert known.score(torch.eye(2)[[1, 0, 1, 1, 0, 1]], labels) == 0.75
    assert known.baseline_score == 0.75
    nothing = torch.full((6,), -100)
    assert known.score(torch.zeros(6, 2), nothing) is None
    assert case(train=(torch.zeros(6, 2), nothing)).baseline_score is None


class Watched(Case):
    """A case without an identified loss."""

    identified_loss = None  # type: ignore[assignment]


def watched(target: Tensor | None, output: Tensor, losses: list[float], **parts: Any) -> Case:
    observation = Observation(network_facts(nn.Flatten()))
    observation.looks.append(Look(0, losses[0], output=output, target=target))
    observation.losses = list(enumerate(losses))
    return Watched(observation, **parts)


def test_targets_of_another_form_have_no_score() -> None:
    """A flattened target of the training, and sequences of one in the evaluation."""
    known = case(train=(torch.zeros(6, 2), torch.tensor([0, 1, 2, 1, 0, 2])))
    known.observation.looks.append(Look(0, 1.0, output=torch.zeros(6, 3)))
    assert known.score(torch.zeros(1, 4, 3), torch.tensor([[0, 1, 2, 1]])) is None


def test_outputs_that_are_no_estimates_have_no_score() -> None:
    x = torch.rand(50, 2)
    rates = (2 * x[:, :1]).exp()
    poisson = watched(rates, rates, [2.0, 1.0], train=(x, rates), loss_fn=nn.PoissonNLLLoss())
    assert poisson.task == "regression"
    assert poisson.score(rates.log(), rates) is None  # the network gives the logarithm
    huber = watched(rates, rates, [2.0, 1.0], train=(x, rates), loss_fn=nn.HuberLoss())
    assert huber.score(rates, rates) == 1


def test_signs_are_answered_by_signs_unless_they_are_compared_as_numbers() -> None:
    signs, answers = torch.tensor([-1.0, 1, 1, -1]), torch.tensor([[-0.2], [0.3], [4.0], [-9.0]])
    case_ = watched(signs, torch.zeros(4, 1), [2.0, 1.0])
    assert case_.signed
    assert case_.score(answers, signs) == 1
    assert case_.score(-answers, signs) == 0
    call = Call("mse_loss", "loss")
    named = IdentifiedLoss(KnownLoss("mse_loss", nn.functional.mse_loss), 1.0, 0.0, None, call)
    numbers = watched(signs, torch.zeros(4, 1), [2.0, 1.0])
    numbers.__dict__["identified_loss"] = named
    assert not numbers.signed
    assert numbers.task == "regression"
    assert not watched(torch.tensor([-1.0, 0, 1]), torch.zeros(3, 1), [2.0, 1.0]).signed
    assert not watched(signs, torch.zeros(4, 2), [2.0, 1.0]).signed


def test_outputs_that_a_loss_pulls_away_from_their_targets_are_no_estimates() -> None:
    """As where only the order of the outputs counts."""
    output, target = torch.tensor([[3.0], [5.0], [9.0], [4.0]]), torch.tensor([1.0, 2, 3, 4])
    towards = watched(target, output, [2.0, 1.0])
    towards.looks[0].output_gradient = (output - target[:, None]).sign() * torch.arange(4)[:, None]
    away = watched(target, output, [2.0, 1.0])
    away.looks[0].output_gradient = torch.tensor([[1.0], [-1.0], [-1.0], [1.0]])
    assert towards.score(target[:, None], target) == 1
    assert away.score(target[:, None], target) is None


def test_outputs_as_wide_as_there_are_classes_may_be_codes() -> None:
    """A loss of classes lifts the own one; one of codes pulls them anywhere."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (40,), generator=generator)
    outputs, codes = torch.randn(2, 40, 4, generator=generator)
    for pulled_to, fits in ((2 * nn.functional.one_hot(labels, 4), True), (codes, False)):
        case_ = watched(labels, outputs, [2.0, 1.0])
        case_.looks[0].output_gradient = (outputs - pulled_to) ** 3
        assert case_.identified_loss is None
        assert (case_.score(outputs, labels) is not None) == fits
        assert case_.loss_is_error == fits


def test_a_single_output_for_several_classes_is_the_number_of_one() -> None:
    grades = torch.tensor([0, 1, 2, 3])
    case_ = watched(grades, torch.zeros(4, 1), [2.0, 1.0])
    assert case_.answers(torch.tensor([[0.2], [1.4], [1.8], [9.0]]), "identity").tolist() == [
        *(0, 1, 2, 9)
    ]


def test_skill_counts_the_recall_of_rare_classes_where_accuracy_was_given_for_it() -> None:
    labels = torch.tensor([0] * 180 + [1] * 20)
    case_ = watched(labels, torch.zeros(200, 2), [2.0, 1.0], train=(torch.zeros(200, 1), labels))
    shy, bold = torch.zeros(200, 2), torch.zeros(200, 2)
    shy[:, 0] = 1
    bold[:150, 0] = bold[150:, 1] = 1  # all of the rare ones, and as many others
    for output, low, high in ((shy, -0.01, 0.01), (bold, 0.7, 0.9)):
        case_.__dict__.update(train_outputs=output)
        for name in ("scores", "skill"):
            case_.__dict__.pop(name, None)
        assert case_.skill is not None
        assert low <= case_.skill <= high


def test_a_single_output_is_a_logit_where_it_is_no_probability() -> None:
    labels = torch.tensor([0, 1, 1, 0])
    case_ = watched(labels, torch.zeros(4, 1), [2.0, 1.0])
    assert case_.score(torch.tensor([[-2.0], [0.2], [3.0], [-1.0]]), labels) == 1
    assert case_.score(torch.tensor([[0.2], [0.6], [0.9], [0.3]]), labels) == 1


def test_a_network_of_several_inputs_is_asked_with_all_of_them() -> None:
    known = case(nn.GRU(2, 3))
    for _ in range(2):
        # a hidden state has its samples on the second axis: two batches cannot be joined
        known.observation.add_batch((torch.zeros(4, 5, 2), torch.zeros(1, 5, 3)), {}, torch.ones(4))
    assert known.examples is not None
    inputs, targets = known.examples
    assert [tuple(t.shape) for t in inputs.args] == [(4, 5, 2), (1, 5, 3)]
    assert len(targets) == 4
