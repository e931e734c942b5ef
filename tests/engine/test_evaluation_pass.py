"""The pass of evaluation gives what the network itself gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import evaluation_pass as module
from sevensteps.engine import matmul
from sevensteps.engine.evaluation_pass import evaluation_pass
from sevensteps.engine.modules import Dropout, Neuron

pytestmark = pytest.mark.draws


class Residual(nn.Module):
    """No chain of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x).relu()


NETWORKS: dict[str, nn.Module] = {
    "one layer": nn.Linear(12, 4),
    "ReLU": nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 4)),
    "ReLU at the end": nn.Sequential(nn.Linear(12, 7), nn.Sigmoid(), nn.Linear(7, 4), nn.ReLU()),
    "ReLU first": nn.Sequential(nn.ReLU(), nn.Linear(12, 4, bias=False)),
    "two ReLUs": nn.Sequential(nn.Linear(12, 7), nn.ReLU(), nn.ReLU(), nn.Linear(7, 4)),
    "leaky": nn.Sequential(nn.Linear(12, 7), nn.LeakyReLU(), nn.Linear(7, 4)),
    "dropout, norm": nn.Sequential(
        nn.Linear(12, 7), nn.BatchNorm1d(7), nn.ReLU(), Dropout(0.5), nn.Linear(7, 4)
    ),
    "neuron": Neuron(12),
    "opened": nn.Sequential(nn.Sequential(nn.Linear(12, 7)), nn.Sequential(nn.ReLU())),
    "not a chain": nn.Sequential(Residual(), nn.Linear(12, 4)),
}


@pytest.mark.parametrize("kernel", ["mm", "onednn"])
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_network(
    name: str, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 8)
    network = NETWORKS[name].eval()
    x = torch.randn(40, 12, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), matmul.force(kernel):
        forward = evaluation_pass(network)
        before = x.clone()
        # a last chunk of few samples too, by the kernel of the others
        outputs = torch.cat([forward(piece) for piece in x.split(19)])
        assert torch.allclose(outputs, network(x), rtol=1e-5, atol=1e-6)
        assert torch.equal(x, before)
        few = evaluation_pass(network)(x[:3])
        assert torch.equal(few, network(x[:3]))


def test_images_go_through_convolutions() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 5), nn.ReLU()
    ).eval()
    x = torch.randn(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(evaluation_pass(network)(x), network(x), rtol=1e-5, atol=1e-6)


def test_hooks_are_not_passed_by() -> None:
    network = nn.Sequential(nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 4)).eval()
    calls = []
    network[1].register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        evaluation_pass(network)(torch.zeros(300, 12))
    assert calls
