"""Examples of words about kinds of networks and layers: which of them a run's network has."""

from __future__ import annotations

from torch import nn

from sevensteps.engine.activations import activation_of
from sevensteps.engine.modules import Dropout
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import Example, example_of, no_example, shape_text
from sevensteps.render.text import count_text
from sevensteps.steps.initialize import as_given
from sevensteps.steps.repeat import loader

# words of trainings that are no run of seven steps, with the reason
ELSEWHERE = {
    "generative adversarial network": "its one network is trained against no other",
    "reinforcement learning": "it learns from right answers, and there are no rewards",
    "ensemble": "one network answers alone",
}
MODE_KINDS = (Dropout, nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
LEAKY = (nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Softplus, nn.Mish)


def _named(run: RunNumbers, *kinds: type[nn.Module]) -> list[str]:
    """The names of the network's modules of one of `kinds`."""
    return [name for name, part in run.subject.network.named_modules() if isinstance(part, kinds)]


def _layers_of(run: RunNumbers, kinds: tuple[type[nn.Module], ...], what: str) -> Example:
    """How many `what` the network has, and the first one's name."""
    names = _named(run, *kinds)
    if not names:
        return no_example(f"its network has no {what}")
    return Example(
        f"{count_text(len(names), what)}, the first is {names[0] or 'the network itself'}",
        {"names": names},
    )


@example_of("attention")
def _attention(run: RunNumbers) -> Example:
    return _layers_of(run, (nn.MultiheadAttention,), "attention layer")


@example_of("transformer")
def _transformer(run: RunNumbers) -> Example:
    kinds = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
    return _layers_of(run, kinds, "transformer block")


@example_of("recurrent network")
def _recurrent_network(run: RunNumbers) -> Example:
    return _layers_of(run, (nn.RNNBase, nn.RNNCellBase), "recurrent layer")


@example_of("residual connection")
def _residual_connection(run: RunNumbers) -> Example:
    if isinstance(run.subject.network, nn.Sequential):
        return no_example("each of its layers takes the output of the one before, and no other")
    return no_example("what its own forward() adds cannot be read from its layers")


@example_of("bottleneck")
def _bottleneck(run: RunNumbers) -> Example:
    if len(run.linear_passes) < 2:
        return no_example("its network has no hidden linear layer")
    narrowest = min(run.linear_passes[:-1], key=lambda layer: layer.module.out_features)
    inputs, units = narrowest.module.in_features, narrowest.module.out_features
    return Example(
        f"the narrowest hidden layer is {narrowest.name}: {count_text(units, 'unit')} for "
        f"{count_text(inputs, 'number')} that come in",
        {"layer": narrowest.name, "units": units, "inputs": inputs},
    )


@example_of("token")
def _token(run: RunNumbers) -> Example:
    x = run.sample_input
    if not _named(run, nn.Embedding):
        return no_example("its inputs are measured numbers, and not the numbers of words")
    few = ", ".join(str(int(token)) for token in x.flatten()[:5])
    return Example(
        f"validation sample 0 has {count_text(x.numel(), 'token')}: {few}, …",
        {"tokens": x.flatten().long().tolist()},
    )


@example_of("channel")
def _channel(run: RunNumbers) -> Example:
    shape = list(run.sample_input.shape[1:])
    if len(shape) != 3:
        return no_example("its inputs are not pictures")
    layers = [layer for layer in run.layer_passes if isinstance(layer.module, nn.Conv2d)]
    made = f"; {layers[0].name} makes {layers[0].module.out_channels} of them" if layers else ""
    return Example(
        f"its pictures have the shape {shape_text(shape)}: {count_text(shape[0], 'channel')}{made}",
        {"channels": shape[0]},
    )


@example_of("leaky ReLU")
def _leaky_relu(run: RunNumbers) -> Example:
    names = _named(run, *LEAKY)
    if names:
        first = run.subject.network.get_submodule(names[0])
        return Example(f"{names[0] or 'the network'} is a {type(first).__name__}", {"names": names})
    kinds = {
        type(part).__name__
        for part in run.subject.network.modules()
        if activation_of(part) is not None and not isinstance(part, nn.Identity)
    }
    have = " and ".join(sorted(kinds)) or "none"
    return no_example(
        f'its activation is {have}; mlp(30, activation="leaky_relu") has one'
        if kinds
        else 'it has no activation function; mlp(30, activation="leaky_relu") has one'
    )


@example_of("transfer learning")
def _transfer_learning(run: RunNumbers) -> Example:
    rule = run.subject.recipe.initialize
    if isinstance(rule, as_given):
        return Example("its network came with its parameters, as_given()", {"rule": repr(rule)})
    return no_example(f"its parameters start from {rule!r}, and from no other training")


@example_of("frozen")
def _frozen(run: RunNumbers) -> Example:
    parameters = list(run.subject.network.parameters())
    frozen = sum(p.numel() for p in parameters if not p.requires_grad)
    if not frozen:
        return no_example("all its parameters are trained")
    total = sum(p.numel() for p in parameters)
    return Example(
        f"{frozen:,} of {count_text(total, 'parameter')}", {"frozen": frozen, "count": total}
    )


@example_of("augmentation")
def _augmentation(run: RunNumbers) -> Example:
    if isinstance(run.subject.recipe.repeat, loader):
        return no_example("its batches come from a loader, which may vary them")
    return no_example("its training samples are the same in every epoch")


@example_of("training mode")
def _training_mode(run: RunNumbers) -> Example:
    names = _named(run, *MODE_KINDS)
    if not names:
        return no_example("its network has neither dropout nor batch norm: both modes are the same")
    return Example(
        f"{count_text(len(names), 'layer')} of its network differ: {', '.join(names[:4])}"
        f"{', …' if len(names) > 4 else ''}",
        {"layers": names},
    )


@example_of("generative adversarial network")
def _generative_adversarial_network(run: RunNumbers) -> Example:
    return no_example(ELSEWHERE["generative adversarial network"])


@example_of("reinforcement learning")
def _reinforcement_learning(run: RunNumbers) -> Example:
    return no_example(ELSEWHERE["reinforcement learning"])


@example_of("ensemble")
def _ensemble(run: RunNumbers) -> Example:
    return no_example(ELSEWHERE["ensemble"])
