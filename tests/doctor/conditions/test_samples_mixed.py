"""Samples that are mixed in the network are named with the layer; what belongs together is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.samples_mixed import examine, rows_are_samples
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

X = torch.randn(240, 6, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, :, 0].sum(1) > 0).long()


class Net(nn.Module):
    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*self.layers, *inputs)


def diagnosed(
    network: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    batch: int = 40,
    x: Any = (X,),
    y: Tensor = Y,
    fed: Callable[[Tensor], Tensor] = lambda x: x,
    handed: bool = True,
) -> Any:
    """What is said of a short training."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(5):
            for rows in torch.randperm(len(y)).split(batch):
                loss = loss_fn(network(*(fed(part[rows]) for part in x)), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    assert watch.failure is None
    pair = (x if len(x) > 1 else x[0], y)
    return watch.diagnose(train=pair, loss_fn=loss_fn) if handed else watch.diagnose()


def trained(network: nn.Module, *args: Any, **options: Any) -> Any:
    """The case of a short training."""
    return diagnosed(network, *args, **options).case


def last(**options: Any) -> nn.Module:
    recurrent, out = nn.GRU(3, 8, **options), nn.Linear(8, 2)
    return Net(lambda rnn, out, x: out(rnn(x)[0][:, -1]), recurrent, out)


@pytest.mark.parametrize("handed", [True, False])
@pytest.mark.parametrize("batch", [40, 240])
@pytest.mark.sampled(1)
def test_a_layer_that_takes_the_batch_for_time_is_named(handed: bool, batch: int) -> None:
    finding = examine(trained(last(), batch=batch, handed=handed))
    assert finding is not None
    assert finding.severity == "error"
    assert finding.where == {"layers": ["layers.0"]}
    assert "gets another answer with other samples in its batch" in finding.explanation
    assert "layers.0 (GRU), which takes the second axis for that of the batch" in (
        finding.explanation
    )
    assert "nn.GRU(…, batch_first=True)" in finding.remedies[0].advice
    assert finding.evidence[0].observed > 0.1


def test_a_softmax_over_the_batch_is_seen() -> None:
    def attend(score: nn.Module, out: nn.Module, x: Tensor) -> Any:
        return out((score(x).softmax(0) * x).sum(1))

    finding = examine(trained(Net(attend, nn.Linear(3, 1), nn.Linear(3, 2))))
    assert finding is not None
    assert "softmax and norms over the features" in finding.remedies[0].advice


def joined(network: nn.Module, **settings: Any) -> Finding | None:
    return examine(trained(network, **settings))


def test_networks_of_one_sample_are_not_accused() -> None:
    assert joined(last(batch_first=True)) is None
    assert joined(nn.Sequential(nn.Flatten(), nn.Linear(18, 9), nn.BatchNorm1d(9))) is None
    always = Net(lambda out, x: out(F.dropout(x.flatten(1), 0.3)), nn.Linear(18, 2))
    assert joined(always) is None


def test_samples_that_belong_together_are_not_accused() -> None:
    own = nn.BatchNorm1d(18, track_running_stats=False)
    assert joined(nn.Sequential(nn.Flatten(), own, nn.Linear(18, 2))) is None
    centred = Net(lambda out, x: out(x.flatten(1) - x.flatten(1).mean(0)), nn.Linear(18, 2))
    assert joined(centred, batch=240) is None
    assert joined(centred) is not None


def test_a_loss_that_is_no_error_says_nothing_of_samples() -> None:
    pairs = Net(lambda out, x: out(x.flatten(1) - x.flatten(1).mean(0)), nn.Linear(18, 4))

    def apart(code: Tensor, target: Tensor) -> Tensor:
        return F.triplet_margin_loss(code[::2], code[1::2], code[::2].roll(1, 0))

    assert joined(pairs, loss_fn=apart) is None


@pytest.mark.long
def test_time_in_the_first_axis_is_no_batch() -> None:
    turned = Net(lambda rnn, out, x: out(rnn(x)[0][-1]), nn.GRU(3, 8), nn.Linear(8, 2))
    assert joined(turned, fed=lambda x: x.transpose(0, 1)) is None
    every = Net(lambda rnn, out, x: out(rnn(x)[0]), nn.GRU(3, 8), nn.Linear(8, 2))
    marks = (X[:, :, 0] > 0).long()

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), target.flatten())

    unknown = trained(every, loss_fn, y=marks, handed=False)
    assert not rows_are_samples(unknown)
    assert examine(unknown) is None
    assert examine(trained(every, loss_fn, y=marks)) is not None


@pytest.mark.parametrize("axis", [0, 1])
def test_codes_that_are_normalised_over_the_batch_are_named(axis: int) -> None:
    torch.manual_seed(0)

    def codes(a: nn.Module, b: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        one, other = (layer(x.flatten(1)) for layer in (a, b))
        return F.normalize(one, dim=axis), F.normalize(other, dim=axis)

    network = Net(codes, nn.Linear(18, 6), nn.Linear(18, 6))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(30):
            one, other = network(X[torch.randint(240, (32,))])
            loss = F.cross_entropy(one @ other.T / 0.1, torch.arange(32))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = {f.condition for f in watch.diagnose().findings}
    assert ("samples_mixed" in found) == (axis == 0)


def test_one_answer_for_the_whole_batch_is_mixed_before_its_input_is_unused() -> None:
    """A readout over all other samples: the answers differ between batches alone, nearly."""
    inner, out = nn.Linear(3, 8), nn.Linear(8, 2)

    def pooled(inner: nn.Module, out: nn.Module, x: Tensor) -> Any:
        read = inner(x).relu().mean(1)
        return out((read.sum(0) - read) / (len(x) - 1))

    diagnosis = diagnosed(Net(pooled, inner, out))
    finding = examine(diagnosis.case)
    assert finding is not None
    assert finding.severity == "error"
    assert "in its own place" in finding.explanation
    named = [finding.condition for finding in diagnosis.findings]
    assert "samples_mixed" in named
    assert "input_not_used" not in named


@pytest.mark.parametrize("batch", [6, 48])
@pytest.mark.long
def test_the_last_row_for_the_last_day_is_asked_in_batches_of_the_training(batch: int) -> None:
    """`h[-1]` of [N, T, H] has a row for each sample only where N = T."""
    x = torch.randn(240, batch, 1, generator=torch.Generator().manual_seed(1))
    y = (x[:, -1, 0] > 0).long()

    def net(wrong: bool) -> nn.Module:
        return Net(
            lambda rnn, out, x: out(rnn(x)[0][-1] if wrong else rnn(x)[0][:, -1]),
            nn.GRU(1, 8, batch_first=True),
            nn.Linear(8, 2),
        )

    assert examine(trained(net(True), batch=batch, x=(x,), y=y)) is not None
    assert examine(trained(net(False), batch=batch, x=(x,), y=y)) is None


def test_answers_that_are_alike_without_the_others_are_not_mixed() -> None:
    constant = nn.Linear(3, 2)
    nn.init.zeros_(constant.weight)
    constant.weight.requires_grad_(False)
    assert examine(trained(Net(lambda out, x: out(x.mean(1)), constant))) is None


@pytest.mark.parametrize("handed_in", [True, False])
def test_nodes_of_one_graph_are_no_samples(handed_in: bool) -> None:
    """A matrix of all by all, as an input beside the nodes or as a part of the network."""
    graph = torch.rand(48, 48, generator=torch.Generator().manual_seed(2)).softmax(1)
    x, y = X[:48, :, 0].contiguous(), Y[:48]
    inputs = (x, graph) if handed_in else (x,)
    network = Net(lambda out, x, *edges: (*edges, graph)[0] @ out(x), nn.Linear(6, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(30):
            loss = F.cross_entropy(network(*inputs), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    assert examine(watch.diagnose().case) is None
