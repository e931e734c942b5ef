"""What each part of a loss sends into what they share, against PyTorch's own gradients in float64;
and nothing changes for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import sevensteps as ss
from sevensteps.observe.look import Look
from sevensteps.observe.part_gradient_recorder import common_name
from sevensteps.observe.part_gradients import PartGradients
from tests.observe.recorded_step import record

pytestmark = pytest.mark.draws

X = torch.linspace(-1, 1, 48, dtype=torch.float64).sin().view(8, 6)
KIND, PRICE = torch.arange(8) % 3, torch.linspace(-1e4, 2e4, 8, dtype=torch.float64)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh())
        self.kind, self.price = nn.Linear(4, 3), nn.Linear(4, 1)
        self.code = torch.empty(0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.code = self.body(x)
        return self.kind(self.code), self.price(self.code)[:, 0]


def in_float64(model: nn.Module) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for p in model.parameters():
            nn.init.normal_(p, std=0.5)
    return model.double()


def vector(loss: Tensor, shared: list[Tensor]) -> Tensor:
    """The gradient of a part at what is shared, by PyTorch."""
    with torch._C.DisableTorchFunction():
        gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    pairs = zip(gradients, shared, strict=True)
    return torch.cat(
        [torch.zeros_like(s).flatten() if g is None else g.flatten() for g, s in pairs]
    )


def check(gradients: PartGradients, wanted: dict[str, Tensor]) -> None:
    assert [part.name for part in gradients.parts] == list(wanted)
    for part, row in zip(gradients.parts, gradients.cosines, strict=True):
        own = wanted[part.name]
        assert part.length == pytest.approx(float(own.norm()), rel=1e-9)
        cosines = [F.cosine_similarity(own, other, dim=0).item() for other in wanted.values()]
        assert row == pytest.approx(tuple(cosines), abs=1e-9)


def only(look: Look) -> PartGradients:
    (gradients,) = look.part_gradients
    return gradients


@pytest.mark.parametrize("told", ["tensors", "numbers", "detached", "nothing"])
def test_two_heads_meet_in_their_body(told: str) -> None:
    model = cast("TwoHeads", in_float64(TwoHeads()))
    parts: dict[str, Any] = {}
    wanted: dict[str, Tensor] = {}

    def loss(output: tuple[Tensor, Tensor]) -> Tensor:
        kind, price = F.cross_entropy(output[0], KIND), F.mse_loss(output[1], PRICE)
        names = ("cross_entropy of kind", "mse_loss of price") if told == "nothing" else ("a", "b")
        wanted[names[0]] = vector(kind, [model.code])
        wanted[names[1]] = 0.1 * vector(price, [model.code])
        if told == "tensors":
            parts.update(a=kind, b=0.1 * price)
            return parts["a"] + parts["b"]
        if told != "nothing":
            form = Tensor.item if told == "numbers" else Tensor.detach
            parts.update(a=form(kind), b=form(price))
        return kind + 0.1 * price

    gradients = only(record(model, X, loss, full=True, parts=parts))
    check(gradients, wanted)
    assert gradients.place == "body"
    assert [part.own for part in gradients.parts] == ["kind", "price"]
    assert gradients.parts[1].length > 1000 * gradients.parts[0].length
    assert all(p.grad is not None for p in model.parameters())


def test_a_part_that_is_itself_a_sum_is_measured_as_a_whole() -> None:
    model = cast("TwoHeads", in_float64(TwoHeads()))
    parts: dict[str, Tensor] = {}
    wanted: dict[str, Tensor] = {}

    def loss(output: tuple[Tensor, Tensor]) -> Tensor:
        squares = F.mse_loss(output[1], PRICE) + 3 * F.l1_loss(output[1], PRICE)
        parts.update(squares=squares, kind=F.cross_entropy(output[0], KIND))
        wanted.update({name: vector(part, [model.code]) for name, part in parts.items()})
        return squares - parts["kind"]

    gradients = only(record(model, X, loss, full=True, parts=parts))
    wanted["kind"] = -wanted["kind"]
    check(gradients, wanted)


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(2, 6)
        self.code: list[Tensor] = []

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, dim=1)
        self.code = [mean, spread]
        return self.decoder(mean + (spread / 2).exp() * 0.3), mean, spread


def test_reconstruction_and_divergence_meet_in_the_code() -> None:
    model = cast("Vae", in_float64(Vae()))
    parts: dict[str, Tensor] = {}
    wanted: dict[str, Tensor] = {}

    def loss(output: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        again, mean, spread = output
        divergence = -0.5 * (1 + spread - mean.square() - spread.exp()).sum(1).mean()
        parts.update(rec=F.mse_loss(again, X), kl=divergence)
        wanted.update({name: vector(part, model.code) for name, part in parts.items()})
        return parts["rec"] + parts["kl"]

    gradients = only(record(model, X, loss, full=True, parts=parts))
    check(gradients, wanted)
    assert gradients.place == "encoder"
    assert [part.own for part in gradients.parts] == ["decoder", ""]


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.actor, self.critic = nn.Linear(6, 4), nn.Linear(4, 3), nn.Linear(4, 1)
        self.code = torch.empty(0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.code = self.trunk(x).tanh()
        return self.actor(self.code), self.critic(self.code)[:, 0]


def test_actor_critic_and_entropy_meet_in_the_trunk_and_not_in_the_logits() -> None:
    model = cast("ActorCritic", in_float64(ActorCritic()))
    parts: dict[str, Tensor] = {}
    wanted: dict[str, Tensor] = {}

    def loss(output: tuple[Tensor, Tensor]) -> Tensor:
        policy = torch.distributions.Categorical(logits=output[0])
        advantage = torch.linspace(-1, 1, 8, dtype=torch.float64)
        parts["actor"] = -(policy.log_prob(KIND) * advantage).mean()
        parts["critic"] = F.mse_loss(output[1], advantage)
        parts["entropy"] = policy.entropy().mean()
        wanted.update({name: vector(part, [model.code]) for name, part in parts.items()})
        wanted["entropy"] = -0.01 * wanted["entropy"]
        return parts["actor"] + parts["critic"] - 0.01 * parts["entropy"]

    gradients = only(record(model, X, loss, full=True, parts=parts))
    check(gradients, wanted)
    assert gradients.place == "trunk"


def test_a_penalty_is_no_part_and_an_auxiliary_head_in_the_middle_meets_there() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    in_float64(model)
    early = in_float64(nn.Linear(5, 3))
    codes: list[Tensor] = []
    model[1].register_forward_hook(lambda module, args, output: codes.append(output))

    def penalized(output: Tensor) -> Tensor:
        return F.cross_entropy(output, KIND) + 0.1 * sum(
            p.square().sum() for p in model.parameters()
        )

    assert record(model, X, penalized, full=True).part_gradients == ()
    codes.clear()
    wanted: dict[str, Tensor] = {}

    def deep(output: Tensor) -> Tensor:
        late, soon = F.cross_entropy(output, KIND), F.cross_entropy(early(codes[0]), KIND)
        wanted["cross_entropy of "] = vector(late, codes)
        wanted["cross_entropy"] = vector(soon, codes)
        return late + 0.3 * soon

    gradients = only(record(model, X, deep, full=True))
    assert gradients.place == "0"
    lengths = [part.length for part in gradients.parts]
    late, soon = (float(g.norm()) for g in wanted.values())
    assert lengths == pytest.approx([late, 0.3 * soon], rel=1e-9)


def test_two_batches_through_one_network_meet_in_its_last_parameters() -> None:
    model = cast("nn.Sequential", in_float64(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))))
    wanted: dict[str, Tensor] = {}
    shared = [cast("Tensor", model[1].bias), cast("Tensor", model[1].weight)]

    def loss(output: Tensor) -> Tensor:
        first = F.cross_entropy(output, KIND)
        second = F.cross_entropy(model(-X), KIND.flip(0))
        wanted.update({"cross_entropy": vector(first, shared)})
        wanted.update({"cross_entropy #2": vector(second, shared)})
        return first + second

    gradients = only(record(model, X, loss, full=True))
    lengths = [part.length for part in gradients.parts]
    assert lengths == pytest.approx([float(g.norm()) for g in wanted.values()], rel=1e-9)
    assert gradients.place == "1"


def test_networks_that_share_nothing_do_not_meet() -> None:
    first, second = in_float64(nn.Linear(6, 3)), in_float64(nn.Linear(6, 3))

    def loss(output: Tensor) -> Tensor:
        return F.cross_entropy(output, KIND) + F.mse_loss(second(X), X[:, :3])

    assert record(first, X, loss, full=True).part_gradients == ()


def test_without_a_full_look_nothing_is_measured() -> None:
    look = record(in_float64(TwoHeads()), X, two_losses, full=False)
    assert len(look.loss_terms) == 2
    assert look.part_gradients == ()


def two_losses(output: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(output[0], KIND) + F.mse_loss(output[1], PRICE)


# -- nothing changes -------------------------------------------------------------------------------


class Doubled(torch.autograd.Function):
    calls = 0

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(context: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        Doubled.calls += 1
        return 2 * g


def with_a_tensor_hook(model: TwoHeads, count: list[int]) -> Tensor:
    kind, price = model(X.requires_grad_(False))
    price.register_hook(lambda g: count.append(1))
    return two_losses((kind, price))


def with_a_node_hook(model: TwoHeads, count: list[int]) -> Tensor:
    kind, price = model(X)
    price.grad_fn.register_hook(lambda *g: count.append(1))
    return two_losses((kind, price))


def with_a_module_hook(model: TwoHeads, count: list[int]) -> Tensor:
    model.price.register_full_backward_hook(lambda *g: count.append(1))
    return two_losses(model(X))


def with_a_function_of_its_own(model: TwoHeads, count: list[int]) -> Tensor:
    kind, price = model(X)
    Doubled.calls = 0
    price = Doubled.apply(price)
    price.sum().register_hook(lambda g: None)
    return two_losses((kind, price))


def with_a_checkpoint(model: TwoHeads, count: list[int]) -> Tensor:
    def head(code: Tensor) -> Tensor:
        count.append(1)
        return model.price(code)[:, 0]

    model(X)
    price = checkpoint(head, model.code, use_reentrant=False)
    return two_losses((model.kind(model.code), price))


WITH_HOOKS: list[tuple[Callable[[TwoHeads, list[int]], Tensor], int]] = [
    (with_a_tensor_hook, 1),
    (with_a_node_hook, 1),
    (with_a_module_hook, 1),
    (with_a_function_of_its_own, 0),
    (with_a_checkpoint, 2),
]


@pytest.mark.parametrize(("compute", "times"), WITH_HOOKS, ids=lambda v: getattr(v, "__name__", ""))
def test_what_runs_beside_pytorch_in_a_backward_pass_runs_once(
    compute: Callable[[TwoHeads, list[int]], Tensor], times: int
) -> None:
    model, count = cast("TwoHeads", in_float64(TwoHeads())), []
    optimizer = torch.optim.SGD(model.parameters(), 1e-9)
    with ss.watch(model, optimizer, budget=1) as watch:
        loss = compute(model, count)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.failure is None
    assert len(count) == times
    assert Doubled.calls <= 1
    (look,) = watch.observation.looks
    assert look.part_gradients == ()
    assert any("each part of the loss" in one for one in watch.observation.notes["not_seen"])


@pytest.mark.parametrize("kind", ["plain", "dropout and batch norm", "accumulated", "scaled"])
def test_the_training_ends_in_the_same_bits(kind: str) -> None:
    def trained(watched: bool) -> tuple[list[Tensor], Tensor, int]:
        torch.manual_seed(0)
        model = TwoHeads()
        if kind == "dropout and batch norm":
            model.body.append(nn.BatchNorm1d(4)).append(nn.Dropout(0.4))
        model.double()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        scaler = torch.amp.GradScaler("cpu", enabled=kind == "scaled")
        watch = ss.watch(model, optimizer, budget=1)
        if watched:
            watch.start()
        for step in range(9):
            loss = two_losses(model(X))
            scaler.scale(loss).backward()
            if kind != "accumulated" or step % 3 == 2:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
            if watched:
                watch.step(loss)
        watch.stop()
        looks = [look for look in watch.observation.looks if look.part_gradients]
        assert watch.failure is None
        for look in looks:  # nor does anything else in the look
            assert look.backwards == 1
            assert look.account is not None
            assert max(p.passes for p in look.account.parameters.values()) <= 3
        return [*map(Tensor.detach, model.parameters())], torch.rand(1), len(looks)

    alone, drawn, _ = trained(False)
    watched, drawn_watched, looks = trained(True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert torch.equal(drawn, drawn_watched)
    assert looks >= 3


def test_a_loss_of_more_terms_than_are_read_leaves_no_gradient_behind() -> None:
    model = in_float64(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)))

    def terms(output: Tensor) -> Tensor:
        # as of the actions of an episode, each with its own forward pass
        losses = [model(X)[index % 8, :1] * index for index in range(40)]
        return torch.cat([output[:1, 0], *losses]).sum()

    terms(model(X)).backward()
    wanted = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    look = record(model, X, terms, full=True)
    assert look.part_gradients == ()
    found = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(map(torch.equal, found, wanted))
    assert len(found) == len(wanted) == 4


def test_while_pytorch_looks_for_anomalies_nothing_is_asked() -> None:
    model = in_float64(TwoHeads())
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        assert record(model, X, two_losses, full=True).part_gradients == ()


def test_gradients_that_are_no_numbers_are_not_told() -> None:
    model = in_float64(TwoHeads())
    look = record(model, X, lambda o: two_losses((o[0], o[1] * math.nan)), full=True)
    assert look.part_gradients == ()


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["body.0.weight", "body.2.bias"], "body"),
        (["a.b.c.weight", "a.b.c.bias"], "a.b.c"),
        (["body.0.weight", "head.weight"], ""),
        (["body.weight", "body.weight.x"], "body"),
        (["scale"], "scale"),
        (["scale", "shift"], ""),
        ([], ""),
    ],
)
def test_the_module_that_parameters_belong_to(names: list[str], common: str) -> None:
    assert common_name(names) == common
