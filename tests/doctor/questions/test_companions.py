"""A sample's answer with other companions: networks of which it is known whether they mix."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.companions import Companions, companions
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

X = torch.randn(40, 6, 3, generator=torch.Generator().manual_seed(0))


class Called(nn.Module):
    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, x: Tensor) -> Any:
        return self.function(*self.layers, x)


def answer(network: nn.Module) -> Companions | None:
    known = Case(Observation(network_facts(network)), network, train=(X, torch.zeros(40)))
    given = companions(known)
    assert known.not_judged == []
    return given


MIXING = {
    "LSTM": Called(lambda lstm, x: lstm(x)[0][:, -1], nn.LSTM(3, 5)),
    "attention": Called(lambda a, x: x + a(x, x, x)[0], nn.MultiheadAttention(3, 1)),
    "encoder": nn.TransformerEncoder(
        nn.TransformerEncoderLayer(3, 1, 8), 1, enable_nested_tensor=False
    ),
    "softmax": nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.Softmax(0)),
}


@pytest.mark.parametrize("name", MIXING)
def test_networks_that_mix_samples_are_seen_to_do_so(name: str) -> None:
    given = answer(MIXING[name])
    assert given is not None
    assert given.others > 0.05
    assert given.farthest >= given.others
    assert given.module is not None
    assert given.alone is not None
    assert given.alone > 0.05


def test_the_layer_that_mixes_is_named() -> None:
    lstm = answer(MIXING["LSTM"])
    assert lstm is not None
    assert (lstm.layer, type(lstm.module)) == ("layers.0", nn.LSTM)
    softmax = answer(MIXING["softmax"])
    assert softmax is not None
    assert softmax.layer == "2"


def test_of_a_function_between_layers_no_layer_is_blamed() -> None:
    scaled = Called(
        lambda a, b, x: b(a(x.flatten(1)).softmax(0)), nn.Linear(18, 4), nn.Linear(4, 2)
    )
    given = answer(scaled)
    assert given is not None
    assert given.others > 0.05
    assert (given.layer, given.module) == ("", None)


def test_a_reshape_that_takes_numbers_from_other_samples_is_seen() -> None:
    given = answer(Called(lambda x: x.transpose(0, 1).reshape(len(x), -1)))
    assert given is not None
    assert given.others > 0.5


@pytest.mark.parametrize(
    "network",
    [
        Called(lambda lstm, x: lstm(x)[0][:, -1], nn.LSTM(3, 5, batch_first=True)),
        Called(lambda lstm, x: lstm(x.transpose(0, 1))[0][-1], nn.LSTM(3, 5)),
        nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.BatchNorm1d(4)),
        nn.Sequential(nn.InstanceNorm1d(6), nn.Flatten(), nn.Linear(18, 4)),
        nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.Softmax(1), nn.Dropout()),
        nn.TransformerEncoderLayer(3, 1, 8, batch_first=True),
    ],
)
def test_networks_of_one_sample_answer_the_same(network: nn.Module) -> None:
    given = answer(network.train())
    assert given is not None
    assert given.others == 0
    assert given.alone is None or given.alone < 1e-4
    assert given.layer == ""


def test_a_network_that_takes_no_single_sample_is_asked_in_batches() -> None:
    def centred(x: Tensor) -> Tensor:
        if len(x) < 2:
            raise ValueError("too few")
        return x.flatten(1) - x.flatten(1).mean(0)

    given = answer(Called(centred))
    assert given is not None
    assert given.alone is None
    assert 0.05 < given.others < 1


def test_answers_that_are_alike_or_remembered_say_nothing() -> None:
    assert answer(Called(lambda x: x.flatten(1) * 0 + 3)) is None

    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.zeros(18)

        def forward(self, x: Tensor) -> Tensor:
            given = x.flatten(1) + self.last
            self.last = given[-1]
            return given

    assert answer(Remembers()) is None
