# %% [markdown]
# # All ten digits, 784-30-10
#
# Thirty ReLU units, SGD at lr .5, batches of 256, twenty epochs; the same by a plain PyTorch loop,
# because the last epoch is noisy in any program: is the spread ours or the recipe's?
#
# Takes about 3 s.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import sevensteps as ss
from examples.figures import figure, mnist, seeds

data = mnist()
FULL = seeds() == 10
EPOCHS, LOW = (20, 0.950) if FULL else (2, 0.90)
JUMPS = "at lr .5 the accuracy of an epoch jumps by half a point, in a plain PyTorch loop as well"
COMMAND = (
    'sevensteps train mnist --initialize "pytorch_default()" --predict "mlp(30)" --step '
    '"sgd(lr=0.5)" '
    f'--repeat "batches(256)" --stop "epochs({EPOCHS})"'
)
race = ss.race(
    ss.grid(
        data,
        initialize="pytorch_default()",
        predict="mlp(30)",
        step="sgd(lr=0.5)",
        repeat="batches(256)",
        stop=f"epochs({EPOCHS})",
        seeds=seeds(quick=1),
    ),
    out=False,
    watch=0,
)


# %%
def plain_loop(seed: int) -> tuple[float, float]:
    """Accuracy of the last epoch and of the best, by PyTorch alone."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    found = []
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(data.train)).split(256):
            loss = F.cross_entropy(network(data.train.x[rows]), data.train.y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found.append((network(data.valid.x).argmax(1) == data.valid.y).double().mean().item())
    return found[-1], max(found)


# %%
by_hand = [plain_loop(seed) for seed in range(seeds(quick=1))]
last, best = (
    [getattr(run, which).metrics["valid"]["accuracy"] for run in race.runs]
    for which in ("last", "best")
)
for what, values, published in (
    ("last epoch", last, ".9676–.9693"),
    ("last epoch, plain PyTorch loop", [one for one, _ in by_hand], ""),
):
    figure(
        f"784-30-10, SGD .5, {EPOCHS} epochs, {what}",
        published=published,
        ours=values,
        low=0.9676,
        high=0.9693,
        outside=JUMPS,
        measured=(LOW, 0.975),
        command=COMMAND if published else "",
    )
figure(
    f"784-30-10, SGD .5, best of {EPOCHS} epochs",
    ours=best,
    low=0.966 if FULL else LOW,
    high=0.975,
    command=COMMAND,
)
figure(
    f"784-30-10, SGD .5, best of {EPOCHS} epochs, plain PyTorch loop",
    ours=[one for _, one in by_hand],
    low=0.966 if FULL else LOW,
    high=0.975,
)
