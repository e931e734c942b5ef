"""Watching a plain loop leaves no trace in it."""

from __future__ import annotations

import copy
import io
import json
import math
import pickle
import warnings
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.observe.any_loop_watcher import AnyLoopWatcher
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.observation import Observation
from sevensteps.observe.stored_look import deserialize_look, serialize_look
from tests.observe import kinds
from tests.observe.kinds import COMPILED, KINDS
from tests.observe.loops import NETWORKS, train


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("budget", [0.02, 1.0])
def test_watching_leaves_no_trace(name: str, budget: float) -> None:
    alone, _ = train(NETWORKS[name], None)
    watched, watch = train(NETWORKS[name], budget)
    for (key, a), b in zip(alone.state_dict().items(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert watch is not None
    assert watch.observation.looks
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in watched.modules()
    )


@pytest.mark.parametrize(("two", "accumulate"), [(True, 1), (False, 4), (True, 3)])
def test_nor_with_several_optimizers_or_accumulation(two: bool, accumulate: int) -> None:
    alone, _ = train(NETWORKS["dense"], None, two=two, accumulate=accumulate)
    watched, watch = train(NETWORKS["dense"], 1.0, two=two, accumulate=accumulate)
    assert all(
        torch.equal(a, b) for a, b in zip(alone.parameters(), watched.parameters(), strict=True)
    )
    assert watch is not None
    assert [look.stepped for look in watch.observation.looks] == [
        (step + 1) % accumulate == 0 for step in range(12)
    ]
    assert len(watch.observation.facts.groups) == 1 + two


def test_the_first_loss_that_is_no_number_is_noted_in_every_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=0.001) as watch:
        for step in range(50):
            loss = model(torch.ones(4, 2)).mean() * (math.nan if step >= 37 else 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=torch.zeros(4))
    assert watch.observation.notes["first_not_finite"] == 37


def test_evaluations_in_training_mode_are_counted_where_they_matter() -> None:
    for make, counted in ((NETWORKS["norm and dropout"], 3), (NETWORKS["dense"], None)):
        model = make()
        with ss.watch(model, []) as watch, torch.no_grad():
            for mode in (True, True, True, False):
                model.train(mode)(torch.ones(4, 6))
        assert watch.observation.notes.get("evaluations_training") == counted


def test_what_cannot_be_watched_is_refused() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"the network must be a torch\.nn\.Module, a list of modules, or .*, not a int",
    ):
        ss.watch(3)
    with pytest.raises(
        ArgumentError,
        match=r"the optimizer must be a torch\.optim\.Optimizer or a list of them, not a str",
    ):
        ss.watch(nn.Linear(1, 1), ["sgd"])
    with pytest.raises(ArgumentError, match="budget must be"):
        ss.watch(nn.Linear(1, 1), budget=2.0)
    with pytest.raises(ArgumentError, match="belongs inside"):
        ss.watch(nn.Linear(1, 1)).step(1.0)
    with (
        ss.watch(nn.Linear(1, 1)) as watch,
        pytest.raises(ArgumentError, match=r"the loss has shape \[3\]"),
    ):
        watch.step(torch.ones(3))


@pytest.mark.draws
def test_a_look_has_the_calls_of_its_step_and_the_terms_of_its_loss() -> None:
    _, watch = train(NETWORKS["functions"], 1.0, steps=3)
    assert watch is not None
    assert watch.failure is None
    for look in watch.observation.looks:
        assert {call.name for call in look.calls} >= {"relu", "cross_entropy"}
        (term,) = look.loss_terms
        assert (term.name, term.network, term.target) == ("cross_entropy", "", "data")
        assert term.contribution == pytest.approx(look.loss)
    assert torch._C._len_torch_function_stack() == 0


@pytest.mark.draws
def test_warnings_of_pytorch_are_kept_and_survive_a_file() -> None:
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, y = torch.ones(4, 6), torch.ones(4)
    with (
        warnings.catch_warnings(record=True) as shown,
        ss.watch(model, optimizer, budget=1.0) as watch,
    ):
        warnings.simplefilter("default")
        for _ in range(2):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    assert [Path(line.filename).name for line in shown] == ["test_any_loop_watcher.py"]
    (warning,) = watch.observation.warnings
    assert warning.text.startswith("Using a target size")
    assert (warning.step, warning.where.partition(":")[0]) == (0, "test_any_loop_watcher.py")
    again = Observation.from_dict(json.loads(json.dumps(watch.observation.to_dict())))
    assert again.warnings == watch.observation.warnings


@pytest.mark.draws
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_loop_trains_as_unwatched_and_can_be_diagnosed(kind: str) -> None:
    alone, drawn_alone, _ = kinds.train(KINDS[kind], watched=False)
    watched, drawn, watch = kinds.train(KINDS[kind], watched=True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert torch.equal(drawn_alone, drawn)
    assert watch.failure is None
    assert len(watch.observation.looks) == watch.step_number
    watch.diagnose()


@pytest.mark.slow
@pytest.mark.draws
@pytest.mark.parametrize("kind", COMPILED)
def test_what_is_compiled_is_not_compiled_again(kind: str) -> None:
    from torch._dynamo.utils import counters

    try:
        results = []
        for watched in (False, True):
            counters.clear()
            state, _, watch = kinds.train(COMPILED[kind], watched=watched)
            results.append((state, dict(counters["frames"]), dict(counters["stats"])))
        (alone, *frames_alone), (watched_state, *frames) = results
        assert all(torch.equal(a, b) for a, b in zip(alone, watched_state, strict=True))
        assert frames == frames_alone
        assert watch.failure is None
        assert len(watch.observation.looks) == watch.step_number
        assert watch.observation.notes["not_seen"]
        watch.diagnose()
    finally:
        kinds.forget_compiled()


def gan_watch() -> AnyLoopWatcher:
    watch: AnyLoopWatcher = kinds.train(KINDS["GAN"], watched=True)[2]
    return watch


@pytest.mark.draws
def test_of_several_networks_each_is_observed_in_its_own_names() -> None:
    observation = gan_watch().observation
    assert observation.networks == ("G", "D")
    assert {"G.0", "D.2"} <= observation.facts.layers.keys()
    assert {"G.0.weight", "D.2.bias"} <= observation.looks[0].changes.keys()
    d = observation.of("D")
    assert list(d.facts.parameters) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [group["optimizer"] for group in d.facts.groups] == ["SGD"]
    assert d.losses == observation.parts["D"] != observation.losses
    look = d.looks[0]
    assert (look.passes, look.backwards, look.batch) == (3, 2, 8)  # real, fake, fake for G
    assert look.signals["0"].calls == 3
    assert d.rates == [(0, 0.1)]
    again = Observation.from_dict(json.loads(json.dumps(observation.to_dict())))
    again.looks = [deserialize_look(*serialize_look(look)) for look in observation.looks]
    assert again.of("D").facts == d.facts
    assert list(again.looks[0].signals) == list(observation.looks[0].signals)
    assert torch.equal(again.of("D").looks[0].signals["0"].mean, look.signals["0"].mean)
    assert torch.equal(
        again.of("G").looks[0].changes["0.weight"].weight,
        observation.of("G").looks[0].changes["0.weight"].weight,
    )


@pytest.mark.draws
@pytest.mark.parametrize("several", [False, True])
def test_targets_go_to_the_network_whose_output_they_are_compared_with(several: bool) -> None:
    body, kind, back = nn.Linear(6, 4), nn.Linear(4, 3), nn.Linear(4, 6)
    networks = {"body": body, "kind": kind, "back": back}
    parameters = [p for network in networks.values() for p in network.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1)
    x, y = torch.randn(8, 6), torch.randint(3, (8,))
    with ss.watch(networks, optimizer, budget=1) as watch:
        code = body(x)
        # the last to run has nothing to do with the reported classes
        kinds_of, again = kind(code), back(code)
        loss = F.cross_entropy(kinds_of, y) + F.mse_loss(again, x)
        loss.backward()
        optimizer.step()
        watch.step(loss, target={"class": y, "image": x} if several else y)
    assert watch.failure is None
    (look,) = watch.observation.looks
    targets = {name: own.target for name, own in look.networks.items()}
    assert targets["body"] is None
    assert torch.equal(targets["kind"], y)
    assert torch.equal(targets["back"], x) if several else targets["back"] is None
    assert look.shown == "kind"
    assert torch.equal(watch.observation.samples["kind"].y, y)


def test_parameters_that_are_no_plain_tensors_are_told_of() -> None:
    class Part(torch.Tensor):
        pass

    network = nn.Linear(2, 2)
    assert "not_seen" not in ss.watch(network).observation.notes
    network.weight = nn.Parameter(torch.ones(2, 2).as_subclass(Part))
    (sentence,) = ss.watch(network).observation.notes["not_seen"]
    assert sentence == "gradients of parameters that are no plain tensors (Part)"


@pytest.mark.draws
def test_every_part_of_an_output_is_kept_with_its_gradient() -> None:
    _, _, watch = kinds.train(KINDS["actor and critic"], watched=True)
    look = watch.observation.looks[0]
    assert {path: list(rows.shape) for path, rows in look.outputs.items()} == {
        "value": [8],
        "logits": [8, 3],
    }
    assert look.output_gradients.keys() == {"value", "logits"}
    assert torch.equal(look.output, look.outputs["logits"])
    assert torch.equal(look.output_gradient, look.output_gradients["logits"])
    assert [step for step, _ in watch.observation.scores] == [0, 1, 2, 3]


@pytest.mark.draws
def test_arguments_by_name_and_targets_in_a_dictionary_are_kept() -> None:
    observation = kinds.train(KINDS["targets in a dictionary"], watched=True)[2].observation
    assert observation.inputs.kwargs["image"].shape == (16, 1, 6, 6)
    assert {name: len(rows) for name, rows in observation.targets.items()} == {
        "mask": 16,
        "kind": 16,
    }


@pytest.mark.draws
def test_a_checkpoint_runs_its_layers_twice_and_is_counted_once() -> None:
    for kind in ("checkpointed", "checkpointed, reentrant"):
        look = kinds.train(KINDS[kind], watched=True)[2].observation.looks[0]
        assert look.passes == 1
        assert look.signals["middle.0"].calls == 1
        assert look.signals["middle.0"].gradient is not None


@pytest.mark.draws
def test_the_gradient_of_a_closure_is_seen() -> None:
    look = kinds.train(KINDS["LBFGS"], watched=True)[2].observation.looks[0]
    assert float(look.changes["0.weight"].gradient.norm()) > 0
    assert float(look.changes["0.weight"].update.norm()) > 0


@pytest.mark.draws
def test_sparse_gradients_are_seen_by_row() -> None:
    look = kinds.train(KINDS["sparse gradients"], watched=True)[2].observation.looks[0]
    gradient, update = (
        getattr(look.changes["table.weight"], name) for name in ("gradient", "update")
    )
    assert torch.equal(gradient > 0, update > 0)
    assert 0 < int((gradient > 0).sum()) <= 24


def test_watching_stops_and_goes_on() -> None:
    model = nn.Linear(2, 1)
    watch = ss.watch(model, [], budget=1.0)
    for _ in range(2):
        with watch:
            loss = model(torch.ones(4, 2)).mean()
            loss.backward()
            watch.step(loss)
        model(torch.ones(4, 2))
        watch.valid(loss=0.5, score=torch.tensor(0.75))
    watch.start()
    watch.start()
    watch.stop()
    watch.stop()
    assert watch.step_number == len(watch.observation.looks) == 2
    assert watch.observation.evaluations == [(1, 0.5, 0.75), (2, 0.5, 0.75)]


def test_a_failure_inside_is_noted_and_the_training_goes_on() -> None:
    class Broken(LayerRecorder):
        def layer_returns(self, *_: Any) -> None:
            raise RuntimeError("no such\nlayer")

    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        broken = Broken(model, [optimizer], watch.observation.facts.layers)
        broken.failed = watch._fail
        watch._recorders.hooks.recorders = [broken, *watch._recorders.hooks.recorders]
        for _ in range(3):
            loss = model(torch.ones(4, 2)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    assert watch.failure == "RuntimeError: no such layer"
    assert (watch.step_number, len(watch.observation.losses)) == (3, 3)
    assert not watch._recorders.hooks.armed
    watch.diagnose()


def test_networks_are_added_as_they_are_found() -> None:
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    with ss.watch({"g": g}, budget=1.0) as watch:
        watch.add_network("d", d, torch.optim.SGD(d.parameters(), lr=0.1))
        with pytest.raises(ArgumentError, match="of this name already"):
            watch.add_network("d", d)
        loss = d(g(torch.ones(3, 2))).sum()
        loss.backward()
        watch.step(loss, target=torch.ones(3, 1))
    look = watch.observation.looks[0]
    assert list(look.networks) == ["g", "d"]
    assert look.networks["g"].target is None  # it belongs to the network that answers
    assert look.networks["d"].target is not None


@pytest.mark.parametrize("every", [1, 7, 50])
def test_what_is_read_or_reported_meanwhile_moves_no_look(every: int) -> None:
    def steps_looked_at(*, interrupted: bool) -> list[int]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with ss.watch(model, optimizer) as watch:
            for step in range(350):
                x = torch.randn(8, 4)
                loss = (model(x) - x[:, :1]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
                if interrupted and step % every == 0:
                    watch.valid(loss=1.0)
                    watch.before_update()
        return [look.step for look in watch.observation.looks]

    assert steps_looked_at(interrupted=True) == steps_looked_at(interrupted=False)
    assert steps_looked_at(interrupted=True)[-1] > 100


def test_what_is_reported_must_be_numbers() -> None:
    with ss.watch(nn.Linear(1, 1)) as watch:
        for told in ({"parts": {"kl": torch.ones(2)}}, {"score": "good"}):
            with pytest.raises(ArgumentError, match="give the one number"):
                watch.step(1.0, **told)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="give the one number"):
            watch.valid(loss=torch.ones(3))


def test_a_model_goes_to_other_processes_while_a_look_is_due_as_it_does_unwatched() -> None:
    model = nn.Linear(3, 2)
    with ss.watch(model, torch.optim.SGD(model.parameters(), lr=0.1)) as watch:
        assert watch.looking
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ForkingPickler.dumps(model)


def everything_saved(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[bytes]:
    file = io.BytesIO()
    torch.save(model, file)
    copied = copy.deepcopy(model)
    hooks = [
        {key: value for key, value in vars(part).items() if "hook" in key}
        for part in (*copied.modules(), *model.modules())
    ]
    of_tensors = [p._backward_hooks for p in copied.parameters()]
    return [
        file.getvalue(),
        pickle.dumps(model),
        pickle.dumps(model.state_dict()),
        pickle.dumps(optimizer.state_dict()),
        repr((hooks, of_tensors)).encode(),
    ]


@pytest.mark.parametrize("name", ["norm and dropout", "recurrent", "transformer"])
def test_what_is_saved_while_a_look_is_due_is_what_is_saved_unwatched(name: str) -> None:
    model = NETWORKS[name]()
    optimizer = torch.optim.Adam(model.parameters())
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(2):
            loss = F.cross_entropy(model(torch.randn(8, 6)), torch.arange(8) % 3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            due = everything_saved(model, optimizer)
            watch.step(loss)
        assert len(watch.observation.looks) == 2
    assert everything_saved(model, optimizer) == due


def test_a_network_in_data_parallel_training_is_watched() -> None:
    def trained(watched: bool) -> tuple[nn.Module, Any]:
        torch.manual_seed(0)
        model = nn.parallel.DistributedDataParallel(kinds.dense())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        watch = ss.watch(model, optimizer, budget=1.0 if watched else 0.0)
        with watch:
            for _ in range(3):
                y = torch.randint(3, (8,))
                loss = F.cross_entropy(model(torch.randn(8, 6)), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        return model, watch

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        alone, _ = trained(False)
        model, watch = trained(True)
    finally:
        distributed.destroy_process_group()
    assert all(
        torch.equal(a, b) for a, b in zip(alone.parameters(), model.parameters(), strict=True)
    )
    assert watch.failure is None
    assert list(watch.observation.looks[0].signals) == ["0", "1", "2"]
    watch.diagnose()


@pytest.mark.draws
def test_a_step_that_nobody_looks_at_is_noted_like_any_other() -> None:
    def noted(budget: float) -> tuple[Observation, int]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 40, 0.5)
        with ss.watch(model, optimizer, budget=budget) as watch:
            for step in range(200):
                loss = model(torch.randn(8, 3)).square().mean()
                optimizer.zero_grad()
                loss.backward()
                if step % 2 == 0:
                    optimizer.step()
                schedule.step()
                watch.step(loss * torch.nan if step in (150, 170) else loss)
        return watch.observation, len(watch.observation.looks)

    (all_looked, _), (few_looked, looks) = noted(1.0), noted(0.001)
    assert looks < 30
    assert len(few_looked.losses) == 200
    assert [s for s, _ in all_looked.losses] == [s for s, _ in few_looked.losses]
    assert str(all_looked.losses) == str(few_looked.losses)
    assert all_looked.rates == few_looked.rates
    assert len(few_looked.rates) == 6
    assert all_looked.steps == few_looked.steps == 200
    for notes in (all_looked.notes, few_looked.notes):
        assert notes["first_not_finite"] == 150
        assert 99 <= notes["updates"][0] <= 100
    assert 151 in [look.step for look in few_looked.looks]
    assert 0 < few_looked.watching_seconds < few_looked.seconds


def test_a_graph_that_is_sparse_is_looked_at_as_any_input() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    graph, x = torch.eye(12).to_sparse(), torch.randn(12, 3)

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor, graph: Tensor) -> Tensor:
            return graph @ self.layer(x)

    network = Graph()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    with ss.watch(network, optimizer) as watch:
        for _ in range(10):
            loss = network(x, graph).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=x[:, :2])
    assert watch.failure is None
    assert watch.observation.looks


def test_a_network_that_is_found_within_a_step_leaves_the_first_in_sight() -> None:
    torch.manual_seed(0)

    class Bent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(3, 8), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(F.relu(self.into(x)))

    networks = {"a": Bent(), "b": Bent()}
    optimizers = {name: torch.optim.SGD(n.parameters(), 0.1) for name, n in networks.items()}
    x = torch.randn(16, 3)
    with ss.watch({"a": (networks["a"], optimizers["a"])}) as watch:
        for _ in range(20):
            for name, network in networks.items():
                if name not in watch.networks:
                    watch.add_network(name, network, optimizers[name])
                loss = (network(x) - x.sum(1, keepdim=True)).square().mean()
                optimizers[name].zero_grad()
                loss.backward()
                optimizers[name].step()
            watch.step(loss)
    assert watch.failure is None
    assert {"a.out.input", "b.out.input"} <= watch.observation.looks[-1].signals.keys()
