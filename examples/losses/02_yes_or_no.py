# %% [markdown]
# # Yes or no
#
# The right pair: one output, a log-odds, and binary cross-entropy, which puts the sigmoid on
# itself. Two tasks: is a point on the inner of two circles, and is a breast tumour malignant?
#
# Takes about 4 s in its quick form.

# %%
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds(quick=1)
RECIPE = {
    "initialize": ss.kaiming_normal(),
    "step": ss.sgd(lr=0.1),
    "repeat": ss.batches(32),
    "stop": ss.epochs(20),
    "threads": 1,
}


def trained(data: str, loss: str, behind: nn.Module | None = None) -> list[ss.Run]:
    """16 hidden units, and `behind` the output, if anything."""
    predict: object = ss.mlp(16)
    if behind is not None:
        with torch.random.fork_rng():
            inputs = ss.data.load(data).train.x.shape[1]
            predict = nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, 1), behind)
    return ss.race(
        ss.grid(data, predict=predict, loss=loss, seeds=SEEDS, **RECIPE),
        out=False,
        watch=1,
        diagnose="all",
    ).runs


def report(what: str, runs: list[ss.Run], low: float, high: float, expected: str) -> None:
    figure(what, ours=[run.metrics["valid"]["accuracy"] for run in runs], low=low, high=high)
    first = {run.findings[0].condition if run.findings else "nothing" for run in runs}
    print("   the doctor:", ", ".join(sorted(first)))
    assert first == {expected}, first


report(
    "circles, binary_cross_entropy",
    trained("circles", "binary_cross_entropy()"),
    0.94,
    1,
    "nothing",
)
report(
    "breast_cancer, binary_cross_entropy",
    trained("breast_cancer", "binary_cross_entropy()"),
    0.92,
    0.99,
    "nothing",
)

# %% [markdown]
# ## The sigmoid twice
#
# The commonest mistake: a sigmoid at the end of the network, and a loss that takes log-odds
# (`BCEWithLogitsLoss`). The sigmoid of a number between 0 and 1 lies between .5 and .73. The
# network can never say no, the loss cannot come below ln 2 for any sample whose answer is no, and
# as an output above 0 is read as yes, every answer is yes.

# %%
report(
    "circles, sigmoid twice",
    trained("circles", "binary_cross_entropy()", nn.Sigmoid()),
    0.5,
    0.5,
    "output_loss_mismatch",
)
report(
    "breast_cancer, sigmoid twice",
    trained("breast_cancer", "binary_cross_entropy()", nn.Sigmoid()),
    0.62,
    0.64,
    "output_loss_mismatch",
)
report(
    "circles, ReLU behind the output",
    trained("circles", "binary_cross_entropy()", nn.ReLU()),
    0.4,
    0.6,
    "output_loss_mismatch",
)

# %% [markdown]
# ## A squared error behind a sigmoid
#
# That learns, on problems as easy as these. What is wrong with it is its slope, 2 (p − t) · p (1 −
# p): for an answer that is *wrong and sure* it is almost 0, exactly where cross-entropy pulls
# hardest, with p − t. So a bad start stays bad (Nielsen, chapter 3: one neuron that begins surely
# wrong). The book's `mnist_loss` has half that slope.

# %%
output = torch.tensor([[0.0], [2.0], [5.0], [10.0]], dtype=torch.float64)
target = torch.zeros(4, 1, dtype=torch.float64)
cross = ss.binary_cross_entropy().derivative(output, target)[:, 0]
p = output[:, 0].sigmoid()
squared = 2 * p * p * (1 - p)  # the slope of (p - 0)²
book = ss.mnist_loss().derivative(output, target)[:, 0]
print("target 0, answered p =", [f"{one:.5f}" for one in p.tolist()])
for name, slope in (("cross-entropy", cross), ("squared error", squared), ("mnist_loss", book)):
    print(f"   slope of {name:14}", [f"{one:.5f}" for one in slope.tolist()])
figure("slope of cross-entropy at output 10, target 0", ours=float(cross[3]), low=0.9999, high=1)
figure(
    "slope of the squared error there", ours=float(squared[3]), low=0.00008, high=0.0001, digits=5
)
figure("slope of mnist_loss there", ours=float(book[3]), low=0.00004, high=0.00005, digits=5)
probe = output.clone().requires_grad_()
probe.sigmoid().square().sum().backward()
assert torch.allclose(probe.grad[:, 0], squared), "autograd says the same"

# %% [markdown]
# The same, trained: the network starts with a bias of 8 at its output, so that it is sure of yes
# for every point (p = .9997).


# %%
def from_sure(loss: str, behind: nn.Module | None, seed: int) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        last = nn.Linear(16, 1)
        network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), last, *([behind] if behind else []))
    with torch.no_grad():
        last.bias.fill_(8.0)
    run = ss.train(
        "circles",
        predict=network,
        loss=loss,
        seed=seed,
        watch=0,
        out=False,
        **{**RECIPE, "initialize": ss.as_given()},
    )
    return float(run.metrics["valid"]["accuracy"])


figure(
    "circles from surely wrong, cross-entropy",
    ours=[from_sure("binary_cross_entropy()", None, seed) for seed in range(SEEDS)],
    low=0.66,
    high=1,
)
figure(
    "circles from surely wrong, sigmoid and squared error",
    low=0.45,
    high=0.6,
    ours=[from_sure("mean_squared_error()", nn.Sigmoid(), seed) for seed in range(SEEDS)],
)
figure(
    "circles from surely wrong, mnist_loss",
    ours=[from_sure("mnist_loss()", None, seed) for seed in range(SEEDS)],
    low=0.45,
    high=0.6,
)
