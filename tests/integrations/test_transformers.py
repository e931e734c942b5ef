"""Watch in Hugging Face's Trainer: healthy and faulty trainings, unchanged to the bit; losses of
one's own; language models; checkpoints.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tests.helpers import libraries
from tests.helpers.libraries import BROKEN_OFF, EPOCHS, FAULTS, STEPS, TRAIN, VALID

transformers: Any = pytest.importorskip("transformers", reason="make test-integrations")
from benchmarks.doctor.libraries.transformers import TRAININGS  # noqa: E402
from sevensteps.integrations.transformers import (  # noqa: E402
    IGNORED,
    Watch,
    listen_for_loss,
    next_tokens,
)

pytestmark = pytest.mark.draws


class Rows(Dataset[dict[str, Tensor]]):
    """Samples as the models of transformers take them."""

    def __init__(self, x: Tensor, y: Tensor, name: str = "pixels") -> None:
        self.x, self.y, self.name = x, y, name

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {self.name: self.x[row], "labels": self.y[row]}


class Classifier(nn.Module):
    """A model that computes its loss itself."""

    def __init__(self, fault: str = "none") -> None:
        super().__init__()
        self.layers, self.loss = libraries.network(fault), libraries.Loss(fault)

    def forward(self, pixels: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.layers(pixels)
        return (
            {"logits": logits}
            if labels is None
            else {
                "loss": self.loss(logits, labels),
                "logits": logits,
            }
        )


class Configured(Classifier):
    """A model with a configuration, as label smoothing needs."""

    def __init__(self, fault: str = "none") -> None:
        super().__init__(fault)
        self.config = transformers.PretrainedConfig()


class OwnLoss(transformers.Trainer):
    """A Trainer that computes the loss, as people write one for weighted classes."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ) -> Any:
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = model.loss(outputs["logits"], labels)
        return (loss, outputs) if return_outputs else loss


def accuracy(prediction: Any) -> dict[str, float]:
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


def fit(
    model: nn.Module,
    folder: Path,
    accumulated: int = 1,
    watched: bool = True,
    kind: Any = transformers.Trainer,
    callbacks: tuple[Any, ...] = (),
    **options: Any,
) -> Watch:
    """Train `model`, and return the callback."""
    transformers.logging.set_verbosity_error()
    train, valid = libraries.digits()
    callback = Watch(budget=1)
    options = {
        "num_train_epochs": EPOCHS,
        "learning_rate": 0.3,
        "optim": "sgd",
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "eval_strategy": "epoch",
    } | options
    trainer = kind(
        model,
        transformers.TrainingArguments(
            str(folder),
            per_device_train_batch_size=libraries.BATCH // accumulated,
            per_device_eval_batch_size=VALID,
            gradient_accumulation_steps=accumulated,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            **options,
        ),
        train_dataset=Rows(*train),
        eval_dataset=Rows(*valid),
        callbacks=[*callbacks, *([callback] if watched else [])],
        compute_metrics=accuracy,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return callback


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(
    fault: str, accumulated: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = Classifier(fault), Classifier(fault)
    callback = fit(ours, tmp_path, accumulated)
    fit(theirs, tmp_path, accumulated, watched=False)
    libraries.check_diagnosis(callback, fault, STEPS * accumulated, EPOCHS)
    libraries.check_shown(callback, capsys)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))


@BROKEN_OFF
def test_a_training_that_is_broken_off_is_diagnosed(
    raised: type[BaseException], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    breaker, watch = libraries.Breaker(raised), Watch(budget=1)

    class Breaking(transformers.TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            breaker.batch()

    with pytest.raises(raised):
        fit(Classifier("double softmax"), tmp_path, watched=False, callbacks=(watch, Breaking()))
    libraries.check_broken_off(watch, capsys)


class OtherName(OwnLoss):
    """The same, where the labels have another name meanwhile."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ) -> Any:
        digit = inputs.pop("labels")
        outputs = model(**inputs)
        loss = nn.functional.cross_entropy(outputs["logits"], digit)
        return (loss, outputs) if return_outputs else loss


@pytest.mark.parametrize(
    ("kind", "options"),
    [(OwnLoss, {}), (OtherName, {}), (transformers.Trainer, {"label_smoothing_factor": 0.1})],
    ids=["own loss", "another name", "label smoothing"],
)
def test_labels_that_the_loss_takes_out_of_the_inputs(
    kind: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    ours, theirs = Configured(), Configured()
    callback = fit(ours, tmp_path, kind=kind, **options)
    fit(theirs, tmp_path, watched=False, kind=kind, **options)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))
    libraries.check_diagnosis(callback, "none", STEPS, EPOCHS)
    targets = [look.target for look in callback.watch.observation.looks]
    assert all(target is not None and len(target) == libraries.BATCH for target in targets)
    faulty = fit(Configured("double softmax"), tmp_path, kind=kind, **options)
    assert "output_loss_mismatch" in [f.condition for f in faulty.diagnosis.findings]


@pytest.mark.parametrize("kind", [transformers.Trainer, OwnLoss])
def test_the_losses_are_those_of_the_batches(kind: Any, tmp_path: Path) -> None:
    model = Classifier()
    losses: list[float] = []
    plain = model.loss

    def noted(output: Tensor, target: Tensor) -> Tensor:
        loss = plain(output, target)
        if output.requires_grad:
            losses.append(float(loss))
        return loss

    object.__setattr__(model, "loss", noted)
    callback = fit(model, tmp_path, 4, kind=kind)
    seen = [loss for _, loss in callback.watch.observation.losses]
    assert len(seen) == STEPS * 4
    assert seen == pytest.approx(losses[: len(seen)])  # afterwards the doctor asks, too


def test_the_model_can_be_saved_meanwhile(tmp_path: Path) -> None:
    backward = Tensor.backward

    class Saving(transformers.TrainerCallback):
        saved = 0

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            assert not kwargs["model"]._forward_pre_hooks
            assert Tensor.backward is backward
            torch.save(kwargs["model"], tmp_path / "model.pt")
            self.saved += 1

    saving = Saving()
    fit(Classifier(), tmp_path, callbacks=(saving,), save_strategy="epoch", num_train_epochs=1)
    assert saving.saved == TRAIN // libraries.BATCH
    assert list(tmp_path.glob("checkpoint-*/model.safetensors"))
    assert not torch.load(tmp_path / "model.pt", weights_only=False)._forward_pre_hooks


def test_a_training_that_is_broken_off_leaves_the_next_alone(tmp_path: Path) -> None:
    backward = Tensor.backward

    class Raising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = libraries.network()

        def forward(self, pixels: Tensor, labels: Tensor) -> dict[str, Tensor]:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        fit(Raising(), tmp_path)
    callback = fit(Classifier(), tmp_path)
    libraries.check_diagnosis(callback, "none", STEPS, EPOCHS)
    assert Tensor.backward is backward


def language_model() -> Any:
    """A GPT-2 of two small blocks."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=32,
        n_positions=16,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config)


def fit_language_model(folder: Path, watched: bool = True) -> tuple[Any, Watch]:
    """A language model that learns to count, with padding at the end."""
    start = torch.randint(0, 32, (512, 1), generator=torch.Generator().manual_seed(0))
    tokens = (start + torch.arange(16)) % 32
    labels = tokens.clone()
    labels[:, 12:] = IGNORED
    model, callback = language_model(), Watch(budget=1)
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(
            str(folder),
            num_train_epochs=4,
            per_device_train_batch_size=32,
            learning_rate=3e-3,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=Rows(tokens, labels, "input_ids"),
        callbacks=[callback] if watched else [],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return model, callback


def test_a_language_model(tmp_path: Path) -> None:
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, callback = fit_language_model(tmp_path)
        theirs, _ = fit_language_model(tmp_path, watched=False)
    assert torch.equal(libraries.weights(ours), libraries.weights(theirs))
    assert callback.watch.failure is None
    observation = callback.watch.observation
    assert observation.losses[-1][1] < 0.5 * observation.losses[0][1]
    assert callback.diagnosis.findings == []
    first = observation.looks[0]
    assert first.shapes["output"] == (32, 16, 32)
    assert first.shapes["target"] == (32, 16)
    assert (first.target.reshape(-1, 16)[:, 11:] == IGNORED).all()  # told from the token after it


def test_what_each_place_of_a_text_is_answered_with() -> None:
    assert next_tokens(torch.tensor([[5, 6, 7]])).tolist() == [[6, 7, IGNORED]]


def test_listening_for_a_loss_ends_by_itself() -> None:
    backward, losses = Tensor.backward, []
    listen_for_loss(losses.append)
    listen_for_loss(losses.append)  # the first was never served
    weight = torch.ones(2, requires_grad=True)
    first, second = weight.sum(), weight.sum()
    first.backward()
    assert Tensor.backward is backward
    second.backward()
    assert losses == [first]
    assert weight.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    callback = TRAININGS[name](0)
    assert callback.watch.failure is None
    assert callback.diagnosis.findings == []
