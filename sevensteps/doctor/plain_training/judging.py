"""How well a copy answers, on samples that it was not trained on: by its score, or by its loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from sevensteps.doctor.asking import ask, only_tensor
from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import final_loss
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.doctor.plain_training.copy_training import Data, scale_of
from sevensteps.observe.structure import rows, sample_count

LEAST = 60  # samples
PART = 3  # every third
JUDGED = 512
FED = 200
NEAR = 2.0  # times the loss of the last steps


@dataclass(frozen=True)
class Measured:
    """The `value` of a "score" or a "loss"."""

    name: str
    value: float


def data_of(case: Case) -> Data | None:
    """The samples to train on and to judge by: the validation data, else every third sample."""
    train = case.part("train") or case.examples
    if train is None:
        return None
    count = sample_count(train[0])
    if count < LEAST:
        return None
    valid, fed = case.part("valid"), _fed(case, train)
    if valid is not None and sample_count(valid[0]) >= LEAST:
        return Data(train, _some(valid), "the validation data", fed)
    left_out = torch.arange(0, count, PART)
    own = torch.ones(count, dtype=torch.bool)
    own[left_out] = False
    pair = rows(train[0], left_out), rows(train[1], left_out)
    rest = own.nonzero().flatten()
    trained = rows(train[0], rest), rows(train[1], rest)
    places = torch.full((count,), -1)
    places[rest] = torch.arange(len(rest))
    return Data(trained, _some(pair), "samples left out", fed, places)


def _fed(case: Case, train: Pair) -> Pair | None:
    """The samples that watching stored, where others were handed over."""
    observation = case.observation
    if case.part("train") is None or observation.x is None or observation.y is None:
        return None
    x, y = only_tensor(train[0]), only_tensor(train[1])
    if x is None or y is None or len(observation.x) < FED:
        return None
    fed = observation.x, observation.y
    if fed[0].shape[1:] != x.shape[1:] or fed[1].shape[1:] != y.shape[1:]:
        return None
    return fed if len(fed[0]) == len(fed[1]) and fed[1].dtype == y.dtype else None


def _some(pair: Pair) -> Pair:
    count = sample_count(pair[0])
    if count <= JUDGED:
        return pair
    chosen = torch.linspace(0, count - 1, JUDGED).long()
    return rows(pair[0], chosen), rows(pair[1], chosen)


def is_loss_of_training(case: Case, network: nn.Module, data: Data) -> bool:
    """Whether the loss on the samples that are known is about what the training ended with: not
    where the loop prepares them otherwise, or computes another loss.
    """
    own = replace(data, judged=_some(data.trained))
    measured, end = measure(case, network, own), final_loss(case)
    return measured is not None and end / NEAR < measured.value < NEAR * end


def measure(
    case: Case, network: nn.Module, data: Data, standardised: bool = False
) -> Measured | None:
    """The score of `network`, which is in evaluation mode, else its loss."""
    inputs, targets = data.judged
    if standardised:
        shift, scale = scale_of(data.trained[0])
        inputs = (inputs - shift) / scale
    with torch.no_grad():
        output = ask(network, inputs)
        answer = case.answer_in(output)
        score = case.score(answer, targets_of((None, targets)))
        if score is not None:
            return Measured("score", score)
        if case.loss is None or not (case.loss_is_error or case.loss_fn is not None):
            return None
        own = output if case.loss_fn is not None else answer
        loss = float(case.loss(own, targets).mean())  # type: ignore[arg-type]
    return Measured("loss", loss) if math.isfinite(loss) else None
