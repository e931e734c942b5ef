"""The sign of a loss that is no error, by the score that the loop reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
Play = Callable[[nn.Module, float], tuple[Tensor, float]]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


TRUTH = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))
BEST = torch.randn(6, 2, generator=torch.Generator().manual_seed(4))


def categorical(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """One of three actions, rewarded where it is the best."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Categorical(logits=model(x)[:, :3])
    action = policy.sample()
    reward = (action == (x @ TRUTH).argmax(1)).float()
    return -sign * (policy.log_prob(action) * (reward - 0.3)).mean(), float(reward.mean())


def normal(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Two numbers, the better the nearer to the right ones."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Normal(model(x)[:, :2], 0.5)
    action = policy.sample()
    reward = -(action - x @ BEST).square().sum(1).sqrt()
    advantage = (reward - reward.mean()) / reward.std()
    return -sign * (policy.log_prob(action).sum(1) * advantage).mean(), float(reward.mean())


def by_cost(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """As people write it where actions cost something: no minus belongs there."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Categorical(logits=model(x)[:, :3])
    action = policy.sample()
    cost = (action != (x @ TRUTH).argmax(1)).float()
    return sign * (policy.log_prob(action) * (cost - 0.6)).mean(), -float(cost.mean())


def pairs(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Codes of two views of a sample, near to each other; far, with the sign turned."""
    x = torch.randn(64, 6)
    one, other = (F.normalize(model(x + 0.5 * torch.randn(64, 6)), dim=1) for _ in range(2))
    alike = one @ other.T
    score = float((alike.argmax(1) == torch.arange(64)).double().mean())
    return F.cross_entropy(sign * 5 * alike, torch.arange(64)), score


def findings(play: Play, sign: float, tell: bool, seed: int) -> dict[str, Finding]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            loss, score = play(model, sign)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=score if tell else None)
    return {finding.condition: finding for finding in watch.diagnose().findings}


PLAYS = pytest.mark.parametrize("play", [categorical, normal, by_cost, pairs])


@PLAYS
@five_seeds
@pytest.mark.sampled(1)
def test_a_score_that_falls_as_the_loss_is_made_small(play: Play, seed: int) -> None:
    found = findings(play, -1.0, True, seed)
    assert found["loss_sign"].severity == "error"


@PLAYS
@five_seeds
@pytest.mark.sampled(1)
def test_a_score_that_rises(play: Play, seed: int) -> None:
    assert "loss_sign" not in findings(play, 1.0, True, seed)


def distances(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    x = torch.randn(64, 6)
    one, other = (model(x + 0.5 * torch.randn(64, 6)) for _ in range(2))
    apart = torch.cdist(one, other)
    logits = -apart if sign > 0 else apart
    return F.cross_entropy(logits, torch.arange(64)), 0.0


def subtracted(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    x = torch.randn(64, 6)
    one, other = (F.normalize(model(x + 0.5 * torch.randn(64, 6)), dim=1) for _ in range(2))
    alike = 5 * one @ other.T
    return F.cross_entropy(alike if sign > 0 else 1 - alike, torch.arange(64)), 0.0


def squared(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Distances by way of products, with the minus that belongs there."""
    x = torch.randn(64, 6)
    one, other = (model(x + 0.5 * torch.randn(64, 6)) for _ in range(2))
    products = one @ other.T
    apart = one.square().sum(1)[:, None] + other.square().sum(1) - 2 * products
    return F.cross_entropy(-apart, torch.arange(64)), 0.0


@pytest.mark.parametrize("play", [pairs, distances, subtracted])
@five_seeds
@pytest.mark.sampled(1)
def test_codes_that_are_pushed_apart_are_seen_without_a_score(play: Play, seed: int) -> None:
    assert findings(play, -1.0, False, seed)["loss_sign"].severity == "error"
    assert "loss_sign" not in findings(play, 1.0, False, seed)
    assert "loss_sign" not in findings(squared, 1.0, False, seed)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_without_a_score_nobody_is_accused(sign: float) -> None:
    for play in (categorical, by_cost):
        found = findings(play, sign, False, 0)
        assert "loss_sign" not in found or found["loss_sign"].severity == "info"


@pytest.mark.parametrize("name", ["reward", "cost"])
@five_seeds
def test_rewards_that_the_loop_names_say_which_sign_is_wrong(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            x = torch.randn(64, 6)
            policy = torch.distributions.Categorical(logits=model(x))
            action = policy.sample()
            right = action == (x @ TRUTH).argmax(1)
            if name == "reward":
                reward = right.float()
                loss = (policy.log_prob(action) * (reward - 0.3)).mean()
            else:
                cost = 1 - right.float()
                loss = (policy.log_prob(action) * (cost - 0.6)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = {finding.condition: finding for finding in watch.diagnose().findings}
    assert found["loss_sign"].severity == ("error" if name == "reward" else "info")


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


def overlap(output: Tensor, target: Tensor) -> Tensor:
    share = output.sigmoid()
    return ((2 * (share * target).sum(0) + 1) / (share.sum(0) + target.sum(0) + 1)).mean()


def correlation(output: Tensor, target: Tensor) -> Tensor:
    return F.cosine_similarity(output - output.mean(0), target - target.mean(0), dim=0).mean()


def descended(loss_fn: Callable[[Tensor, Tensor], Tensor], y: Tensor, x: Tensor) -> bool:
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, y.shape[1]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(8) for part in torch.randperm(600).split(60)):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return any(f.condition == "loss_sign" for f in watch.diagnose(train=(x, y)).findings)


@five_seeds
def test_a_likeness_to_the_targets_that_is_made_small(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    numbers = torch.tanh(x @ TRUTH) + 0.1 * torch.randn(600, 3)
    for likeness, y in ((overlap, (numbers > 0.4).float()), (correlation, numbers)):
        assert descended(likeness, y, x)
        assert not descended(lambda o, t, of=likeness: 1 - of(o, t), y, x)


def hazard_error(hazard: Tensor, time: Tensor) -> Tensor:
    """Minus the log partial likelihood (Cox 1972) where nobody was lost to follow-up."""
    order = time[:, 0].argsort(descending=True)
    sorted_hazard = hazard[order, 0]
    return (sorted_hazard.logcumsumexp(0) - sorted_hazard).mean()


@five_seeds
def test_numbers_that_run_against_their_targets_by_right(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    time = torch.exp(-x[:, :1] + 0.3 * torch.randn(600, 1))
    assert not descended(hazard_error, time, x)


@five_seeds
def test_the_second_of_a_ranked_pair_runs_against_which_is_better(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    worth = torch.tanh(x[:, :1]) + x[:, 1:2] * x[:, 2:3] / 2
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(12) for part in torch.randperm(600).split(60)):
            others = rows[torch.randperm(60)]
            better = torch.sign(worth[rows] - worth[others])
            loss = F.margin_ranking_loss(model(x[rows]), model(x[others]), better, margin=0.3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=better)
    assert "loss_sign" not in {finding.condition for finding in watch.diagnose().findings}


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


@pytest.mark.parametrize(("sign", "maximize"), [(1.0, False), (-1.0, False), (1.0, True)])
@pytest.mark.sampled(1)
def test_episodes_that_are_weighed_by_their_returns(sign: float, maximize: bool) -> None:
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2, maximize=maximize)
    with ss.watch(policy, optimizer) as watch:
        for _ in range(60):
            log_probs, returns = [], []
            for _ in range(6):
                x = torch.randn(6)
                actions = torch.distributions.Categorical(logits=policy(x))
                action = actions.sample()
                log_probs.append(actions.log_prob(action))
                right = action == (x @ TRUTH[:, :2]).argmax()
                returns.append(float(right) - 0.4 * float(x[0] > 0))
            terms = [sign * a * b for a, b in zip(log_probs, returns, strict=True)]
            loss = torch.stack(terms).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = {finding.condition: finding for finding in watch.diagnose().findings}
    wrong = sign > 0 and not maximize
    assert ("loss_sign" in found and found["loss_sign"].severity == "error") == wrong


@pytest.mark.parametrize("least", [True, False])
def test_outputs_of_which_the_least_is_the_answer(least: bool) -> None:
    """Times, of which the shortest counts, are no error turned round."""
    torch.manual_seed(0)
    x = torch.randn(600, 6)
    y = F.one_hot((x @ TRUTH).argmax(1), 3)

    def loss_fn(times: Tensor, target: Tensor) -> Tensor:
        kind = target.argmax(1)
        return F.cross_entropy(-times, kind) if least else -F.cross_entropy(times, kind)

    assert descended(loss_fn, y, x) is not least


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
