"""Where the loss is lowest, for models linear in their parameters under squared loss; and raw
inputs raced against standardised ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.data import Data, Part, source
from sevensteps.data.scaling import fit_scaling
from sevensteps.engine.modules import Neuron, Powers
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import Error
from sevensteps.explain.neuron.units import named_inputs
from sevensteps.explain.subject import Subject
from sevensteps.racing import grouping
from sevensteps.racing.run import prepare_race, run_race
from sevensteps.steps.loss import mean_squared_error
from sevensteps.training.evaluation import evaluate

BEFORE = (
    nn.Flatten,
    nn.Identity,
    Powers,
)  # what may stand before the weighted sum: nothing that is trained
FLAT = 1e-12  # of the largest eigenvalue: below it a direction is flat but for rounding
STEPS = 50  # of the race


@dataclass(frozen=True)
class Optimum:
    """The least loss there is, and the parameters that have it, of the shortest such. `distance` is how far the training's own are.

    `terms` names what each parameter multiplies; `noiseless` are the parameters of the curve that
    the data were made from, where that is known."""

    loss: float
    here: float
    parameters: tuple[float, ...]
    own: tuple[float, ...]
    terms: tuple[str, ...]
    distance: float
    noiseless: tuple[float, ...] | None


@dataclass(frozen=True)
class Lane:
    """One of the race: its inputs, the condition number of its loss, its learning rate 1/λ_max, and its loss after `STEPS` steps."""

    inputs: str
    condition: float
    lr: float
    steps: int
    start: float
    loss: float


def solvable(subject: Subject) -> bool:
    """Whether the best parameters are known in closed form: one weighted sum of the inputs, or of
    their powers, under squared loss.
    """
    chain = [module for _, module in named_layers(subject.network)]
    weighted = (
        bool(chain)
        and isinstance(chain[-1], nn.Linear | Neuron)
        and all(isinstance(module, BEFORE) for module in chain[:-1])
    )
    return (
        weighted
        and isinstance(subject.loss, mean_squared_error)
        and all(p.requires_grad for p in chain[-1].parameters())
    )


def design(network: nn.Module, x: Tensor) -> Tensor:
    """What the parameters of one output multiply, in their order: [N, D]; 1 for the bias."""
    *before, last = [module for _, module in named_layers(network)]
    for module in before:
        x = module(x)
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    if last.bias is not None:
        return torch.cat([x, ones], 1)
    return torch.cat([ones, x], 1) if isinstance(last, Neuron) else x


def curvatures(terms: Tensor, outputs: int) -> np.ndarray:
    """The eigenvalues of the Hessian 2 ΦᵀΦ / (N O) of one output's mean squared error,
    ascending.
    """
    return np.linalg.eigvalsh((2 * terms.T @ terms / (len(terms) * outputs)).numpy())


def optimum(subject: Subject, x: Tensor, y: Tensor) -> Optimum:
    """The best parameters for the samples x, y in float64, by `numpy.linalg.lstsq`."""
    terms = design(subject.network, x).numpy()
    target = y.reshape(len(y), -1).numpy()
    best = np.linalg.lstsq(terms, target, rcond=None)[0]  # [D, O]
    last = named_layers(subject.network)[-1][1]
    own = np.concatenate(
        [p.detach().double().numpy().reshape(target.shape[1], -1) for p in last.parameters()], 1
    ).T
    return Optimum(
        _loss(terms, best, target),
        _loss(terms, own, target),
        tuple(best.T.reshape(-1).tolist()),
        tuple(own.T.reshape(-1).tolist()),
        names(subject),
        float(np.linalg.norm(best - own)),
        _noiseless(subject),
    )


def _loss(terms: np.ndarray, parameters: np.ndarray, target: np.ndarray) -> float:
    return float(((terms @ parameters - target) ** 2).mean())


def names(subject: Subject) -> tuple[str, ...]:
    """What the parameters of an output multiply, in words: t², t, 1."""
    *before, last = [module for _, module in named_layers(subject.network)]
    found = named_inputs(subject.data.features, subject.data.train.x[0].numel(), before)
    return (
        (*found, "1")
        if last.bias is not None
        else ("1", *found)
        if isinstance(last, Neuron)
        else found
    )


def _noiseless(subject: Subject) -> tuple[float, ...] | None:
    """The best parameters on the same data drawn without noise, if they are a toy that can be, and
    these fit it exactly.
    """
    if subject.data.task.kind != "regression":
        return None
    try:
        made: Any = source(subject.data.source)
    except Error:
        return None
    if not getattr(made, "noise", 0):
        return None
    pure = replace(made, noise=0.0).load().train
    if not isinstance(pure.x, Tensor):
        return None
    terms, target = design(subject.network, pure.x.double()).numpy(), pure.y.double().numpy()
    best = np.linalg.lstsq(terms, target, rcond=None)[0]
    return (
        tuple(best.T.reshape(-1).tolist())
        if _loss(terms, best, target) < 1e-9 * float(target.var())
        else None
    )


def race(subject: Subject) -> list[Lane]:
    """The same training on raw and on standardised inputs, beside each other for `STEPS` full-batch
    steps, each at its own 1/λ_max.
    """
    raw = subject.data
    if not isinstance(raw.train.x, Tensor) or not isinstance(raw.valid.x, Tensor):
        return []
    scaling = fit_scaling("standardize", raw.train.x)
    standard = replace(
        raw,
        train=Part(scaling(raw.train.x), raw.train.y),
        valid=Part(scaling(raw.valid.x), raw.valid.y),
    )
    found = [_spread(subject, data) for data in (raw, standard)]
    recipes = [
        replace(
            subject.recipe,
            data=data,
            step=f"sgd(lr={1 / top!r})",
            repeat="full_batch()",
            stop=f"steps({STEPS})",
            gradient=None,
            precision="float64",
            device="cpu",
            threads=1,
            reasons={},
        )
        for data, (top, _) in zip((raw, standard), found, strict=True)
    ]
    racing = prepare_race(grouping.resolve_all(recipes))
    run_race(racing)
    lanes = []
    for name, (top, condition), training in zip(
        ("as they are", "standardised"), found, racing.trainings, strict=True
    ):
        first = training.progress.history[0]["train"]["loss"]
        lanes.append(
            Lane(
                name,
                condition,
                1 / top,
                training.progress.step,
                first,
                evaluate(training, "train")["loss"],
            )
        )
    return lanes


def _spread(subject: Subject, data: Data) -> tuple[float, float]:
    """The largest eigenvalue on these data, and the condition number."""
    x, y = data.train.x, subject.output.encode(data.train.y)
    assert isinstance(x, Tensor)
    found = curvatures(design(subject.network, x.double()), y.reshape(len(y), -1).shape[1])
    return float(found[-1]), float(found[-1] / found[found > FLAT * found[-1]][0])
