"""Networks, steps, losses and targets are found from what a script does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.observe.script.watchers import discover, log_of

pytestmark = pytest.mark.draws

X = torch.linspace(-1, 1, 60).reshape(20, 3)
Y = (torch.arange(20) * 7) % 4


def classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4))


def plain_loop() -> None:
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        for rows in torch.arange(20).split(10):
            loss = F.cross_entropy(net(X[rows]), Y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            F.cross_entropy(net(X), Y)
        net.train()


def test_a_plain_loop() -> None:
    discovery = discover(plain_loop)
    log = log_of(discovery)
    assert len(log.steps) == 6
    assert all(torch.equal(target, Y[:10]) for _, target, _ in log.steps[::2])
    assert len(log.evaluations) == 3
    assert all(score is not None and 0 <= score <= 1 for _, score in log.evaluations)
    assert torch.equal(discovery.evaluated.samples[0][0], X)
    assert discovery.trainings[0].networks.keys() == {"net"}
    assert discovery.trainings[0].place.startswith("test_discovery.py:")


def test_a_network_that_was_trained_becomes_a_part_of_another() -> None:
    def script() -> None:
        encoder, decoder = nn.Sequential(nn.Linear(3, 5), nn.ReLU()), nn.Linear(5, 3)
        both = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        for _ in range(4):
            both.zero_grad()
            F.mse_loss(decoder(encoder(X)), X).backward()
            both.step()
        model = nn.Sequential(encoder, nn.Linear(5, 4))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(model(X), Y).backward()
            optimizer.step()
            with torch.no_grad():
                F.cross_entropy(model(X), Y)

    first, second = discover(script).trainings
    assert (first.steps, second.steps) == (4, 5)
    assert first.networks.keys() == {"encoder", "decoder"}
    assert second.networks.keys() == {"model"}


def test_the_loss_of_a_scaled_backward_is_the_unscaled_one() -> None:
    losses = []

    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for _ in range(2):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(X), Y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())

    assert [loss for loss, *_ in log_of(discover(script)).steps] == losses


def test_the_steps_of_a_loss_without_a_graph() -> None:
    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            loss = F.cross_entropy(net(X).detach(), Y)
            loss.requires_grad = True
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    assert len(log_of(discover(script)).steps) == 3


def test_a_gan_is_one_training_of_two_networks() -> None:
    def script() -> None:
        generator, critic = nn.Linear(2, 3), nn.Linear(3, 1)
        g_step = torch.optim.SGD(generator.parameters(), lr=0.1)
        d_step = torch.optim.SGD(critic.parameters(), lr=0.1)
        for _ in range(4):
            fake = generator(torch.randn(5, 2))
            d_step.zero_grad()
            critic(X).mean().backward()
            (-critic(fake.detach()).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            critic(fake).mean().backward()
            g_step.step()

    discovery = discover(script)
    assert len(discovery.trainings) == 1
    assert discovery.trainings[0].networks.keys() == {"generator", "critic"}
    log = log_of(discovery)
    assert len(log.steps) == 4
    assert log.steps[-1][2].keys() == {"generator", "critic"}


def test_one_optimizer_of_two_networks() -> None:
    def script() -> None:
        actor, critic = nn.Linear(3, 2), nn.Linear(3, 1)
        optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()])
        for _ in range(3):
            optimizer.zero_grad()
            (actor(X).mean() + critic(X).mean()).backward()
            optimizer.step()

    discovery = discover(script)
    assert discovery.trainings[0].networks.keys() == {"actor", "critic"}
    assert len(log_of(discovery).steps) == 3


class Autoencoder(nn.Module):
    """Never called as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(3, 2), nn.Linear(2, 3)

    def loss(self, x: Tensor) -> Tensor:
        return F.mse_loss(self.decoder(self.encoder(x)), x)


class ByMethod(Autoencoder):
    """Called past its layers' own calls."""

    def loss(self, x: Tensor) -> Tensor:
        return F.mse_loss(self.decoder.forward(self.encoder.forward(x)), x)


@pytest.mark.parametrize("network", [Autoencoder, ByMethod])
def test_a_network_that_is_never_called_itself(network: type[Autoencoder]) -> None:
    def script() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model.loss(X).backward()
            optimizer.step()

    discovery = discover(script)
    (module,) = discovery.trainings[0].networks.values()
    assert type(module) is network
    assert len(log_of(discovery).steps) == 3


def test_layers_that_train_one_after_another() -> None:
    """Each has its own loss and optimizer, and none is ever called."""
    losses: list[list[float]] = []

    def script() -> None:
        for _ in range(2):
            layer = nn.Linear(3, 3)
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
            losses.append([])
            for _ in range(5):
                loss = layer.forward(X).pow(2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses[-1].append(loss.item())

    discovery = discover(script)
    seen = [[loss for loss, *_ in log_of(discovery, number).steps] for number in range(2)]
    assert seen == losses


def test_updates_by_hand() -> None:
    def script() -> None:
        net = classifier()
        for _ in range(4):
            F.cross_entropy(net(X), Y).backward()
            with torch.no_grad():
                for p in net.parameters():
                    assert p.grad is not None
                    p -= 0.1 * p.grad
                    p.grad.zero_()

    log = log_of(discover(script))
    assert len(log.steps) == 4
    assert log.updates == 4


def test_updates_by_hand_from_autograd_grad() -> None:
    def script() -> None:
        net = classifier()
        for _ in range(4):
            gradients = torch.autograd.grad(F.cross_entropy(net(X), Y), list(net.parameters()))
            with torch.no_grad():
                for p, gradient in zip(net.parameters(), gradients, strict=True):
                    p -= 0.1 * gradient

    log = log_of(discover(script))
    assert len(log.steps) == 4
    assert log.updates == 4


@pytest.mark.parametrize("by_optimizer", [True, False])
def test_tensors_without_a_module(by_optimizer: bool) -> None:
    def script() -> None:
        weights = torch.zeros(3, requires_grad=True)
        bias = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([weights, bias], lr=0.1) if by_optimizer else None
        for _ in range(5):
            ((X @ weights + bias - 1) ** 2).mean().backward()
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad()
                continue
            for tensor in (weights, bias):
                assert tensor.grad is not None
                tensor.data -= 0.1 * tensor.grad
                tensor.grad.zero_()

    discovery = discover(script)
    (module,) = discovery.trainings[0].networks.values()
    assert {name for name, _ in module.named_parameters()} == {"weights", "bias"}
    losses = [loss for loss, *_ in log_of(discovery).steps]
    assert len(losses) >= 4
    assert losses == sorted(losses, reverse=True)


def test_lbfgs_gives_one_loss_a_step() -> None:
    losses = []

    def script() -> None:
        net = nn.Linear(3, 1)
        optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.mse_loss(net(X), X[:, :1] + 1)
            loss.backward()
            return loss

        for _ in range(3):
            losses.append(optimizer.step(closure).item())  # type: ignore[attr-defined]

    assert [loss for loss, *_ in log_of(discover(script)).steps] == losses


def test_trainings_one_after_another() -> None:
    def script() -> None:
        for _ in range(10):
            plain_loop()

    discovery = discover(script)
    assert [training.steps for training in discovery.trainings] == [6] * 8
    assert discovery.unwatched == 2


def test_a_second_optimizer_for_the_same_network_goes_on_with_its_training() -> None:
    def script() -> None:
        net = classifier()
        for lr in (0.1, 0.01):
            optimizer = torch.optim.SGD(net.parameters(), lr=lr)
            for _ in range(4):
                optimizer.zero_grad()
                F.cross_entropy(net(X), Y).backward()
                optimizer.step()

    discovery = discover(script)
    assert [training.steps for training in discovery.trainings] == [8]
    (optimizer,) = log_of(discovery).networks[""][1]
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_new_head_begins_a_new_training() -> None:
    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4))
        for _ in range(2):
            net[1] = nn.Linear(5, 4)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(4):
                optimizer.zero_grad()
                F.cross_entropy(net(X), Y).backward()
                optimizer.step()

    discovery = discover(script)
    assert [training.steps for training in discovery.trainings] == [4, 4]
    assert not log_of(discovery, 0).started


def fit(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 5) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(X), Y).backward()
        optimizer.step()


def test_layers_that_no_optimizer_has_begin_a_new_training() -> None:
    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        fit(net, optimizer)
        net[1] = nn.Linear(5, 4)
        fit(net, optimizer, 7)

    discovery = discover(script)
    assert [training.steps for training in discovery.trainings] == [6, 6]
    assert discovery.trainings[1].networks.keys() == {"net"}
    assert log_of(discovery, 1).networks.keys() == {""}


def test_parts_that_an_optimizer_gets_belong_to_the_same_training() -> None:
    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        fit(net, optimizer)
        net.append(nn.Linear(4, 4))
        optimizer.add_param_group({"params": net[2].parameters()})
        fit(net, optimizer)

    assert [training.steps for training in discover(script).trainings] == [10]


def test_a_training_has_its_own_weights_after_another_has_changed_them() -> None:
    weights = []

    def script() -> None:
        body = nn.Linear(3, 5)
        for _ in range(2):
            net = nn.Sequential(body, nn.Linear(5, 4))
            fit(net, torch.optim.SGD(net.parameters(), lr=0.1))
            weights.append(body.weight.detach().clone())

    discovery = discover(script)
    assert len(discovery.trainings) == 2
    for training, weight in zip(discovery.trainings, weights, strict=True):
        (module,) = training.final_networks().values()
        assert module is not None
        assert torch.equal(next(module.parameters()), weight)


def test_a_module_that_is_set_anew_for_each_fold() -> None:
    def script() -> None:
        net = nn.Linear(3, 4)
        for _ in range(3):
            net.reset_parameters()
            fit(net, torch.optim.SGD(net.parameters(), lr=0.1))

    discovery = discover(script)
    assert [training.steps for training in discovery.trainings] == [5, 5, 5]
    finals = [list(training.final_networks().values()) for training in discovery.trainings]
    assert finals[:2] == [[None], [None]]
    assert finals[2] != [None]


def test_a_network_with_another_head_is_not_the_one_that_was_trained() -> None:
    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4))
        fit(net, torch.optim.SGD(net.parameters(), lr=0.1))
        net[1] = nn.Linear(5, 4)

    assert list(discover(script).trainings[0].final_networks().values()) == [None]


def test_copies_and_teachers_are_not_what_is_trained() -> None:
    def script() -> None:
        student, teacher = classifier(), classifier()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            target = teacher(X).detach()
            F.mse_loss(student(X), target).backward()
            optimizer.step()

    discovery = discover(script)
    assert discovery.trainings[0].networks.keys() == {"student"}


def nothing() -> None:
    torch.ones(3).sum()


def evaluation_only() -> None:
    net = classifier()
    with torch.no_grad():
        F.cross_entropy(net(X), Y)


@pytest.mark.parametrize("script", [nothing, evaluation_only])
def test_where_nothing_is_trained_nothing_is_found(script: Callable[[], Any]) -> None:
    discovery = discover(script)
    assert discovery.trainings == []
    assert "no training to be seen" in discovery.nothing()


def test_layers_that_are_replaced_begin_another_training_and_the_first_goes_on() -> None:
    def script() -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(12):
            if step == 6:
                model[0], model[1] = nn.Linear(3, 5), nn.Linear(5, 2)
            model(X).mean().backward()
            optimizer.step()

    first, second = [training.watcher for training in discover(script).trainings]
    assert first is not None
    assert second is not None
    assert first.observation.notes.get("goes_on")
    assert "goes_on" not in second.observation.notes
