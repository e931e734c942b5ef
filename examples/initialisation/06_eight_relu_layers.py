# %% [markdown]
# # "With ReLU, vanishing gradients are generally not a problem"
#
# So say the notes. Eight hidden layers of 64 ReLU units on MNIST, with what PyTorch's `nn.Linear`
# starts from, stay at .1135: the share of the most frequent digit. What fades is the signal: what
# sets one picture apart from the next.
#
# Takes about 7 s in its quick form.

# %%
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, mnist, seeds

SEEDS = seeds()

data = mnist("mnist")
HIDDEN = 8
EPOCHS = 3 if SEEDS >= 10 else 1
x = data.train.x[:2000]


def accuracies(initialize: str) -> list[float]:
    recipes = ss.grid(
        data,
        initialize=initialize,
        predict=ss.mlp(*[64] * HIDDEN),
        step=ss.sgd(lr=0.1),
        repeat=ss.batches(256),
        stop=ss.epochs(EPOCHS),
        seeds=SEEDS,
        threads=1,
    )
    return [run.metrics["valid"]["accuracy"] for run in ss.race(recipes, out=False, watch=0).runs]


figure(
    "MNIST, 8 hidden layers of 64 ReLU, PyTorch's default start",
    published=".1135",
    ours=accuracies("pytorch_default()"),
    low=0.1135,
    high=0.1135,
)
figure(
    "the same, kaiming_normal",
    published="trains",
    ours=accuracies("kaiming_normal()"),
    low=0.82 if EPOCHS == 3 else 0.6,
    high=0.98,
)

# %% [markdown]
# ## Where it is lost

# %%


def by_layer(initialize: str, seed: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The signal of each hidden layer (std over the pictures, mean over the units), the std of all
    its numbers, and its dead units.
    """
    network = ss.train(
        data,
        initialize=initialize,
        predict=ss.mlp(*[64] * HIDDEN),
        stop=ss.epochs(0),
        seed=seed,
        threads=1,
        out=False,
        watch=0,
    ).network
    signal, everything, dead, now = [], [], 0, x
    with torch.no_grad():
        for layer in network:
            now = layer(now)
            if isinstance(layer, nn.ReLU):
                signal.append(now.std(0).mean())
                everything.append(now.std())
                dead += int((now <= 0).all(0).sum())
    return torch.stack(signal), torch.stack(everything), dead


for initialize in ("pytorch_default()", "kaiming_normal()"):
    signal, everything, dead = by_layer(initialize, 0)
    print(f"{initialize}: {dead} of {HIDDEN * 64} units are 0 for all pictures")
    print("   signal        ", " ".join(f"{number:.4f}" for number in signal))
    print("   all numbers   ", " ".join(f"{number:.4f}" for number in everything))

# %% [markdown]
# The default draws from U(±1/√n), of variance 1/(3n), where He asks for 2/n: the weights are √6 too
# small. 1/√3 of it lies in the weights, which is what one reads; ReLU takes another 1/√2. Together
# 1/√6 = .41 a layer, and a thousandth after eight. The std of all numbers hides that: the biases,
# of the same small size, keep the units apart from each other, the same for every picture. And in
# the deep layers a unit that always gives the same answer gives 0 if its bias happens to be the
# lower: about a third of all units are 0 for all pictures. They are not what is wrong, but what
# comes of it; with the right start a few are.

# %%

for initialize, published, (low, high), most in (
    ("pytorch_default()", "1/√3 (theory with ReLU: 1/√6 = .41)", (0.33, 0.46), 0.55),
    ("kaiming_normal()", "1", (0.84, 1.0), 0.1),
):
    signals, _, dead = zip(*(by_layer(initialize, seed) for seed in range(SEEDS)), strict=True)
    figure(
        f"signal, factor per layer, 8 × 64 ReLU, {initialize}",
        published=published,
        low=low,
        high=high,
        ours=[float(signal[-1] / signal[0]) ** (1 / (HIDDEN - 1)) for signal in signals],
    )
    figure(
        f"share of units that are 0 for all pictures at the start, {initialize}",
        low=0.15 if most > 0.1 else 0,
        high=most,
        ours=[number / (HIDDEN * 64) for number in dead],
    )
