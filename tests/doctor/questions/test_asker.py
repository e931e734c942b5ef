"""A copy is asked, and nothing but what is asked makes its answers differ."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions import asker
from sevensteps.doctor.questions.asker import Asker, WithoutDropout, put, work_of
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from sevensteps.observe.samples import Inputs

pytestmark = pytest.mark.draws

X = torch.arange(80.0).reshape(20, 4)


def case(network: nn.Module, x: Any = X, **parts: Any) -> Case:
    y = torch.zeros(20)
    return Case(Observation(network_facts(network)), network, train=(x, y), **parts)


class Called(nn.Module):
    """Whatever a function makes of the input."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def test_answers_are_rows_of_a_copy_in_evaluation_mode() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Unflatten(1, (2, 2))).train()
    answer = put(case(network), "here", lambda asker: asker(asker.inputs))
    assert answer is not None
    assert answer.dtype == torch.float64
    assert torch.equal(answer, X.double())
    assert network.training
    assert case(network).not_judged == []


def test_numbers_that_the_network_draws_are_the_same_each_time() -> None:
    before = torch.get_rng_state()
    noise = Called(lambda x: x + torch.randn_like(x))

    def twice(asker: Asker) -> list[Tensor]:
        return [asker(asker.inputs, seed) for seed in (0, 0, 1)]

    first, again, other = put(case(noise), "here", twice) or [X] * 3
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "drop",
    [
        F.dropout,
        lambda x: F.dropout(x, 0.3),
        lambda x: F.dropout1d(x, p=0.3, training=True),
        lambda x: torch.dropout(x, 0.3, True),
        lambda x: torch.dropout(x, 0.3, train=True),
        lambda x: F.alpha_dropout(x, 0.3, True),
        nn.Dropout(0.3).train(),
    ],
)
def test_dropout_is_left_out_wherever_it_is_called(drop: Any) -> None:
    x = torch.ones(20, 10)
    with WithoutDropout() as mode:
        assert torch.equal(drop(x), x)
    assert len(mode.calls) == 1
    with WithoutDropout(active=False) as mode:
        assert not torch.equal(drop(x), x)
    assert len(mode.calls) == 0


def test_dropout_within_attention_is_left_out() -> None:
    q = torch.randn(1, 6, 4)
    wanted = F.scaled_dot_product_attention(q, q, q)
    with WithoutDropout() as mode:
        given = F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
        layer = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True).train()
        first, second = (layer(q, q, q, need_weights=False)[0] for _ in range(2))
    assert len(mode.calls) == 3
    torch.testing.assert_close(given, wanted)
    torch.testing.assert_close(first, second)


def test_dropout_that_is_off_is_no_dropout() -> None:
    with WithoutDropout() as mode:
        for off in (F.dropout(X, 0.3, False), F.alpha_dropout(X, 0.3), nn.Dropout().eval()(X)):
            assert torch.equal(off, X)
    assert len(mode.calls) == 0


def test_of_a_large_vocabulary_some_words_are_compared() -> None:
    network = Called(lambda x: torch.arange(30_000.0).expand(len(x), 4, -1) + x[..., None])
    answer = put(case(network), "here", lambda asker: asker(asker.inputs))
    assert answer is not None
    assert answer.shape == (20, 4 * asker.WIDEST)
    assert torch.equal(answer.reshape(20, 4, -1).diff(dim=1)[:, :, 0], X.double().diff(dim=1))


def test_all_outputs_that_have_rows_are_the_answer_where_none_is_known() -> None:
    both = Called(lambda x: (x[:, :1], x[:, 1:], x.sum(0)))
    answer = put(case(both), "here", lambda asker: asker(asker.inputs))
    assert answer is not None
    assert torch.equal(answer, X.double())


def test_named_inputs_are_handed_over() -> None:
    network = Called(lambda x, shift: x + shift[:, None])
    inputs = Inputs((X, torch.ones(20)))
    answer = put(case(network, inputs), "here", lambda asker: asker(asker.inputs))
    assert answer is not None
    assert torch.equal(answer, X.double() + 1)


def test_what_cannot_be_asked_is_said() -> None:
    nothing = case(Called(lambda x: x.sum()))
    assert put(nothing, "here", lambda asker: asker(asker.inputs)) is None
    assert put(nothing, "there", lambda asker: asker(asker.inputs)) is None
    ((what, why),) = set(nothing.not_judged)
    assert what == "questions"
    assert why.endswith("ValueError: no output has a row for each of 8 samples")
    some = case(nn.Flatten())
    assert put(some, "here", lambda asker: asker(asker.inputs[0, 0])) is None
    ((what, why),) = some.not_judged
    assert what == "here"
    assert put(case(nn.Flatten(), before_training=True), "here", lambda _: 1) is None
    assert put(Case(Observation(network_facts(nn.Flatten()))), "here", lambda _: 1) is None


def test_of_a_graph_it_is_said_in_words() -> None:
    network = Called(lambda x, near: near @ x)
    many = torch.ones(2 * asker.MOST, 4)
    graph = case(network, Inputs((many, torch.eye(len(many)))))
    assert put(graph, "here", lambda asker: asker(asker.inputs)) is None
    ((what, why),) = graph.not_judged
    assert what == "questions"
    assert "as for the nodes of a graph" in why


def test_a_network_that_takes_too_long_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    large = case(nn.Linear(4, 5))
    assert work_of(nn.Linear(4, 5), X) == 25
    assert work_of(nn.Conv2d(1, 1, 3), torch.zeros(2, 1, 6, 7)) == 10 * 42
    assert work_of(nn.Linear(4, 5), torch.zeros(2, 9, dtype=torch.long)) == 25 * 9
    monkeypatch.setattr(asker, "FAR_TOO_MUCH", 100)
    assert put(large, "here", lambda _: 1) is None
    assert large.not_judged[0][0] == "here"
