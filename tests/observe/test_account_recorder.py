"""The account of a step says what the loop did with the gradient, and changes no bit of it."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sevensteps.observe.account_recorder import AccountRecorder
from sevensteps.observe.step_account import ParameterAccount, StepAccount
from sevensteps.observe.step_hooks import StepHooks

pytestmark = pytest.mark.draws
Optimizers = Sequence[torch.optim.Optimizer]


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def batch(step: int, rows: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(rows, 6, generator=generator)
    return x, torch.randint(0, 3, (rows,), generator=generator)


def gradient_of(model: nn.Module, step: int) -> list[Tensor]:
    """The gradient of one batch alone, computed apart."""
    x, y = batch(step)
    return list(torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters())))


def norms(tensors: Sequence[Tensor]) -> list[float]:
    return [float(t.norm()) for t in tensors]


def accounts(
    networks: nn.Module | Mapping[str, nn.Module],
    optimizers: Optimizers,
    step: Callable[[int], Any],
    steps: int = 4,
    looked: Callable[[int], bool] = lambda _: True,
) -> list[StepAccount | None]:
    """Train by calling `step(number)`, which returns the loss, and look at some of the steps."""
    networks = {"": networks} if isinstance(networks, nn.Module) else networks
    recorder = AccountRecorder(networks, optimizers)
    hooks = StepHooks(networks, optimizers, [recorder])
    accounts: list[StepAccount | None] = []
    for number in range(steps):
        if not looked(number):
            step(number)
            recorder.marks.note()
            accounts.append(None)
            continue
        recorder.arm()
        hooks.register()
        loss = step(number)
        accounts.append(recorder.account(loss))
        hooks.remove()
        recorder.disarm()
        account = accounts[-1]
        assert account is not None
        assert StepAccount.from_dict(account.to_dict()) == account
    return accounts


def rows(account: StepAccount | None) -> list[ParameterAccount]:
    assert account is not None
    return list(account.parameters.values())


def plain(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_plain_step_uses_its_own_gradient_and_nothing_else() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = copy.deepcopy(model)
    (account,) = accounts(model, [optimizer], plain(model, optimizer), 1)
    assert account is not None
    gradients = norms(gradient_of(before, 0))
    for (name, row), norm, p, old in zip(
        account.parameters.items(), gradients, model.parameters(), before.parameters(), strict=True
    ):
        assert (row.group, row.passes, row.accumulated, row.discarded) == (0, 1, 1, 0), name
        assert (row.leftover, row.stepped) == (0, True)
        assert row.gradient == pytest.approx(norm, rel=1e-5)
        assert row.used == row.gradient
        assert row.weight == pytest.approx(float(p.detach().square().mean().sqrt()), rel=1e-5)
        assert row.update == pytest.approx(
            float((p - old).detach().square().mean().sqrt()), rel=1e-5
        )
        assert row.pushed == p.numel()
        assert row.unmoved == int((p == old).sum())
    (group,) = account.groups
    assert (group.kind, group.lr, group.initial_lr, group.steps) == ("SGD", 0.1, None, 1)
    assert account.strangers == ()
    assert not account.rootless


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.kind, self.price = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.body(x))
        return self.kind(h), self.price(h)


def test_another_head_that_comes_first_in_the_backward_pass_leaves_nothing_over() -> None:
    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters())

    def step(number: int) -> Tensor:
        x, y = batch(number)
        kind, price = model(x)
        optimizer.zero_grad()
        loss = F.cross_entropy(kind, y)
        loss.backward(retain_graph=True)
        second = price.square().mean()
        second.backward()
        optimizer.step()
        return loss + second

    for account in accounts(model, [optimizer], step):
        assert account is not None
        assert [row.leftover for row in rows(account)] == [0] * 6
        passes = {name: row.accumulated for name, row in account.parameters.items()}
        assert passes["body.weight"] == 2
        assert passes["kind.weight"] == passes["price.weight"] == 1


@pytest.mark.parametrize("set_to_none", [True, False])
def test_what_was_not_cleared_is_measured_for_each_parameter(set_to_none: bool) -> None:
    model = dense()
    body, head = list(model.parameters())[:2], list(model.parameters())[2:]
    first = torch.optim.SGD(body, lr=0.1)
    second = torch.optim.SGD(head, lr=0.1)
    sums: list[list[float]] = []  # norms of what had been added up before each step

    def step(number: int) -> Tensor:
        x, y = batch(number)
        first.zero_grad(set_to_none=set_to_none)
        sums.append(norms([p.grad for p in head if p.grad is not None]))
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss

    for number, account in enumerate(accounts(model, [first, second], step)):
        assert [row.leftover for row in rows(account)[:2]] == [0, 0]
        wanted = pytest.approx(sums[number], rel=1e-5) if number else [0, 0]
        assert [row.leftover for row in rows(account)[2:]] == wanted
        assert all(row.stepped for row in rows(account))


def test_what_was_left_is_known_after_steps_that_nobody_looked_at() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    seen = accounts(model, [optimizer], step, 12, lambda number: number in (0, 5, 11))
    assert all((row.leftover or 0) > 0 for number in (5, 11) for row in rows(seen[number]))


@pytest.mark.parametrize("looked", [lambda _: True, lambda n: n in (0, 3, 6, 7, 8, 11)])
def test_accumulation_on_purpose_leaves_nothing_over(looked: Callable[[int], bool]) -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        if number % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    for number, account in enumerate(accounts(model, [optimizer], step, 12, looked)):
        if account is None:
            continue
        assert all(not row.leftover for row in rows(account))
        assert all(row.discarded == 0 for row in rows(account))
        assert all(row.stepped == (number % 4 == 3) for row in rows(account))
        if looked(1):
            assert [row.accumulated for row in rows(account)] == [number % 4 + 1] * 4


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_cleared_before_they_were_used_are_counted(set_to_none: bool) -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad(set_to_none=set_to_none)
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        if number % 4 == 3:
            optimizer.step()
        return loss

    seen = accounts(model, [optimizer], step, 12)
    discarded = [[row.discarded for row in rows(account)] for account in seen]
    assert discarded == [[0 if number % 4 == 0 else 1] * 4 for number in range(12)]
    # and across steps that nobody looked at, where it is sure
    seen = accounts(model, [optimizer], step, 7, lambda number: number in (4, 6))
    assert [row.discarded for row in rows(seen[6])] == [1] * 4


def test_gradients_thrown_away_within_one_report_are_counted() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        for part in range(4):
            x, y = batch(4 * number + part)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) / 4
            loss.backward()
        optimizer.step()
        return loss

    for account in accounts(model, [optimizer], step, 3):
        assert [(r.passes, r.accumulated, r.discarded) for r in rows(account)] == [(4, 1, 3)] * 4


def adversarial(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)
        x.requires_grad_()
        F.cross_entropy(model(x), y).backward()
        assert x.grad is not None
        x = (x + 0.01 * x.grad.sign()).detach()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def sharpness_aware(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            climbs = [0.01 * p.grad for p in model.parameters() if p.grad is not None]
            for p, climb in zip(model.parameters(), climbs, strict=True):
                p.add_(climb)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p, climb in zip(model.parameters(), climbs, strict=True):
                p.sub_(climb)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def line_search(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")

    def step(number: int) -> Tensor:
        x, y = batch(0)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)  # type: ignore[no-any-return, no-untyped-call]

    return step


def stepped_in_a_closure(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)

        def closure() -> Tensor:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            return loss

        return optimizer.step(closure)  # type: ignore[return-value, arg-type]

    return step


def checkpointed(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        output: Any = checkpoint(model, x.requires_grad_(), use_reentrant=number % 2 == 0)
        loss = F.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def by_hand(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    def step(number: int) -> Tensor:
        x, y = batch(number)
        loss = F.cross_entropy(model(x), y)
        parameters = list(model.parameters())
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.data -= 0.1 * g
        return loss

    return step


def scaled(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**117, growth_interval=3)  # overflows

    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = 1e4 * F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss

    return step


def averaged(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    ema = torch.optim.swa_utils.AveragedModel(model)
    one = plain(model, optimizer)

    def step(number: int) -> Tensor:
        loss = one(number)
        ema.update_parameters(model)
        return loss

    return step


def hooked(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[int], Tensor]:
    for p in model.parameters():
        p.register_hook(lambda g: 2 * g)
    return plain(model, optimizer)


def in_the_backward_pass(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[int], Tensor]:
    for p in model.parameters():
        own = torch.optim.SGD([p], lr=0.1)

        def use(p: Tensor, own: torch.optim.Optimizer = own) -> None:
            own.step()
            own.zero_grad()

        p.register_post_accumulate_grad_hook(use)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    return step


LOOPS: dict[str, Callable[[nn.Module, torch.optim.Optimizer], Callable[[int], Tensor]]] = {
    "plain": plain,
    "adversarial": adversarial,
    "sharpness-aware": sharpness_aware,
    "LBFGS": line_search,
    "closure": stepped_in_a_closure,
    "checkpointed": checkpointed,
    "by hand": by_hand,
    "scaler": scaled,
    "EMA": averaged,
    "gradient hooks": hooked,
    "stepped in the backward pass": in_the_backward_pass,
}


@pytest.mark.filterwarnings("ignore:The \\.grad attribute of a Tensor")
@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("every", [1, 3])
def test_healthy_loops_leave_nothing_over_throw_nothing_away_and_keep_their_bits(
    name: str, every: int
) -> None:
    models = []
    for watched in (False, True):
        torch.manual_seed(1)
        model = dense()
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=0.01)
        step = LOOPS[name](model, optimizer)
        if watched:
            for account in accounts(model, [optimizer], step, 9, lambda n: n % every == 0):
                if account is not None:
                    assert all(not row.leftover for row in rows(account))
                    assert all(row.discarded == 0 for row in rows(account))
                    assert account.strangers in ((), None)
        else:
            for number in range(9):
                step(number)
        models.append(model)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None and b.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("order", ["D first", "G first"])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("every", [1, 2])
def test_what_the_generator_sends_into_the_discriminator_is_no_leftover(
    order: str, both: bool, every: int
) -> None:
    generator, discriminator = nn.Linear(4, 6), nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 1))
    g_opt = torch.optim.Adam(generator.parameters(), 1e-3)
    d_opt = torch.optim.Adam(discriminator.parameters(), 1e-3)
    networks: Any = {"G": generator, "D": discriminator} if both else {"D": discriminator}
    ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)

    def step(number: int) -> Tensor:
        real, z = batch(number)[0], torch.randn(16, 4)

        def train_d() -> Tensor:
            d_opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(discriminator(real), ones)
            loss = loss + F.binary_cross_entropy_with_logits(
                discriminator(generator(z).detach()), zeros
            )
            loss.backward()
            d_opt.step()
            return loss

        def train_g() -> Tensor:
            g_opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(discriminator(generator(z)), ones)
            loss.backward()
            g_opt.step()
            return loss

        if order == "D first":
            train_d()
            return train_g()
        train_g()
        return train_d()

    seen = accounts(
        networks, [g_opt, d_opt] if both else [d_opt], step, 8, lambda n: n % every == 0
    )
    for account in seen:
        if account is not None:
            assert all(not row.leftover for row in rows(account))
            assert all(row.discarded == 0 for row in rows(account))


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("report", ["each critic step", "each round"])
def test_what_a_critic_sends_into_the_generator_is_not_thrown_away(
    apart: bool, report: str
) -> None:
    generator, critic = nn.Linear(4, 6), nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 1))
    g_opt = torch.optim.Adam(generator.parameters(), 1e-3)
    c_opt = torch.optim.Adam(critic.parameters(), 1e-3)

    def train_critic(number: int) -> Tensor:
        c_opt.zero_grad()
        fake = critic(generator(torch.randn(16, 4))).mean()  # no detach()
        real = -critic(batch(number)[0]).mean()
        for loss in (fake, real) if apart else (fake + real,):
            loss.backward()
        c_opt.step()
        return real

    def train_generator() -> Tensor:
        g_opt.zero_grad()
        loss = -critic(generator(torch.randn(16, 4))).mean()
        loss.backward()
        g_opt.step()
        return loss

    def clear_each(number: int) -> Tensor:
        g_opt.zero_grad()
        return train_critic(number)

    def step(number: int) -> Tensor:
        if report == "each critic step":
            return train_generator() if number % 4 == 3 else clear_each(number)
        for part in range(3):
            clear_each(3 * number + part)
        return train_generator()

    for account in accounts({"G": generator, "D": critic}, [g_opt, c_opt], step, 12):
        assert all(row.discarded == 0 for row in rows(account))


def test_clipping_before_unscaling_shows_in_the_gradient_used() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss

    before = copy.deepcopy(model)
    account = accounts(model, [optimizer], step, 1)[0]
    assert account is not None
    assert account.groups[0].scale == 65536
    used = math.sqrt(sum((row.used or 0) ** 2 for row in rows(account)))
    after = math.sqrt(sum((row.gradient or 0) ** 2 for row in rows(account)))
    true = math.sqrt(sum(norm**2 for norm in norms(gradient_of(before, 0))))
    assert used == pytest.approx(1 / 65536, rel=1e-3)
    assert after == pytest.approx(65536 * true, rel=1e-3)


def test_a_fused_optimizer_that_divides_by_the_scale_itself_uses_the_true_gradient() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    before = copy.deepcopy(model)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        return loss

    account = accounts(model, [optimizer], step, 1)[0]
    used = [row.used for row in rows(account)]
    assert used == pytest.approx(norms(gradient_of(before, 0)), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_entries_whose_update_rounds_to_nothing_are_counted(dtype: torch.dtype) -> None:
    model = nn.Linear(6, 3, bias=False).to(dtype)
    with torch.no_grad():
        model.weight.copy_(torch.linspace(0.5, 4, 18).view(3, 6))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    before = model.weight.detach().clone()

    def step(number: int) -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(2, 6, dtype=dtype)).sum()
        loss.backward()
        optimizer.step()
        return loss

    (row,) = rows(accounts(model, [optimizer], step, 1)[0])
    assert (row.pushed, row.dtype) == (18, str(dtype).removeprefix("torch."))
    # by hand: the gradient is 2 everywhere, the step .002; bfloat16 has 8 bits
    moved = sum((w - 0.002 * torch.ones(())).to(dtype) != w for w in before.flatten())
    assert row.unmoved == 18 - int(moved)
    assert (row.unmoved > 0) == (dtype == torch.bfloat16)


def test_tied_weights_are_counted_once_and_sparse_gradients_measured() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.embedding.weight
            self.sparse = nn.Embedding(10, 4, sparse=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embedding(x) + self.sparse(x))

    model = Tied()
    tied = torch.optim.SGD([model.head.weight], lr=0.1)
    sparse = torch.optim.SparseAdam([model.sparse.weight], lr=0.1)
    x = torch.tensor([1, 2, 2, 5])
    before = copy.deepcopy(model)

    def step(number: int) -> Tensor:
        tied.zero_grad()
        sparse.zero_grad()
        loss = F.cross_entropy(model(x), x)
        loss.backward()
        tied.step()
        sparse.step()
        return loss

    seen = accounts(model, [tied, sparse], step, 3)
    loss = F.cross_entropy(before(x), x)
    gradients = torch.autograd.grad(loss, [before.head.weight, before.sparse.weight])
    account = seen[0]
    assert account is not None
    assert set(account.parameters) == {"embedding.weight", "sparse.weight"}
    wanted = [float(gradients[0].norm()), float(gradients[1].to_dense().norm())]
    assert [row.used for row in rows(account)] == pytest.approx(wanted, rel=1e-5)
    assert [(row.passes, row.leftover) for row in rows(seen[2])] == [(1, 0), (1, 0)]


class PlainList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(6, 8), nn.Linear(8, 8)]
        self.out = nn.Linear(8, 3)
        self.gain = nn.Parameter(torch.ones(3)) * 2.0
        self.memory = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        self.memory = x  # an output that is remembered: no parameter
        return self.out(x) * self.gain


def test_layers_in_a_plain_list_are_strangers() -> None:
    model = PlainList()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward(retain_graph=True)
        optimizer.step()
        return loss

    account = accounts(model, [optimizer], step, 1)[0]
    assert account is not None
    assert account.strangers is not None
    assert {s.place: s.shape for s in account.strangers} == {
        "hidden[0].weight": (8, 6),
        "hidden[0].bias": (8,),
        "hidden[1].weight": (8, 8),
        "hidden[1].bias": (8,),
        "gain": (3,),
    }
    # an optimizer that has them all trains them
    every = [*model.parameters(), *(p for layer in model.hidden for p in layer.parameters())]
    optimizer = torch.optim.SGD(every, lr=0.1)
    account = accounts(model, [optimizer], step, 1)[0]
    assert account is not None
    assert account.strangers is not None
    assert [s.place for s in account.strangers] == ["gain"]


def test_a_loss_without_a_graph_is_rootless() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(number: int) -> Tensor:
        x, y = batch(number)
        loss = F.cross_entropy(model(x).detach(), y)
        loss.requires_grad = True
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    account = accounts(model, [optimizer], step, 1)[0]
    assert account is not None
    assert account.rootless
    assert all(row.passes == 0 and not row.stepped for row in rows(account))


def test_parameters_that_join_or_thaw_later_have_their_account() -> None:
    model = dense()
    head = list(model.parameters())[2:]
    for p in list(model.parameters())[:2]:
        p.requires_grad_(False)
    optimizer = torch.optim.SGD(head, lr=0.1)
    one = plain(model, optimizer)

    def step(number: int) -> Tensor:
        if number == 2:
            for p in list(model.parameters())[:2]:
                p.requires_grad_(True)
            optimizer.add_param_group({"params": list(model.parameters())[:2], "lr": 0.01})
        return one(number)

    seen = accounts(model, [optimizer], step, 4)
    assert [len(rows(account)) for account in seen] == [2, 2, 2, 4]
    assert [(row.group, row.leftover) for row in rows(seen[3])] == [(1, 0)] * 2 + [(0, 0)] * 2


def test_a_schedule_shows_beside_the_rate_it_began_with() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 10))
    one = plain(model, optimizer)

    def step(number: int) -> Tensor:
        loss = one(number)
        schedule.step()
        return loss

    for number, account in enumerate(accounts(model, [optimizer], step, 3)):
        assert account is not None
        assert account.groups[0].initial_lr == 0.5
        assert account.groups[0].lr == pytest.approx(0.05 * (number + 1))


def test_what_autograd_is_asked_for_is_added_nowhere_and_hooks_of_others_stay() -> None:
    model, told = dense(), list[Tensor]()
    recorder = AccountRecorder({"": model}, [])
    weight = next(model.parameters())
    weight.register_hook(told.append)
    recorder.arm()
    loss = model(torch.ones(3, next(model.parameters()).shape[1])).square().mean()
    torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    torch.autograd.backward(loss, inputs=list(model.parameters())[:1])
    recorder.disarm()
    passes = {name: own.passes for name, own in recorder.account().parameters.items()}
    assert passes["0.weight"] == 1
    assert sum(passes.values()) == 1
    assert len(told) == 2
    assert len(weight._backward_hooks or {}) == 1


def test_nothing_is_left_on_the_model_and_it_copies_as_it_did() -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = AccountRecorder({"": model}, [optimizer])
    saved = pickle.dumps(model)
    recorder.arm()
    plain(copy.deepcopy(model), optimizer)
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    assert pickle.dumps(model) == saved
    recorder.disarm()
    assert all(p._backward_hooks is None for p in model.parameters())
    assert before == {name: set(vars(module)) for name, module in model.named_modules()}
    plain(model, optimizer)(0)
    assert recorder.account().parameters["0.weight"].passes == 0  # the hooks are gone
