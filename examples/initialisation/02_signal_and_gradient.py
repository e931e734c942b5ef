# %% [markdown]
# # Signal and gradient at the start, layer by layer
#
# Before anything is learned, a network of twenty hidden layers of 100 units can already be lost.
# Two things are followed through it:
#
# - the **signal**: how much a unit's activation differs from one digit to the next (its standard
#   deviation over the samples);
# - the **gradient**: √Σ (dL/da)² of the activations of each layer, which comes back from the loss.
#
# A layer multiplies both by a factor of its own. Twenty times the same factor is a small number
# (*vanishing*) or a large one (*exploding*).
#
# Takes about 5 s in its quick form.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, picture, seeds

SEEDS = seeds(quick=1)

DEPTH = 20
digits = ss.data.load("digits")
x, y = digits.train.x[:500], digits.train.y[:500]


def started(activation: str, initialize: str, seed: int) -> nn.Module:
    """The network as it is before the first step."""
    return ss.train(
        digits,
        predict=ss.mlp(*[100] * DEPTH, activation=activation),
        initialize=initialize,
        stop=ss.epochs(0),
        seed=seed,
        threads=1,
        out=False,
        watch=0,
    ).network


def by_layer(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Signal and gradient of each hidden layer's activations on 500 digits."""
    seen: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    handles = [
        module.register_forward_hook(keep)
        for name, module in network.named_children()
        if name.startswith("activation")
    ]
    nn.functional.cross_entropy(network(x), y).backward()
    for handle in handles:
        handle.remove()
    signal = [activation.detach().double().std(0).mean() for activation in seen]
    return torch.stack(signal), torch.stack(
        [activation.grad.double().norm() for activation in seen]
    )


def factors(activation: str, initialize: str) -> tuple[list[float], list[float]]:
    """For each seed, by what one layer multiplies the signal on its way in, and the gradient on its
    way back (the geometric mean).
    """
    forward, backward = [], []
    for seed in range(SEEDS):
        signal, gradient = by_layer(started(activation, initialize, seed))
        forward.append(float(signal[-1] / signal[0]) ** (1 / (DEPTH - 1)))
        backward.append(float(gradient[0] / gradient[-1]) ** (1 / (DEPTH - 1)))
    return forward, backward


# %% [markdown]
# ## The table
#
# `normal(0.01)` is too small, `normal(1.0)` too large; LeCun, Xavier and He take the number of
# inputs into account.

# %%
RULES = (
    "normal(0.01)",
    "normal(1.0)",
    "lecun_normal()",
    "xavier_normal()",
    "kaiming_normal()",
    "pytorch_default()",
)
table = {}
print(f"{'factor per layer':18}", *(f"{rule:>18}" for rule in RULES))
for activation in ("sigmoid", "tanh", "relu"):
    for rule in RULES:
        table[activation, rule] = factors(activation, rule)
    for way, name in enumerate(("signal", "gradient")):
        print(
            f"{activation:8} {name:9}",
            *(f"{sorted(table[activation, rule][way])[SEEDS // 2]:18.3f}" for rule in RULES),
        )

# %% [markdown]
# How to read it:
#
# - **ReLU** with He keeps both (about 1). With the variance 1/n of LeCun it loses 1/√2 = .71 a
#   layer: after twenty, a thousandth is left.
# - **PyTorch's default** has variance 1/(3n): 1/√3 = .577 a layer for tanh, and 1/√6 = .408 for
#   ReLU, which loses another 1/√2.   Looked at as one heap of numbers the layers seem alive, as
#   each unit has its own bias; but all digits get nearly the same answer.
# - **tanh** needs about 1/n (LeCun, Xavier): the factor is just below 1, as tanh presses large
#   numbers together.
# - **sigmoid** loses signal and gradient with each of them: its slope is at most 1/4, and 1/4 it
#   is, less a little: .235 a layer for LeCun.   Only very large weights carry anything, as the
#   units then answer 0 or 1. They are saturated at the start.
# - **too large**: seven times more a layer with ReLU, 10/√2. tanh holds the signal down, so only
#   the gradient explodes.
# - **too small**: .07 a layer with ReLU, .1 with tanh: after twenty layers nothing is left of
#   signal or gradient.
# - float32 tells two numbers near .5 apart down to 10⁻⁸. What sigmoid's signal comes to in the deep
#   layers is that rounding, so its column   here shows a factor larger than the true one; in the
#   picture below the line goes flat.

# %%
for activation, rule, way, published, low, high in (
    ("relu", "kaiming_normal()", 0, "1", 0.88, 1.02),
    ("relu", "kaiming_normal()", 1, "1", 0.94, 1.07),
    ("relu", "lecun_normal()", 0, "1/√2 = .71", 0.62, 0.72),
    ("relu", "lecun_normal()", 1, "1/√2 = .71", 0.67, 0.76),
    ("relu", "pytorch_default()", 0, "1/√6 = .41", 0.38, 0.43),
    ("relu", "normal(1.0)", 0, "10/√2 = 7.1", 6.3, 7.2),
    ("relu", "normal(1.0)", 1, "10/√2 = 7.1", 6.6, 7.6),
    ("relu", "normal(0.01)", 0, ".1/√2 = .071", 0.062, 0.073),
    ("relu", "normal(0.01)", 1, ".1/√2 = .071", 0.066, 0.077),
    ("tanh", "xavier_normal()", 0, "below 1", 0.92, 0.98),
    ("tanh", "xavier_normal()", 1, "below 1", 0.92, 0.98),
    ("tanh", "pytorch_default()", 0, "1/√3 = .58", 0.55, 0.60),
    ("tanh", "normal(1.0)", 1, "above 1", 2.1, 2.6),
    ("sigmoid", "lecun_normal()", 1, "at most 1/4", 0.225, 0.25),
    ("sigmoid", "xavier_normal()", 1, "at most 1/4", 0.225, 0.25),
    ("sigmoid", "pytorch_default()", 1, "1/4 · 1/√3 = .14", 0.13, 0.15),
):
    figure(
        f"{'signal' if way == 0 else 'gradient'}, factor per layer, {activation}, {rule}",
        published=published,
        ours=table[activation, rule][way],
        low=low,
        high=high,
    )

# %% [markdown]
# ## What the factors do to twenty layers

# %%
drawn, places = plt.subplots(1, 2, figsize=(8, 3), sharex=True)
for activation, rule in (
    ("relu", "normal(1.0)"),
    ("relu", "kaiming_normal()"),
    ("tanh", "xavier_normal()"),
    ("relu", "pytorch_default()"),
    ("sigmoid", "xavier_normal()"),
):
    signal, gradient = by_layer(started(activation, rule, 0))
    for place, held, title in zip(places, (signal, gradient), ("signal", "gradient"), strict=True):
        place.semilogy(
            range(1, DEPTH + 1),
            held,
            label=f"{activation}, {rule[:-2] if rule.endswith('()') else rule}",
        )
        place.set(title=title, xlabel="hidden layer", xticks=(1, 5, 10, 15, 20))
    print(
        f"{activation} {rule}: signal {signal[0]:.2g} in layer 1, {signal[-1]:.2g} in layer "
        f"{DEPTH};",
        f"gradient {gradient[-1]:.2g} in layer {DEPTH}, {gradient[0]:.2g} in layer 1",
    )
places[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
picture(drawn, "initialisation-signal")
