# %% [markdown]
# # One of many
#
# The right pair: one output per class, and cross-entropy, which puts the softmax on itself. The ten
# digits, 16 hidden units, 20 epochs; then the pairs one meets in code that "trains, but not well".
#
# Takes about 7 s in its quick form.

# %%
import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds(quick=1)
digits = ss.data.load("digits")
RECIPE = {
    "initialize": ss.kaiming_normal(),
    "step": ss.sgd(lr=0.1),
    "repeat": ss.batches(32),
    "stop": ss.epochs(20),
    "threads": 1,
}


def trained(
    data: ss.data.Data | str,
    loss: str,
    behind: nn.Module | None = None,
    inputs: int = 64,
    outputs: int = 10,
    **changed: object,
) -> list[ss.Run]:
    """16 hidden units, and `behind` the output, if anything."""
    predict: object = ss.mlp(16)
    if behind is not None:
        with torch.random.fork_rng():
            predict = nn.Sequential(
                nn.Flatten(), nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs), behind
            )
    return ss.race(
        ss.grid(data, predict=predict, loss=loss, seeds=SEEDS, **{**RECIPE, **changed}),
        out=False,
        watch=0.05,
        diagnose="all",
    ).runs


def accuracy(runs: list[ss.Run]) -> list[float]:
    return [run.metrics["valid"]["accuracy"] for run in runs]


def first(runs: list[ss.Run]) -> set[str]:
    """What the doctor puts first, over the seeds."""
    return {run.findings[0].condition if run.findings else "nothing" for run in runs}


def report(what: str, runs: list[ss.Run], low: float, high: float, expected: str) -> None:
    figure(what, ours=accuracy(runs), low=low, high=high)
    print("   the doctor:", ", ".join(sorted(first(runs))))
    assert first(runs) == {expected}, first(runs)


report("digits, cross_entropy", trained(digits, "cross_entropy()"), 0.91, 0.98, "nothing")
report(
    "digits, log_softmax and negative_log_likelihood: the same",
    trained(digits, "negative_log_likelihood()"),
    0.91,
    0.98,
    "nothing",
)
report("iris, cross_entropy", trained("iris", "cross_entropy()"), 0.76, 1, "nothing")

# %% [markdown]
# ## The softmax twice
#
# A softmax at the end of the network, and a loss that takes logits. The second softmax sees numbers
# between 0 and 1, so the right class gets at most e / (e + 9) = .232 of the probability, and the
# loss cannot come below 1.4612. It trains, slowly, and stops early.

# %%
sure = torch.zeros(1, 10, dtype=torch.float64)
sure[0, 3] = 1.0
figure(
    "the least loss with the softmax twice",
    published="ln(e + 9) − 1 = 1.4612",
    exactly=1.4612,
    ours=float(nn.functional.cross_entropy(sure, torch.tensor([3]))),
)
report(
    "digits, softmax twice",
    trained(digits, "cross_entropy()", nn.Softmax(1)),
    0.3,
    0.9,
    "output_loss_mismatch",
)
report(
    "iris, softmax twice",
    trained("iris", "cross_entropy()", nn.Softmax(1), 4, 3),
    0.5,
    1,
    "output_loss_mismatch",
)
report(
    "digits, softmax without the log, negative_log_likelihood",
    trained(digits, "negative_log_likelihood()", nn.Softmax(1)),
    0.25,
    0.93,
    "output_loss_mismatch",
)
report(
    "digits, no softmax at all, negative_log_likelihood",
    trained(digits, "negative_log_likelihood()", nn.Identity()),
    0.05,
    0.2,
    "output_loss_mismatch",
)

# %% [markdown]
# The last has no floor: −o falls for ever as o grows, and the network only learns to make its
# outputs large.
#
# ## A squared error
#
# On the probabilities of a softmax, or on ten sigmoids: the slope fades where an answer is sure,
# and every output of the nine wrong classes is at first right to say "no". On the number of the
# class it asks for something else: that a 4 be between a 3 and a 5.

# %%
report(
    "digits, softmax and squared error",
    trained(digits, "mean_squared_error()", nn.Softmax(1)),
    0.15,
    0.65,
    "loss_unsuited",
)
report(
    "digits, sigmoids and squared error",
    trained(digits, "mean_squared_error()", nn.Sigmoid()),
    0.15,
    0.6,
    "loss_unsuited",
)

numbers = ss.data.from_arrays(
    digits.train.x.flatten(1),
    digits.train.y.float()[:, None] * 1.0,
    valid=(digits.valid.x.flatten(1), digits.valid.y.float()[:, None]),
)
runs = trained(numbers, "mean_squared_error()", step=ss.sgd(lr=0.01))
rounded = [
    float((run.network(numbers.valid.x)[:, 0].round() == numbers.valid.y[:, 0]).double().mean())
    for run in runs
]
figure("digits as numbers 0 to 9, squared error, rounded: right", ours=rounded, low=0.2, high=0.5)
print("   the doctor:", ", ".join(sorted(first(runs))))
assert first(runs) == {"loss_unsuited"}

# %% [markdown]
# ## A yes or no for each class
#
# Ten binary cross-entropies are not wrong. But the mean over ten outputs makes each slope a tenth,
# so the same rate is too low for it. At ten times the rate it does what cross-entropy does.

# %%
report(
    "digits, binary_cross_entropy per class",
    trained(digits, "binary_cross_entropy()"),
    0.55,
    0.92,
    "nothing",
)
report(
    "the same at lr 1",
    trained(digits, "binary_cross_entropy()", step=ss.sgd(lr=1.0)),
    0.86,
    0.985,
    "nothing",
)
report(
    "sigmoids behind it: the sigmoid twice",
    trained(digits, "binary_cross_entropy()", nn.Sigmoid()),
    0.05,
    0.4,
    "output_loss_mismatch",
)

# %% [markdown]
# ## Wrong and sure
#
# The target is class 0, and the network is ever surer of class 1. The slope with which the output
# of class 1 is pulled down:

# %%
for gap in (0.0, 2.0, 5.0, 10.0):
    logits = torch.zeros(1, 10, dtype=torch.float64)
    logits[0, 1] = gap
    slopes = {}
    for name, value in (
        ("cross-entropy", lambda o: nn.functional.cross_entropy(o, torch.tensor([0]))),
        ("softmax twice", lambda o: nn.functional.cross_entropy(o.softmax(1), torch.tensor([0]))),
        ("softmax and squared error", lambda o: (o.softmax(1) - torch.eye(10)[:1]).square().mean()),
    ):
        o = logits.clone().requires_grad_()
        value(o).backward()
        slopes[name] = float(o.grad[0, 1])
    print(
        f"ahead by {gap:4.1f}:", ", ".join(f"{name} {slope:.5f}" for name, slope in slopes.items())
    )
figure(
    "slope of cross-entropy when wrong and sure",
    published="p − 0 → 1",
    ours=slopes["cross-entropy"],
    low=0.999,
    high=1,
)
figure(
    "slope of the softmax twice when wrong and sure",
    published="→ 0",
    ours=slopes["softmax twice"],
    low=0,
    high=0.001,
    digits=5,
)
figure(
    "slope of softmax and squared error when wrong and sure",
    published="→ 0",
    ours=slopes["softmax and squared error"],
    low=0,
    high=0.001,
    digits=5,
)
assert (
    abs(
        float(ss.cross_entropy().derivative(logits, torch.tensor([0]))[0, 1])
        - slopes["cross-entropy"]
    )
    < 1e-12
)
