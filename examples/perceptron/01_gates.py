# %% [markdown]
# # The perceptron: AND, OR, and not XOR
#
# One neuron that answers 1 if w0 · x0 + w1 · x1 + w2 · x2 ≥ 0 and else 0. The bias is the weight
# w0, whose input x0 is always 1. Rosenblatt's rule of 1958: a right answer changes nothing; a wrong
# one adds the inputs to the weights (it should have said 1) or takes them away (it should have said
# 0). One case after the other, from zeros.
#
# Takes about 1 s in its quick form.

# %%
import numpy as np
import torch

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds()

CASES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0], "xor": [0, 1, 1, 0]}


def gate(name: str) -> ss.data.Data:
    """The truth table, to train on and to be judged by."""
    answers = np.array(GATES[name])
    return ss.data.from_arrays(CASES, answers, valid=(CASES, answers), name=name)


def perceptron(name: str, epochs: int = 12, **changed: object) -> ss.Run:
    return ss.train(
        gate(name),
        **{
            "initialize": ss.zeros(),
            "predict": ss.neuron("step", bias="w0"),
            "gradient": ss.perceptron_rule(),
            "step": ss.sgd(lr=1.0),
            "repeat": ss.batches(1, shuffle=False),
            "stop": ss.epochs(epochs),
            "threads": 1,
            "watch": 0,
            "out": False,
            **changed,
        },
    )


def by_hand(name: str, epochs: int = 12) -> list[list[float]]:
    """The rule in four lines: the weights (w0, w1, w2) after each epoch."""
    w, after = np.zeros(3), []
    for _ in range(epochs):
        for (x1, x2), target in zip(CASES, GATES[name], strict=True):
            x = np.array([1, x1, x2])
            w += (target - float(w @ x >= 0)) * x
        after.append(w.tolist())
    return after


def right(run: ss.Run) -> list[float]:
    """The share of right answers after each epoch."""
    return [row["valid"]["accuracy"] for row in run.history]


for name in GATES:
    run = perceptron(name)
    w0, w1, w2 = run.network.state_dict()["output.weight"][0].tolist()
    print(
        f"{name:4} right after each epoch: {' '.join(f'{share:.2f}' for share in right(run))}   w "
        f"= ({w0:g}, {w1:g}, {w2:g})"
    )
    assert [w0, w1, w2] == by_hand(name)[-1], "the same numbers as by hand"

# %% [markdown]
# AND, OR and NAND are learned in a few epochs, and then no case changes anything: the rule stops by
# itself wherever a straight line can separate the ones from the zeros (Novikoff 1962).

# %%
for name, most in (("and", 6), ("or", 6), ("nand", 8)):
    shares = right(perceptron(name))
    figure(
        f"perceptron, {name.upper()}: epochs until all four are right",
        ours=shares.index(1.0) + 1,
        low=2,
        high=most,
        digits=0,
    )
    assert shares[-1] == 1
    later = [
        perceptron(
            name, 40, initialize="normal(1.0, bias='normal')", repeat=ss.batches(1), seed=seed
        )
        for seed in range(SEEDS)
    ]
    figure(
        f"perceptron, {name.upper()}, random starts and orders: right after 40 epochs",
        published="1",
        ours=[run.metrics["valid"]["accuracy"] for run in later],
        low=1,
        high=1,
    )

# %% [markdown]
# ## XOR goes round in circles
#
# No line separates (0, 1) and (1, 0) from (0, 0) and (1, 1): it would have w0 < 0, w0 + w1 ≥ 0 and
# w0 + w2 ≥ 0, so that w0 + w1 + w2 ≥ −w0 > 0, and (1, 1) would be answered with 1. So each epoch
# undoes what it did, and comes back to weights that it has had: the same from there on, for ever.

# %%
weights = by_hand("xor", 40)
first = next(place for place, w in enumerate(weights) if w in weights[:place])
period = first - weights.index(weights[first])
print(
    f"XOR: the weights after epoch {first + 1} are those after epoch {first + 1 - period}: "
    f"{weights[first]}"
)
for epochs in (first + 1, first + 1 - period, 40, 40 - period):
    seen = perceptron("xor", epochs).network.state_dict()["output.weight"][0].tolist()
    assert seen == weights[epochs - 1]
assert weights[39] == weights[39 - period]
best = [
    max(
        right(
            perceptron(
                "xor", 40, initialize="normal(1.0, bias='normal')", repeat=ss.batches(1), seed=seed
            )
        )
    )
    for seed in range(SEEDS)
]
figure(
    "perceptron, XOR: the best share of right answers on the way",
    published="never 1",
    ours=best,
    low=0.5,
    high=0.75,
)

# %% [markdown]
# Not more than three of four is not bad luck. Here are all answers that any line gives, found by
# trying 100 000 of them: 14 of the 16 tables of two inputs. The other two are XOR and its opposite.

# %%
lines = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(0))
inputs = torch.cat([torch.ones(4, 1), torch.from_numpy(CASES)], 1)
tables = {tuple(row) for row in (lines @ inputs.T >= 0).int().tolist()}
figure(
    "truth tables of two inputs that one neuron can give",
    published="14",
    ours=len(tables),
    low=14,
    high=14,
    digits=0,
)
assert {(0, 1, 1, 0), (1, 0, 0, 1)}.isdisjoint(tables)
