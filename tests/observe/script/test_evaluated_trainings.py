"""Evaluations that a script makes, with and without gradients, and the training that each is of."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.observe.script.test_discovery import Autoencoder, ByMethod, X, Y, classifier
from tests.observe.script.watchers import discover, log_of

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("through_backward", [False, True])
def test_an_evaluation_with_gradients_switched_on(through_backward: bool) -> None:
    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            net.train()
            optimizer.zero_grad()
            F.cross_entropy(net(X), Y).backward()
            optimizer.step()
            net.eval()
            loss = F.cross_entropy(net(X[:8]), Y[:8])
            if through_backward:  # as of an adversarial sample: no evaluation
                loss.backward()

    discovery = discover(script)
    log = log_of(discovery)
    assert len(log.steps) == 3
    if through_backward:
        assert log.evaluations == []
        return
    assert len(log.evaluations) == 3
    assert all(loss and score is not None for loss, score in log.evaluations)
    assert torch.equal(discovery.evaluated.samples[0][0], X[:8])


@pytest.mark.parametrize(("evaluates", "judged"), [(True, True), (False, True), (False, False)])
def test_an_evaluation_in_training_mode_is_noted_after_the_last_step(
    evaluates: bool, judged: bool
) -> None:
    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.Dropout(), nn.Linear(5, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(net(X), Y).backward()
            optimizer.step()
        if evaluates:
            net.eval()
        with torch.no_grad():
            for rows in torch.arange(20).split(10):
                answer = net(X[rows])  # as to set running statistics, where nothing is judged
                if judged:
                    F.cross_entropy(answer, Y[rows])

    watcher = discover(script).trainings[0].watcher
    assert watcher is not None
    noted = watcher.observation.notes.get("evaluations_training", 0)
    assert noted == (2 if judged and not evaluates else 0)


def test_training_in_evaluation_mode_is_no_evaluation() -> None:
    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for epoch in range(3):
            for rows in torch.arange(20).split(10):
                optimizer.zero_grad()
                F.cross_entropy(net(X[rows]), Y[rows]).backward()
                optimizer.step()
            net.eval()  # and never train()
            with torch.no_grad():
                F.cross_entropy(net(X[: 4 + epoch]), Y[: 4 + epoch])

    discovery = discover(script)
    log = log_of(discovery)
    assert len(log.steps) == 6
    assert len(log.evaluations) == 3
    assert len(discovery.evaluated.samples[0][0]) == 6


def test_accuracy_that_is_computed_without_a_loss() -> None:
    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(net(X), Y).backward()
            optimizer.step()
            with torch.no_grad():
                (net(X[10:]).argmax(1) == Y[10:]).float().mean()

    discovery = discover(script)
    assert [loss for loss, _ in log_of(discovery).evaluations] == [None] * 3
    assert all(score is not None for _, score in log_of(discovery).evaluations)
    assert torch.equal(discovery.evaluated.samples[0][1], Y[10:])


@pytest.mark.parametrize("network", [Autoencoder, ByMethod])
def test_an_evaluation_of_a_network_that_is_never_called_itself(
    network: type[Autoencoder],
) -> None:
    def script() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            for _ in range(2):
                optimizer.zero_grad()
                model.loss(X).backward()
                optimizer.step()
            with torch.no_grad():
                F.mse_loss(model.decoder(model.encoder(X)), X)

    discovery = discover(script)
    # of the first, the loss function is looked up before anything is called
    assert len(log_of(discovery).evaluations) == (2 if network is Autoencoder else 0)
    assert discovery.evaluated.samples == {}  # the network does not take what its parts take


@pytest.mark.parametrize("decorated", [False, True])
def test_evaluations_that_nothing_announces(decorated: bool) -> None:
    def evaluate(net: nn.Module) -> Tensor:
        return F.cross_entropy(net(X), Y)

    @torch.no_grad()
    def evaluate_decorated(net: nn.Module) -> Tensor:
        return evaluate(net)

    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(4):
            for _ in range(2):
                optimizer.zero_grad()
                F.cross_entropy(net(X), Y).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
            if decorated:
                evaluate_decorated(net)
            else:
                with torch.no_grad():
                    evaluate(net)

    losses = [loss for loss, _ in log_of(discover(script)).evaluations]
    assert len(losses) >= 3
    assert losses == sorted(losses, reverse=True)


def test_a_network_that_trains_in_evaluation_mode() -> None:
    """No evaluation comes: nothing of PyTorch stays replaced."""
    functions = []

    def script() -> None:
        net = classifier()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            net.eval()
            output = net(X)
            functions.append(F.cross_entropy)
            optimizer.zero_grad()
            F.cross_entropy(output, Y).backward()
            optimizer.step()

    assert len(log_of(discover(script)).steps) == 3
    assert set(functions) == {F.cross_entropy}


def test_a_teacher_that_answers_in_every_step_hides_no_evaluation_of_its_student() -> None:
    def script() -> None:
        teacher, student = nn.Linear(3, 4), nn.Linear(3, 4)
        optimizer = torch.optim.SGD(teacher.parameters(), lr=0.1)
        for _ in range(4):
            F.mse_loss(teacher(X), torch.ones(len(X), 4)).backward()
            optimizer.step()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for _ in range(20):
            with torch.no_grad():
                wanted = teacher(X)
            F.mse_loss(student(X), wanted).backward()
            optimizer.step()
        student.eval()
        with torch.no_grad():
            (student(X).argmax(1) == torch.zeros(len(X))).float().mean()

    discovery = discover(script)
    assert discovery.trainings[1].networks.keys() == {"student"}
    [(loss, score)] = log_of(discovery, 1).evaluations
    assert loss is None
    assert score is not None
