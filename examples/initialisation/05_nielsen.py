# %% [markdown]
# # Early layers learn more slowly: Nielsen's numbers
#
# Chapter 5 of Nielsen's *Neural Networks and Deep Learning* asks how fast each layer of a sigmoid
# network learns at the start: the length of the gradient of its biases, averaged over the first
# 1000 digits of MNIST. Two hidden layers of 30 units: .07 and .31. Four of them: .003, .017, .070,
# .285. Early layers learn a hundred times more slowly; the gradient *vanishes*.
#
# His network: weights from N(0, 1/inputs), which is `lecun_normal`, biases from N(0, 1), and a
# cross-entropy for each of the ten outputs, added up. What differs: the random numbers (his are not
# seeded), and which 1000 digits come first.
#
# Takes about 3 s in its quick form.

# %%
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, mnist, seeds

SEEDS = seeds()

data = mnist("mnist")
x, y = data.train.x[:1000], nn.functional.one_hot(data.train.y[:1000], 10).float()


def speeds(hidden: int, seed: int) -> list[float]:
    """‖dC/db‖ of each hidden layer at the start, C the mean over the samples."""
    network = ss.train(
        data,
        initialize=ss.lecun_normal(bias="normal"),
        predict=ss.mlp(*[30] * hidden, activation="sigmoid"),
        loss=ss.binary_cross_entropy(),
        stop=ss.epochs(0),
        seed=seed,
        threads=1,
        out=False,
        watch=0,
    ).network
    (
        nn.functional.binary_cross_entropy_with_logits(network(x), y, reduction="sum") / len(x)
    ).backward()
    return [
        float(network.get_submodule(f"layer{layer}").bias.grad.norm())
        for layer in range(1, hidden + 1)
    ]


# %%
published = {
    2: (".0657", ".3092"),
    3: (".012", ".060", ".283"),
    4: (".0030", ".017", ".070", ".2851"),
}
ranges = {
    2: ((0.02, 0.18), (0.15, 0.65)),
    3: ((0.005, 0.03), (0.025, 0.13), (0.12, 0.6)),
    4: ((0.0008, 0.008), (0.005, 0.035), (0.025, 0.16), (0.13, 0.65)),
}
for hidden in (2, 3, 4):
    found = torch.tensor([speeds(hidden, seed) for seed in range(SEEDS)])
    for layer in range(hidden):
        low, high = ranges[hidden][layer]
        figure(
            f"Nielsen ch. 5, {hidden} hidden layers: speed of layer {layer + 1}",
            published=published[hidden][layer],
            ours=found[:, layer].tolist(),
            low=low,
            high=high,
        )
    print(
        f"{hidden} hidden layers: the last learns "
        f"{float((found[:, -1] / found[:, 0]).median()):.0f} times as fast as the first"
    )
    assert bool((found[:, 1:] > found[:, :-1]).all()), (
        "each layer learns faster than the one before it, with every seed"
    )
