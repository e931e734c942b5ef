# %% [markdown]
# # A number to predict
#
# The right pair: an output that can take any value (no activation behind it), and a distance to the
# target. Here: how ill 442 people with diabetes are after a year, in standard deviations. r2 is the
# share of the variance that is explained; 0 is what the mean alone does.
#
# Takes about 5 s in its quick form.

# %%
import math

import torch
from torch import nn

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds(quick=1)
diabetes = ss.data.load("diabetes")
RECIPE = {"step": ss.sgd(lr=0.05), "repeat": ss.full_batch(), "stop": ss.epochs(200), "threads": 1}


def trained(**steps: object) -> list[ss.Run]:
    return ss.race(
        ss.grid(diabetes, seeds=SEEDS, **{**RECIPE, **steps}), out=False, watch=1, diagnose="all"
    ).runs


def r2(runs: list[ss.Run]) -> list[float]:
    return [run.metrics["valid"]["r2"] for run in runs]


def found(runs: list[ss.Run]) -> set[str]:
    """What the doctor puts first, over the seeds."""
    return {run.findings[0].condition if run.findings else "nothing" for run in runs}


for loss, low, high in (
    ("mean_squared_error()", 0.50, 0.52),
    ("huber()", 0.48, 0.52),
    ("mean_absolute_error()", 0.46, 0.49),
):
    runs = trained(predict=ss.linear(), loss=loss)
    figure(f"diabetes, linear, {loss}, r2", ours=r2(runs), low=low, high=high)
    assert found(runs) == {"nothing"}, found(runs)

# %% [markdown]
# The three losses ask for different things: the square for the mean of what is likely, the absolute
# distance for the middle value, and the square lets one wild target weigh more than all others. A
# table with one typing error shows it: a target of 100 standard deviations.

# %%
y = diabetes.train.y.clone()
y[0] = 100.0
spoiled = ss.data.from_arrays(diabetes.train.x, y, valid=(diabetes.valid.x, diabetes.valid.y))
scores = {}
for loss in ("mean_squared_error()", "mean_absolute_error()", "huber()"):
    runs = ss.race(
        ss.grid(spoiled, predict=ss.linear(), loss=loss, seeds=SEEDS, **RECIPE), out=False, watch=0
    ).runs
    scores[loss] = r2(runs)
    figure(
        f"diabetes with one target mistyped, {loss}, r2",
        ours=scores[loss],
        low=-1.5 if "squared" in loss else 0.42,
        high=0.35 if "squared" in loss else 0.52,
    )

# %% [markdown]
# ## The wrong output
#
# A sigmoid behind the output can only answer 0 to 1, tanh −1 to 1, ReLU nothing below 0. The
# targets do not care. The loss still falls, so nothing looks broken; but whoever is above or below
# what the output can say is out of reach.

# %%
for name, layer, low, high in (
    ("sigmoid", nn.Sigmoid(), 0.05, 0.25),
    ("tanh", nn.Tanh(), 0.25, 0.50),
    ("relu", nn.ReLU(), -0.15, 0.35),
):
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1), layer)
    runs = trained(predict=network, initialize=ss.kaiming_normal(), loss=ss.mean_squared_error())
    figure(f"diabetes, {name} behind the output, r2", ours=r2(runs), low=low, high=high)
    assert found(runs) == {"target_out_of_range"}, found(runs)
runs = trained(predict=ss.mlp(16), initialize=ss.kaiming_normal(), loss=ss.mean_squared_error())
figure("diabetes, the same network without it, r2", ours=r2(runs), low=0.36, high=0.56)

# %% [markdown]
# ## The slope when far off
#
# The farther off an answer is, the more the square pulls; the absolute distance always pulls alike.
# That is why the absolute distance takes so long to reach targets that are far from 0, such as raw
# speeds of up to 68 (`speed`), where the doctor finds `targets_unscaled`.

# %%
output, target = torch.tensor([[0.5], [3.0], [60.0]]), torch.zeros(3, 1)
print("distance    ", output[:, 0].tolist())
for loss in (ss.mean_squared_error(), ss.mean_absolute_error(), ss.huber()):
    print(f"{loss!r:24} slope {loss.derivative(output, target)[:, 0].tolist()}")
assert ss.mean_squared_error().derivative(output, target)[:, 0].tolist() == [1, 6, 120]
assert ss.mean_absolute_error().derivative(output, target)[:, 0].tolist() == [1, 1, 1]

speed = {
    loss: ss.train(
        "speed(scale='standardize')",
        predict=ss.polynomial(2),
        loss=loss,
        watch=1,
        out=False,
        **RECIPE,
    )
    for loss in ("mean_squared_error()", "mean_absolute_error()")
}
for loss, run in speed.items():
    print(
        f"speed, {loss}: r2 {run.metrics['valid']['r2']:.3f}; found: "
        f"{', '.join(f.condition for f in run.findings) or 'nothing'}"
    )
figure(
    "speed, mean_squared_error, r2",
    ours=speed["mean_squared_error()"].metrics["valid"]["r2"],
    low=0.97,
    high=1,
)
figure(
    "speed, mean_absolute_error, r2",
    ours=speed["mean_absolute_error()"].metrics["valid"]["r2"],
    low=0.1,
    high=0.5,
)
assert speed["mean_absolute_error()"].findings[0].condition == "targets_unscaled"
assert math.isclose(float(ss.huber().derivative(output, target)[2]), 1)
