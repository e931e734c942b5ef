"""Hugging Face: small models of the library, and models of one's own, with its Trainer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import Dataset

from benchmarks.doctor.libraries.tasks import TASKS, Pair, Task, sentences, split
from sevensteps.integrations.transformers import Watch


class Rows(Dataset[dict[str, Tensor]]):
    """Samples by name."""

    def __init__(self, inputs: str, pair: Pair) -> None:
        self.inputs, self.pair = inputs, pair

    def __len__(self) -> int:
        return len(self.pair[0])

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        x, y = self.pair
        one = {self.inputs: x[row], "labels": y[row]}
        return one | {"attention_mask": (x[row] > 0).long()} if self.inputs == "input_ids" else one


class Model(nn.Module):
    """The network of a task, with its loss, as the Trainer takes models."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.net, self.loss = task.network(), task.loss

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.net(x)
        return (
            {"logits": logits}
            if labels is None
            else {
                "loss": self.loss(logits, labels),
                "logits": logits,
            }
        )


class Weighted(transformers.Trainer):
    """A loss of one's own, that takes the labels out of the inputs."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> Any:
        targets = inputs.pop("labels")
        outputs = model(**inputs)
        weights = torch.linspace(0.8, 1.2, outputs["logits"].shape[-1])
        loss = nn.functional.cross_entropy(outputs["logits"], targets, weight=weights)
        return (loss, outputs) if return_outputs else loss


def train(
    model: Any,
    inputs: str,
    pairs: tuple[Pair, Pair],
    epochs: int,
    seed: int,
    kind: Any = transformers.Trainer,
    score: Callable[[Any, Any], Any] | None = None,
    **options: Any,
) -> Watch:
    """Train it, and return the callback."""
    transformers.logging.set_verbosity_error()
    watch = Watch(show=False)
    stopping = options.pop("stopping", None)
    options = {
        "num_train_epochs": epochs,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 32,
        "eval_strategy": "epoch",
        "save_strategy": "no",
    } | options
    with tempfile.TemporaryDirectory() as folder:
        trainer = kind(
            model,
            transformers.TrainingArguments(
                folder, seed=seed, report_to=[], use_cpu=True, disable_tqdm=True, **options
            ),
            train_dataset=Rows(inputs, pairs[0]),
            eval_dataset=Rows(inputs, pairs[1]),
            callbacks=[watch, *([stopping] if stopping else [])],
            compute_metrics=score,
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return watch


def of_task(task: str, epochs: int, seed: int, **options: Any) -> Watch:
    """One of the tasks of all libraries."""
    transformers.set_seed(seed)
    chosen = TASKS[task]()
    return train(Model(chosen), "x", (chosen.train, chosen.valid), epochs, seed, **options)


def accuracy(prediction: Any) -> dict[str, float]:
    answers = prediction.predictions
    answers = answers[0] if isinstance(answers, tuple) else answers
    return {"accuracy": float((answers.argmax(-1) == prediction.label_ids).mean())}


def bert(seed: int, words: bool = False, frozen: bool = False, **options: Any) -> Watch:
    """A small BERT that classifies sentences, or each of their words."""
    transformers.set_seed(seed)
    tokens, topic = sentences()
    config = transformers.BertConfig(
        vocab_size=61,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
        num_labels=4 if words else 3,
    )
    if words:
        model: Any = transformers.BertForTokenClassification(config)
        labels = ((tokens - 1).div(20, rounding_mode="floor") + 1).where(tokens > 0, -100)
        labels = (labels + (tokens.roll(1, 1) > tokens)).clamp(max=3).where(tokens > 0, -100)
    else:
        model, labels = transformers.BertForSequenceClassification(config), topic
    if frozen:
        model.bert.embeddings.requires_grad_(False)
    return train(model, "input_ids", split(tokens, labels), 6, seed, **options)


def gpt(seed: int) -> Watch:
    """A small GPT-2 that learns to count by steps."""
    transformers.set_seed(seed)
    generator = torch.Generator().manual_seed(0)
    start = torch.randint(0, 32, (800, 1), generator=generator)
    step = torch.randint(1, 3, (800, 1), generator=generator)
    tokens = (start + step * torch.arange(16)) % 32 + 1
    config = transformers.GPT2Config(
        vocab_size=33,
        n_positions=16,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(config)
    return train(
        model,
        "input_ids",
        split(tokens, tokens),
        6,
        seed,
        gradient_accumulation_steps=2,
        per_device_train_batch_size=16,
        lr_scheduler_type="cosine",
        warmup_steps=10,
    )


TRAININGS: dict[str, Callable[[int], Watch]] = {
    "table": lambda seed: of_task("table", 20, seed),
    "regression": lambda seed: of_task("regression", 30, seed, lr_scheduler_type="constant"),
    "images": lambda seed: of_task("images", 5, seed, score=accuracy),
    "labels, accumulated": lambda seed: of_task(
        "labels", 15, seed, gradient_accumulation_steps=2, per_device_train_batch_size=16
    ),
    "fine-tuning, a loss of one's own": lambda seed: of_task(
        "fine-tuning", 15, seed, kind=Weighted, learning_rate=1e-2, score=accuracy
    ),
    "sentences, BERT, bf16": lambda seed: bert(seed, bf16=True, score=accuracy),
    "words, BERT, label smoothing": lambda seed: bert(seed, words=True, label_smoothing_factor=0.1),
    "sentences, BERT, frozen embeddings": lambda seed: bert(
        seed, frozen=True, score=accuracy, warmup_steps=20, max_grad_norm=0.5
    ),
    "language model": gpt,
}
