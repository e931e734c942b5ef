# %% [markdown]
# # A linear model from scratch
#
# One weight for each pixel and one bias, 785 random numbers at first, and stochastic gradient
# descent at lr 1 on batches of 256. The book prints .6883 after the first epoch and .9696 after
# twenty more. It sets no seed, so here are ten.
#
# Takes about 4 s.

# %%
import torch

import sevensteps as ss
from examples.figures import as_the_book_counts, as_the_book_sorts, figure, seeds

data = as_the_book_sorts()
x, y = data.train.x.flatten(1), data.train.y
valid_x, valid_y = data.valid.x.flatten(1), data.valid.y


def mnist_loss(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """1 − p where the answer is 1 (a 3), p where it is 0 (a 7), with p = sigmoid(prediction)."""
    p = predictions.sigmoid()
    return torch.where(targets == 1, 1 - p, p).mean()


def accuracy(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((predictions > 0) == (targets == 1)).double().mean()


# %% [markdown]
# `xb @ weights + bias` is the whole model. The bias is one number; **broadcasting** adds it to
# every row of the batch.


# %%
def by_hand(seed: int, epochs: int = 21) -> list[float]:
    """The accuracy after each epoch, as the book counts it."""
    draw = torch.Generator().manual_seed(seed)
    weights, bias = (
        torch.randn(784, 1, generator=draw).requires_grad_(),
        torch.randn(1, generator=draw).requires_grad_(),
    )
    found = []
    for _ in range(epochs):
        for xb, yb in zip(x.split(256), y.split(256), strict=True):
            mnist_loss(xb @ weights + bias, yb).backward()
            for parameter in (weights, bias):
                parameter.data -= parameter.grad * 1.0
                parameter.grad.zero_()
        with torch.no_grad():
            batches = zip(valid_x.split(256), valid_y.split(256), strict=True)
            found.append(
                torch.stack([accuracy(xb @ weights + bias, yb) for xb, yb in batches]).mean().item()
            )
    return found


curves = [by_hand(seed) for seed in range(seeds())]
print(
    "after the first epoch:",
    " ".join(f"{curve[0]:.4f}" for curve in sorted(curves)),
    "(the book: .6883)",
)
figure(
    "linear by hand, lr 1, 1 + 20 epochs",
    published=".9696",
    ours=[curve[-1] for curve in curves],
    low=0.9643,
    high=0.9775,
)

# %% [markdown]
# The same as seven values. Only the random numbers differ.

# %%
race = ss.race(
    ss.grid(
        data,
        seeds=seeds(),
        initialize="normal(1.0, bias='normal')",
        predict="linear()",
        loss="mnist_loss()",
        step="sgd(lr=1.0)",
        repeat="batches(256, shuffle=False)",
        stop="epochs(21)",
    ),
    out=False,
    watch=0,
)
figure(
    "the same in seven steps",
    published=".9696",
    ours=[as_the_book_counts(run, data) for run in race.runs],
    low=0.9643,
    high=0.9775,
    outside="other random numbers: one start ends two images of the 2038 higher",
    measured=(0.9643, 0.9800),
    command="sevensteps train mnist37 --initialize \"normal(1.0, bias='normal')\" --predict "
    '"linear()" --loss "mnist_loss()" '
    '--step "sgd(lr=1.0)" --repeat "batches(256, shuffle=False)" --stop "epochs(21)"',
)
