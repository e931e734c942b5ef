# %% [markdown]
# # The edge: 2/λ
#
# On a parabola of curvature λ, a step of gradient descent multiplies the distance to the lowest
# point by 1 − lr · λ. Below 1 in size, it shrinks; above, it grows. The border is lr = 2/λ. A loss
# with several parameters has a curvature for each direction (the eigenvalues of its Hessian), and
# the steepest one sets the border for all.
#
# ## Where it is exact: linear regression
#
# For a squared error the Hessian is 2 XᵀX / N, the same everywhere. Here: how ill 442 people with
# diabetes are after a year.
#
# Takes about 4 s in its quick form.

# %%
import torch

import sevensteps as ss
from examples.figures import figure, seeds

SEEDS = seeds()

diabetes = ss.data.load("diabetes")
x = diabetes.train.x.double()
x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)  # a column for the bias
curvatures = torch.linalg.eigvalsh(2 * x.T @ x / len(x))
edge = 2 / float(curvatures[-1])
y = diabetes.train.y.double()
lowest = float((x @ torch.linalg.lstsq(x, y).solution - y).square().mean())
print(
    f"curvatures from {float(curvatures[0]):.3f} to {float(curvatures[-1]):.2f}, so the edge is "
    f"at lr = {edge:.4f};",
    f"the lowest loss is {lowest:.4f}",
)


def losses(share: float, epochs: int = 300) -> list[float]:
    """The training loss of each step at `share` of the edge."""
    run = ss.train(
        diabetes,
        predict=ss.linear(),
        loss=ss.mean_squared_error(),
        step=ss.sgd(lr=share * edge),
        repeat=ss.full_batch(),
        stop=ss.epochs(epochs),
        precision="float64",
        threads=1,
        watch=0,
        out=False,
    )
    return [row["train"]["loss"] for row in run.history]


for share in (0.5, 0.95, 0.99, 1.01, 1.05):
    found = losses(share)
    print(
        f"{share:4.2f} of the edge: loss {found[0]:.4f}, after 10 steps {found[10]:.4f}, after "
        f"300 {found[-1]:.4g}"
    )

# %% [markdown]
# One per cent decides. Just above, every step multiplies the distance in the steepest direction by
# 1 − 1.01 · 2 = −1.02: back and forth, a little further each time. The loss, its square, grows by
# 1.0404 a step, and that is what is seen.

# %%
below, above = losses(0.99), losses(1.01)
figure(
    "diabetes, loss after 300 steps at .99 of the edge",
    ours=below[-1],
    low=lowest,
    high=1.01 * lowest,
)
figure(
    "diabetes, growth of the loss per step at 1.01 of the edge",
    published="(1 − 2.02)² = 1.0404",
    ours=above[-1] / above[-2],
    low=1.0403,
    high=1.0405,
)
assert above[-1] > 1000 * above[0] > 1000 * below[-1]

# %% [markdown]
# ## Where it is a hint: a network
#
# The Hessian of a network changes as it learns. 2/λ at the start says where full-batch descent is
# stable *there*. The search for a rate trains at 32 of them and measures λ as well, before and
# after.

# %%
RECIPE = {
    "predict": ss.mlp(30),
    "repeat": ss.full_batch(),
    "stop": ss.epochs(300 if SEEDS >= 10 else 60),
    "threads": 1,
}
rates = ss.find_learning_rate("digits", step=ss.sgd(lr=0.1), **RECIPE)
print(
    f"take lr = {rates.suggestion:g}; good from {rates.good[0]:g} to {rates.good[1]:g}; the first "
    f"that diverges: {rates.edge:g}"
)
print(rates.sharpness.reading)

# %% [markdown]
# The best rate lies *above* the edge of the start: the first steps bounce out of the steep place to
# a flatter one. Later the curvature rises again until training sits near the edge of its own rate
# (Cohen et al. 2021, *the edge of stability*). The cliff is real all the same: one notch further
# and nothing is learned.

# %%
assert rates.sharpness.edge is not None
assert rates.sharpness.after is not None
assert rates.edge is not None
figure("digits, full batch: 2/λ at the start", ours=rates.sharpness.edge, low=0.3, high=1.1)
figure(
    "the suggestion, in edges of the start",
    ours=rates.suggestion / rates.sharpness.edge,
    low=1,
    high=6,
)
figure(
    "2/λ after training at it, over its rate",
    published="about 1",
    ours=rates.sharpness.after / rates.suggestion,
    low=0.5,
    high=2.5,
)
figure(
    "the first rate that diverges, over the suggestion",
    ours=rates.edge / rates.suggestion,
    low=1.2,
    high=4,
)
figure("training loss at the suggestion", ours=rates.loss, low=0, high=0.3)
