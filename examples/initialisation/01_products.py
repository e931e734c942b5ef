# %% [markdown]
# # Why the size of random weights matters: fifty products
#
# fastbook chapter 17 sends random inputs through fifty matrices of 100 × 100 and looks at what is
# left. A product adds up 100 terms, so each one multiplies the size of the signal by std · √100 =
# 10 · std: fifty of them by (10 · std)^50.
#
# Takes about 1 s in its quick form.

# %%
import math

import torch

from examples.figures import figure, seeds

SEEDS = seeds()


def after_fifty(std: float, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 100, generator=draw)
    for _ in range(50):
        x = x @ (torch.randn(100, 100, generator=draw) * std)
    return x


for std in (1.0, 0.01, 0.1):
    print(
        f"weights of std {std:g}: one product multiplies the size by about {10 * std:g}, fifty by "
        f"about {(10 * std) ** 50:.0e};",
        f"seen: std {after_fifty(std, 0).std():.2g}, largest {after_fifty(std, 0).abs().max():.2g}",
    )

# %% [markdown]
# 10^50 is more than float32 can hold (3.4 · 10^38): the sums become infinite, and infinity minus
# infinity is not a number. 10^-50 is less than its smallest number (1.4 · 10^-45): all zeros. Only
# 1/√100 = .1 keeps the signal, the rule of LeCun and Glorot. What is left then is still a matter of
# luck, as fifty random factors near 1 are multiplied; the book prints .7042 of one draw.

# %%
figure(
    "ch. 17: 50 products, weights of std 1: share of numbers that are nan",
    published="nan",
    low=1,
    high=1,
    ours=[float(after_fifty(1.0, seed).isnan().double().mean()) for seed in range(SEEDS)],
)
figure(
    "ch. 17: 50 products, weights of std .01: largest",
    published="0",
    low=0,
    high=0,
    ours=[float(after_fifty(0.01, seed).abs().max()) for seed in range(SEEDS)],
)
figure(
    "ch. 17: 50 products, weights of std .1: std",
    published=".70",
    low=0.25,
    high=2.5,
    ours=[float(after_fifty(0.1, seed).std()) for seed in range(SEEDS)],
)

# %% [markdown]
# ## With a ReLU behind each
#
# ReLU throws half of the numbers away, and half of the mean square with them. So even std 1/√n lets
# the signal fade, by 1/√2 a layer, and the rule of He puts the 2 back: std √(2/n). Of inputs of
# size 1 and n = 100, one layer then answers z ~ N(0, 2) cut off at 0: its mean is 1/√π = .5642 and
# its std √(1 − 1/π) = .8256. The book prints .5661 and .8339 of one draw of 200 × 50 numbers.

# %%


def relu_layer(seed: int, gain: float = 2.0, layers: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    x, inputs = torch.randn(200, 100, generator=draw), 100
    for _ in range(layers):
        x = (x @ (torch.randn(inputs, 50, generator=draw) * math.sqrt(gain / inputs))).relu()
        inputs = 50
    return x


mean, std = 1 / math.sqrt(math.pi), math.sqrt(1 - 1 / math.pi)
figure(
    "ch. 17: a ReLU layer with He init: mean",
    published=".5661",
    ours=[float(relu_layer(seed).mean()) for seed in range(SEEDS)],
    low=mean - 0.06,
    high=mean + 0.06,
)
figure(
    "ch. 17: a ReLU layer with He init: std",
    published=".8339",
    ours=[float(relu_layer(seed).std()) for seed in range(SEEDS)],
    low=std - 0.08,
    high=std + 0.08,
)


def root_mean_square(x: torch.Tensor) -> float:
    return float(x.square().mean().sqrt())


factors = {
    gain: [
        (root_mean_square(relu_layer(seed, gain, 11)) / root_mean_square(relu_layer(seed, gain)))
        ** 0.1
        for seed in range(SEEDS)
    ]
    for gain in (1.0, 2.0)
}
figure(
    "factor of the signal for each ReLU layer, weights of variance 1/n (LeCun)",
    published="1/√2 = .7071",
    ours=factors[1.0],
    low=0.62,
    high=0.79,
)
figure("the same, variance 2/n (He)", published="1", ours=factors[2.0], low=0.87, high=1.12)
