"""The example that a run has of each word, made of its own numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sevensteps.explain.run_numbers import Facts
from sevensteps.render.text import count_text, number_text
from sevensteps.steps.step import Schedule

NONE = "nothing was to be trained"


@dataclass(frozen=True)
class Example:
    """What a run has to show of a word: `text` with `numbers`, or None and what it is `lacking`."""

    text: str | None
    numbers: dict[str, Any] = field(default_factory=dict)
    lacking: str = ""


def example(word: str, facts: Facts) -> Example:
    """The example of `word`, of the glossary."""
    return examples()[word](facts)


def shape(of: Any) -> str:
    """[256, 30]."""
    return "[" + ", ".join(map(str, of)) + "]"


def lacks(why: str) -> Example:
    """No example, and why."""
    return Example(None, lacking=why)


# -- numbers and tensors ---------------------------------------------------------------------------


def _activation(facts: Facts) -> Example:
    held = facts.activations[0] if facts.activations else facts.passed[-1] if facts.passed else None
    if held is None:
        return lacks("its network has no layers that can be looked into")
    name, _, _, y = held
    return Example(
        f"for validation sample 0, {name} gives {count_text(y[0].numel(), 'activation')}; the first "
        "is "
        f"{number_text(float(y.flatten()[0]))}",
        {"layer": name, "count": y[0].numel(), "first": float(y.flatten()[0])},
    )


def _named(facts: Facts, rank: int) -> tuple[str, Tensor] | None:
    return next(
        (
            (name, p.detach())
            for name, p in facts.subject.network.named_parameters()
            if p.ndim == rank
        ),
        None,
    )


def _parameter(facts: Facts) -> Example:
    found = list(facts.subject.network.named_parameters())
    if not found:
        return lacks(NONE)
    name, first = found[0]
    total, value = sum(p.numel() for _, p in found), float(first.flatten()[0].detach())
    index = [0] * first.ndim
    return Example(
        f"{name}{index or ''} ended as {number_text(value, 6)}; there are "
        f"{count_text(total, 'parameter')} in "
        f"{count_text(len(found), 'tensor')}",
        {"value": value, "count": total},
    )


def _scalar(facts: Facts) -> Example:
    loss = facts.subject.summary["metrics"]["valid"]["loss"]
    return Example(
        f"the loss on the validation data at the end, {number_text(loss)}", {"loss": loss}
    )


def _tensor(rank: int) -> Callable[[Facts], Example]:
    def made(facts: Facts) -> Example:
        held = _named(facts, rank)
        if held is None:
            return lacks(f"none of its parameters has {'one axis' if rank == 1 else 'two axes'}")
        name, tensor = held
        few = ", ".join(number_text(float(value)) for value in tensor.flatten()[:3]) + (
            ", …" if tensor.numel() > 3 else ""
        )
        return Example(
            f"{name} {shape(tensor.shape)}: {few}", {"name": name, "shape": list(tensor.shape)}
        )

    return made


def _batch_shape(facts: Facts) -> list[int]:
    return [facts.size, *facts.subject.data.train.x.shape[1:]]


def _rank(facts: Facts) -> Example:
    batch = _batch_shape(facts)
    return Example(
        f"a batch of inputs {shape(batch)} has rank {len(batch)}",
        {"shape": batch, "rank": len(batch)},
    )


def _axis(facts: Facts) -> Example:
    batch = _batch_shape(facts)
    axes = {
        2: ("samples", "features"),
        4: ("samples", "channels", "rows of pixels", "columns of pixels"),
    }.get(len(batch))
    if axes is None:
        return lacks(f"its inputs {shape(batch)} do not say what their axes count")
    said = ", ".join(
        f"axis {number} counts {size:,} {axis}"
        for number, (size, axis) in enumerate(zip(batch, axes, strict=True))
    )
    return Example(f"of a batch {shape(batch)}, {said}", {"shape": batch})


def _layer(facts: Facts) -> Example:
    names = [name for name, _ in facts.subject.layers]
    return Example(
        f"the network is {count_text(len(names), 'layer')}: {' → '.join(names)}", {"layers": names}
    )


def _linear(facts: Facts) -> Example:
    if not facts.linears:
        return lacks("its network has no linear layer")
    name, module, x, y = facts.linears[0]
    summed, bias = (
        float(module.weight[0].detach() @ x[0]),
        0.0 if module.bias is None else float(module.bias[0].detach()),
    )
    return Example(
        f"{name}, unit 0, for validation sample 0: the sum of {module.in_features:,} products is "
        f"{number_text(summed)}, plus the "
        f"bias {number_text(bias)} gives {number_text(float(y[0, 0]))}",
        {"layer": name, "sum": summed, "bias": bias, "result": float(y[0, 0])},
    )


def _bent(
    facts: Facts, kind: type[nn.Module] | None = None
) -> Example | tuple[str, nn.Module, int, float, float]:
    for name, module, x, y in facts.activations:
        if kind is None or isinstance(module, kind):
            at = int(x.flatten().argmin())
            return name, module, at, float(x.flatten()[at]), float(y.flatten()[at])
    return lacks("its network has no " + ("nonlinear layer" if kind is None else kind.__name__))


def _nonlinear(facts: Facts) -> Example:
    held = _bent(facts)
    if isinstance(held, Example):
        return held
    name, module, at, low, made = held
    return Example(
        f"{name} is {type(module).__name__}: for validation sample 0 it makes of {number_text(low)} in "
        f"unit {at} {number_text(made)}",
        {"input": low, "output": made},
    )


def _relu(facts: Facts) -> Example:
    held = _bent(facts, nn.ReLU)
    if isinstance(held, Example):
        return held
    name, _, at, low, made = held
    off, units = next(
        (int((x <= 0).sum()), x.numel()) for other, _, x, _ in facts.activations if other == name
    )
    return Example(
        f"in {name}, for validation sample 0, unit {at} is max(0, {number_text(low)}) = "
        f"{number_text(made)}; {off} of {units} units are 0",
        {"input": low, "output": made, "off": off, "units": units},
    )


def _bias(facts: Facts) -> Example:
    found = [
        (name, p.detach())
        for name, p in facts.subject.network.named_parameters()
        if name.rpartition(".")[2] == "bias"
    ]
    if not found:
        return lacks("its network has no bias of that name")
    name, held = found[-1]
    return Example(
        f"{name} {shape(held.shape)}: unit 0 adds {number_text(float(held[0]))} to its sum, for every "
        "sample",
        {"name": name, "value": float(held[0])},
    )


def _broadcasting(facts: Facts) -> Example:
    if not facts.linears or facts.linears[0][1].bias is None:
        return lacks("its network has no linear layer with a bias")
    name, module, _, _ = facts.linears[0]
    units = module.out_features
    return Example(
        f"in {name} the bias {shape([units])} is added to {shape([facts.size, units])}: the same "
        f"{units} numbers to each of the "
        f"{facts.size:,} samples of a batch",
        {"layer": name, "bias": [units], "output": [facts.size, units]},
    )


# -- training --------------------------------------------------------------------------------------


def _mini_batch(facts: Facts) -> Example:
    recipe, samples = facts.subject.recipe, len(facts.subject.data.train)
    if type(recipe.repeat).__name__ == "full_batch":
        return lacks(f"each step takes all {samples:,} samples at once, full_batch()")
    if not facts.subject.summary["steps"]:
        return lacks(NONE)
    count = recipe.repeat.count(samples)
    return Example(
        f"{recipe.repeat!r}: {count_text(facts.size, 'sample')} a step, so that the {samples:,} "
        "training samples make "
        f"{count_text(count, 'step')}",
        {"size": facts.size, "batches": count, "samples": samples},
    )


def _forward(facts: Facts) -> Example:
    way = [f"{name} {shape(y.shape[1:])}" for name, _, _, y in facts.passed]
    values = [float(v) for v in facts.output[:3]]
    said = ", ".join(map(number_text, values)) + (", …" if len(facts.output) > 3 else "")
    shown = way if len(way) <= 6 else [*way[:5], "…", way[-1]]
    return Example(
        f"validation sample 0: {shape(facts.x.shape[1:])} → {' → '.join(shown)}, which is {said}",
        {"output": values},
    )


def _backward(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    lengths = {layer.name: layer.gradient for layer in reversed(facts.first.layers)}
    return Example(
        "at the first step the gradient has the length "
        + ", then ".join(
            f"{number_text(held)} in {name}" for name, held in list(lengths.items())[:5]
        ),
        {"lengths": lengths},
    )


def _loss(facts: Facts) -> Example:
    recipe, end = facts.subject.recipe, facts.subject.summary["metrics"]["valid"]["loss"]
    start = f" of the first batch was {number_text(facts.first.loss)},  that" if facts.first else ""
    return Example(
        f"{recipe.loss!r}{start} of the validation data at the end is {number_text(end)}".replace(
            ",  ", ", "
        ),
        {"first": facts.first and facts.first.loss, "last": end},
    )


def _metric(facts: Facts) -> Example:
    if facts.metric == "accuracy":
        count = len(facts.subject.data.valid)
        return Example(
            f"accuracy, {facts.score:.4f} on the {count:,} validation samples",
            {"accuracy": facts.score},
        )
    return Example(
        f"{facts.metric}, {number_text(facts.score)} on the validation data",
        {facts.metric: facts.score},
    )


def _gradient(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    weight = facts.first.weight
    way = "falls" if weight.gradient > 0 else "rises"
    return Example(
        f"at the first step that of {weight.name} was {number_text(weight.gradient)}: the loss {way} "
        "by about "
        f"{number_text(abs(weight.gradient) / 1000)} where this weight is lowered by .001",
        {"weight": weight.name, "gradient": weight.gradient},
    )


def _descent(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    before, after = facts.first.losses
    return Example(
        f"the first step brought the loss of its samples from {number_text(before)} to {number_text(after)}; "
        f"{count_text(facts.first.count, 'step')} were taken",
        {"before": before, "after": after, "steps": facts.first.count},
    )


def _sgd(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    samples = len(facts.subject.data.train)
    if facts.first.size >= samples:
        return lacks(
            f"each step takes all {samples:,} samples, which is gradient descent without chance"
        )
    return Example(
        f"the first step took the gradient of {facts.first.size:,} of the {samples:,} training "
        f"samples, {facts.first.order}, "
        f"and moved by {facts.subject.recipe.step!r}",
        {"size": facts.first.size, "samples": samples},
    )


def _rate(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    weight, lr = facts.first.weight, facts.subject.recipe.step.lr
    rate = (
        f"{lr!r}, {facts.first.lr:g} at the first step" if isinstance(lr, Schedule) else f"{lr:g}"
    )
    return Example(
        f"{rate}; the first step moved {weight.name} from {number_text(weight.old, 6)} to "
        f"{number_text(weight.new, 6)}",
        {"lr": facts.first.lr, "weight": weight.name, "old": weight.old, "new": weight.new},
    )


def _epoch(facts: Facts) -> Example:
    summary, samples = facts.subject.summary, len(facts.subject.data.train)
    if not summary["epochs"]:
        return lacks("it has not gone once over its samples")
    return Example(
        f"{count_text(summary['epochs'], 'epoch')} of {count_text(samples, 'sample')}, in "
        f"{count_text(summary['steps'], 'step')}",
        {"epochs": summary["epochs"], "steps": summary["steps"], "samples": samples},
    )


def _overfitting(facts: Facts) -> Example:
    summary = facts.subject.summary
    train, valid, best = (
        summary["metrics"]["train"]["loss"],
        summary["metrics"]["valid"]["loss"],
        summary["best"],
    )
    lowest = min(
        (row["valid"]["loss"] for row in facts.subject.history if row["valid"]["loss"] is not None),
        default=math.nan,
    )
    return Example(
        f"at the end the loss is {number_text(train)} on the training samples and {number_text(valid)} on "
        "the validation samples, "
        f"where its lowest was {number_text(lowest)}; the best epoch was {best['epoch']} of "
        f"{summary['epochs']}",
        {"train": train, "valid": valid, "lowest": lowest, "best_epoch": best["epoch"]},
    )


def examples() -> dict[str, Callable[[Facts], Example]]:
    """All of them."""
    from sevensteps.explain.words import slope_examples as slopes

    return {
        "activation": _activation,
        "parameter": _parameter,
        "scalar": _scalar,
        "vector": _tensor(1),
        "matrix": _tensor(2),
        "rank": _rank,
        "axis": _axis,
        "layer": _layer,
        "linear": _linear,
        "nonlinear": _nonlinear,
        "ReLU": _relu,
        "mini-batch": _mini_batch,
        "forward pass": _forward,
        "backward pass": _backward,
        "loss": _loss,
        "metric": _metric,
        "gradient": _gradient,
        "gradient descent": _descent,
        "SGD": _sgd,
        "learning rate": _rate,
        "epoch": _epoch,
        "bias": _bias,
        "broadcasting": _broadcasting,
        "overfitting": _overfitting,
        **slopes.EXAMPLES,
    }
