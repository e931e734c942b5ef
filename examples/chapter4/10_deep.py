# %% [markdown]
# # Eight ReLU layers that do not learn
#
# "With ReLU, vanishing gradients are generally not a problem." Here are eight hidden layers of 64
# ReLU units, with the start that PyTorch gives every `nn.Linear`. They answer 1 to everything
# (.1135), epoch after epoch. The start has weights of variance 1 / (3 n), where ReLU needs 2 / n: a
# linear layer multiplies the signal by 1/√3, the ReLU cuts off half of its mean square.
#
# Takes about 8 s.

# %%
import statistics

import matplotlib.pyplot as plt
import torch

import sevensteps as ss
from examples.figures import figure, mnist, picture, seeds

data = mnist()
DEEP = "mlp(" + ", ".join(["64"] * 8) + ")"
SEVEN = {"predict": DEEP, "step": "sgd(lr=0.1)", "repeat": "batches(256)"}
COMMAND = (
    'sevensteps train mnist --initialize "{}" --predict "'
    + DEEP
    + '" --step "sgd(lr=0.1)" --repeat "batches(256)" '
    '--stop "epochs(3)"'
)

# %% [markdown]
# How large is the signal before the first step? `gain` is what the weights of a layer make of it
# (root mean square), `spread` how much a unit differs from sample to sample after each layer; a
# unit that is 0 for all 10 000 test digits is counted as never on.


# %%
def signal(network: torch.nn.Module) -> tuple[float, list[float], int]:
    """Mean gain of the hidden layers after the first, spread after each hidden layer, units that
    are never on.
    """
    gains, spread, off, h = [], [], 0, data.valid.x.flatten(1)
    with torch.no_grad():
        for layer in range(1, 9):
            weight, bias = (
                network.get_parameter(f"layer{layer}.{kind}") for kind in ("weight", "bias")
            )
            gains.append(((h @ weight.T).square().mean().sqrt() / h.square().mean().sqrt()).item())
            h = (h @ weight.T + bias).clamp_min(0)
            spread.append(h.std(0).mean().item())
            off += int((h.amax(0) == 0).sum())
    return statistics.mean(gains[1:]), spread, off


STARTS = ("pytorch_default()", "kaiming_normal()")
found = {
    start: [
        signal(run.network)
        for run in ss.race(
            ss.grid(data, initialize=start, **SEVEN, stop="epochs(0)", seeds=seeds()),
            out=False,
            watch=0,
        ).runs
    ]
    for start in STARTS
}
for start in STARTS:
    print(f"{start:20}", " ".join(f"{one:.4f}" for one in found[start][0][1]))
gain, per_layer, off = (
    {start: [get(one) for one in found[start]] for start in STARTS}
    for get in (
        lambda one: one[0],
        lambda one: (one[1][-1] / one[1][0]) ** (1 / 7),
        lambda one: one[2],
    )
)
DEFAULT, KAIMING = STARTS
figure(
    "gain of the weights of a layer, pytorch_default",
    published="1/√3 = .577",
    ours=gain[DEFAULT],
    low=0.52,
    high=0.64,
    digits=3,
)
figure(
    "gain of the weights of a layer, kaiming_normal",
    published="√2 = 1.414",
    ours=gain[KAIMING],
    low=1.25,
    high=1.6,
    digits=3,
)
figure(
    "spread per layer, weights and ReLU, pytorch_default",
    ours=per_layer[DEFAULT],
    low=0.25,
    high=0.45,
    digits=3,
)
figure(
    "spread per layer, weights and ReLU, kaiming_normal",
    ours=per_layer[KAIMING],
    low=0.8,
    high=1.1,
    digits=3,
)
figure(
    "units that are never on at the start, of 512, pytorch_default",
    published="no unit is dead",
    ours=off[DEFAULT],
    low=0,
    high=0,
    digits=0,
    measured=(100, 260),
    outside="deep in the network samples hardly differ, so that a unit is on for all or for none, "
    "by its bias, and many are off",
)

# %%
runs = {
    start: ss.race(
        ss.grid(data, initialize=start, **SEVEN, stop="epochs(3)", seeds=seeds(quick=1)),
        out=False,
        watch=0,
    ).runs
    for start in STARTS
}
ours = {start: [run.metrics["valid"]["accuracy"] for run in held] for start, held in runs.items()}
figure(
    "eight layers of 64 from pytorch_default, 3 epochs",
    published=".1135",
    ours=ours["pytorch_default()"],
    exactly=0.1135,
    tolerance=1e-9,
    command=COMMAND.format("pytorch_default()"),
)
figure(
    "eight layers of 64 from kaiming_normal, 3 epochs",
    published="trains",
    ours=ours["kaiming_normal()"],
    low=0.90,
    high=0.97,
    command=COMMAND.format("kaiming_normal()"),
)

drawn, place = plt.subplots(figsize=(4.5, 2.8))
for start in STARTS:
    place.semilogy(range(1, 9), found[start][0][1], marker="o", markersize=3, label=start)
place.set(xlabel="hidden layer", ylabel="spread of a unit")
place.legend(frameon=False, fontsize=8)
picture(drawn, "chapter4-deep-signal")
