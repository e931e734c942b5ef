# %% [markdown]
# # Seven steps for the speed of a roller coaster
#
# The book's end-to-end example: twenty measurements of a speed, a quadratic `a t² + b t + c`, and
# stochastic gradient descent at a learning rate of 1e-5. The book stops after ten steps, at a loss
# of 676.95, far from a fit. A thread on it says that the model cannot fit, because the number 9.5
# is missing in it. It can. Here is why it does not.
#
# Takes about 3 s.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import torch

import sevensteps as ss
from examples.figures import figure, picture, seeds

draw = torch.Generator().manual_seed(0)
t = torch.arange(20.0)
speed = torch.randn(20, generator=draw) * 3 + 0.75 * (t - 9.5) ** 2 + 1

# %% [markdown]
# By hand: 1 initialize, 2 predict, 3 loss, 4 gradient, 5 step, 6 repeat, 7 stop.

# %%
parameters = torch.randn(3, generator=draw).requires_grad_()
by_hand = []
for _ in range(10):
    a, b, c = parameters
    loss = (a * t**2 + b * t + c - speed).square().mean()
    loss.backward()
    with torch.no_grad():
        parameters -= 1e-5 * parameters.grad
    parameters.grad = None
    by_hand.append(loss.item())
print("losses:", [round(one, 2) for one in by_hand])

# %% [markdown]
# The same as seven values. The measurements have noise of their own, and the start is three random
# numbers, so no seed comes to the book's digits. How the loss *falls* is the book's: what is above
# the rest shrinks by the same factor at each step, in the book and here.

# %%
SEVEN = {
    "initialize": "normal(1.0, bias='normal')",
    "predict": "polynomial(2)",
    "loss": "mean_squared_error()",
    "step": "sgd(lr=1e-5)",
    "repeat": "full_batch()",
    "stop": "epochs(10)",
}
START = (
    '--initialize "normal(1.0, bias=\'normal\')" --predict "polynomial(2)" --repeat "full_batch()"'
)
race = ss.race(ss.grid("speed", seeds=seeds(), precision="float64", **SEVEN), out=False, watch=0)
losses = [[row["train"]["loss"] for row in run.history] for run in race.runs]
assert all(
    after < before for one in [by_hand, *losses] for before, after in itertools.pairwise(one)
), "it falls at every step"

book = [25823.81, 5435.54, 1577.45, 676.95]
fall = (book[2] - book[3]) / (book[1] - book[3])
run = ss.train("speed", **SEVEN | {"initialize": "constant(3.0)", "stop": "epochs(15)"}, out=False)
above = [row["train"]["loss"] - run.history[-1]["train"]["loss"] for row in run.history]
figure(
    "speed, loss after ten steps",
    published="676.95",
    ours=[one[-1] for one in losses],
    low=600,
    high=700,
    digits=0,
    command=f'sevensteps train speed {START} --step "sgd(lr=1e-5)" --stop "epochs(10)"',
)
figure(
    "speed, what is left of the loss above its rest, per step",
    published=f"{fall:.3f}",
    ours=[above[k + 1] / above[k] for k in range(3)],
    low=0.188,
    high=0.191,
    digits=3,
)

# %% [markdown]
# ## Can a quadratic fit it?
#
# Exactly: `0.75 (t − 9.5)² + 1` is `0.75 t² − 14.25 t + 68.6875`. The best parabola through the
# noise has a loss of about 6: of other noise a little more or less, here on average 9 · 17 / 20.

# %%
data = ss.data.load("speed")
clean = 0.75 * (np.arange(20) - 9.5) ** 2 + 1
powers = np.stack([np.arange(20.0) ** 2, np.arange(20.0), np.ones(20)], 1)
fit = np.linalg.lstsq(powers, clean, rcond=None)[0]
for name, value, expected in zip("abc", fit, (0.75, -14.25, 68.6875), strict=True):
    figure(
        f"speed without noise, {name}",
        published=f"{expected}",
        ours=value,
        exactly=expected,
        tolerance=1e-9,
    )
measured = data.train.y[:, 0].double().numpy()


def least(values: np.ndarray) -> float:
    """The loss of the best parabola."""
    return np.square(powers @ np.linalg.lstsq(powers, values, rcond=None)[0] - values).mean()


draws = [
    least(ss.data.load(f"speed(seed={seed})").train.y[:, 0].double().numpy())
    for seed in range(1000 if seeds() == 10 else 100)
]
print(f"over {len(draws)} draws of the noise: {np.mean(draws):.2f} ± {np.std(draws):.2f}")
assert abs(np.mean(draws) - 9 * 17 / 20) < 0.8
optimum = least(measured)
figure("speed, the least loss there is", published="≈ 6", ours=optimum, low=5, high=10.4, digits=1)

# %% [markdown]
# ## Why does it not get there?
#
# The loss is a bowl in three directions, and its curvatures are the eigenvalues of 2 XᵀX / 20. One
# step at rate lr leaves (1 − lr · curvature) of the distance in each direction. The steepest one
# allows no rate above 2 / 56 499; the flattest then hardly moves.

# %%
flat, middle, steep = np.linalg.eigvalsh(2 * powers.T @ powers / 20)
figure("speed, smallest curvature", published=".2586", ours=flat, exactly=0.2586)
figure(
    "speed, second curvature",
    published="15.98",
    ours=middle,
    exactly=15.98,
    tolerance=0.005,
    digits=2,
)
figure(
    "speed, largest curvature",
    published="56 499",
    ours=steep,
    exactly=56_499,
    tolerance=0.5,
    digits=0,
)
figure(
    "speed, condition number",
    published="218 451",
    ours=steep / flat,
    exactly=218_451,
    tolerance=0.5,
    digits=0,
)
figure(
    "speed, largest stable lr, in millionths",
    published="35.4",
    ours=2e6 / steep,
    exactly=35.4,
    tolerance=0.05,
    digits=1,
)
figure(
    "speed, steps for a factor e in the flattest direction at lr 1e-5",
    published="386 600",
    ours=1e5 / flat,
    exactly=386_600,
    tolerance=100,
    digits=0,
)
figure(
    "speed, (1 − 1e-5 · largest curvature)²: the fall per step again",
    published=f"{fall:.3f}",
    ours=(1 - 1e-5 * steep) ** 2,
    exactly=0.1892,
    digits=4,
)

# %% [markdown]
# "Try a higher learning rate" helps up to 3.5e-5 and not beyond:

# %%
for lr, falls in ((3.5e-5, True), (3.6e-5, False)):
    run = ss.train("speed", **SEVEN | {"step": f"sgd(lr={lr})", "stop": "epochs(200)"}, out=False)
    print(
        f"lr {lr}: loss {run.history[20]['train']['loss']:.4g} after 20 steps, "
        f"{run.history[-1]['train']['loss']:.4g} after 200"
    )
    assert (run.history[-1]["train"]["loss"] < run.history[20]["train"]["loss"]) == falls
print(
    "the doctor says:",
    [
        finding.condition
        for finding in ss.train("speed", **SEVEN | {"stop": "epochs(200)"}, out=False).findings
    ],
)

# %% [markdown]
# What helps is to bring t to mean 0 and standard deviation 1. The same quadratic, the same twenty
# points:

# %%
cured = ss.data.load("speed(scale='standardize')")
z = cured.train.x[:, 0].double().numpy()
powers = np.stack([z**2, z, np.ones(20)], 1)
curvatures = np.linalg.eigvalsh(2 * powers.T @ powers / 20)
figure(
    "speed standardised, condition number",
    published="7.4",
    ours=curvatures[-1] / curvatures[0],
    exactly=7.4,
    tolerance=0.05,
    digits=1,
)
race = ss.race(
    ss.grid(
        cured,
        seeds=seeds(),
        precision="float64",
        **SEVEN | {"step": "sgd(lr=0.3)", "stop": "epochs(51)"},
    ),
    out=False,
    watch=0,
)
figure(
    "speed standardised, loss after 50 steps, as a multiple of the least",
    published="1",
    ours=[run.history[-1]["train"]["loss"] / optimum for run in race.runs],
    low=1,
    high=1.01,
    digits=3,
    command=f'sevensteps train "speed(scale=\'standardize\')" {START} --step "sgd(lr=0.3)" --stop '
    '"epochs(51)"',
)

drawn, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
left.scatter(t.numpy(), measured, s=12, color="black")
ended = ss.train("speed", **SEVEN, out=False)
for run, name, inputs in (
    (race.runs[0], "50 steps, t standardised", cured),
    (ended, "10 steps, as in the book", data),
):
    with torch.no_grad():
        left.plot(
            t.numpy(),
            run.network(inputs.train.x.to(next(run.network.parameters()).dtype))[:, 0].numpy(),
            label=name,
        )
    right.semilogy([row["train"]["loss"] for row in run.history], label=name)
left.set(xlabel="t (s)", ylabel="speed")
right.axhline(optimum, color="black", linewidth=0.5)
right.set(xlabel="step", ylabel="loss")
right.legend(fontsize=8, frameon=False)
picture(drawn, "chapter4-speed")
