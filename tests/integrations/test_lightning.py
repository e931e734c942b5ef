"""Watch in Lightning: healthy and faulty trainings, automatic and manual, unchanged to the bit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers import libraries
from tests.helpers.libraries import BROKEN_OFF, EPOCHS, FAULTS, STEPS

L: Any = pytest.importorskip("lightning.pytorch", reason="make test-integrations")
from benchmarks.doctor.libraries.lightning import TRAININGS  # noqa: E402
from sevensteps.integrations.lightning import Watch, networks_of, root_of  # noqa: E402

pytestmark = pytest.mark.draws


class Digits(L.LightningModule):
    """A classifier as most people write one."""

    def __init__(self, fault: str = "none") -> None:
        super().__init__()
        self.model, self.loss = libraries.network(fault), libraries.Loss(fault)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        output = self(x)
        self.log("val_loss", self.loss(output, y))
        self.log("val_accuracy", (output.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3)


class ByHand(Digits):
    """The same with manual optimisation."""

    automatic_optimization = False

    def __init__(self, fault: str = "none") -> None:
        super().__init__(fault)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        optimizer = self.optimizers()
        loss = self.loss(self(x), y)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


class Gan(L.LightningModule):
    """Two networks with an optimizer each; the critic is trained first."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.Tanh())
        self.critic = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, _ = batch
        for_generator, for_critic = self.optimizers()
        loss_fn = nn.functional.binary_cross_entropy_with_logits
        fake, one, zero = (
            self(torch.randn(len(x), 8)),
            torch.ones(len(x), 1),
            torch.zeros(len(x), 1),
        )
        loss = loss_fn(self.critic(x), one) + loss_fn(self.critic(fake.detach()), zero)
        for_critic.zero_grad()
        self.manual_backward(loss)
        for_critic.step()
        loss = loss_fn(self.critic(fake), one)
        for_generator.zero_grad()
        self.manual_backward(loss)
        for_generator.step()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.999)),
            torch.optim.Adam(self.critic.parameters(), lr=1e-3, betas=(0.5, 0.999)),
        ]


def fit(
    module: Any, accumulated: int = 1, watched: bool = True, callbacks: Any = (), **options: Any
) -> Watch:
    """Train `module`, and return the callback."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    callback = Watch(budget=1)
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=accumulated,
        callbacks=[*callbacks, *([callback] if watched else [])],
        **{"max_epochs": EPOCHS} | options,
    )
    torch.manual_seed(1)
    trainer.fit(module, *libraries.loaders(accumulated))
    return callback


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(
    fault: str, accumulated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = Digits(fault), Digits(fault)
    callback = fit(ours, accumulated)
    fit(theirs, accumulated, watched=False)
    libraries.check_diagnosis(callback, fault, STEPS * accumulated, EPOCHS)
    libraries.check_shown(callback, capsys)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))


@pytest.mark.parametrize("fault", FAULTS)
def test_manual_optimisation(fault: str) -> None:
    ours, theirs = ByHand(fault), ByHand(fault)
    callback = fit(ours)
    fit(theirs, watched=False)
    libraries.check_diagnosis(callback, fault, STEPS, EPOCHS)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))


def test_half_precision_clipping_and_a_schedule() -> None:
    class Scheduled(Digits):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)]

    options = {"precision": "bf16-mixed", "gradient_clip_val": 1.0}
    ours, theirs = Scheduled(), Scheduled()
    callback = fit(ours, **options)
    fit(theirs, watched=False, **options)
    libraries.check_diagnosis(callback, "none", STEPS, EPOCHS)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))
    rates = [rate for _, rate in callback.watch.observation.rates]
    assert rates == sorted(rates, reverse=True)
    # an epoch's schedule has stepped when Lightning says that its last batch has ended
    assert (rates[0], len(rates)) == (0.3, EPOCHS + 1)


def test_training_on_is_a_training_of_its_own(tmp_path: Path) -> None:
    module, watch = Digits(), Watch(budget=1, show=False)
    stopping = L.callbacks.EarlyStopping("val_loss", patience=1, min_delta=100.0)
    options: Any = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    first = L.Trainer(max_epochs=EPOCHS, callbacks=[stopping, watch], **options)
    first.fit(module, *libraries.loaders())
    first.save_checkpoint(tmp_path / "last.ckpt")
    seen, epoch = watch.watch, libraries.STEPS // EPOCHS
    assert (seen.observation.steps, watch.diagnosis.findings) == (2 * epoch, [])
    second = L.Trainer(max_epochs=EPOCHS + 1, callbacks=[watch], **options)
    second.fit(Digits(), *libraries.loaders(), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert watch.watch is not seen
    assert watch.watch.observation.steps == 2 * epoch
    assert watch.diagnosis.findings == []


def test_the_losses_are_those_of_the_batches() -> None:
    class Losses(L.Callback):
        values: tuple[float, ...] = ()

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            self.values += (float(outputs["loss"]) * 4,)

    losses = Losses()
    callback = fit(Digits(), 4, callbacks=[losses])
    observed = [loss for _, loss in callback.watch.observation.losses]
    assert observed == pytest.approx(losses.values)


def test_two_networks_with_an_optimizer_each() -> None:
    ours, theirs = Gan(), Gan()
    # in fewer steps the weights hardly leave where they were drawn, and the diagnosis says so
    options = {"max_epochs": 4 * EPOCHS, "limit_val_batches": 0}
    callback = fit(ours, **options)
    fit(theirs, watched=False, **options)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))
    observation = callback.watch.observation
    assert callback.watch.failure is None
    assert observation.networks == ("generator", "critic")
    assert {len(values) for values in observation.parts.values()} == {observation.steps}
    assert callback.diagnosis.findings == []


def test_what_is_the_network_of_a_module() -> None:
    gan, digits = Gan(), Digits()
    generator, critic = gan.configure_optimizers()
    assert {
        name: (id(module), id(optimizer))
        for name, (module, optimizer) in networks_of(gan, [generator, critic]).items()
    } == {
        "generator": (id(gan.generator), id(generator)),
        "critic": (id(gan.critic), id(critic)),
    }
    assert networks_of(gan, [torch.optim.SGD(gan.parameters(), lr=1)]) == {}
    assert networks_of(digits, [digits.configure_optimizers()]) == {}
    assert root_of(digits) is digits.model
    assert root_of(gan) is gan


def test_the_model_can_be_saved_meanwhile(tmp_path: Path) -> None:
    class Saving(L.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            torch.save(module.model, tmp_path / "model.pt")
            trainer.save_checkpoint(tmp_path / "checkpoint.ckpt")

    fit(Digits(), callbacks=[Saving()], max_steps=3)
    saved = torch.load(tmp_path / "model.pt", weights_only=False)
    assert all(not module._forward_hooks for module in saved.modules())


def test_a_failure_of_the_watch_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("no step today")

    ours, theirs = Digits(), Digits()
    fit(theirs, watched=False)
    monkeypatch.setattr("sevensteps.api.watch.Watch.step", fails)
    callback = fit(ours)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))
    assert callback.diagnosis is None
    assert [record.message for record in caplog.records if record.name == "sevensteps"] == [
        "the training is no longer watched: RuntimeError: no step today"
    ]


@BROKEN_OFF
def test_a_training_that_is_broken_off_is_diagnosed(
    raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    breaker = libraries.Breaker(raised)

    class Breaking(L.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            breaker.batch()

    watch = Watch(budget=1)
    trainer = L.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[watch, Breaking()],
    )
    # of a Ctrl-C, Lightning makes an exit
    with pytest.raises(SystemExit if raised is KeyboardInterrupt else raised):
        trainer.fit(Digits("double softmax"), libraries.loaders()[0])
    libraries.check_broken_off(watch, capsys)


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    callback = TRAININGS[name](0)
    assert callback.watch.failure is None
    assert callback.diagnosis.findings == []
