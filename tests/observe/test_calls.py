"""Every loss, softmax, dropout … of a step is noted, and nothing changes for it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

import sevensteps as ss
from sevensteps.observe import calls as calls_module
from sevensteps.observe.calls import CallRecorder
from sevensteps.observe.function_mode import stack_height
from sevensteps.observe.look import Look
from tests.observe.recorded_step import ONE, X, Y, network, of_kind, only_term, record

pytestmark = pytest.mark.draws


def test_a_loss_function_is_noted_with_all_that_it_was_given() -> None:
    weight = torch.tensor([1.0, 2.0, 4.0])
    loss = nn.CrossEntropyLoss(weight=weight, ignore_index=2, label_smoothing=0.1)
    (call,) = of_kind(record(network(), X, lambda output: loss(output, Y)), "loss")
    assert call.name == "cross_entropy"
    assert call.shapes == {"input": (8, 3), "target": (8,), "weight": (3,)}
    assert call.dtypes["target"] == "int64"
    assert call.options["weight"] == [1.0, 2.0, 4.0]
    assert call.options["ignore_index"] == 2
    assert call.options["label_smoothing"] == 0.1
    assert call.options["reduction"] == "mean"
    assert call.ignored == pytest.approx(2 / 8)
    assert call.where.startswith("test_calls.py:")
    assert call.network is None


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4, padding_idx=0)
        self.norm, self.out = nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = F.dropout(F.gelu(self.norm(self.embedding(x))), p=0.4, training=True)
        h = F.scaled_dot_product_attention(h, h, h, is_causal=True)
        return F.relu(self.out(F.normalize(h, dim=-1)))


def test_what_a_network_calls_by_function_is_noted() -> None:
    model = Functions().eval()
    tokens = torch.tensor([[1, 2, 3, 0], [4, 9, 0, 0]])
    look = record(model, tokens, lambda output: output.mean())
    by_name = {call.name: call for call in look.calls if call.network == ""}
    assert by_name["dropout"].options == {"p": 0.4, "training": True, "inplace": False}
    assert by_name["scaled_dot_product_attention"].options["is_causal"] is True
    assert by_name["embedding"].options["padding_idx"] == 0
    assert by_name["embedding"].content["input.high"] == 9
    assert by_name["embedding"].content["input.common"] == 0
    assert by_name["embedding"].content["input.common_share"] == pytest.approx(3 / 8)
    assert by_name["layer_norm"].options["normalized_shape"] == [4]
    assert by_name["normalize"].dim == 2
    assert {"gelu", "relu"} <= by_name.keys()
    term = only_term(look)
    assert term.name == "output"
    assert term.ending[-1].name == "Relu"


def test_a_softmax_over_one_number_and_over_the_batch_can_be_told() -> None:
    model = nn.Sequential(nn.Linear(6, 1), nn.Softmax(dim=1))
    (call,) = of_kind(record(model, X, lambda o: F.mse_loss(o[:, 0], ONE)), "softmax")
    assert (call.dim, call.size_along_dim) == (1, 1)
    look = record(network(), X, lambda output: F.nll_loss(output.log_softmax(0), Y))
    (call,) = of_kind(look, "softmax")
    assert (call.dim, call.size_along_dim) == (0, 8)
    assert [(op.name, op.dim) for op in only_term(look).operations] == [("LogSoftmax", 0)]


def test_a_loss_broadcast_between_shapes_is_told() -> None:
    model = nn.Linear(6, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (call,) = of_kind(record(model, X, lambda o: F.mse_loss(o, torch.rand(8))), "loss")
    assert call.broadcasts
    (call,) = of_kind(record(model, X, lambda o: F.mse_loss(o[:, 0], torch.rand(8))), "loss")
    assert not call.broadcasts
    look = record(model, X, lambda o: (o - torch.rand(8)).square().mean())
    (call,) = of_kind(look, "broadcast")
    assert call.shapes == {"input": (8, 1), "other": (8,)}


def test_the_same_call_from_the_same_line_is_counted_and_calls_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Loops(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(7):
                x = torch.tanh(x)
            return torch.relu(x).requires_grad_()

    look = record(Loops(), X, lambda output: output.mean())
    assert {call.name: call.count for call in look.calls} == {"tanh": 7, "relu": 1, "mean": 1}
    monkeypatch.setattr(calls_module, "MAX_CALLS", 1)
    assert len(record(Loops(), X, lambda output: output.mean()).calls) == 1


def test_a_training_without_modules_is_seen_from_begin_on() -> None:
    weight = torch.zeros(6, 3, requires_grad=True)
    recorder = CallRecorder()
    recorder.arm()
    recorder.begin()
    loss = F.cross_entropy(X @ weight, Y)
    loss.backward()
    look = Look(0, loss.item())
    recorder.collect(look, loss, None)
    recorder.disarm()
    assert only_term(look).name == "cross_entropy"
    assert only_term(look).network is None
    assert stack_height() == 0


# -- nothing changes -------------------------------------------------------------------------------


def train(model: nn.Module, recorder: CallRecorder | None, steps: int = 3) -> list[Tensor]:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(steps):
        if recorder is not None:
            recorder.arm()
            recorder.network_enters("", model, (X,), {})
        output = model(X)
        if recorder is not None:
            recorder.network_returns("", model, output)
        loss = F.cross_entropy(output, Y)
        optimizer.zero_grad()
        loss.backward()
        if recorder is not None:
            recorder.optimizer_steps(optimizer)
        optimizer.step()
        if recorder is not None:
            recorder.collect(Look(0, loss.item()), loss, Y)
            recorder.disarm()
    return [p.detach().clone() for p in model.parameters()]


def test_bits_and_random_numbers_are_those_of_an_unwatched_training() -> None:
    def ends(recorder: CallRecorder | None) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Unflatten(1, (3, 2)),
            nn.Linear(2, 8),
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(24, 3),
        )
        return [*train(model, recorder), torch.rand(4)]

    for plain, watched in zip(ends(None), ends(CallRecorder()), strict=True):
        assert torch.equal(plain, watched)


def test_the_fast_path_of_a_frozen_transformer_is_taken_as_before() -> None:
    frozen = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval().requires_grad_(False)
    x = torch.randn(2, 3, 8)
    taken: list[str] = []

    class Sees(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            taken.append(func.__name__)
            return func(*args, **(kwargs or {}))

    recorder = CallRecorder()
    recorder.arm()
    recorder.network_enters("", frozen, (x,), {})
    assert stack_height() == 1
    heights: list[int] = []
    hook = frozen.norm1.register_forward_hook(lambda *_: heights.append(stack_height()))
    with torch.profiler.profile() as profile:
        watched = frozen(x)
    hook.remove()
    assert stack_height() == 1
    recorder.disarm()
    names = {event.key for event in profile.key_averages()}
    assert heights == [0] or "aten::_transformer_encoder_layer_fwd" in names
    assert torch.equal(watched, frozen(x))


def test_evaluations_without_gradients_are_not_listened_to() -> None:
    model = network()
    heights: list[int] = []
    recorder = CallRecorder()
    recorder.arm()
    recorder.network_enters("", model, (X,), {})
    model[0].register_forward_hook(lambda *_: heights.append(stack_height()))  # type: ignore[index, operator]
    model(X)
    with torch.no_grad():
        model(X)
    model(X)
    recorder.disarm()
    assert heights == [1, 0, 1]


def test_a_failure_in_noting_is_noted_and_the_call_goes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("within the watch")

    monkeypatch.setattr(calls_module, "call_of", fails)
    model = network()
    recorder = CallRecorder()
    watched = train(model, recorder, 1)
    assert "within the watch" in recorder.not_seen
    assert all(bool(p.isfinite().all()) for p in watched)


def test_an_exception_of_the_training_leaves_nothing_behind() -> None:
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        record(network(), X, lambda output: F.cross_entropy(output, Y[:3]))
    assert stack_height() == 0


def test_checkpoints_double_backward_and_transforms_go_through() -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            hidden: Tensor = checkpoint(lambda v: torch.relu(self.first(v)), x, use_reentrant=False)
            return self.second(hidden)

    look = record(Checkpointed(), X, lambda output: F.cross_entropy(output, Y))
    assert {call.name: call.count for call in look.calls}["relu"] == 1
    assert only_term(look).name == "cross_entropy"
    x = X.clone().requires_grad_()

    def penalty(output: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(output.sum(), x, create_graph=True)
        return F.cross_entropy(output, Y) + (gradient.norm(dim=1) - 1).square().mean()

    look = record(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), x, penalty)
    assert "cross_entropy" in {term.name for term in look.loss_terms}
    model = network()
    per_sample = torch.func.vmap(lambda row, label: F.cross_entropy(row, label))
    look = record(model, X, lambda output: per_sample(output, Y).mean())
    assert look.loss == pytest.approx(F.cross_entropy(model(X), Y).item(), rel=1e-5)


def test_threads_have_stacks_of_their_own() -> None:
    model = network()
    recorder = CallRecorder()
    recorder.arm()
    recorder.begin()
    heights: list[int] = []

    def other() -> None:
        recorder.begin()
        heights.append(stack_height())
        train(model, None, 1)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert heights == [0]
    recorder.disarm()
    assert stack_height() == 0


def test_compiled_code_is_not_compiled_again() -> None:
    compilations: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compilations.append(1)
        return graph.forward

    torch._dynamo.reset()
    try:
        model = network()
        compiled = torch.compile(model, backend=backend)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(X)
            first = len(compilations)
            look = record(compiled, X, lambda output: F.cross_entropy(output, Y), compiled=True)
        assert only_term(look).name == "cross_entropy"
        assert len(compilations) == first
        function = torch.compile(lambda x: x * 2, backend=backend)
        function(X)
        recorder = CallRecorder()
        recorder.compiled.look_around({"": compiled})
        recorder.arm()
        recorder.begin()
        assert stack_height() == 0
        assert "torch.compile" in recorder.not_seen
        recorder.disarm()
        recorder.compiled.look_away()
    finally:
        torch._dynamo.reset()
        # what was compiled in here lives on in this function's constants
        codes = torch._dynamo.eval_frame.always_optimize_code_objects
        codes.refs.clear()
        codes.values.clear()


# -- targets that come of a network ----------------------------------------------------------------


def values(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))


def td_target(network: nn.Module) -> Tensor:
    with torch.no_grad():
        best, _ = network(X.flip(0)).max(dim=1)
        return ONE + 0.9 * best


def bootstrapped(compute: Callable[[nn.Module, Tensor], Tensor]) -> bool:
    model = values()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ss.watch(model, optimizer, budget=1) as watch:
        loss = compute(model, model(X))
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.failure is None
    assert watch.observation.notes.get("bootstrapped", True) is True
    return "bootstrapped" in watch.observation.notes


@pytest.mark.parametrize(
    "compute",
    [
        lambda model, q: F.smooth_l1_loss(q[:, 0], td_target(model)),
        lambda model, q: F.mse_loss(q[:, 0], td_target(values(1))),
        lambda model, q: (q[:, 0] - td_target(model)).square().mean(),
        lambda model, q: (td_target(values(1)) - q[:, 0]).pow(2).mean(),
        lambda model, q: F.mse_loss(q[:, 0], ONE + 0.9 * model(X.flip(0)).amax(1).detach()),
        lambda model, q: F.cross_entropy(q, model(X + 0.1).detach().argmax(1)),
    ],
    ids=["own", "a copy", "by hand", "a copy by hand", "detached", "pseudo-labels"],
)
def test_targets_that_are_answers_of_the_network_make_the_task_a_bootstrapped_one(
    compute: Any,
) -> None:
    assert bootstrapped(compute)


def taught(model: nn.Module, output: Tensor) -> Tensor:
    with torch.no_grad():
        answer = nn.Linear(6, 2)(X)
    return F.mse_loss(output, answer)


@pytest.mark.parametrize(
    "compute",
    [
        lambda model, q: F.cross_entropy(q, Y % 2),
        lambda model, q: (q[:, 0] - ONE).square().mean(),
        taught,
        lambda model, q: F.mse_loss(q[:, 0], (X[:, 0] - X.mean().detach()).sign()),
    ],
    ids=["classes", "numbers", "another network's answers", "statistics of the data"],
)
def test_targets_that_are_data_or_another_networks_answers_do_not(compute: Any) -> None:
    assert not bootstrapped(compute)


def test_parts_that_a_loop_calls_one_by_one_are_listened_to() -> None:
    model = nn.ModuleList([nn.Sequential(nn.Linear(6, 6), nn.Softmax(1)), nn.Linear(6, 3)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        loss = F.cross_entropy(model[1](model[0](X)), Y) + model[0](X).square().mean()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.failure is None
    (look,) = watch.observation.looks
    assert [term.name for term in look.loss_terms] == ["cross_entropy", "Pow"]
    assert look.loss_terms[0].target == "data"
    assert {call.network for call in look.calls if call.kind == "softmax"} == {""}


def test_terms_know_the_forward_passes_that_they_are_computed_from() -> None:
    model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    t, start = torch.rand(8, 1, requires_grad=True), torch.zeros(1, 1, requires_grad=True)
    with ss.watch(model, optimizer) as watch:
        y, begun = model(t), model(start)
        slope, first = (
            torch.autograd.grad(value.sum(), at, create_graph=True)[0]
            for value, at in ((y, t), (begun, start))
        )
        loss = (slope + y).square().mean() + (first - 3).square().mean() + begun.square().mean()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.failure is None
    assert [term.passes for term in watch.observation.looks[0].loss_terms] == [(1,), (2,), (2,)]
