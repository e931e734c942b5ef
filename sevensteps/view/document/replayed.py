"""What a training that is repeated shows at each look: first-layer weights, histograms of all
weights, and which class is taken for which. Repeating it gives the same bits.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.errors import Error
from sevensteps.explain.subject import Subject
from sevensteps.training.evaluation import outputs_of
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from sevensteps.view.document.data_part import pictures
from sevensteps.view.document.numbers import PICTURES, finite

Document = dict[str, Any]
MAX_REPEAT_SECONDS = 3.0  # of a training that is repeated for its report
MAX_SAMPLES, MAX_CLASSES = 2000, 30  # of the confusion at each look
PIXELS = 400_000  # of the pictures of weights at all looks together
LEAST_PICTURES, BINS, LAYERS = 8, 32, 12


class WeightsObserver(Observer):
    """Keeps the network as it was after each of `steps` + 1 steps, and at the end."""

    def __init__(self, steps: Sequence[int]) -> None:
        self.due = sorted({step + 1 for step in steps})
        self.networks: dict[int, nn.Module] = {}

    def stepped(self, training: Training) -> None:
        step = training.progress.step
        if self.due and step >= self.due[0]:
            self.due = [due for due in self.due if due > step]
            self.networks[step - 1] = copy.deepcopy(training.network).cpu().eval()

    def free_steps(self, training: Training) -> int:
        return max(1, self.due[0] - training.progress.step) if self.due else 1 << 40


def networks_at(subject: Subject, steps: Sequence[int]) -> dict[int, nn.Module]:
    """The network after each of these steps, from a training that is repeated where that is short;
    else only the last one, as it is in memory.
    """
    last = {max(subject.summary.steps - 1, 0): subject.network}
    if (subject.summary.seconds or 0.0) > MAX_REPEAT_SECONDS or not steps:
        return last
    size = sum(parameter.numel() for parameter in subject.network.parameters())
    if size * len(steps) > 20_000_000:
        return last
    observer = WeightsObserver(steps)
    try:
        subject.rerun([observer])
    except Error:  # data, batches or code that are not at hand any more
        return last
    if set(observer.networks) != set(steps):
        return last
    return observer.networks


def weights_over_time(networks: dict[int, nn.Module], shape: tuple[int, ...]) -> Document | None:
    """The first layer's weights as pictures, at each of the networks, or of the last alone where
    they are many; None where they are no pictures.
    """
    tables = {step: _first_layer(network, shape) for step, network in networks.items()}
    if any(table is None for table in tables.values()):
        return None
    known = [table for table in tables.values() if table is not None]
    name, (count, height, width) = known[-1][0], known[-1][1].shape
    fit = PIXELS // (height * width * len(known))
    if fit < LEAST_PICTURES and len(known) > 1:
        known, fit = known[-1:], PIXELS // (height * width)
    fit = max(1, min(PICTURES, fit, count))
    return {
        "layer": name,
        "at": [pictures(weights[:fit], signed=True) for _, weights in known],
    }


def _first_layer(network: nn.Module, shape: tuple[int, ...]) -> tuple[str, Tensor] | None:
    """The name of the first layer, and its weights [units, height, width], of images."""
    if len(shape) != 3:
        return None
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() < 2:
            continue
        weight = weight.detach().double().cpu()
        if weight.dim() == 4:
            return (name, weight.mean(1)) if min(weight.shape[2:]) > 1 else None
        if weight.dim() == 2 and weight.shape[1] == int(np.prod(shape)):
            return name, weight.reshape(-1, *shape).mean(1)
        return None
    return None


def weight_histograms(networks: dict[int, nn.Module]) -> list[Document]:
    """How the weights of each layer are spread, at each of the networks, on the same edges."""
    last = list(networks.values())[-1]
    names = [name for name, parameter in last.named_parameters() if parameter.dim() > 1][:LAYERS]
    histograms = []
    for name in names:
        tables = [
            dict(network.named_parameters())[name].detach().double().flatten().cpu().numpy()
            for network in networks.values()
        ]
        tables = [table[np.isfinite(table)] for table in tables]
        known = np.concatenate(tables)
        if not len(known):
            continue
        low, high = np.quantile(known, [0.001, 0.999])
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        histograms.append(
            {
                "name": f"weights of {name.removesuffix('.weight')}",
                "edges": [finite(edge) for edge in edges.tolist()],
                "counts": [
                    np.histogram(np.clip(table, edges[0], edges[-1]), edges)[0].tolist()
                    for table in tables
                ],
            }
        )
    return histograms


def confusion_over_time(subject: Subject, networks: dict[int, nn.Module]) -> Document | None:
    """Which validation class is taken for which, at each of the networks; None without classes."""
    task = subject.output.task
    if task.kind not in ("binary", "multiclass") or len(task.classes) > MAX_CLASSES:
        return None
    x, _ = subject.part("valid")
    truth = subject.data.valid.y[:MAX_SAMPLES].reshape(-1).long().cpu()
    size, counts = len(task.classes), []
    for network in networks.values():
        like = next(network.parameters(), torch.empty(0))
        with torch.no_grad():
            outputs = outputs_of(network, x[:MAX_SAMPLES].to(like.device, like.dtype)).cpu()
        answers = subject.output.decide(outputs).reshape(-1).long()
        table = torch.bincount(truth * size + answers, minlength=size * size).view(size, size)
        counts.append(table.tolist())
    return {
        "classes": list(map(str, task.classes)),
        "steps": list(networks),
        "counts": counts,
        "part": "validation",
    }
