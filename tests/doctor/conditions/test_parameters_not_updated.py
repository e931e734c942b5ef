"""A new head that is frozen with the rest; and networks that learn with little of them trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws


def tuned(model: nn.Sequential, trained: list[nn.Parameter], x: Tensor, y: Tensor) -> list[Finding]:
    for p in model.parameters():
        p.requires_grad_(False)
    for p in trained:
        p.requires_grad_(True)
    optimizer = torch.optim.Adam(trained, lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    return [finding for finding in found if finding.condition == "parameters_not_updated"]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.sampled(1)
def test_a_head_that_is_frozen_with_the_rest_is_named(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = network()
    (finding,) = tuned(model, [model[2].bias], x, y)  # type: ignore[list-item]
    assert finding.explanation.startswith("The last layer (layer 2) is frozen")
    assert "4 of 836 parameters are trained" in finding.explanation
    assert finding.where == {"parameters": ["2.weight"]}
    model = network()
    assert not tuned(model, [*model[2].parameters()], x, y)


def test_few_parameters_that_learn_before_a_frozen_head_are_enough() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    model = network()
    y = model(x).argmax(1)  # the network as it is
    assert not tuned(model, [model[0].bias], x, y)  # type: ignore[list-item]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_frozen_body_into_which_nothing_was_loaded_is_named(loaded: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = nn.Sequential(nn.Linear(8, 48), nn.Linear(48, 3), nn.Tanh(), nn.Linear(3, 4))
    with torch.no_grad():
        model[0].weight.mul_(0.01)  # type: ignore[operator]
        if loaded:
            model[0].weight.copy_(torch.eye(48, 8))  # type: ignore[operator]
            model[1].weight.copy_(3 * torch.eye(3, 48))  # type: ignore[operator]
    found = tuned(model, [*model[3].parameters()], x, y)
    assert bool(found) != loaded
    assert all("numbers are those of an initialization" in one.explanation for one in found)


class Outside(nn.Module):
    """Two layers, of parameters, of plain tensors, or the second made anew in each call."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        into, out = 0.03 * torch.randn(6, 24), 0.2 * torch.randn(24, 2)
        self.into = into if way == "tensors" else nn.Parameter(into)
        self.out = out if way == "tensors" else nn.Parameter(out)
        self.shift, self.offset = nn.Parameter(torch.zeros(24)), nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(x @ self.into + self.shift)
        return nn.Linear(24, 2)(h) if self.way == "made anew" else h @ self.out + self.offset


@pytest.mark.parametrize(
    ("way", "words"),
    [("made anew", "makes parameters of its own"), ("tensors", "are tensors"), ("parameters", "")],
)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.sampled(3)
def test_weights_that_no_optimizer_could_have(way: str, words: str, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(400, 6)
    y = (x[:, 0] > x[:, 1]).long()
    model: Any = Outside(way)
    found = tuned(model, list(model.parameters()), x, y)
    if words:
        assert words in found[0].explanation
    else:
        assert not found


@pytest.mark.parametrize("cut", [True, False])
def test_a_generator_that_no_gradient_reaches(cut: bool) -> None:
    torch.manual_seed(0)
    generator, judge = nn.Linear(4, 6), nn.Linear(6, 1)
    optimizers = [torch.optim.Adam(net.parameters(), 1e-3) for net in (generator, judge)]
    g_opt, j_opt = optimizers
    ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)
    judged = F.binary_cross_entropy_with_logits
    with ss.watch({"G": (generator, g_opt), "J": (judge, j_opt)}) as watch:
        for _ in range(60):
            made = generator(torch.randn(16, 4))
            loss = judged(judge(torch.randn(16, 6)), ones) + judged(judge(made.detach()), zeros)
            j_opt.zero_grad()
            loss.backward()
            j_opt.step()
            loss = judged(judge(made.detach() if cut else made), ones)
            g_opt.zero_grad()
            loss.backward()
            g_opt.step()
            watch.step(loss)
    found = [f for f in watch.diagnose().findings if f.condition == "parameters_not_updated"]
    assert [f.where["network"] for f in found] == (["G"] if cut else [])


@pytest.mark.parametrize("apart", [True, False])
def test_a_critic_that_does_not_detach_accuses_no_generator(apart: bool) -> None:
    """Five steps of the critic for one of the generator, whose gradients are cleared before it."""
    torch.manual_seed(0)
    generator, critic = (
        nn.Linear(4, 6),
        nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1)),
    )
    g_opt, c_opt = (torch.optim.Adam(net.parameters(), 1e-3) for net in (generator, critic))
    with ss.watch({"G": (generator, g_opt), "C": (critic, c_opt)}) as watch:
        for _ in range(40):
            for _ in range(5):
                c_opt.zero_grad()
                g_opt.zero_grad()
                made = critic(generator(torch.randn(16, 4))).mean()
                real = -critic(1 + torch.randn(16, 6)).mean()
                for loss in (made, real) if apart else (made + real,):
                    loss.backward()
                c_opt.step()
            g_opt.zero_grad()
            loss = -critic(generator(torch.randn(16, 4))).mean()
            loss.backward()
            g_opt.step()
            watch.step(loss)
    found = {f.condition for f in watch.diagnose().findings if f.severity != "info"}
    assert not found & {"gradient_discarded", "gradient_not_cleared", "parameters_not_updated"}


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.sampled(1)
def test_a_narrow_place_that_is_frozen_as_it_was_drawn(frozen: bool) -> None:
    """So few numbers tell nothing by themselves: a copy that trains them does."""
    torch.manual_seed(3)
    x = torch.randn(500, 4)
    y = (x[:, 0] > 0).long() + 2 * (x[:, 1] * x[:, 0] > 0).long()
    eye = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh())
    eye.requires_grad_(not frozen)
    network = nn.Sequential(eye, nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(15):
            for rows in torch.randperm(400).split(20):
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(x[:400], y[:400]), valid=(x[400:], y[400:]), loss_fn=F.cross_entropy
    )
    named = [finding.condition for finding in diagnosis.findings]
    assert ("parameters_not_updated" in named) == frozen


def test_a_network_left_out_beside_two_optimizers_of_another() -> None:
    x = torch.randn(64, 8)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            loss = F.cross_entropy(model(x), (x[:, 0] > 0).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    named = [finding.condition for finding in watch.diagnose().findings]
    assert "parameters_not_updated" not in named
    watch.observation.notes["left_out"] = ["maker", "Generator", 2690]
    [finding] = [f for f in watch.diagnose().findings if f.condition == "parameters_not_updated"]
    assert finding.severity == "error"
    assert "none holds those of maker (Generator): its 2,690 parameters" in finding.explanation


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_table_with_which_nothing_is_learned(frozen: bool) -> None:
    """Its numbers are those of nobody's drawing; a copy that trains them shows what they cost."""
    torch.manual_seed(1)
    words = torch.randint(32, (700, 30))
    y = (((words % 7) < 3).double().mean(1) > 0.45).long()
    table = torch.linspace(-2, 2, 64).reshape(2, 32).T.sin().contiguous()

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding.from_pretrained(table, freeze=frozen)
            self.head = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.head(self.words(x).mean(1))
            return answer

    network = Words()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=3e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(500).split(20):
                loss = F.cross_entropy(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(words[:500], y[:500]), valid=(words[500:], y[500:]), loss_fn=F.cross_entropy
    )
    named = [finding.condition for finding in diagnosis.findings]
    assert named[:1] == (["parameters_not_updated"] if frozen else [])


@pytest.mark.parametrize("loaded", [True, False])
def test_a_frozen_table_into_which_nothing_was_loaded(loaded: bool) -> None:
    torch.manual_seed(0)
    words = torch.randint(1, 40, (400, 8))
    y = (words < 14).sum(1).clamp_max(4) // 2
    table = torch.randn(40, 32) if loaded else torch.zeros(40, 32)
    network = nn.Sequential(
        nn.EmbeddingBag.from_pretrained(table), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 3)
    )
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=5e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(12):
            for rows in torch.randperm(300).split(20):
                loss = F.cross_entropy(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(words[:300], y[:300]), valid=(words[300:], y[300:]), loss_fn=F.cross_entropy
    )
    found = [f for f in diagnosis.findings if f.condition == "parameters_not_updated"]
    assert bool(found) != loaded
    assert all("all their numbers are 0" in f.explanation for f in found)
