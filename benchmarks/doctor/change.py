"""Carries out a remedy's change on a training of the benchmark, in plain PyTorch: what a colleague
would do to the loop by hand.

A change is `{step: value as text}`, in the notation of `sevensteps.steps`, or of the data; it is
made before the first step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.loop import Setup, score
from sevensteps.data.scaling import fit_scaling
from sevensteps.engine.activations import activation_module
from sevensteps.errors import ArgumentError
from sevensteps.notation import auto
from sevensteps.steps import parse
from sevensteps.steps.initialize import choose

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}
# what a loss on raw outputs has taken off
CLOSINGS = (
    nn.Softmax,
    nn.LogSoftmax,
    nn.Sigmoid,
    nn.Tanh,
    nn.ReLU,
)
NUMBERS = {
    "mean_squared_error": F.mse_loss,
    "mean_absolute_error": F.l1_loss,
    "huber": F.huber_loss,
}


class Stopped(Exception):
    """A rule has ended the training; the network is as the rule leaves it."""


def apply(setup: Setup, change: Mapping[str, str], seed: int = 0) -> None:
    """Make `change` in `setup`, whose training has not begun; what is random in it comes from
    `seed`.

    Raises `ArgumentError` (a `ValueError`) for what cannot be done by hand here, such as another
    closing layer of a network whose layers are called in code of its own, and `NotationError` for
    what cannot be read."""
    if unknown := set(change) - set(CARRY):
        raise ArgumentError(
            f"a change of {', '.join(sorted(unknown))} is none that can be made; known: "
            f"{', '.join(CARRY)}"
        )
    if isinstance(setup.model, nn.Linear):
        setup.model = nn.Sequential(setup.model)
    draw = torch.Generator().manual_seed(seed)
    for step, carry in CARRY.items():
        if step in change:
            carry(setup, change[step] if step == "data" else parse(step, change[step]), draw)


def _data(setup: Setup, text: str, draw: torch.Generator) -> None:
    """Inputs scaled by column, learned on the training part, where a constant column stays;
    `finite()`: only samples that are numbers.

    `standardize()` scales the targets of a regression too.
    """
    name = text.removesuffix("()")
    if name == "finite":
        setup.train, setup.valid = _finite(*setup.train), _finite(*setup.valid)
        return
    (x, y), (xv, yv) = setup.train, setup.valid
    if name not in ("standardize", "unit") or not x.is_floating_point():
        raise ArgumentError(
            f"{text} is no change of {x.dtype} inputs; standardize() and unit() of floats are, "
            "and finite()"
        )
    inputs = fit_scaling(name, x)
    setup.train, setup.valid = (inputs(x), y), (inputs(xv), yv)
    if (
        name == "standardize"
        and y.is_floating_point()
        and setup.decide is None
        and len(y.unique()) > 2
    ):
        targets = fit_scaling(name, y)
        setup.train, setup.valid = (inputs(x), targets(y)), (inputs(xv), targets(yv))


def _finite(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    finite = (x.flatten(1).isfinite().all(1)) & (y.reshape(len(y), -1).isfinite().all(1))
    return x[finite], y[finite]


def _predict(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """Another dense network with the same inputs, outputs and closing layer."""
    layers = list(setup.model) if isinstance(setup.model, nn.Sequential) else []
    dense = [layer for layer in layers if isinstance(layer, nn.Linear)]
    plain = all(
        isinstance(layer, nn.Linear | nn.BatchNorm1d) or not [*layer.parameters()]
        for layer in layers
    )
    if not dense or not plain or type(value).__name__ not in ("mlp", "linear"):
        raise ArgumentError(
            f"{value!r} takes the place of dense networks only; change this one where it is written"
        )
    built: list[nn.Module] = []
    widths = [dense[0].in_features, *getattr(value, "widths", ())]
    for inputs, outputs in pairwise(widths):
        built += [
            nn.utils.skip_init(nn.Linear, inputs, outputs),
            *([nn.BatchNorm1d(outputs)] if value.batch_norm else []),
            activation_module(value.activation),
            *([nn.Dropout(value.dropout)] if value.dropout else []),
        ]
    built.append(nn.utils.skip_init(nn.Linear, widths[-1], dense[-1].out_features))
    setup.model = nn.Sequential(*built, *([layers[-1]] if isinstance(layers[-1], CLOSINGS) else []))
    _initialize(
        setup,
        choose(getattr(value, "activation", ""), single=False)[0],
        draw,
    )
    _optimize(setup)


def _initialize(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """Weights of linear and convolution layers by the rule, their biases 0."""
    layers = [
        layer
        for layer in setup.model.modules()
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd)
    ]
    if not layers or not hasattr(value, "fill"):
        raise ArgumentError(
            f"{value!r} cannot fill the layers of {type(setup.model).__name__} one by one"
        )
    with torch.no_grad():
        for layer in layers:
            value.fill(layer.weight, draw)
            if layer.bias is not None:
                layer.bias.zero_()


def _loss(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """A loss that fits the targets, on raw outputs: a closing activation is taken off, and both get
    one shape.
    """
    if not isinstance(setup.model, nn.Sequential):
        raise ArgumentError(
            f"what closes a {type(setup.model).__name__} stands in its own code; change it there"
        )
    if isinstance(setup.model[-1], CLOSINGS):
        setup.model = setup.model[:-1]
    (x, y), (_, yv) = setup.train, setup.valid
    levels = y.unique()
    with torch.no_grad():
        width = setup.model.eval()(x[:2]).shape[-1]
    yes_or_no = y.numel() == len(y) and width == 1 and len(levels) == 2
    name = type(value).__name__
    if isinstance(value, auto):
        name = (
            "binary_cross_entropy"
            if yes_or_no
            else "mean_squared_error"
            if y.is_floating_point()
            else "cross_entropy"
        )
    if name == "cross_entropy":
        if y.numel() > len(y) or not bool((levels == levels.round()).all()) or levels.min() < 0:
            raise ArgumentError(
                "cross_entropy takes a class from 0 for each sample, not targets of shape "
                f"{list(y.shape)}"
            )
        _outputs(setup, max(int(levels.max()) + 1, 2), draw)
        coded, setup.loss_fn, setup.decide = (
            (lambda t: t.reshape(len(t)).long()),
            F.cross_entropy,
            None,
        )
    elif name == "binary_cross_entropy":
        if not yes_or_no:
            raise ArgumentError(
                f"binary_cross_entropy takes one output and two answers, not {width} outputs and "
                f"{len(levels)} answers"
            )
        coded, setup.loss_fn, setup.decide = (
            (lambda t: (t == levels[1]).float().reshape(len(t), 1)),
            _bce,
            None,
        )
        setup.read = torch.sigmoid
    elif name in NUMBERS and y.is_floating_point() and y.numel() == len(y) * width:
        coded, setup.loss_fn = (
            (lambda t: t.reshape(len(t), width)),
            lambda o, t: NUMBERS[name](o.reshape(t.shape), t),
        )
    else:
        raise ArgumentError(
            f"{name} is no loss for {width} outputs and targets {y.dtype} {list(y.shape)}"
        )
    setup.train, setup.valid = (setup.train[0], coded(y)), (setup.valid[0], coded(yv))


def _bce(output: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(output.reshape(target.shape), target)


def _outputs(setup: Setup, count: int, draw: torch.Generator) -> None:
    """As many outputs as that, by another last layer where there were fewer."""
    last = setup.model[-1]
    if not isinstance(last, nn.Linear):
        raise ArgumentError(
            f"the network ends in {type(last).__name__}, not in a linear layer to widen"
        )
    if last.out_features < count:
        setup.model[-1] = nn.utils.skip_init(nn.Linear, last.in_features, count)
        parse("initialize", "kaiming_normal()").fill(setup.model[-1].weight, draw)
        nn.init.zeros_(setup.model[-1].bias)
        _optimize(setup)


def _gradient(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """That of each step's own batch, no longer than `clip`; how it is computed is PyTorch's
    affair.
    """
    options = (
        value.options
        if isinstance(value, auto)
        else {"clip": value.clip}
        if type(value).__name__ == "autograd"
        else None
    )
    if options is None or options.keys() - {"clip"}:
        raise ArgumentError(f"a loop of PyTorch computes gradients by autograd, not by {value!r}")
    setup.clear, setup.clear_after, setup.clip = True, False, options.get("clip")


def _step(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """One optimizer for all parameters. A schedule is kept where only its rate is another."""
    kind = OPTIMIZERS.get(type(value).__name__)
    if kind is None or not isinstance(value.lr, int | float):
        raise ArgumentError(
            f"{value!r} is no optimizer with a constant rate of {', '.join(OPTIMIZERS)}"
        )
    setup.step, old, plan = True, setup.optimizer, setup.scheduler
    same = type(old) is kind and all(
        old.defaults[name] == option for name, option in value.options().items()
    )
    if plan is None or not same or value.lr == plan.base_lrs[0]:
        setup.optimizer, setup.scheduler = (
            kind(setup.model.parameters(), lr=value.lr, **value.options()),
            None,
        )
        return
    if isinstance(plan, torch.optim.lr_scheduler.OneCycleLR | torch.optim.lr_scheduler.CyclicLR):
        raise ArgumentError(
            f"{type(plan).__name__} has rates of its own; a change of one cannot say what becomes "
            "of the others"
        )
    _optimize(setup)
    (group,), factor = old.param_groups, value.lr / plan.base_lrs[0]
    plan.base_lrs, group["lr"], group["initial_lr"] = [value.lr], group["lr"] * factor, value.lr


def _optimize(setup: Setup) -> None:
    """The same optimizer, which has not made a step yet, for all parameters of the network as it is
    now.
    """
    if isinstance(setup.optimizer, list) or len(setup.optimizer.param_groups) > 1:
        raise ArgumentError(
            "with several optimizers or groups of parameters nobody knows which of another "
            "network's belong where"
        )
    setup.optimizer.param_groups[0]["params"] = [*setup.model.parameters()]


def _repeat(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """Batches of that size."""
    setup.batch, setup.shuffle = (
        getattr(value, "size", len(setup.train[0])),
        getattr(value, "shuffle", setup.shuffle),
    )


def _stop(setup: Setup, value: Any, draw: torch.Generator) -> None:
    """As many epochs as that; of `max_steps` as many epochs as have them."""
    for rule in value.rules():
        name = type(rule).__name__
        if name == "epochs":
            setup.epochs = rule.count
        elif name == "max_steps":
            setup.epochs = -(-rule.count // -(-len(setup.train[0]) // setup.batch))
        elif name == "patience":
            _patience(setup, rule.count, rule.metric)
        else:
            raise ArgumentError(
                f"{rule!r} is not a rule that this loop knows; epochs, max_steps and patience are"
            )


def _patience(setup: Setup, count: int, metric: str) -> None:
    """Stop after `count` epochs without a better validation loss, or score, with the weights of the
    best one.
    """
    before, per_epoch = setup.on_step, -(-len(setup.train[0]) // setup.batch)
    best, weights = [-float("inf"), 0], {}

    def on_step(setup: Setup, step: int) -> None:
        if before is not None:
            before(setup, step)
        epoch, rest = divmod(step + 1, per_epoch)
        if rest:
            return
        merit = score(setup)
        if metric == "loss":
            with torch.no_grad():
                merit = -float(setup.loss_fn(setup.model(setup.valid[0]), setup.valid[1]))
        if merit > best[0]:
            best[:] = merit, epoch
            weights.update(copy.deepcopy(setup.model.state_dict()))
        if weights and (epoch - best[1] >= count or epoch == setup.epochs):
            setup.model.load_state_dict(weights)
        if epoch - best[1] >= count:
            raise Stopped

    setup.on_step = on_step


CARRY: dict[
    str, Callable[[Setup, Any, torch.Generator], None]
] = {  # in the order in which one needs the other done
    "data": _data,
    "predict": _predict,
    "loss": _loss,
    "initialize": _initialize,
    "gradient": _gradient,
    "repeat": _repeat,
    "stop": _stop,
    "step": _step,
}
