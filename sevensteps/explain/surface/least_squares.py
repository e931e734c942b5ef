"""Least squares: the optimum of models that are linear in their parameters, and how much faster
standardised inputs reach it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.data import Data, Part, source
from sevensteps.data.scaling import Scaling, fit_scaling
from sevensteps.engine.modules import Neuron, Powers, curve_letters
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import Error
from sevensteps.explain.neuron.units import input_names
from sevensteps.explain.subject import Subject
from sevensteps.racing import grouping
from sevensteps.racing.run_race import prepare_race, run_race
from sevensteps.steps.loss import mean_squared_error
from sevensteps.training.evaluation import evaluate

# what may come before the weighted sum: nothing that is trained
UNTRAINED_LAYERS = (nn.Flatten, nn.Identity, Powers)
FLAT = 1e-12  # of the largest eigenvalue: below it a direction is flat but for rounding
RACE_STEPS = 50


@dataclass(frozen=True)
class LeastSquaresOptimum:
    """The lowest loss that is possible, and the shortest parameters that have it.

    `here` and `own` are the loss and the parameters of the training, `distance` how far these are
    from the optimum. `terms` names what each parameter multiplies; `noiseless` are the parameters
    of the curve that the data were drawn from, where that is known. Where inputs or targets are
    scaled, `unscaled` has the same parameters, by name, for inputs and targets as they were before.
    `letters` are what a book calls the parameters of a curve in one number, a t² + b t + c, and
    `scaled_terms` what they multiply there where that number z is scaled, as `scales` says.
    """

    loss: float
    here: float
    parameters: tuple[float, ...]
    own: tuple[float, ...]
    terms: tuple[str, ...]
    distance: float
    noiseless: tuple[float, ...] | None
    unscaled: dict[str, tuple[float, ...]]
    letters: tuple[str, ...]
    scaled_terms: tuple[str, ...]
    scales: tuple[str, ...]


@dataclass(frozen=True)
class ScaledTraining:
    """A training on `inputs` of one scale: the condition number of its loss, its learning rate
    1/λ_max, and its loss at the start and after `steps` steps.
    """

    inputs: str
    condition: float
    lr: float
    steps: int
    start: float
    loss: float


def has_closed_form(subject: Subject) -> bool:
    """Whether the best parameters are known in closed form: one weighted sum of the inputs, or of
    their powers, under squared loss.
    """
    chain = [module for _, module in named_layers(subject.network)]
    weighted = (
        bool(chain)
        and isinstance(chain[-1], nn.Linear | Neuron)
        and all(isinstance(module, UNTRAINED_LAYERS) for module in chain[:-1])
    )
    return (
        weighted
        and isinstance(subject.loss, mean_squared_error)
        and all(p.requires_grad for p in chain[-1].parameters())
    )


def design_matrix(network: nn.Module, x: Tensor) -> Tensor:
    """What the parameters of one output multiply, in their order: [N, D]; 1 for the bias."""
    *before, last = [module for _, module in named_layers(network)]
    for module in before:
        x = module(x)
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    if last.bias is not None:
        return torch.cat([x, ones], 1)
    return torch.cat([ones, x], 1) if isinstance(last, Neuron) else x


def hessian_eigenvalues(terms: Tensor, outputs: int) -> np.ndarray:
    """The eigenvalues of the Hessian 2 ΦᵀΦ / (N O) of one output's mean squared error,
    ascending.
    """
    return np.linalg.eigvalsh((2 * terms.T @ terms / (len(terms) * outputs)).numpy())


def least_squares_optimum(subject: Subject, x: Tensor, y: Tensor) -> LeastSquaresOptimum:
    """The best parameters for the samples x, y in float64, by `numpy.linalg.lstsq`."""
    terms = design_matrix(subject.network, x).numpy()
    target = y.reshape(len(y), -1).numpy()
    best = np.linalg.lstsq(terms, target, rcond=None)[0]  # [D, O]
    last = named_layers(subject.network)[-1][1]
    own = np.concatenate(
        [p.detach().double().numpy().reshape(target.shape[1], -1) for p in last.parameters()], 1
    ).T
    noiseless, pure = _noiseless_parameters(subject)
    unscaled = {
        name: raw
        for name, parameters, data in (
            ("optimum", best[:, 0], subject.data),
            ("training", own[:, 0], subject.data),
            ("without noise", noiseless, pure),
        )
        if parameters is not None
        and data is not None
        and target.shape[1] == 1
        and (raw := _unscaled(subject, data, np.asarray(parameters))) is not None
    }
    return LeastSquaresOptimum(
        _mean_squared_error(terms, best, target),
        _mean_squared_error(terms, own, target),
        tuple(best.T.reshape(-1).tolist()),
        tuple(own.T.reshape(-1).tolist()),
        term_names(subject),
        float(np.linalg.norm(best - own)),
        noiseless,
        unscaled,
        curve_letters(subject.network),
        *_scaled_names(subject),
    )


def _scaled_names(subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the parameters multiply, and how inputs and targets are scaled: (z², z, 1) and
    (z = (t - 9.5) / 5.766,) where the only input t is standardised.
    """
    terms, scales = term_names(subject), []
    inputs, targets = subject.data.scaling, subject.data.target_scaling
    count = subject.data.train.x[0].numel()
    if inputs.name != "none" and count == 1:
        (name,) = input_names(subject.data.features, 1, ())
        terms = tuple(term.replace(name, "z") for term in terms)
        scales.append(f"z = {_scaled_text(name, inputs)}")
    if targets.name != "none" and targets.scale.numel() == 1:
        scales.append(f"the target is {_scaled_text('y', targets)}")
    return terms, tuple(scales)


def _scaled_text(name: str, scaling: Scaling) -> str:
    offset, scale = float(scaling.offset.reshape(-1)[0]), float(scaling.scale.reshape(-1)[0])
    moved = f"({name} {'-' if offset >= 0 else '+'} {abs(offset):.4g})" if offset else name
    return f"{moved} / {scale:.4g}"


def _unscaled(subject: Subject, data: Data, parameters: np.ndarray) -> tuple[float, ...] | None:
    """The same curve in inputs and targets before scaling; None where neither is scaled, and where
    the model cannot have it so.
    """
    x, inputs, targets = data.train.x, data.scaling, data.target_scaling
    if (inputs.name == targets.name == "none") or not isinstance(x, Tensor) or x.ndim != 2:
        return None
    answers = design_matrix(subject.network, x.double()).numpy() @ parameters
    answers = answers * float(targets.scale.reshape(-1)[0]) + float(targets.offset.reshape(-1)[0])
    terms = design_matrix(subject.network, x.double() * inputs.scale + inputs.offset).numpy()
    if len(terms) < terms.shape[1]:
        return None
    size = np.linalg.norm(terms, axis=0)
    size[size == 0] = 1.0
    raw = np.linalg.lstsq(terms / size, answers, rcond=None)[0] / size
    close = np.allclose(terms @ raw, answers, atol=1e-6 * float(np.abs(answers).max() or 1))
    return tuple(raw.tolist()) if close else None


def _mean_squared_error(terms: np.ndarray, parameters: np.ndarray, target: np.ndarray) -> float:
    return float(((terms @ parameters - target) ** 2).mean())


def term_names(subject: Subject) -> tuple[str, ...]:
    """The names of what the parameters of an output multiply, for example t², t, 1."""
    *before, last = [module for _, module in named_layers(subject.network)]
    names = input_names(subject.data.features, subject.data.train.x[0].numel(), before)
    return (
        (*names, "1")
        if last.bias is not None
        else ("1", *names)
        if isinstance(last, Neuron)
        else names
    )


def _noiseless_parameters(subject: Subject) -> tuple[tuple[float, ...] | None, Data | None]:
    """The best parameters on the same data drawn without noise, and these data; None for data that
    are not drawn, and where the model does not fit them exactly.
    """
    if subject.data.task.kind != "regression":
        return None, None
    try:
        data_source: Any = source(subject.data.source)
    except Error:
        return None, None
    if not getattr(data_source, "noise", 0):
        return None, None
    data = replace(data_source, noise=0.0).load()
    pure = data.train
    if not isinstance(pure.x, Tensor):
        return None, None
    terms, target = design_matrix(subject.network, pure.x.double()).numpy(), pure.y.double().numpy()
    best = np.linalg.lstsq(terms, target, rcond=None)[0]
    if _mean_squared_error(terms, best, target) < 1e-9 * float(target.var()):
        return tuple(best.T.reshape(-1).tolist()), data
    return None, None


def race_input_scales(subject: Subject) -> list[ScaledTraining]:
    """The same training on raw and on standardised inputs, for `RACE_STEPS` full-batch steps, each
    at its own 1/λ_max. Empty for inputs that stay on disk.
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
    conditioning = [_conditioning(subject, data) for data in (raw, standard)]
    recipes = [
        replace(
            subject.recipe,
            data=data,
            step=f"sgd(lr={1 / top!r})",
            repeat="full_batch()",
            stop=f"steps({RACE_STEPS})",
            gradient=None,
            precision="float64",
            device="cpu",
            threads=1,
            reasons={},
        )
        for data, (top, _) in zip((raw, standard), conditioning, strict=True)
    ]
    racing = prepare_race(grouping.resolve_all(recipes))
    run_race(racing)
    results = []
    for name, (top, condition), training in zip(
        ("as they are", "standardised"), conditioning, racing.trainings, strict=True
    ):
        first = training.progress.history[0]["train"]["loss"]
        results.append(
            ScaledTraining(
                name,
                condition,
                1 / top,
                training.progress.step,
                first,
                evaluate(training, "train")["loss"],
            )
        )
    return results


def _conditioning(subject: Subject, data: Data) -> tuple[float, float]:
    """The largest eigenvalue of the Hessian on these data, and its condition number."""
    x, y = data.train.x, subject.output.encode(data.train.y)
    assert isinstance(x, Tensor)
    eigenvalues = hessian_eigenvalues(
        design_matrix(subject.network, x.double()), y.reshape(len(y), -1).shape[1]
    )
    largest = eigenvalues[-1]
    return float(largest), float(largest / eigenvalues[eigenvalues > FLAT * largest][0])
