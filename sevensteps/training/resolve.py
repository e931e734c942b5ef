"""What a recipe leaves out is chosen, and its values are fitted to the data and to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sevensteps.data import Data
from sevensteps.data import load as load_data
from sevensteps.errors import ArgumentError, Error
from sevensteps.head import Output
from sevensteps.notation import auto, cut
from sevensteps.seeds import Isolation, generator
from sevensteps.steps import STEPS
from sevensteps.steps import gradient as gradients
from sevensteps.steps import initialize as initializers
from sevensteps.steps import loss as losses
from sevensteps.steps import predict as predictors
from sevensteps.steps import repeat as repeats
from sevensteps.steps import step as optimizers
from sevensteps.steps import stop as stops
from sevensteps.training.recipe import MAX_PARAMETERS, PRECISIONS, Recipe, resolve_device

SECONDS_OF_A_STEP = 1e-4  # of a small network, where nothing else says how many steps there will be


@dataclass(frozen=True, eq=False)
class ResolvedRecipe:
    """A recipe in which every step has a value, the loaded data, and the network built for them."""

    recipe: Recipe
    data: Data
    network: nn.Module
    output: Output


def resolve(
    recipe: Recipe,
    data_dir: Path | str | None = None,
    data: Data | None = None,
    *,
    alone: bool = True,
) -> ResolvedRecipe:
    """`recipe` with every step chosen, its data (loaded, unless given as `data`), and the network
    built for them.

    `alone`: one process trains this one network, so that `compiled()` may be chosen: the networks
    of a race, and the processes of a group, meet at every step.

    Raises `ArgumentError` or `DataError` for values that do not fit the data or each other: nothing
    of that kind fails later, in the loop.
    """
    data = data or (
        recipe.data if isinstance(recipe.data, Data) else load_data(recipe.data, data_dir)
    )
    task, shape = data.task, tuple(data.train.x.shape[1:])
    chosen: dict[str, Any] = recipe.steps
    free = isinstance(chosen["gradient"], auto)
    reasons = dict.fromkeys(STEPS, "as asked")

    def pick(step: str, *facts: Any) -> None:
        value = chosen[step]
        if isinstance(value, auto):
            try:
                chosen[step], reasons[step] = CHOOSERS[step](*facts, **value.options)
            except Error:
                raise
            except TypeError as failure:
                # Python puts the function before it, as in "adam.__init__() got an unexpected …"
                reason = str(failure).partition("() ")[2] or str(failure)
                reason = reason.partition(". Did you mean")[0]  # of newer versions of Python
                raise ArgumentError(f"{step}: {value!r}: {reason}") from None

    is_table = data.encoding is not None and isinstance(chosen["predict"], auto)
    pick("predict", shape, predictors.varied_columns(data.train.x) if is_table else None)
    predict = chosen["predict"]
    hard = isinstance(predict, predictors.neuron) and predict.activation == "step"
    pick("loss", task, hard)
    output = chosen["loss"].output(task)
    planned(predict, shape, output)
    # a factory of yours draws its first parameters from the global generator
    with Isolation(generator(recipe.seed, "initialize")):
        network = predict.build(shape, output).to(PRECISIONS[recipe.precision])
    predictors.fit_bins(network, data.train.x)
    trainable = [p for p in network.parameters() if p.requires_grad]
    reasons["predict"] += f"; {output.reason}"

    pick("initialize", predict, sum(p.ndim > 1 for p in trainable) <= 1)
    if isinstance(chosen["initialize"], initializers.as_given) and not predict.foreign:
        raise ArgumentError(
            f"as_given keeps the parameters of a network from outside, but {predict!r} comes "
            "without any; "
            "use kaiming_normal()"
        )
    pick("gradient", network, chosen["loss"])
    pick("repeat", len(data.train))
    chosen["repeat"].check(data.train.x)
    fits = (
        chosen["repeat"].size_of(len(data.train)),
        data.train.x,
        resolve_device(recipe.device).type,
        recipe.precision,
    )
    chosen["gradient"].check(*fits)
    batches = chosen["repeat"].count(len(data.train))
    per_epoch = -(-batches // chosen["gradient"].accumulate)
    over_batch = any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()
    )
    if over_batch and chosen["repeat"].smallest(len(data.train)) == 1:
        raise ArgumentError(
            f"{chosen['repeat']!r} of {len(data.train)} samples makes a batch of one, over which "
            "batch norm has no "
            "variance; use another size, or drop_last=True"
        )
    if not trainable:
        stop = chosen["stop"]
        if not isinstance(stop, auto) and stop.limit(per_epoch) != 0:
            raise ArgumentError(
                f"{predict!r} has no trainable parameter, so there is nothing to repeat; leave "
                "stop out, or use epochs(0)"
            )
        chosen["stop"], reasons["stop"] = (
            stops.epochs(0),
            "there is no parameter to train; the answer is computed at once",
        )
    pick("stop", task, per_epoch, is_table)
    chosen["stop"].check(task)
    limit = chosen["stop"].limit(per_epoch)
    fixed = limit is not None and len(chosen["stop"].rules()) == 1
    pick("step", hard, fixed, per_epoch if is_table else None)
    if alone and free and (steps := expected_steps(chosen["stop"], limit)):
        batch = -(-len(data.train) // batches) * chosen["gradient"].accumulate
        faster = gradients.choose_compiled(
            chosen["gradient"], network, chosen["loss"], batch, steps, *fits
        )
        chosen["gradient"], reasons["gradient"] = faster or (
            chosen["gradient"],
            reasons["gradient"],
        )
    lr = chosen["step"].lr
    if limit is None and isinstance(lr, optimizers.Schedule) and lr.needs_total:
        raise ArgumentError(
            f"{lr!r} needs to know how many steps there will be, but {chosen['stop']!r} does not "
            "say; "
            "join it with epochs(…) or max_steps(…), as in epochs(100) | patience(5)"
        )
    return ResolvedRecipe(replace(recipe, **chosen, reasons=reasons), data, network, output)


def expected_steps(stop: stops.Stop, limit: int | None) -> int | None:
    """About how many steps a training takes that may take `limit`: fewer in few `seconds(…)`. None
    where there is nothing to tell by, as where the seconds only bound another rule that says when
    it is enough.
    """
    timed = [rule.count for rule in stop.rules() if isinstance(rule, stops.seconds)]
    if limit is None and len(timed) < len(stop.rules()):
        return None
    counts = [limit, *(int(count / SECONDS_OF_A_STEP) for count in timed)]
    return min((count for count in counts if count is not None), default=None)


def planned(
    predict: Any, shape: tuple[int, ...], output: Output
) -> dict[str, tuple[int, ...]] | None:
    """The shapes of the tensors of a network to be built, by name; no memory is taken. None for one
    from outside, which is code.
    """
    try:
        with torch.device("meta"):
            tensors = {} if predict.foreign else predict.build(shape, output).state_dict()
    except (RuntimeError, TypeError, OverflowError):  # a size that no tensor can have
        raise ArgumentError(
            f"{cut(repr(predict))} has more parameters than can be counted; take smaller layers"
        ) from None
    if (count := sum(tensor.numel() for tensor in tensors.values())) > MAX_PARAMETERS:
        raise ArgumentError(
            f"{cut(repr(predict))} has {count:,} parameters; at most {MAX_PARAMETERS:,} are "
            "trained; take smaller layers"
        )
    return (
        None if predict.foreign else {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    )


def _choose_initialize(predict: Any, single: bool, **options: Any) -> tuple[Any, str]:
    if isinstance(predict, predictors.pixel_similarity):
        return initializers.class_means(
            **options
        ), "its images to compare with are the means of each class"
    if predict.foreign:
        return initializers.as_given(**options), "the network comes with parameters of its own"
    return initializers.choose(getattr(predict, "activation", "identity"), single, **options)


CHOOSERS: dict[str, Callable[..., tuple[Any, str]]] = {
    "initialize": _choose_initialize,
    "predict": predictors.choose,
    "loss": losses.choose,
    "gradient": gradients.choose,
    "step": optimizers.choose,
    "repeat": repeats.choose,
    "stop": stops.choose,
}
