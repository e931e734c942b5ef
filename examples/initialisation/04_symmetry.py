# %% [markdown]
# # Symmetry: units that start alike stay alike
#
# Two hidden units with the same weights give the same output, get the same gradient and take the
# same step. They are the same unit, for ever. So a layer whose rows are all equal is a layer of one
# unit, however wide it is drawn.
#
# Takes about 6 s in its quick form.

# %%
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds()

digits = ss.data.load("digits")
TRAINING = {
    "step": ss.sgd(lr=0.5),
    "repeat": ss.batches(64),
    "stop": ss.epochs(20),
    "threads": 1,
    "out": False,
}


def different(network: nn.Module) -> int:
    """How many hidden units there are that differ from each other."""
    return int(network.get_submodule("layer1").weight.detach().unique(dim=0).shape[0])


# %%
for activation in ("relu", "tanh", "sigmoid"):
    for initialize in ("zeros()", "constant(0.1)", "kaiming_normal()"):
        run = ss.train(
            digits,
            predict=ss.mlp(30, activation=activation),
            initialize=initialize,
            watch=1,
            **TRAINING,
        )
        names = [finding.condition for finding in run.findings]
        print(
            f"{activation:8} {initialize:17} {different(run.network):2} different units of 30, "
            "accuracy",
            f"{run.metrics['valid']['accuracy']:.3f}; found: {', '.join(names) or 'nothing'}",
        )
        assert different(run.network) == (30 if "kaiming" in initialize else 1)
        assert ("symmetric_units" in names) == ("kaiming" not in initialize)

# %% [markdown]
# Zeros are worse than another constant, for ReLU and tanh: the hidden units answer 0, so the output
# weights get no gradient; the output weights are 0, so the hidden ones get none either. Nothing
# ever moves but the bias of the output, which learns how frequent each digit is. With sigmoid the
# hidden units answer .5, and a little is learned: that of a single unit.


# %%
def accuracies(initialize: str | None, predict: object) -> list[float]:
    return [
        ss.train(
            digits, predict=predict, initialize=initialize, seed=seed, watch=0, **TRAINING
        ).metrics["valid"]["accuracy"]
        for seed in range(SEEDS)
    ]


figure(
    "digits, 30 hidden ReLU units from zeros",
    ours=accuracies("zeros()", ss.mlp(30)),
    low=0.09,
    high=0.12,
)
figure(
    "digits, 30 hidden ReLU units from the constant .1",
    ours=accuracies("constant(0.1)", ss.mlp(30)),
    low=0.09,
    high=0.38,
)
figure(
    "digits, a linear model from zeros (nothing hidden, nothing alike)",
    ours=accuracies("zeros()", ss.linear()),
    low=0.90,
    high=0.99,
)

# %% [markdown]
# ## A bit of noise breaks it
#
# The constant .1 again, with tanh, and N(0, 10⁻⁸) on top: a thousandth of it. The units drift apart
# by themselves, as the differences grow with every step. (That is an experiment, not a
# recommendation; what one takes is `kaiming_normal()`.)


# %%
def nearly_alike(noise: float, seed: int) -> nn.Module:
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.Tanh(), nn.Linear(30, 10))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.1 if parameter.ndim > 1 else 0.0).add_(
                noise * torch.randn(parameter.shape, generator=draw)
            )
    return network


for noise in (0.0, 1e-4, 1e-2):
    found = [
        ss.train(
            digits,
            predict=nearly_alike(noise, seed),
            initialize=ss.as_given(),
            seed=seed,
            watch=0,
            **TRAINING,
        ).metrics["valid"]["accuracy"]
        for seed in range(SEEDS)
    ]
    print(f"constant .1 and noise of {noise:g}: accuracy {min(found):.3f} to {max(found):.3f}")
    figure(
        f"digits, constant .1 with noise of std {noise:g}",
        ours=found,
        low=0.85 if noise else 0.15,
        high=0.99 if noise else 0.45,
    )

# %% [markdown]
# On MNIST, and beside a linear model: `chapter4/09_zeros.py`.
