# %% [markdown]
# # Schedules: not the same rate all the way
#
# Ten epochs of the digits in batches of 16, whose gradients are noisy. The same six schedules at
# two rates, all seeds in one race.
#
# Takes about 3 s in its quick form.

# %%
from statistics import median

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds()

digits = ss.data.load("digits")
SCHEDULES = (
    "{lr}",
    "linear_warmup({lr})",
    "step_decay({lr})",
    "exponential({lr})",
    "cosine({lr})",
    "one_cycle({lr})",
)

accuracy: dict[str, list[float]] = {}
for lr in (0.5, 1.0):
    steps = [f"sgd(lr={schedule.format(lr=lr)})" for schedule in SCHEDULES]
    race = ss.race(
        ss.grid(
            digits,
            step=steps,
            predict=ss.mlp(30),
            repeat=ss.batches(16),
            stop=ss.epochs(10),
            seeds=SEEDS,
            threads=1,
        ),
        out=False,
        watch=0,
    )
    print(f"\nhighest rate {lr:g}")
    for row in race.table:
        accuracy[row.label] = [
            race.runs[member].metrics["valid"]["accuracy"] for member in row.members
        ]
        sure = (
            ""
            if row.p is None
            else f"   behind by {-row.behind:.3f}, by chance with p = {row.p:.3f}"
        )
        print(f"  {row.label:27} {row.metric:.4f} ({row.lowest:.4f} to {row.highest:.4f}){sure}")

# %% [markdown]
# At .5, a rate that is right, a schedule that ends low gains about a point, and above all it is
# less of a lottery: the noise of the last batches is no longer in the weights. A warm-up alone
# gains nothing. At 1, which is too much for batches of 16, the constant rate loses the network in
# some seeds (where units die, they stay dead), and so do stairs, which keep the full rate for half
# of the way. What begins low, or does not stay high for long, is within a point or two of half the
# rate.

# %%
for label, low, high in (
    ("sgd(lr=0.5)", 0.82, 0.985),
    ("sgd(lr=cosine(0.5))", 0.94, 0.985),
    ("sgd(lr=one_cycle(0.5))", 0.935, 0.985),
    ("sgd(lr=1.0)", 0.05, 0.97),
    ("sgd(lr=one_cycle(1.0))", 0.90, 0.985),
    ("sgd(lr=exponential(1.0))", 0.91, 0.98),
):
    figure(f"digits, batches of 16, 10 epochs, {label}", ours=accuracy[label], low=low, high=high)
assert median(accuracy["sgd(lr=one_cycle(1.0))"]) > median(accuracy["sgd(lr=1.0)"]) + 0.05
