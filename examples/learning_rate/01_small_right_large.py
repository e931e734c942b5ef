# %% [markdown]
# # Too small, right, too large
#
# One problem, the digits, one network of 30 hidden units, plain SGD for 20 epochs of batches of 64;
# only the learning rate changes.
#
# Takes about 4 s in its quick form.

# %%
import math

import sevensteps as ss
from examples.figures import figure, seeds, show

SEEDS = seeds()

digits = ss.data.load("digits")
RECIPE = {"predict": ss.mlp(30), "repeat": ss.batches(64), "stop": ss.epochs(20), "threads": 1}
RATES = (0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0)

race = ss.race(
    ss.grid(digits, step=[ss.sgd(lr=lr) for lr in RATES], seeds=SEEDS, **RECIPE), out=False, watch=0
)
accuracy, loss = {}, {}
for place, lr in enumerate(RATES):
    runs = race.runs[place * SEEDS : (place + 1) * SEEDS]
    accuracy[lr] = [run.metrics["valid"]["accuracy"] for run in runs]
    loss[lr] = [run.history[-1]["train"]["loss"] for run in runs]
    print(
        f"lr {lr:<7g} loss {sorted(loss[lr])[SEEDS // 2]:7.3f}   accuracy {min(accuracy[lr]):.3f} "
        f"to {max(accuracy[lr]):.3f}"
    )

# %% [markdown]
# - **Too small** (.0001 to .01): the loss still falls when the time is up. Nothing is wrong but the
#   patience it takes.
# - **Right** (.1 to 1): a factor of ten hardly matters. Look for the range, not for the number.
# - **Too large** (3): the first steps overshoot, and the training ends on a **plateau** at ln 10 =
#   2.303, the loss of a network that   answers the same for every digit. All 30 hidden units give 0
#   for all digits and have no gradient: a lower rate does not bring them   back.
# - **Far too large** (100): the loss is above that of knowing nothing, and jumps.

# %%
figure("digits, lr .001, accuracy", ours=accuracy[0.001], low=0.03, high=0.35)
figure("digits, lr .01, accuracy", ours=accuracy[0.01], low=0.5, high=0.85)
for lr in (0.1, 0.5, 1.0):
    figure(f"digits, lr {lr:g}, accuracy", ours=accuracy[lr], low=0.84, high=0.995)
figure("digits, lr 3, accuracy", ours=accuracy[3.0], low=0.05, high=0.2)
figure("digits, lr 10, accuracy", ours=accuracy[10.0], low=0.05, high=0.15)
figure(
    "digits, lr 10, loss on the plateau",
    published="ln 10 = 2.303",
    ours=loss[10.0],
    low=math.log(10),
    high=2.7,
)
assert min(loss[100.0]) > 5, "worse than knowing nothing"
assert all(a < b for a, b in zip(sorted(loss[0.5]), sorted(loss[0.1]), strict=True)), (
    "in the range, faster is further"
)

dead, again = [], []
for seed in range(SEEDS):
    thrown = ss.train(digits, step=ss.sgd(lr=3.0), seed=seed, watch=0, out=False, **RECIPE).network
    dead.append(int((thrown[:3](digits.train.x) <= 0).all(0).sum()))
    calmer = ss.train(
        digits,
        initialize=ss.as_given(),
        step=ss.sgd(lr=0.1),
        seed=seed,
        watch=0,
        out=False,
        **{**RECIPE, "predict": thrown},
    )
    again.append(calmer.metrics["valid"]["accuracy"])
figure("digits, lr 3: hidden units of 30 that are dead", ours=dead, low=25, high=30)
figure("digits, lr 3, then 20 epochs at lr .1, accuracy", ours=again, low=0.05, high=0.2)

# %% [markdown]
# ## What the doctor says

# %%
for lr, expected in (
    (0.001, "learning_rate_too_low"),
    (0.5, None),
    (10.0, "learning_rate_too_high"),
):
    for seed in range(SEEDS):
        run = ss.train(digits, step=ss.sgd(lr=lr), seed=seed, watch=1, out=False, **RECIPE)
        names = [finding.condition for finding in run.findings]
        assert names[:1] == ([expected] if expected else []), f"lr {lr:g}, seed {seed}: {names}"
    print(f"lr {lr:g}: {expected or 'nothing is wrong'}, with all {SEEDS} seeds")

# %% [markdown]
# The last of these, with lr 10: a diagnosis shows itself, with its evidence and what to change.

# %%
show(run.diagnosis)
