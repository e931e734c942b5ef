"""Training loops of every kind, each a few steps long: what they train, and how."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

import sevensteps as ss
from sevensteps.observe.any_loop_watcher import AnyLoopWatcher

# a loop hands over what is watched, then after each step what `watch.step` is told
Loop = Callable[[], Iterator[Any]]
STEPS = 4


def sgd(*modules: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for m in modules for p in m.parameters()], lr=lr)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def dense(inputs: int = 6, outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))


def gan() -> Iterator[Any]:
    g, d = dense(2, 2), dense(2, 1)
    for_g, for_d = sgd(g), sgd(d)
    yield {"G": (g, for_g), "D": (d, for_d)}, None
    for _ in range(STEPS):
        fake = g(torch.randn(8, 2))
        real_loss = F.softplus(-d(torch.randn(8, 2))).mean()
        d_loss = real_loss + F.softplus(d(fake.detach())).mean()
        update(for_d, d_loss)
        g_loss = F.softplus(-d(fake)).mean()
        update(for_g, g_loss)
        yield d_loss + g_loss, {"parts": {"D": d_loss, "G": g_loss}}


def container() -> Iterator[Any]:
    both = nn.ModuleDict({"G": dense(2, 2), "D": dense(2, 1)})
    for_g, for_d = sgd(both["G"]), sgd(both["D"])
    yield both, [for_d, for_g]
    for _ in range(STEPS):
        fake = both["G"](torch.randn(8, 2))
        loss = F.softplus(both["D"](fake.detach())).mean()
        update(for_d, loss)
        update(for_g, F.softplus(-both["D"](fake)).mean())
        yield loss, {}


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(6, 4), dense(2, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(code), mean, log_variance


def vae() -> Iterator[Any]:
    network = Vae()
    optimizer = sgd(network, lr=0.01)
    yield network, optimizer
    for _ in range(STEPS):
        x = torch.randn(8, 6)
        again, mean, log_variance = network(x)
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
        rec = F.mse_loss(again, x)
        update(optimizer, rec + kl)
        yield rec + kl, {"target": x, "parts": {"kl": kl, "rec": rec}}


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.actor, self.critic = dense(4, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"value": self.critic(h)[:, 0], "logits": self.actor(h)}


def actor_critic() -> Iterator[Any]:
    network = ActorCritic()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        out = network(torch.randn(8, 4))
        policy = torch.distributions.Categorical(logits=out["logits"])
        action, reward = policy.sample(), torch.randn(8)
        advantage = (reward - out["value"]).detach()
        loss = -(policy.log_prob(action) * advantage).mean() + F.mse_loss(out["value"], reward)
        update(optimizer, loss)
        yield loss, {"score": reward.mean()}


class LanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8, padding_idx=0)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.block(self.embedding(ids), src_mask=mask))


def tied_language_model() -> Iterator[Any]:
    network = LanguageModel()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    yield network, optimizer
    for _ in range(STEPS):
        ids = torch.randint(1, 11, (4, 7))
        mask = nn.Transformer.generate_square_subsequent_mask(6)
        logits = network(ids=ids[:, :-1], mask=mask)
        loss = F.cross_entropy(logits.reshape(-1, 11), ids[:, 1:].reshape(-1))
        update(optimizer, loss)
        yield loss, {"target": ids[:, 1:]}


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, (last, _) = self.memory(packed)
        pad_packed_sequence(out, batch_first=True)
        return self.head(last[-1])


def packed_lstm() -> Iterator[Any]:
    network = Packed()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        x, y = torch.randn(6, 5, 3), torch.randint(2, (6,))
        loss = F.cross_entropy(network(x, torch.tensor([5, 3, 1, 4, 2, 5])), y)
        update(optimizer, loss)
        yield loss, {"target": y}


def cell_in_a_loop() -> Iterator[Any]:
    cell = nn.GRUCell(3, 5)
    optimizer = sgd(cell)
    yield cell, optimizer
    for _ in range(STEPS):
        h = torch.zeros(4, 5)
        for x in torch.randn(6, 4, 3):
            h = cell(x, h)
        loss = h.square().mean()
        update(optimizer, loss)
        yield loss, {}


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.into, self.middle, self.out = nn.Linear(6, 8), dense(8, 8), nn.Linear(8, 3)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(self.middle, self.into(x), use_reentrant=self.reentrant)
        return self.out(F.dropout(h, 0.1))


def checkpointed(reentrant: bool) -> Loop:
    def loop() -> Iterator[Any]:
        network = Checkpointed(reentrant)
        optimizer = sgd(network)
        yield network, optimizer
        for _ in range(STEPS):
            x, y = torch.randn(8, 6), torch.randint(3, (8,))
            loss = F.cross_entropy(network(x), y)
            update(optimizer, loss)
            yield loss, {"target": y}

    return loop


def lbfgs() -> Iterator[Any]:
    network = dense(6, 1)
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=4)
    yield network, optimizer
    x, y = torch.randn(16, 6), torch.randn(16, 1)
    for _ in range(STEPS):

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.mse_loss(network(x), y)
            loss.backward()
            return loss

        yield optimizer.step(closure), {"target": y}


def accumulation() -> Iterator[Any]:
    network = dense()
    optimizer = sgd(network)
    yield network, optimizer
    for step in range(2 * STEPS):
        x, y = torch.randn(8, 6), torch.randint(3, (8,))
        loss = F.cross_entropy(network(x), y) / 2
        loss.backward()
        if step % 2:
            optimizer.step()
            optimizer.zero_grad()
        yield loss, {"target": y}


def averaged_copy() -> Iterator[Any]:
    network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    optimizer = sgd(network)
    yield network, optimizer
    average = copy.deepcopy(network)
    for _ in range(STEPS):
        x, y = torch.randn(8, 6), torch.randint(3, (8,))
        loss = F.cross_entropy(network(x), y) + F.mse_loss(network(x), average(x).detach())
        update(optimizer, loss)
        with torch.no_grad():
            for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
                ours.lerp_(theirs, 0.1)
        average = copy.deepcopy(average)
        yield loss, {"target": y}


def scaled_half_precision() -> Iterator[Any]:
    network = dense()
    optimizer = sgd(network)
    yield network, optimizer
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for step in range(STEPS):
        x, y = torch.randn(8, 6), torch.randint(3, (8,))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(network(x), y) * (torch.inf if step == 1 else 1.0)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        yield loss, {"target": y}


def bfloat16() -> Iterator[Any]:
    network = dense().to(torch.bfloat16)
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        x, y = torch.randn(8, 6, dtype=torch.bfloat16), torch.randint(3, (8,))
        loss = F.cross_entropy(network(x), y)
        update(optimizer, loss)
        yield loss, {"target": y}


class Adapted(nn.Module):
    """A frozen layer with a small trained part beside it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


def adapted() -> Iterator[Any]:
    network = nn.Sequential(
        Adapted(nn.Linear(6, 8)), nn.ReLU(), parametrizations.weight_norm(nn.Linear(8, 3))
    )
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    yield network, optimizer
    for _ in range(STEPS):
        x, y = torch.randn(8, 6), torch.randint(3, (8,))
        loss = F.cross_entropy(network(x), y)
        update(optimizer, loss)
        yield loss, {"target": y}


class SparseTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.EmbeddingBag(50, 4, sparse=True), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


def sparse_gradients() -> Iterator[Any]:
    network = SparseTable()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        ids, y = torch.randint(50, (8, 3)), torch.randint(2, (8,))
        loss = F.cross_entropy(network(ids), y)
        update(optimizer, loss)
        yield loss, {"target": y}


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, padding=1)
        self.mask, self.kind = nn.Conv2d(4, 1, 1), nn.Linear(4, 3)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        h = torch.relu(self.body(image))
        return {"mask": self.mask(h), "kind": self.kind(h.mean((2, 3)))}


def dense_targets_in_a_dictionary() -> Iterator[Any]:
    network = Images()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        batch = {"image": torch.randn(4, 1, 6, 6)}
        target = {"mask": torch.rand(4, 1, 6, 6).round(), "kind": torch.randint(3, (4,))}
        out = network(**batch)
        loss = F.binary_cross_entropy_with_logits(out["mask"], target["mask"])
        loss = loss + F.cross_entropy(out["kind"], target["kind"])
        update(optimizer, loss)
        yield loss, {"target": target}


def segmentation() -> Iterator[Any]:
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        x, y = torch.randn(4, 1, 6, 6), torch.rand(4, 1, 6, 6).round()
        loss = F.binary_cross_entropy_with_logits(network(x), y)
        update(optimizer, loss)
        yield loss, {"target": y}


def siamese() -> Iterator[Any]:
    network = dense()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        a, b, c = (network(torch.randn(8, 6)) for _ in range(3))
        loss = F.triplet_margin_loss(a, b, c)
        update(optimizer, loss)
        yield loss, {}


def target_network() -> Iterator[Any]:
    network = dense()
    steady = copy.deepcopy(network)
    optimizer = sgd(network)
    yield network, optimizer
    for step in range(STEPS):
        now = network(torch.randn(8, 6)).gather(1, torch.randint(3, (8, 1)))
        with torch.no_grad():
            target = torch.randn(8, 1) + 0.9 * steady(torch.randn(8, 6)).amax(1, keepdim=True)
        loss = F.smooth_l1_loss(now, target)
        update(optimizer, loss)
        if step % 2:
            steady.load_state_dict(network.state_dict())
        yield loss, {"target": target}


def soft_targets() -> Iterator[Any]:
    network = dense()
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        y = torch.randn(8, 3).softmax(1)
        loss = F.cross_entropy(network(torch.randn(8, 6)), y)
        update(optimizer, loss)
        yield loss, {"target": y}


def gradient_penalty() -> Iterator[Any]:
    network = dense(6, 1)
    optimizer = sgd(network)
    yield network, optimizer
    for _ in range(STEPS):
        x = torch.randn(8, 6, requires_grad=True)
        (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        loss = network(torch.randn(8, 6)).mean() + (slope.norm(dim=1) - 1).square().mean()
        update(optimizer, loss)
        yield loss, {}


class Lazy(nn.Module):
    """Has no weights before its first pass, and grows by a layer in its third."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.LazyLinear(6), nn.Linear(6, 3)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def growing() -> Iterator[Any]:
    network = Lazy()
    network(torch.randn(1, 6))
    optimizer = sgd(network)
    yield network, optimizer
    for step in range(STEPS):
        if step == 2:
            network.layers.append(nn.Linear(3, 3))
            optimizer.add_param_group({"params": list(network.layers[-1].parameters())})
        y = torch.randint(3, (8,))
        loss = F.cross_entropy(network(torch.randn(8, 6)), y)
        update(optimizer, loss)
        yield loss, {"target": y}


def without_optimizer() -> Iterator[Any]:
    network = dense(6, 1)
    yield network, None
    for _ in range(STEPS):
        x, y = torch.randn(8, 6), torch.randn(8, 1)
        loss = F.mse_loss(network(x), y)
        network.zero_grad()
        loss.backward()
        yield "before_update", {}
        with torch.no_grad():
            for p in network.parameters():
                assert p.grad is not None
                p -= 0.1 * p.grad
        yield loss, {"target": y}


def compiled(where: str) -> Loop:
    def loop() -> Iterator[Any]:
        torch._dynamo.reset()
        network = dense()
        optimizer = sgd(network)
        watched: Any = network
        if where == "network":
            watched = torch.compile(network, backend="eager")
        elif where == "in place":
            network.compile(backend="eager")
        elif where == "layer":
            network[0].compile(backend="eager")
        called = torch.compile(network.forward, backend="eager") if where == "function" else watched
        yield watched, optimizer
        for _ in range(STEPS):
            x, y = torch.randn(8, 6), torch.randint(3, (8,))
            loss = F.cross_entropy(called(x), y)
            update(optimizer, loss)
            yield loss, {"target": y}

    return loop


def forget_compiled() -> None:
    """Put PyTorch back to where nothing has been compiled: else whatever follows in this process is
    taken for compiled.
    """
    torch._dynamo.reset()
    codes = torch._dynamo.eval_frame.always_optimize_code_objects
    codes.refs.clear()
    codes.values.clear()


KINDS: dict[str, Loop] = {
    "GAN": gan,
    "GAN in a container": container,
    "VAE": vae,
    "actor and critic": actor_critic,
    "tied language model": tied_language_model,
    "packed LSTM": packed_lstm,
    "cell in a loop": cell_in_a_loop,
    "checkpointed": checkpointed(False),
    "checkpointed, reentrant": checkpointed(True),
    "LBFGS": lbfgs,
    "accumulation": accumulation,
    "averaged copy": averaged_copy,
    "scaled half precision": scaled_half_precision,
    "bfloat16": bfloat16,
    "adapted": adapted,
    "sparse gradients": sparse_gradients,
    "targets in a dictionary": dense_targets_in_a_dictionary,
    "segmentation": segmentation,
    "siamese": siamese,
    "target network": target_network,
    "soft targets": soft_targets,
    "gradient penalty": gradient_penalty,
    "growing": growing,
    "without optimizer": without_optimizer,
}
COMPILED: dict[str, Loop] = {
    f"compiled {where}": compiled(where) for where in ("network", "in place", "layer", "function")
}


def train(loop: Loop, watched: bool) -> tuple[list[Tensor], Tensor, Any]:
    """The parameters that a loop ends with, the state of the random numbers, and the watch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        running = loop()
        what, optimizer = next(running)
        modules = [pair[0] for pair in what.values()] if isinstance(what, dict) else [what]
        watch: AnyLoopWatcher | None = ss.watch(what, optimizer, budget=1.0) if watched else None
        if watch is not None:
            watch.start()
        for loss, told in running:
            if watch is not None and isinstance(loss, str):
                watch.before_update()
            elif watch is not None:
                watch.step(loss, **told)
        if watch is not None:
            watch.stop()
        state = [p.detach().clone() for module in modules for p in module.parameters()]
        return state, torch.get_rng_state(), watch
