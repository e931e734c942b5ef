"""Examples of further words: neurons, features, targets, settings and validation."""

from __future__ import annotations

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import Example, example_of, no_example, shape_text
from sevensteps.render.text import count_text, number_text
from sevensteps.steps.loss import mean_squared_error


@example_of("neuron")
def _neuron(run: RunNumbers) -> Example:
    if not run.linear_passes:
        return no_example("its network has no linear layer")
    layer = run.linear_passes[0]
    inputs, units = layer.module.in_features, layer.module.out_features
    value = float(layer.output.flatten()[0])
    return Example(
        f"{layer.name} has {count_text(units, 'neuron')} with {count_text(inputs, 'weight')} each; "
        f"for validation sample 0 the sum of neuron 0 is {number_text(value)}",
        {"layer": layer.name, "neurons": units, "weights": inputs, "sum": value},
    )


@example_of("feature")
def _feature(run: RunNumbers) -> Example:
    count, names = run.sample_input[0].numel(), run.subject.data.features
    value = float(run.sample_input.flatten()[0])
    first = f" ({names[0]})" if names else ""
    return Example(
        f"each sample has {count_text(count, 'input')}; the first{first} of validation sample 0 "
        f"is {number_text(value)}",
        {"inputs": count, "first": value},
    )


@example_of("hidden layer")
def _hidden_layer(run: RunNumbers) -> Example:
    hidden = run.linear_passes[:-1]
    if not hidden:
        return no_example("its network has no hidden linear layer")
    widths = {layer.name: layer.module.out_features for layer in hidden}
    layers = ", ".join(f"{name} with {count_text(n, 'unit')}" for name, n in widths.items())
    return Example(layers, {"units": widths})


@example_of("sample")
def _sample(run: RunNumbers) -> Example:
    shape = list(run.sample_input.shape[1:])
    count = len(run.subject.data.train)
    return Example(
        f"one of {count:,} training samples, each of shape {shape_text(shape)}",
        {"count": count, "shape": shape},
    )


@example_of("target")
def _target(run: RunNumbers) -> Example:
    task, target = run.subject.output.task, run.subject.data.valid.y[0].flatten()
    value = float(target[0])
    if task.kind in ("binary", "multiclass"):
        name = task.classes[int(value)]
        return Example(
            f"that of validation sample 0 is class {int(value)}, called {name}",
            {"class": name, "index": int(value)},
        )
    return Example(f"that of validation sample 0 is {number_text(value)}", {"target": value})


@example_of("pre-activation")
def _pre_activation(run: RunNumbers) -> Example:
    if not run.activation_passes:
        return no_example("its network has no activation function")
    layer = run.activation_passes[0]
    z, a = float(layer.input.flatten()[0]), float(layer.output.flatten()[0])
    return Example(
        f"for validation sample 0 the first unit before {layer.name} has {number_text(z)}, which "
        f"becomes {number_text(a)}",
        {"z": z, "activation": a},
    )


@example_of("mean squared error")
def _mean_squared_error(run: RunNumbers) -> Example:
    if not isinstance(run.subject.loss, mean_squared_error):
        return no_example(f"its loss is {run.subject.loss!r}")
    value = run.subject.summary.metrics["valid"]["loss"]
    if value is None:
        return no_example("its loss is no number")
    miss = value**0.5
    scaling = run.subject.data.target_scaling
    scale = scaling.scale.double().flatten()
    unit = "standard deviations" if scaling.name == "standardize" else "of these units"
    if bool((scale == 1).all()):
        return Example(
            f"{number_text(value)} on the validation samples at the end, in the units of the "
            f"targets squared: a typical miss of {number_text(miss)}",
            {"loss": value},
        )
    text = (
        f"{number_text(value)} on the validation samples at the end, of targets that are scaled: "
        f"a typical miss of {number_text(miss)} {unit}"
    )
    numbers = {"loss": value}
    if len(scale) == 1:
        numbers["miss"] = miss * float(scale)
        text += f", which is {number_text(numbers['miss'])} in the units of the targets"
    return Example(text, numbers)


@example_of("initialisation")
def _initialisation(run: RunNumbers) -> Example:
    recipe = run.subject.recipe
    return Example(
        f"{recipe.initialize!r}, with seed {recipe.seed}", {"rule": repr(recipe.initialize)}
    )


@example_of("momentum")
def _momentum(run: RunNumbers) -> Example:
    step = run.subject.recipe.step
    momentum = getattr(step, "momentum", 0.0) or (getattr(step, "betas", None) or (0.0,))[0]
    if not momentum:
        return no_example(f"{step!r} has none; sgd(lr=0.1, momentum=0.9) has")
    return Example(
        f"{step!r} keeps {momentum:g} of the direction of its last steps", {"momentum": momentum}
    )


@example_of("weight decay")
def _weight_decay(run: RunNumbers) -> Example:
    step = run.subject.recipe.step
    decay = getattr(step, "weight_decay", 0.0)
    if not decay:
        return no_example(f"{step!r} has none; sgd(lr=0.1, weight_decay=0.0001) has")
    return Example(f"{step!r} takes {decay:g} of each weight", {"weight_decay": decay})


@example_of("dropout")
def _dropout(run: RunNumbers) -> Example:
    share = getattr(run.subject.recipe.predict, "dropout", 0.0)
    if not share:
        return no_example(f"{run.subject.recipe.predict!r} has none; mlp(30, dropout=0.2) has")
    return Example(f"{share:g} of the units in each step", {"dropout": share})


@example_of("hyper-parameter")
def _hyper_parameter(run: RunNumbers) -> Example:
    recipe = run.subject.recipe
    return Example(
        f"those of {recipe.predict!r}, {recipe.step!r} and {recipe.repeat!r}, and seed "
        f"{recipe.seed}",
        {"seed": recipe.seed},
    )


@example_of("validation")
def _validation(run: RunNumbers) -> Example:
    count = len(run.subject.data.valid)
    return Example(
        f"on {count_text(count, 'sample')}: {run.metric} {number_text(run.score)} at the end",
        {"samples": count, run.metric: run.score},
    )


@example_of("standardisation")
def _standardisation(run: RunNumbers) -> Example:
    data = run.subject.data
    x = run.train_inputs.double()
    mean, std = float(x.mean()), float(x.std())
    return Example(
        f"the inputs are scaled by {data.scaling.name!r}: the network gets a mean of "
        f"{number_text(mean)} and a standard deviation of {number_text(std)}",
        {"scaling": data.scaling.name, "mean": mean, "std": std},
    )
