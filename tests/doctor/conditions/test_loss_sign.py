"""The sign of a loss: of pairs, of two networks that play, of classes and of weighed errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws


TRUTH = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))


def near_and_far(exchanged: bool, tell: bool, seed: int) -> dict[str, Finding]:
    """Triplets of inputs in three heaps."""
    torch.manual_seed(seed)
    heaps = 3 * torch.randn(3, 6)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(100):
            kind = torch.randint(3, (32,))
            of = kind, kind, (kind + torch.randint(1, 3, (32,))) % 3
            a, p, n = (model(heaps[k] + torch.randn(32, 6)) for k in of)
            near, far = (n, p) if exchanged else (p, n)
            loss = F.triplet_margin_loss(a, near, far)
            score = float(((a - n).norm(dim=1) > (a - p).norm(dim=1)).double().mean())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=score if tell else None)
    return {finding.condition: finding for finding in watch.diagnose().findings}


@pytest.mark.parametrize("tell", [True, False])
@five_seeds
def test_near_and_far_that_are_exchanged_are_seen_by_the_inputs(tell: bool, seed: int) -> None:
    found = near_and_far(True, tell, seed)["loss_sign"]
    assert found.severity == ("error" if tell else "warning")
    assert "near and far are exchanged" in found.explanation
    assert "loss_sign" not in near_and_far(False, tell, seed)


@pytest.mark.parametrize("wasserstein", [True, False])
@pytest.mark.parametrize("deceives", [True, False])
@pytest.mark.sampled(1)
def test_a_generator_that_is_trained_to_be_recognised(wasserstein: bool, deceives: bool) -> None:
    torch.manual_seed(0)
    g, d = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizers = [torch.optim.Adam(net.parameters(), lr=1e-3) for net in (g, d)]
    judged = F.binary_cross_entropy_with_logits
    one, zero = torch.ones(32, 1), torch.zeros(32, 1)
    with ss.watch({"G": (g, optimizers[0]), "D": (d, optimizers[1])}) as watch:
        for _ in range(120):
            made = g(torch.randn(32, 3))
            real, fake = d(torch.randn(32, 2) + 3), d(made.detach())
            loss = fake.mean() - real.mean() if wasserstein else judged(real, one)
            loss = loss if wasserstein else loss + judged(fake, zero)
            optimizers[1].zero_grad()
            loss.backward()
            optimizers[1].step()
            answer = d(made)
            if wasserstein:
                loss = -answer.mean() if deceives else answer.mean()
            else:
                loss = judged(answer, one if deceives else zero)
            optimizers[0].zero_grad()
            loss.backward()
            optimizers[0].step()
            watch.step(loss)
    assert watch.failure is None
    found = {finding.condition for finding in watch.diagnose().findings}
    assert ("loss_sign" in found) != deceives


@pytest.mark.parametrize(
    ("sign", "with_gradient"), [(1.0, True), (1.0, False), (-1.0, True), (-1.0, False)]
)
def test_a_negated_error_is_named_whatever_part_of_the_outputs_it_reads(
    sign: float, with_gradient: bool
) -> None:
    torch.manual_seed(0)
    earlier = nn.Linear(4, 3)
    network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    x, action = torch.randn(64, 4), torch.randint(3, (64, 1))
    with ss.watch(network, optimizer) as watch:
        for _ in range(60):
            with torch.set_grad_enabled(with_gradient):
                target = x[:, :1] + 0.9 * earlier(x).amax(1, keepdim=True)
            loss = sign * F.smooth_l1_loss(network(x).gather(1, action), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    named = {finding.condition for finding in watch.diagnose().findings}
    assert ("loss_sign" in named) == (sign < 0)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_marks_of_pairs_that_are_exchanged_show_in_the_columns_that_tell(
    turned: bool, together: bool
) -> None:
    """Louder columns that tell nothing hide it from the distance of the whole inputs."""
    torch.manual_seed(0)
    kind = torch.randint(2, (400,))
    x = torch.cat([6.0 * kind[:, None] + torch.randn(400, 2), 8 * torch.randn(400, 8)], 1)
    model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            i, j = torch.randint(400, (2, 64))
            if together:
                a, b = model(torch.cat([x[i], x[j]])).chunk(2)
            else:
                a, b = model(x[i]), model(x[j])
            mark = ((kind[i] == kind[j]) != turned).float()
            gap = (a - b).square().sum(1).add(1e-6).sqrt()
            loss = (mark * gap**2 + (1 - mark) * torch.relu(20 - gap) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = [f.condition for f in watch.diagnose().findings if f.severity != "info"]
    assert ("loss_sign" in found) == turned


def classes(sign: float = 1.0, least: bool = False, swapped: bool = False) -> list[str]:
    """Three classes, by a loss with a `sign`, of which the largest output is the answer or the
    `least`; with the targets of other samples where `swapped`.
    """
    torch.manual_seed(0)
    x = torch.randn(300, 6)
    y = (x @ TRUTH).argmax(1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3 if sign > 0 else 1e-5)
    with ss.watch(model, optimizer) as watch:
        for few in (part for _ in range(20) for part in torch.randperm(300).split(50)):
            target = y[few]
            scores = -model(x[few]) if least else model(x[few])
            loss = F.cross_entropy(scores, y[few.roll(1)] if swapped else target)
            optimizer.zero_grad()
            (sign * loss).backward()
            optimizer.step()
            watch.step(loss, target=target)
    return [finding.condition for finding in watch.diagnose().findings]


@pytest.mark.long
def test_the_sign_of_a_loss_of_classes() -> None:
    """Outputs of which the least is the answer are no fault, learned or not; nor is it the sign
    where the loss has the targets of other samples.
    """
    assert "loss_sign" in classes(sign=-1.0)
    assert "loss_sign" not in classes(least=True)
    assert "loss_sign" not in classes(least=True, swapped=True)
    assert "loss_sign" not in classes(swapped=True)


def test_distances_to_prototypes_with_the_wrong_sign() -> None:
    """A negative loss that stays at its start is no error that has become small."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            centres, y = 2 * torch.randn(5, 6), torch.arange(5).repeat(5)
            codes = model(torch.cat([centres, centres[y] + 0.3 * torch.randn(25, 6)]))
            near = -torch.cdist(codes[5:], codes[:5]).square()
            loss = -F.cross_entropy(near, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    assert "loss_sign" in [finding.condition for finding in watch.diagnose().findings]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_loss_of_few_yeses_by_hand(sign: float) -> None:
    """Outputs [N, 1] and targets [N], weighed by how wrong they are (Lin et al. 2017)."""
    torch.manual_seed(0)
    x = torch.randn(400, 6)
    y = (x[:, 0] > 1).float()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for few in (part for _ in range(25) for part in torch.randperm(400).split(50)):
            each = F.binary_cross_entropy_with_logits(model(x[few])[:, 0], y[few], reduction="none")
            loss = ((1 - torch.exp(-each)) ** 2 * each).mean()
            optimizer.zero_grad()
            (sign * loss).backward()
            optimizer.step()
            watch.step(sign * loss, target=y[few])
    names = [finding.condition for finding in watch.diagnose().findings]
    assert ("loss_sign" in names) is (sign < 0)
