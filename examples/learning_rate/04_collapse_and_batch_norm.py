# %% [markdown]
# # A rate that is too high for the start: chapter 13's convolutions
#
# fastbook chapter 13 trains a small convolutional network on all of MNIST at a learning rate of
# .06, with fastai's Adam. It prints .1135 (one answer for every picture), blames the start, and
# cures it in two ways: a schedule that begins low (one-cycle), and batch norm. The text sets no
# seed. So here is each of its trainings over several.
#
# What differs from the book: one-cycle moves only the rate here, not the momentum too, and the
# pictures are scaled by the mean and standard deviation of all of them. The quick form trains on a
# fifth of MNIST, in batches of 128.
#
# Takes about 9 s in its quick form.

# %%
import itertools

import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, mnist, seeds

SEEDS = seeds(quick=1)

data = mnist(
    "mnist(scale='standardize')"
)  # mean 0 and standard deviation 1, as fastai's Normalize() makes them
QUICK = SEEDS < 10
BATCH = 128 if QUICK else 512  # about a hundred steps either way
if QUICK:
    data = ss.data.from_arrays(
        data.train.x[:12_000],
        data.train.y[:12_000],
        valid=(data.valid.x[:2000], data.valid.y[:2000]),
    )


def simple_cnn(batch_norm: bool = False) -> nn.Sequential:
    """8 filters of 5×5, then 16, 32, 64 and 10 of 3×3, each halving the side: 28, 14, 7, 4, 2,
    1.
    """
    layers: list[nn.Module] = []
    channels = (1, 8, 16, 32, 64, 10)
    for index, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        kernel = 5 if index == 0 else 3
        layers.append(nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2))
        if outputs != 10:
            layers.append(nn.ReLU())
        if batch_norm:
            layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.Flatten())


def trained(
    network: nn.Module, lr: str, batch: int, epochs: int
) -> tuple[list[float], list[nn.Module]]:
    """For each seed the accuracy at the end, and the network. The numbers of adamw are fastai's."""
    recipes = ss.grid(
        data,
        predict=network,
        initialize="pytorch_default()",
        repeat=ss.batches(batch),
        stop=ss.epochs(epochs),
        step=f"adamw(lr={lr}, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01)",
        seeds=SEEDS,
        threads=1,
    )
    runs = ss.race(recipes, out=False, watch=0).runs
    found = [run.metrics["valid"]["accuracy"] for run in runs]
    print(
        f"batch norm {any(isinstance(m, nn.BatchNorm2d) for m in network)}, lr {lr}, batches of "
        f"{batch}, {epochs} epochs:",
        " ".join(f"{accuracy:.4f}" for accuracy in sorted(found)),
    )
    return found, [run.network for run in runs]


def silent(network: nn.Module) -> float:
    """The share of the last ReLU layer's channels that are 0 for each of 1000 pictures."""
    last = max(place for place, layer in enumerate(network) if isinstance(layer, nn.ReLU))
    with torch.no_grad():
        return float(
            (network[: last + 1](data.valid.x[:1000]).amax((0, 2, 3)) <= 0).double().mean()
        )


# %% [markdown]
# ## The collapse
#
# The weights of a step of Adam move by up to the rate, whatever the gradient: .06 each, where they
# start within ±.12 to ±.06 (1/√inputs) in the middle layers. In about half of the seeds that throws
# the network to where the last ReLU layer gives 0 for every picture, and it stays there. The others
# come to .78 to .91. A reader who runs the book's cell again may well see no collapse at all.

# %%
collapsed, networks = trained(simple_cnn(), "0.06", BATCH, 1)
figure(
    "ch. 13: MNIST CNN, Adam, lr .06, batches of 512, 1 epoch",
    published=".1135",
    ours=collapsed,
    low=0.05,
    high=0.96,
)
share = sum(accuracy < 0.2 for accuracy in collapsed) / SEEDS
for accuracy, network in zip(collapsed, networks, strict=True):
    print(
        f"   accuracy {accuracy:.4f}: of its last ReLU layer, {silent(network):.0%} of the "
        "channels are 0 for all pictures"
    )
    assert accuracy > 0.2 or silent(network) > 0.9
if not QUICK:
    figure(
        "the share of seeds that collapse",
        published="3 of 5",
        ours=share,
        low=0.2,
        high=0.95,
        digits=1,
    )
    small, _ = trained(simple_cnn(), "0.06", 64, 1)
    figure("ch. 13: the same in batches of 64", published=".1135", ours=small, low=0.05, high=0.94)
    figure(
        "the share of seeds that collapse, batches of 64",
        ours=sum(a < 0.2 for a in small) / SEEDS,
        low=0.2,
        high=0.95,
        digits=1,
    )

# %% [markdown]
# ## Two cures
#
# One-cycle comes to .06 only after three tenths of the steps. Batch norm gives the outputs of each
# layer mean 0 and standard deviation 1. Together they make the book's .9864, and five epochs at a
# rate of .1 its .9912. None of the seeds collapses any more.

# %%
one_cycle, _ = trained(simple_cnn(), "one_cycle(0.06)", BATCH, 1)
figure("ch. 13: the same with one-cycle", ours=one_cycle, low=0.70 if QUICK else 0.955, high=0.985)
normed, _ = trained(simple_cnn(batch_norm=True), "one_cycle(0.06)", BATCH, 1)
figure(
    "ch. 13: the same with one-cycle and batch norm",
    published=".9864",
    ours=normed,
    low=0.90 if QUICK else 0.979,
    high=0.99,
)
if not QUICK:
    longer, _ = trained(simple_cnn(batch_norm=True), "one_cycle(0.1)", 512, 5)
    figure(
        "ch. 13: batch norm, lr .1, 5 epochs", published=".9912", ours=longer, low=0.988, high=0.995
    )
