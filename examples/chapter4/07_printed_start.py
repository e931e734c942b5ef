# %% [markdown]
# # A start that is printed and never trained
#
# Chapter 4 defines `simple_net` twice: with weights from `init_params`, which are `randn` with
# standard deviation 1, and as `nn.Sequential`, whose start is PyTorch's own. It trains the second.
# Here is the first. A sum of a hundred lit pixels times weights of size 1 is about 10, thirty such
# units times weights of size 1 about 40: almost every sigmoid starts flat, and there `mnist_loss`
# has no slope.
#
# Takes about 12 s.

# %%
import statistics

import matplotlib.pyplot as plt
import torch

import sevensteps as ss
from examples.figures import as_the_book_counts, as_the_book_sorts, figure, picture, seeds

data = as_the_book_sorts()
x, y = data.train.x.flatten(1), data.train.y


def init_params(draw: torch.Generator) -> list[torch.Tensor]:
    """w1, b1, w2, b2 of 784-30-1 as printed, from one stream of random numbers."""
    return [
        torch.randn(shape, generator=draw).requires_grad_()
        for shape in ((784, 30), (30,), (30, 1), (1,))
    ]


def simple_net(
    xb: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor
) -> torch.Tensor:
    return (xb @ w1 + b1).clamp_min(0) @ w2 + b2


# %% [markdown]
# By hand: how many outputs start where the slope p (1 − p) is less than a tenth of its largest, ¼?
# And where do forty epochs lead?

# %%
saturated, ends, curves = [], [], []
for seed in range(seeds()):
    parameters = init_params(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        p = simple_net(x, *parameters).sigmoid()
        saturated.append((p * (1 - p) < 0.025).double().mean().item())
    curves.append([])
    for _ in range(40):
        for xb, yb in zip(x.split(256), y.split(256), strict=True):
            p = simple_net(xb, *parameters).sigmoid()
            slopes = torch.autograd.grad(torch.where(yb == 1, 1 - p, p).mean(), parameters)
            with torch.no_grad():
                for parameter, slope in zip(parameters, slopes, strict=True):
                    parameter -= 0.1 * slope
        with torch.no_grad():
            right = (simple_net(data.valid.x.flatten(1), *parameters) > 0) == (data.valid.y == 1)
        curves[-1].append(
            statistics.mean(batch.double().mean().item() for batch in right.split(256))
        )
    ends.append(curves[-1][-1])
figure(
    "784-30-1 as printed, 40 epochs, as the book counts",
    published=".4932 to .9707",
    ours=ends,
    low=0.4932,
    high=0.9707,
)
if len(ends) == 10:  # a mean over heavy tails is one over just these seeds
    figure(
        "784-30-1 as printed, mean over ten seeds",
        published=".8213",
        ours=statistics.mean(ends),
        low=0.81,
        high=0.83,
    )
    figure(
        "784-30-1 as printed, outputs that start saturated, mean",
        published=".91",
        ours=statistics.mean(saturated),
        low=0.90,
        high=0.92,
    )

# %% [markdown]
# In seven steps, the printed start and the one that was trained. Only step 1 differs.

# %%
SEVEN = {
    "predict": "mlp(30)",
    "loss": "mnist_loss()",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(256, shuffle=False)",
    "stop": "epochs(40)",
}
COMMAND = (
    'sevensteps train mnist37 --initialize "{}" --predict "mlp(30)" --loss "mnist_loss()" --step '
    '"sgd(lr=0.1)" '
    '--repeat "batches(256, shuffle=False)" --stop "epochs(40)"'
)
STARTS = (
    ("normal(1.0, bias='normal')", ".4932 to .9707", 0.4932, 0.9707),
    ("pytorch_default()", ".982826", 0.9819, 0.9834),
)
for start, published, low, high in STARTS:
    race = ss.race(
        ss.grid(data, seeds=seeds(quick=1), **SEVEN, initialize=start), out=False, watch=0
    )
    ours = [as_the_book_counts(run, data) for run in race.runs]
    figure(
        f"784-30-1 from {start}",
        published=published,
        ours=ours,
        low=low,
        high=high,
        command=COMMAND.format(start),
    )
print(
    "the doctor says:",
    [
        finding.condition
        for finding in ss.train(
            data,
            **SEVEN | {"stop": "epochs(2)"},
            out=False,
            initialize="normal(1.0, bias='normal')",
        ).findings
    ],
)

drawn, place = plt.subplots(figsize=(4.5, 2.8))
for curve in curves:
    place.plot(range(1, 41), curve, linewidth=0.8)
place.set(xlabel="epoch", ylabel="accuracy", title="randn, as printed: ten seeds", ylim=(0.45, 1))
picture(drawn, "chapter4-printed-start")
