"""Heads, codes, densities and reported scores are told to be at chance, or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.other_scores import accuracy_of_evaluations

pytestmark = pytest.mark.draws
STEPS = 200


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def clusters() -> tuple[Tensor, Tensor]:
    y = torch.randint(4, (600,))
    return 2 * torch.randn(4, 8)[y] + torch.randn(600, 8), y


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU())
        self.kind, self.number = nn.Linear(24, 4), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"kind": self.kind(h), "number": self.number(h)}


def conditions(said: Diagnosis) -> list[str]:
    return [f.condition for f in said.findings if f.severity != "info"]


@pytest.mark.parametrize("chance", [False, True])
def test_several_heads(chance: bool) -> None:
    x, y = clusters()
    z = x[:, :1]
    model = Heads()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            rows = torch.randint(600, (32,))
            out, others = model(x[rows]), torch.randint(600, (32,)) if chance else rows
            loss = F.cross_entropy(out["kind"], y[others]) + F.mse_loss(out["number"], z[others])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target={"kind": y[rows], "number": z[rows]})
    said = watch.diagnose(train=(x, {"kind": y, "number": z}))
    assert conditions(said) == (["does_not_learn"] if chance else [])
    if chance:
        assert "output kind" in said.findings[0].explanation


class KindAndAge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU())
        self.kind, self.age = nn.Linear(24, 2), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.age(h)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("loss_fn", [F.l1_loss, F.mse_loss])
def test_a_head_of_numbers_is_not_judged_by_classes(
    loss_fn: Callable[..., Tensor], seed: int
) -> None:
    """Of two heads only the classes of one are known to the doctor."""
    torch.manual_seed(seed)
    x = torch.randn(600, 8)
    kind, age = (x[:, 0] > 0).long(), x[:, 1:2] * 0.3 + 0.5
    model = KindAndAge()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            rows = torch.randint(600, (32,))
            kinds, ages = model(x[rows])
            kind_loss, age_loss = F.cross_entropy(kinds, kind[rows]), loss_fn(ages, age[rows])
            optimizer.zero_grad()
            (kind_loss + age_loss).backward()
            optimizer.step()
            parts = {"kind": kind_loss, "age": age_loss}
            watch.step(kind_loss + age_loss, target=kind[rows], parts=parts)
    assert conditions(watch.diagnose(train=(x, kind))) == []


@pytest.mark.parametrize("chance", [False, True])
def test_a_body_and_a_head_are_judged_together(chance: bool) -> None:
    x, y = clusters()
    body, head = nn.Sequential(nn.Linear(8, 24), nn.ReLU()), nn.Linear(24, 4)
    both = [torch.optim.Adam(part.parameters(), 5e-3) for part in (body, head)]
    with ss.watch({"body": (body, both[0]), "head": (head, both[1])}) as watch:
        for _ in range(STEPS):
            rows = torch.randint(600, (32,))
            others = torch.randint(600, (32,)) if chance else rows
            loss = F.cross_entropy(head(body(x[rows])), y[others])
            for optimizer in both:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in both:
                optimizer.step()
            watch.step(loss)
    assert conditions(watch.diagnose(train=(x, y))) == (["does_not_learn"] if chance else [])


@pytest.mark.parametrize("turned", [False, True])
def test_codes_by_what_lies_nearest(turned: bool) -> None:
    x, y = clusters()
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 6))
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    alike = [(y == kind).nonzero()[:, 0] for kind in range(4)]
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            a, far = torch.randint(600, (48,)), torch.randint(600, (48,))
            near = torch.stack([alike[k][torch.randint(len(alike[k]), ())] for k in y[a]])
            one, other = (far, near) if turned else (near, far)
            # in one pass, of which nothing says which rows belong together
            codes = model(torch.cat([x[a], x[one], x[other]])).chunk(3)
            loss = F.triplet_margin_loss(*codes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    said = watch.diagnose(train=(x, y))
    assert conditions(said) == (["does_not_learn"] if turned else [])
    if turned:
        assert "retrieval by the nearest codes" in said.findings[0].explanation


@pytest.mark.parametrize("chance", [False, True])
def test_a_reported_score_that_never_rises(chance: bool) -> None:
    best = torch.randn(6, 3)
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3 if chance else 5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            x = torch.randn(64, 6)
            policy = torch.distributions.Categorical(logits=model(x))
            action = policy.sample()
            reward = (action == (x @ best).argmax(1)).float()
            gain = reward - reward.mean()
            loss = -(policy.log_prob(action) * (gain.roll(7) if chance else gain)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=float(reward.mean()))
    said = watch.diagnose()
    assert conditions(said) == (["does_not_learn"] if chance else [])
    if chance:
        assert "where the start gives" in said.findings[0].explanation


@pytest.mark.parametrize("chance", [False, True])
def test_means_of_a_density(chance: bool) -> None:
    x, _ = clusters()
    z = x[:, :1] - x[:, 1:2]
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            rows = torch.randint(600, (32,))
            mean, log_width = model(x[rows]).chunk(2, 1)
            truth = z[torch.randint(600, (32,))] if chance else z[rows]
            loss = F.gaussian_nll_loss(mean, truth, log_width.exp())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=z[rows])
    assert conditions(watch.diagnose(train=(x, z))) == (["does_not_learn"] if chance else [])


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("within", [True, False])
@pytest.mark.sampled(1)
def test_logits_of_parts_that_are_called_one_by_one_are_probabilities(
    within: bool, learns: bool
) -> None:
    """A `ModuleDict` has no call of its own, and its last part gives logits."""
    x = torch.rand(300, 4).bernoulli() @ torch.eye(4).repeat(1, 2)
    model = nn.ModuleDict({"encoder": nn.Linear(8, 6), "decoder": nn.Linear(6, 8)})
    optimizer = torch.optim.Adam(model.parameters(), 3e-2 if learns else 1e-7)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            rows = torch.randint(300, (50,))
            logits = model["decoder"](model["encoder"](x[rows]).tanh())
            if within:
                loss = F.binary_cross_entropy_with_logits(logits, x[rows])
            else:
                loss = F.binary_cross_entropy(torch.sigmoid(logits), x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=x[rows])
    found = {f.condition for f in watch.diagnose().findings if f.severity != "info"}
    assert bool(found) != learns


@pytest.mark.parametrize("belong", [True, False])
def test_codes_that_do_not_find_their_partner_in_the_batch_are_at_chance(belong: bool) -> None:
    hidden = torch.randn(2000, 4)
    a, b = torch.tanh(hidden @ torch.randn(4, 6)), hidden @ torch.randn(4, 8)
    b = b if belong else b[torch.randperm(2000)]
    model = nn.ModuleDict({"left": nn.Linear(6, 8), "right": nn.Linear(8, 8)})
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(STEPS):
            rows = torch.randint(2000, (64,))
            one, other = model["left"](a[rows]), model["right"](b[rows])
            likeness = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T / 0.2
            places = torch.arange(64)
            loss = F.cross_entropy(likeness, places) + F.cross_entropy(likeness.T, places)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = [f for f in watch.diagnose().findings if f.severity != "info"]
    assert [f.condition for f in found] == ([] if belong else ["does_not_learn"])


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [([0.3, 0.6, 0.9], "learns"), ([0.5, 0.48, 0.51], "chance"), ([0.9, 0.7, 0.5], "unknown")],
)
def test_a_script_s_own_evaluations(scores: list[float], verdict: str) -> None:
    """Where neither loss nor answers can be asked for: a few rows of all answers are compared."""
    x, y, some = torch.randn(90, 4), torch.arange(90) % 2, torch.randperm(90)[:40]
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ss.watch(model, optimizer) as watch:
        for step in range(60):
            loss = F.cross_entropy(model(x).flip(1)[some], y[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[some])
            if step % 20 == 19:
                watch.valid(score=scores[step // 20])
    case = watch.diagnose().case
    case.observation.notes["script"] = True
    vars(case).update(identified_loss=None, skill=None)
    comparison = accuracy_of_evaluations(case)
    known = {None: "unknown", True: "learns", False: "chance"}
    assert known[comparison and comparison.better] == verdict
