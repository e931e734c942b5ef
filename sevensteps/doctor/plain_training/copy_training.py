"""Trains a copy of the network anew on the data of the training, in a plain way but for the steps
that are taken as they were.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import comparison
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.doctor.plain_training.usual_loss import usual_loss
from sevensteps.observe.network_facts import ParameterFacts
from sevensteps.observe.structure import rows, sample_count
from sevensteps.seeds import isolated_generators

RATE, LARGE_RATE, FEW_STEPS = 3e-3, 1e-2, 150  # of Adam, and where there are few steps
LEAST_BATCH, BATCH, MOST_BATCH = 16, 32, 128
KNOWN = 0.9  # share of the rows fed that are among the data, of batches that can be fed again
FAR = 3.0  # times the usual length of a matrix, or as much shorter
LARGE = 1.0  # of a vector's numbers, that are usually small
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax")
SETTINGS = (
    "lr",
    "momentum",
    "weight_decay",
    "betas",
    "eps",
    "nesterov",
    "alpha",
    "rho",
    "maximize",
)


@dataclass(frozen=True)
class Plan:
    """How a copy is trained for so many `steps`. Those of the seven that are named in `own` are as
    they were; the others are plain: all weights drawn anew, Adam, batches in any order.
    `loss` is "own" or "usual"; `standardised` are the inputs; `changes` are made to the settings of
    its own optimizer, whose schedule is followed where it is `scheduled`.
    """

    steps: int
    own: frozenset[str] = frozenset()
    loss: str = "own"
    seed: int = 0
    standardised: bool = False
    changes: tuple[tuple[str, Any], ...] = ()
    times: float = 1.0  # the learning rate of its own optimizer
    scheduled: bool = True
    as_fed: bool = False  # on the samples that watching stored

    @property
    def rate(self) -> float:
        """The learning rate of Adam."""
        return RATE if self.steps >= FEW_STEPS else LARGE_RATE


@dataclass(frozen=True)
class Data:
    """The samples that copies are trained on, and those that they are judged by; `fed` are some
    samples as the training was fed with them, where there are enough. `places` has the place of
    each sample of the training among the `trained`, -1 for those left out; None where
    that is its own.
    """

    trained: Pair
    judged: Pair
    of: str
    fed: Pair | None = None
    places: Tensor | None = None


def train_copy(case: Case, network: nn.Module, data: Data, plan: Plan) -> None:
    """Train `network`, a copy that is in training mode. Raises what networks and losses raise."""
    draw = torch.Generator().manual_seed(plan.seed)
    signs = signs_of(network)
    redraw(network, plan.seed)
    if "initialize" in plan.own:
        start_as_it_was(network, case.facts.parameters, signs)
    trained = {
        name: p
        for name, p in network.named_parameters()
        if p.requires_grad and not ("gradient" in plan.own and is_left_out(case, name))
    }
    own_step = "step" in plan.own
    optimizer = (
        own_optimizer(case, trained, plan) if own_step else plain_optimizer(trained, plan.rate)
    )
    rates = own_rates(case, plan.steps) if own_step and plan.scheduled else None
    shift, scale = scale_of(data.trained[0]) if plan.standardised else (0.0, 1.0)
    with torch.enable_grad():
        pair = data.fed if plan.as_fed and data.fed is not None else data.trained
        for step, few in enumerate(batches(case, data, plan, draw)):
            inputs, known = rows(pair[0], few), rows(pair[1], few)
            if plan.standardised:
                inputs = (inputs - shift) / scale
            output = ask(network, inputs)
            optimizer.zero_grad()
            loss_of(case, output, known, plan.loss).backward()
            if rates is not None:
                for group in optimizer.param_groups:
                    group["lr"] = group["own_lr"] * rates[step]
            optimizer.step()


def loss_of(case: Case, output: Any, known: Any, kind: str) -> Tensor:
    """The loss of a batch: that of the training, or the usual one for its targets."""
    if kind == "own" and case.loss is not None:
        answer = output if case.loss_fn is not None else case.answer_in(output)
        own: Tensor = case.loss(answer, known).mean()  # type: ignore[arg-type]
        return own
    return usual_loss(case, case.answer_in(output), targets_of((None, known)))


# -- initialize ------------------------------------------------------------------------------------


@torch.no_grad()
def redraw(network: nn.Module, seed: int) -> None:
    """Draw all trained parameters of a copy anew, as PyTorch draws them."""
    draw, done = torch.Generator().manual_seed(seed), set[int]()
    device = next((p.device for p in network.parameters()), None)
    for module in network.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            module.sparse = False  # which Adam does not take
    with isolated_generators(seed, device):
        for module in network.modules():
            reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
            own = list(module.parameters(recurse=False))
            of_torch = type(module).__module__.startswith("torch.nn.modules.")
            if callable(reset) and of_torch and all(p.requires_grad for p in own):
                reset()
                done |= {id(p) for p in own}
    for parameter in network.parameters():
        matrix = parameter.ndim >= 2 and parameter.is_floating_point()
        if matrix and parameter.requires_grad and id(parameter) not in done:
            drawn = torch.randn(parameter.shape, generator=draw)
            parameter.copy_(drawn / math.sqrt(max(parameter[0].numel(), 1)))


def signs_of(network: nn.Module) -> dict[str, float]:
    """The sign of each vector's mean: large biases keep theirs in a training."""
    return {
        name: math.copysign(1.0, float(p.detach().mean()))
        for name, p in network.named_parameters()
        if p.ndim == 1 and p.numel() and p.is_floating_point()
    }


@torch.no_grad()
def start_as_it_was(
    network: nn.Module, facts: dict[str, ParameterFacts], signs: dict[str, float]
) -> list[str]:
    """Give drawn parameters the length that they had at the start, one number where they had only
    one, and vectors of large numbers their sign. Returns the names of those that were far from
    usual.
    """
    far = []
    for name, parameter in network.named_parameters():
        known = facts.get(name)
        if known is None or not parameter.requires_grad or not parameter.is_floating_point():
            continue
        size = known.length / math.sqrt(max(parameter.numel(), 1))
        usual = float(parameter.float().square().mean().sqrt())
        if parameter.ndim >= 2:
            if known.constant:
                parameter.fill_(size)
                far.append(name)
            elif usual > 0 and not 1 / FAR < size / usual < FAR:
                parameter.mul_(size / usual)
                far.append(name)
        elif size > LARGE and size > FAR * usual:
            parameter.fill_(math.copysign(size, signs.get(name, 1.0)))
            far.append(name)
    return far


# -- step ------------------------------------------------------------------------------------------


def plain_optimizer(trained: dict[str, nn.Parameter], rate: float) -> torch.optim.Optimizer:
    fused = all(p.is_floating_point() and p.device.type == "cpu" for p in trained.values())
    fused = fused and all(p.dtype in (torch.float32, torch.float64) for p in trained.values())
    return torch.optim.Adam(trained.values(), rate, fused=fused or None)


def own_optimizer(
    case: Case, trained: dict[str, nn.Parameter], plan: Plan
) -> torch.optim.Optimizer:
    """The optimizer of the training, with its settings and the changes of the plan."""
    settings = case.facts.groups
    kind = getattr(torch.optim, str(settings[0]["optimizer"]))
    takes, groups = inspect.signature(kind).parameters, []
    for number, setting in enumerate(settings):
        own = [p for name, p in trained.items() if _group(case, name) == number]
        if own:
            values = {key: setting[key] for key in SETTINGS if key in setting and key in takes}
            values |= dict(plan.changes)
            values["lr"] *= plan.times
            groups.append({"params": own, "own_lr": values["lr"], **values})
    optimizer: torch.optim.Optimizer = kind(groups)
    return optimizer


def _group(case: Case, name: str) -> int:
    known = case.facts.parameters.get(name)
    return 0 if known is None or known.group is None else known.group


def is_left_out(case: Case, name: str) -> bool:
    """Whether no optimizer had this parameter."""
    known = case.facts.parameters.get(name)
    return known is not None and known.group is None


def own_rates(case: Case, steps: int) -> list[float] | None:
    """What the first learning rate was multiplied by in each of so many steps, spread over those of
    the training.
    """
    rates, first = case.observation.rates, case.facts.groups[0].get("lr")
    if len(rates) < 2 or not first:
        return None
    values, place = [], 0
    for step in range(steps):
        at = step * case.steps / steps
        while place + 1 < len(rates) and rates[place + 1][0] <= at:
            place += 1
        values.append(rates[place][1] / first)
    return values


# -- repeat ----------------------------------------------------------------------------------------


def batch_size(case: Case) -> int:
    """That of the training, where it is neither small nor large."""
    own = own_batch_size(case)
    return own if LEAST_BATCH <= own <= MOST_BATCH else BATCH


def batches(case: Case, data: Data, plan: Plan, draw: torch.Generator) -> Iterator[Tensor]:
    """The samples of each step: those that the training was fed with, as far as they are known, or
    all in any order, of the size that its batches had.
    """
    size, fed = batch_size(case), list[Tensor]()
    if "repeat" in plan.own:
        size, fed = own_batch_size(case), fed_batches(case, data)
    if fed:
        for step in range(plan.steps):
            yield fed[step * len(fed) // plan.steps]
        return
    pair = data.fed if plan.as_fed and data.fed is not None else data.trained
    count, order = sample_count(pair[0]), torch.empty(0, dtype=torch.long)
    for _ in range(plan.steps):
        while len(order) < min(size, count):
            order = torch.cat([order, torch.randperm(count, generator=draw)])
        few, order = order[:size], order[size:]
        yield few


def own_batch_size(case: Case) -> int:
    """That of the training, 0 where it is not known."""
    return max((look.batch for look in case.looks), default=0)


def fed_batches(case: Case, data: Data) -> list[Tensor]:
    """Which of the samples that are trained on each batch had, by its first rows; none where that
    is not known.
    """
    compared = comparison(case)
    if compared is None or compared.known < KNOWN:
        return []
    known = [positions[positions >= 0] for positions in compared.positions]
    if data.places is not None:
        known = [places[places >= 0] for places in (data.places[few] for few in known)]
    return [few for few in known if len(few)]


def scale_of(inputs: Any) -> tuple[Tensor, Tensor]:
    """Mean and spread of inputs, of a table by column."""
    axes = 0 if inputs.ndim == 2 else tuple(range(inputs.ndim))
    mean, spread = inputs.mean(axes), inputs.std(axes)
    return mean, torch.where(spread > 0, spread, torch.ones_like(spread))
