"""Interventions do what their names say, in a training step that is written out here."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from sevensteps.doctor.trials.script.base import AlteredTraining, Intervention
from sevensteps.doctor.trials.script.calls import CallMode
from sevensteps.doctor.trials.script.notation import (
    INTERVENTIONS,
    parse_change,
    parse_intervention,
)
from sevensteps.doctor.trials.script.of_batches import SameOrder, Shuffle, ShuffleBatches
from sevensteps.doctor.trials.script.of_calls import (
    IgnoreClass,
    Insert,
    LossTimes,
    NoteComparison,
    Replace,
    ReshapeTarget,
    TakeOff,
)
from sevensteps.doctor.trials.script.of_gradients import (
    ClipGradients,
    FlipSign,
    KeepGradients,
    NoClipping,
    StepElsewhere,
)
from sevensteps.doctor.trials.script.of_networks import (
    RULES,
    Initialize,
    SetModes,
    StandardizeInputs,
    StandardizeTargets,
    SwapActivation,
    mean_and_spread,
)
from sevensteps.doctor.trials.script.of_sequences import StopAtPadding
from sevensteps.doctor.trials.script.of_settings import SetOption
from sevensteps.doctor.trials.script.of_steps import (
    AddParameters,
    AddParametersAtRandom,
    ClearGradients,
    LeftoverElsewhere,
    LrTimes,
    Unfreeze,
)
from sevensteps.observe.function_mode import insert_mode, remove_mode

pytestmark = pytest.mark.draws
HERE = "test_interventions.py"


class Loop:
    """A network, its optimizer, and steps that an intervention alters."""

    def __init__(self, intervention: Intervention | None, **options: float) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.network.parameters(), **{"lr": 0.1, **options})
        self.x = torch.randn(16, 3)
        self.intervention = intervention
        self.training = AlteredTraining(
            {"": self.network}, {id(self.optimizer): self.optimizer}, self.x
        )

    def step(self, loss: Tensor | None = None) -> Tensor:
        """One step, without clearing gradients. Returns the gradient that the step used."""
        loss = self.network(self.x).square().mean() if loss is None else loss
        loss.backward()
        if self.intervention is not None:
            self.intervention.before_step(self.optimizer, self.training)
        used = self.gradient()
        self.optimizer.step()
        if self.intervention is not None:
            self.intervention.after_step(self.optimizer, self.training)
            self.intervention.step_ended(loss, self.training)
        return used

    def gradient(self) -> Tensor:
        grad = self.network.weight.grad
        assert grad is not None
        return grad.clone()

    def weights(self) -> Tensor:
        return self.network.weight.detach().clone()


def test_a_rate_times_a_factor_follows_every_schedule() -> None:
    altered, scaled = Loop(LrTimes(0.1)), Loop(None)
    for loop, lrs in ((altered, (0.1, 0.4, 0.02)), (scaled, (0.01, 0.04, 0.002))):
        for lr in lrs:
            loop.optimizer.param_groups[0]["lr"] = lr
            loop.step()
            assert loop.optimizer.param_groups[0]["lr"] == lr  # as the script has set it
    assert torch.allclose(altered.weights(), scaled.weights(), atol=1e-6)


def test_cleared_gradients_are_those_of_a_loop_that_clears_them() -> None:
    altered, cured = Loop(ClearGradients()), Loop(None)
    for _ in range(3):
        altered.step()
        cured.optimizer.zero_grad()
        cured.step()
    assert torch.equal(altered.weights(), cured.weights())


def test_its_control_moves_gradients_as_far_and_leaves_the_sum_alone() -> None:
    altered, plain = Loop(LeftoverElsewhere(3), lr=0.0), Loop(None, lr=0.0)
    for step in range(3):
        leftover = torch.zeros(1, 3) if step == 0 else plain.gradient()
        moved, sums = altered.step(), plain.step()
        assert torch.allclose((moved - sums).norm(), leftover.norm(), atol=1e-5)
        assert torch.allclose(altered.gradient(), sums, atol=1e-6)


@pytest.mark.parametrize("kind", [AddParameters, lambda: AddParametersAtRandom(1)])
def test_forgotten_parameters_are_trained(kind: Callable[[], Intervention]) -> None:
    loop, forgotten = Loop(kind()), nn.Linear(1, 1)
    before, constant = copy.deepcopy(forgotten), torch.ones(1, requires_grad=True)
    for _ in range(3):
        loop.step((forgotten(loop.network(loop.x)) - constant).square().mean())
    assert loop.intervention is not None
    assert loop.intervention.applied
    assert not torch.equal(forgotten.weight, before.weight)
    # a tensor that belongs to no layer may be meant to stay
    assert torch.equal(constant, torch.ones(1))


def test_nothing_is_added_where_the_optimizer_has_all() -> None:
    loop = Loop(AddParameters())
    loop.step()
    assert loop.intervention is not None
    assert not loop.intervention.applied


def test_standardized_inputs_in_training_and_evaluation() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 3) * torch.tensor([100.0, 1.0, 0.0]) + 7
    network = nn.Identity()
    StandardizeInputs().network_known(AlteredTraining({"": network}, {}, x))
    for training in (True, False):
        out = network.train(training)(x)
        assert out.mean(0).abs().max() < 1e-4
        assert torch.allclose(out.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-4)
    assert torch.equal(copy.deepcopy(network)(x), out)  # as of an average of weights


def test_images_by_channel_and_sequences_by_feature() -> None:
    for shape, expected in (((8, 3, 4, 4), (1, 3, 1, 1)), ((8, 5, 2), (1, 1, 2)), ((8, 2), (1, 2))):
        mean, spread = mean_and_spread(torch.randn(shape))
        assert mean.shape == spread.shape == expected


def closed(x: Tensor) -> Tensor:
    return F.softmax(x, dim=1)


PLACE = f"{HERE}:{closed.__code__.co_firstlineno + 1}"


def called(intervention: Intervention, x: Tensor) -> Tensor:
    mode = CallMode([intervention])
    insert_mode(mode)
    try:
        return closed(x)
    finally:
        remove_mode(mode)


def test_a_call_on_one_line_is_taken_off_or_replaced() -> None:
    x = torch.randn(4, 3)
    taken = TakeOff("softmax", PLACE)
    assert torch.equal(called(taken, x), x)
    assert taken.applied
    assert torch.equal(called(Replace("softmax", PLACE, "tanh"), x), x.tanh())
    for other in (TakeOff("softmax", f"{HERE}:1"), TakeOff("sigmoid", PLACE)):
        assert torch.equal(called(other, x), x.softmax(1))
        assert not other.applied


def test_a_target_gets_the_output_s_shape() -> None:
    def broadcast(x: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(x, y)

    def written_out(x: Tensor, y: Tensor) -> Tensor:
        return (x - y).square().mean()

    x, y = torch.randn(5, 1, requires_grad=True), torch.randn(5)
    right = F.mse_loss(x, y[:, None])
    for compare, name in ((broadcast, "mse_loss"), (written_out, "__sub__")):
        place = f"{HERE}:{compare.__code__.co_firstlineno + 1}"
        intervention = ReshapeTarget("sub" if name == "__sub__" else name, place)
        with CallMode([intervention]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loss = compare(x, y)
            if not intervention.applied:
                intervention.function = name
                loss = compare(x, y)
            assert torch.equal(loss, right)
            assert torch.equal(compare(x[:, 0], y), F.mse_loss(x[:, 0], y))


def entropy(x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(x, y)


def nll(x: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(x, y)


@pytest.mark.parametrize(
    ("function", "intervention", "expected"),
    [
        (entropy, lambda p: IgnoreClass("cross_entropy", p, 2), {"ignore_index": 2}),
        (entropy, lambda p: LossTimes("cross_entropy", p, 0.25), 0.25),
        (nll, lambda p: Insert("nll_loss", p, "log_softmax"), {}),
    ],
)
def test_losses_on_one_line(function: Any, intervention: Any, expected: Any) -> None:
    x, y = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    place = f"{HERE}:{function.__code__.co_firstlineno + 1}"
    with CallMode([intervention(place)]):
        loss = function(x, y)
    plain = F.cross_entropy(x, y, **(expected if isinstance(expected, dict) else {}))
    factor = expected if isinstance(expected, float) else 1.0
    assert loss == pytest.approx(float(plain) * factor, rel=1e-5)


@pytest.mark.parametrize("text", ["set_option(name='weight_decay', value=0.5, before=0.1)"])
def test_an_option_of_the_optimizer_in_every_step(text: str) -> None:
    altered, plain = Loop(parse_intervention(text), weight_decay=0.1), Loop(None, weight_decay=0.5)
    for _ in range(3):
        altered.step()
        plain.step()
    assert torch.allclose(altered.weights(), plain.weights())
    assert altered.optimizer.param_groups[0]["weight_decay"] == 0.1


def test_options_at_random_stay_valid() -> None:
    draw = torch.Generator().manual_seed(0)
    settings = [
        SetOption("betas", (0.9, 0.999), (0.99, 0.3)),
        SetOption("momentum", 0.9, 0.999),
        SetOption("eps", 1e-8, 0.1),
        SetOption("dampening", 0.0, 0.9),
    ]
    for setting in settings:
        for _ in range(20):
            control = setting.control(draw)
            assert isinstance(control, SetOption)
            values = control.value if isinstance(control.value, tuple) else (control.value,)
            assert all(value >= 0 for value in values)
            if setting.name in ("betas", "momentum"):
                assert all(value < 1 for value in values)


def test_gradients_are_clipped_or_flipped() -> None:
    clipped, plain = Loop(ClipGradients(0.01)), Loop(None)
    gradient, whole = clipped.step(), plain.step()
    assert gradient.norm() <= 0.0101
    assert torch.allclose(gradient / gradient.norm(), whole / whole.norm(), atol=1e-4)
    flipped = Loop(FlipSign())
    assert torch.allclose(flipped.step(), -whole)
    assert torch.allclose(flipped.gradient(), whole)
    elsewhere = Loop(StepElsewhere(1)).step()
    assert elsewhere.norm() == pytest.approx(float(whole.norm()), rel=1e-4)
    assert not torch.allclose(elsewhere, whole, atol=1e-3)


def test_the_script_s_own_clipping_and_clearing_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for owner in (nn.utils, nn.utils.clip_grad):
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            monkeypatch.setattr(owner, name, getattr(nn.utils, name))
    monkeypatch.setattr(torch.optim.Optimizer, "zero_grad", torch.optim.Optimizer.zero_grad)
    monkeypatch.setattr(nn.Module, "zero_grad", nn.Module.zero_grad)
    unclipped, kept = NoClipping(), KeepGradients()
    unclipped.torch_imported()
    kept.torch_imported()
    loop = Loop(kept)
    for _ in range(2):  # two batches for a step, and a clearing before each
        loop.optimizer.zero_grad()
        loop.network.zero_grad()
        loop.network(loop.x).square().mean().backward()
    one = loop.gradient() / 2
    nn.utils.clip_grad_norm_(loop.network.parameters(), 1e-9)
    assert torch.allclose(loop.gradient(), 2 * one)
    loop.step(loop.network(loop.x).sum() * 0)
    assert loop.network.weight.grad is None
    assert unclipped.applied
    assert kept.applied


@pytest.mark.parametrize("rule", RULES)
def test_weights_are_drawn_anew(rule: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(200, 100), nn.Linear(100, 100))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7.0)
    training = AlteredTraining({"": network})
    intervention = Initialize(rule)
    intervention.network_known(training)
    weight = network[0].weight
    assert 0.018 < float(weight.detach().std()) < 0.15  # .02, or sqrt(1 / 200) to sqrt(2 / 150)
    assert not network[0].bias.any()
    before = weight.detach().clone()
    intervention.network_known(training)
    assert torch.equal(weight, before)  # once


def test_modes_follow_gradients() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    SetModes().network_known(AlteredTraining({"": network}))
    network.eval()
    network(torch.ones(1, 2))
    assert network[1].training
    with torch.no_grad():
        network(torch.ones(1, 2))
    assert not network[1].training
    with torch.no_grad(), CallMode([SetModes()]):
        assert torch.equal(F.dropout(torch.ones(9), 0.9), torch.ones(9))


def test_rectifiers_are_swapped() -> None:
    x = torch.tensor([-1.0, 2.0])
    with CallMode([SwapActivation("leaky_relu")]):
        for answer in (nn.ReLU()(x), F.relu(x), x.relu(), torch.relu(x), nn.ReLU(inplace=True)(x)):
            assert torch.allclose(answer, torch.tensor([-0.01, 2.0]))


def test_loaders_in_order_are_shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    data = TensorDataset(torch.arange(12))
    for intervention in (Shuffle(), ShuffleBatches(3)):
        with monkeypatch.context() as patched:
            patched.setattr(DataLoader, "__init__", DataLoader.__init__)
            intervention.torch_imported()
            torch.manual_seed(0)
            loader = DataLoader(data, batch_size=3)
            epochs = [[batch[0].tolist() for batch in loader] for _ in range(2)]
        assert intervention.applied
        assert epochs[0] != epochs[1]
        for epoch in epochs:
            assert sorted(itertools.chain(*epoch)) == list(range(12))
            in_order = all(batch == list(range(batch[0], batch[0] + 3)) for batch in epoch)
            assert in_order == (type(intervention) is ShuffleBatches)


EXAMPLES = [
    *("clip_gradients(norm=1.0)", "no_clipping()", "keep_gradients()", "flip_sign()", "shuffle()"),
    *("initialize(rule='kaiming_normal')", "set_modes()", "swap_activation(by='leaky_relu')"),
    *("ignore_class(function='nll_loss', place='a.py:1', index=0)",),
    *("insert(function='nll_loss', place='a.py:1', by='log_softmax')",),
    *("reshape_target(function='mse_loss', place='a.py:1')",),
    *("loss_times(function='mse_loss', place='a.py:1', factor=0.1)",),
    *("set_option(name='lr', value=0.1, before=0.001)",),
    *("lr_times(factor=0.1)", "clear_gradients()", "add_parameters()", "standardize_inputs()"),
    "take_off(function='softmax', place='train.py:3')",
    "stop_at_padding(padding=0)",
    "standardize_targets(mean=200.0, spread=50.0, power=2)",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_change_has_another_at_random(text: str) -> None:
    [intervention] = parse_change({"step": text})
    draw = torch.Generator().manual_seed(1)
    controls = [intervention.control(draw) for _ in range(20)]
    assert all(control is not None and control != intervention for control in controls)


def test_a_rate_at_random_is_moved_no_further() -> None:
    draw = torch.Generator().manual_seed(1)
    factors = [c.factor for c in (LrTimes(0.01).control(draw) for _ in range(50)) if c]  # type: ignore[attr-defined]
    assert all(0.0099 <= factor <= 101 for factor in factors)
    assert min(factors) < 0.1
    assert max(factors) > 10


def test_the_names_are_all_different() -> None:
    assert all(a is not b for a, b in itertools.combinations(INTERVENTIONS.values(), 2))


@pytest.mark.parametrize("first", [True, False])
def test_recurrent_layers_stop_at_the_padding(first: bool) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.rnn = nn.Embedding(9, 4), nn.GRU(4, 5, batch_first=first)

        def forward(self, x: Tensor) -> Tensor:
            steps = self.table(x) if first else self.table(x.T)
            out, last = self.rnn(steps)
            end: Tensor = out[:, -1] if first else out[-1]
            assert torch.equal(end, last[-1])
            return end

    torch.manual_seed(0)
    network = Reader()
    x = torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]])
    with torch.no_grad():
        short, whole = network(x[:1, :2]), network(x[1:])
        intervention = StopAtPadding(0)
        intervention.network_known(AlteredTraining({"": network}))
        answers = network(x)
    assert intervention.applied
    assert torch.allclose(answers, torch.cat([short, whole]), atol=1e-6)


def test_frozen_parameters_are_trained() -> None:
    loop = Loop(Unfreeze(("bias",)))
    loop.network.bias.requires_grad_(False)
    loop.optimizer.param_groups[0]["params"] = [loop.network.weight]
    assert loop.intervention is not None
    loop.intervention.network_known(loop.training)
    before = loop.network.bias.detach().clone()
    for _ in range(3):
        loop.step()
    assert not torch.equal(loop.network.bias, before)


def test_both_sides_of_a_comparison_are_noted() -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    place = f"{HERE}:{entropy.__code__.co_firstlineno + 1}"
    with CallMode([NoteComparison("cross_entropy", place, lambda *pair: seen.append(pair))]):
        entropy(x, y.softmax(1))
    assert len(seen) == 1
    assert torch.equal(seen[0][0], x)


def test_targets_are_learned_at_size_one_and_answered_at_their_own() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(32, 3), torch.randn(32, 1) * 50 + 200
    altered, plain = Loop(StandardizeTargets(200.0, 50.0, 2)), Loop(None)
    assert altered.intervention is not None
    altered.intervention.network_known(altered.training)
    for _ in range(5):
        for loop, target in ((altered, y), (plain, (y - 200) / 50)):
            loop.optimizer.zero_grad()
            loop.step(F.mse_loss(loop.network(x), target))
    assert torch.allclose(altered.weights(), plain.weights(), atol=1e-5)
    assert torch.allclose(altered.network(x), plain.network(x) * 50 + 200, atol=1e-2)


def test_what_is_shuffled_apart_is_shuffled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randperm", torch.randperm)
    monkeypatch.setattr(RandomSampler, "__iter__", RandomSampler.__iter__)
    intervention = SameOrder()
    intervention.torch_imported()
    torch.manual_seed(0)
    numbers: Any = torch.arange(12)
    one, other = (DataLoader(numbers, 4, shuffle=True) for _ in range(2))
    epochs = []
    for _ in range(4):
        pairs = list(zip(one, other, strict=True))
        assert all(torch.equal(a, b) for a, b in pairs)
        epochs.append(torch.cat([a for a, _ in pairs]))
    assert intervention.applied
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 4
    first = torch.randperm(7)
    second = torch.randperm(7)
    assert torch.equal(first, second)
    assert sorted(first.tolist()) == list(range(7))
    [batch] = DataLoader(numbers[:7], 7, shuffle=True)
    assert torch.equal(batch, first)  # of a loader beside
